//! Which column of a file is which field. Pure.

use std::collections::HashSet;

use kernel::person;

use super::file::FileError;

/// Most columns of a file. No shop has as many fields.
pub const MAX_COLUMNS: usize = 200;
/// Longest name of a custom field.
const MAX_NAME: usize = 60;

/// The content of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    External,
    Email,
    Phone,
    Tags,
    /// The field of a person of this name.
    Person(&'static str),
    /// A custom field of this name.
    Custom(String),
    /// A column without a heading; it is left out.
    Skipped,
}

/// The known headings, folded, by the field of a contact that they fill.
pub fn headings() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    person::known().map(|known| (known.name, known.aliases))
}

/// A heading in the form that is compared: `"Họ và tên "` is `ho_va_ten`.
pub fn normal(heading: &str) -> String {
    person::heading(heading).chars().take(MAX_NAME).collect()
}

/// The columns of a file, from its first row.
pub fn columns<'a>(headings: impl Iterator<Item = &'a str>) -> Result<Vec<Column>, FileError> {
    let headings: Vec<String> = headings.map(normal).collect();
    if headings.len() > MAX_COLUMNS {
        return Err(FileError::TooManyColumns { most: MAX_COLUMNS });
    }
    let mut columns: Vec<Column> = headings.iter().map(|heading| column(heading)).collect();
    // "Tên" beside "Họ" is the given name; "Tên" alone is the whole name.
    let has = |columns: &[Column], wanted: &Column| columns.contains(wanted);
    let (whole, family) = (Column::Person("full_name"), Column::Person("last_name"));
    if !has(&columns, &family) && !has(&columns, &whole) {
        let mut headings = headings.iter();
        let given = headings.position(|heading| heading == person::GIVEN_OR_WHOLE);
        if let Some(column) = given.and_then(|at| columns.get_mut(at)) {
            *column = whole;
        }
    }
    let mut seen = HashSet::new();
    for (column, heading) in columns.iter().zip(&headings) {
        if *column != Column::Skipped && !seen.insert(format!("{column:?}")) {
            return Err(FileError::RepeatedColumn {
                heading: heading.clone(),
            });
        }
    }
    if !has(&columns, &Column::Email) && !has(&columns, &Column::Phone) {
        return Err(FileError::NoAddress);
    }
    Ok(columns)
}

fn column(heading: &str) -> Column {
    if heading.is_empty() {
        return Column::Skipped;
    }
    match person::meant(heading) {
        Some("external_id") => Column::External,
        Some("email") => Column::Email,
        Some("phone") => Column::Phone,
        Some("tags") => Column::Tags,
        Some(name) => Column::Person(name),
        None => Column::Custom(heading.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vietnamese_and_english_headings_are_known() {
        let headings = "Họ và tên,SỐ ĐIỆN THOẠI, E-mail ,Ngày sinh,Tỉnh/Thành,Thẻ,";
        assert_eq!(
            columns(headings.split(',')).unwrap(),
            [
                Column::Person("full_name"),
                Column::Phone,
                Column::Email,
                Column::Person("birthday"),
                Column::Person("province"),
                Column::Tags,
                Column::Skipped,
            ]
        );
        let both = columns("Họ,Tên,sdt".split(',')).unwrap();
        assert_eq!(
            both,
            [
                Column::Person("last_name"),
                Column::Person("first_name"),
                Column::Phone
            ]
        );
        assert_eq!(
            columns("Tên,sdt".split(',')).unwrap()[0],
            Column::Person("full_name")
        );
    }

    #[test]
    fn a_file_without_address_or_with_a_repeated_column_is_refused() {
        assert_eq!(
            columns("Họ và tên,Điểm".split(',')),
            Err(FileError::NoAddress)
        );
        let repeated = columns("Email,e-mail".split(','));
        assert_eq!(
            repeated,
            Err(FileError::RepeatedColumn {
                heading: "e_mail".into()
            })
        );
        let many = vec!["x"; 201];
        assert!(matches!(
            columns(many.into_iter()),
            Err(FileError::TooManyColumns { .. })
        ));
    }
}
