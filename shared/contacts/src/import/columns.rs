//! Which column of a file is which field. Pure.

use std::collections::HashSet;

use kernel::text::fold;

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
    FullName,
    FirstName,
    LastName,
    Tags,
    Birthday,
    /// A custom field of this name.
    Custom(String),
    /// A column without a heading; it is left out.
    Skipped,
}

/// Headings by field, folded, words joined by `_`. Vietnamese and English, as shops export them.
const ALIASES: [(Column, &[&str]); 8] = [
    (
        Column::Email,
        &[
            "email",
            "e_mail",
            "mail",
            "dia_chi_email",
            "email_address",
            "thu_dien_tu",
        ],
    ),
    (
        Column::Phone,
        &[
            "so_dien_thoai",
            "sdt",
            "dien_thoai",
            "so_dt",
            "so_di_dong",
            "di_dong",
            "phone",
            "phone_number",
            "mobile",
            "tel",
            "telephone",
        ],
    ),
    (
        Column::FullName,
        &[
            "ho_va_ten",
            "ho_ten",
            "hoten",
            "ten_khach_hang",
            "khach_hang",
            "ten_day_du",
            "full_name",
            "fullname",
            "name",
            "customer_name",
        ],
    ),
    (
        Column::FirstName,
        &["ten", "ten_goi", "first_name", "firstname", "given_name"],
    ),
    (
        Column::LastName,
        &[
            "ho",
            "ho_dem",
            "ho_va_ten_dem",
            "last_name",
            "lastname",
            "surname",
            "family_name",
        ],
    ),
    (
        Column::External,
        &[
            "external_id",
            "id",
            "ma_khach_hang",
            "ma_kh",
            "customer_id",
            "customer_code",
        ],
    ),
    (Column::Tags, &["tags", "tag", "the", "nhan"]),
    (
        Column::Birthday,
        &["ngay_sinh", "sinh_nhat", "birthday", "dob", "date_of_birth"],
    ),
];

/// The known headings, folded, by the field of a contact that they fill.
pub fn headings() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    ALIASES
        .iter()
        .map(|(column, aliases)| (column.field(), *aliases))
}

impl Column {
    /// Name of the contact's field.
    fn field(&self) -> &str {
        match self {
            Self::External => "external_id",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::FullName => "full_name",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Tags => "tags",
            Self::Birthday => "custom.birthday",
            Self::Custom(name) => name,
            Self::Skipped => "",
        }
    }
}

/// A heading in the form that is compared: `"Họ và tên "` is `ho_va_ten`.
pub fn normal(heading: &str) -> String {
    let folded = fold(heading);
    let words = folded.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("_").chars().take(MAX_NAME).collect()
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
    if !has(&columns, &Column::LastName) && !has(&columns, &Column::FullName) {
        let given = headings.iter().position(|heading| heading == "ten");
        if let Some(column) = given.and_then(|at| columns.get_mut(at)) {
            *column = Column::FullName;
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
    let known = ALIASES
        .iter()
        .find(|(_, aliases)| aliases.contains(&heading));
    known.map_or_else(
        || Column::Custom(heading.to_owned()),
        |(column, _)| column.clone(),
    )
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
                Column::FullName,
                Column::Phone,
                Column::Email,
                Column::Birthday,
                Column::Custom("tinh_thanh".into()),
                Column::Tags,
                Column::Skipped,
            ]
        );
        let both = columns("Họ,Tên,sdt".split(',')).unwrap();
        assert_eq!(both, [Column::LastName, Column::FirstName, Column::Phone]);
        assert_eq!(columns("Tên,sdt".split(',')).unwrap()[0], Column::FullName);
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
