//! The columns of a file without headings: named `A`, `B` and so on, and guessed from the cells. Pure.

use super::columns::Column;
use super::layout::Mapping;
use super::values::{birthday, email, phone, plain};

/// The name of a column as spreadsheets write it: `A`, `Z`, `AA`.
pub fn letters(column: usize) -> String {
    let mut rest = column;
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'A' + (rest % 26) as u8));
        match rest / 26 {
            0 => break,
            more => rest = more - 1,
        }
    }
    letters.into_iter().rev().collect()
}

/// The field of each column: the one of the mapping, or else the one that most of its cells fit. None: a field of the
/// shop's own. One column becomes the whole name.
pub fn guess(rows: &[&[String]], width: usize, mapping: &Mapping) -> Vec<Option<Column>> {
    let name = Column::Person("full_name");
    let given = |n: usize| mapping.get(&letters(n).to_lowercase()).cloned();
    let mut has_name = mapping.values().any(|column| *column == name);
    let fields = (0..width).map(|n| {
        let field = given(n).or_else(|| meaning(rows, n))?;
        if field == name {
            if has_name && given(n).is_none() {
                return None;
            }
            has_name = true;
        }
        Some(field)
    });
    fields.collect()
}

fn meaning(rows: &[&[String]], n: usize) -> Option<Column> {
    let cells = rows.iter().filter_map(|row| row.get(n));
    let cells: Vec<&str> = cells
        .map(|cell| plain(cell))
        .filter(|cell| !cell.is_empty())
        .collect();
    let most = |fits: fn(&str) -> bool| {
        let fitting = cells.iter().filter(|cell| fits(cell)).count();
        fitting * 2 > cells.len()
    };
    if most(|cell| email(cell).value.is_some()) {
        Some(Column::Email)
    } else if most(|cell| phone(cell).value.is_some()) {
        Some(Column::Phone)
    } else if most(is_date) {
        Some(Column::Person("birthday"))
    } else if most(is_name) {
        Some(Column::Person("full_name"))
    } else {
        None
    }
}

/// A number alone can be a sum, although spreadsheets write days as numbers.
fn is_date(cell: &str) -> bool {
    cell.contains(['/', '-', '.']) && birthday(cell).is_some()
}

/// Two to six words of letters that begin with capitals.
fn is_name(cell: &str) -> bool {
    let words: Vec<&str> = cell.split_whitespace().collect();
    let is_word = |word: &&str| {
        word.chars().all(char::is_alphabetic) && word.starts_with(|c: char| c.is_uppercase())
    };
    (2..=6).contains(&words.len()) && words.iter().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_names_of_spreadsheets() {
        for (n, name) in [
            (0, "A"),
            (25, "Z"),
            (26, "AA"),
            (51, "AZ"),
            (52, "BA"),
            (199, "GR"),
        ] {
            assert_eq!(letters(n), name);
        }
    }

    #[test]
    fn cells_tell_the_fields() {
        let rows = [
            [
                "1",
                "Trần Thị An",
                "0912345678",
                "an@example.vn",
                "02/03/1990",
                "35000",
                "Hà Nội",
            ],
            ["2", "Lê Văn Bình", "912345679", "", "", "42000", "Đà Nẵng"],
        ];
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.map(str::to_owned).into())
            .collect();
        let rows: Vec<&[String]> = rows.iter().map(Vec::as_slice).collect();
        let names = |mapping: &Mapping| -> Vec<String> {
            let guessed = guess(&rows, 7, mapping).into_iter();
            guessed
                .map(|field| field.map_or_else(String::new, |field| field.name()))
                .collect()
        };
        let guessed = ["", "full_name", "phone", "email", "birthday", "", ""];
        assert_eq!(names(&Mapping::new()), guessed);
        let mapping = Mapping::from([("g".to_owned(), Column::Person("province"))]);
        assert_eq!(names(&mapping)[6], "province");
    }
}
