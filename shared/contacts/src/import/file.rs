//! A file of contacts: which rows are good, which are wrong and why. Pure.

use std::collections::{HashMap, HashSet};

use csv::{ReaderBuilder, StringRecord};
use serde::{Deserialize, Serialize};

use super::columns::{Column, columns};
use super::text;
use crate::model::{Identity, Incoming};

/// Rows of one file.
const MAX_ROWS: usize = 200_000;
/// Characters of one cell; what is longer is cut.
const MAX_TEXT: usize = 1000;
/// Longest id of the shop's own.
const MAX_EXTERNAL: usize = 255;

/// Why a file cannot be taken in at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum FileError {
    #[error("the file is not text in UTF-8, UTF-16 or Windows-1258")]
    NotText,
    #[error("the file has no rows under its headings")]
    Empty,
    #[error("no column is an email address or a phone number")]
    NoAddress,
    #[error("the column {heading} is there twice")]
    RepeatedColumn { heading: String },
    #[error("a file may have {most} columns")]
    TooManyColumns { most: usize },
    #[error("a file may have {most} rows")]
    TooManyRows { most: usize },
    #[error("line {line} cannot be read")]
    Damaged { line: u64 },
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportError)]
pub struct RowError {
    /// Line of the file on which the row begins; the headings are line 1.
    pub line: u64,
    /// The column, where one is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What is expected there; never the value, which may be personal.
    pub message: String,
}

/// A good row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Line of the file.
    pub line: u64,
    /// Whom it is about.
    pub contact: Incoming,
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    /// Good rows, in the file's order.
    pub rows: Vec<Row>,
    /// Wrong rows.
    pub errors: Vec<RowError>,
    /// Good rows that a later row about the same contact replaces.
    pub repeated: u64,
}

/// Reads a file; `template` holds what all its contacts have in common.
pub fn parse(bytes: &[u8], template: &Incoming) -> Result<Parsed, FileError> {
    let text = text::decode(bytes).ok_or(FileError::NotText)?;
    // The reader counts lines by line feeds only.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut reader = ReaderBuilder::new()
        .delimiter(text::delimiter(&text))
        .flexible(true)
        .from_reader(text.as_bytes());
    let damaged = |error: &csv::Error| FileError::Damaged {
        line: error.position().map_or(1, csv::Position::line),
    };
    let columns = columns(reader.headers().map_err(|error| damaged(&error))?.iter())?;
    let mut parsed = Parsed::default();
    for record in reader.records() {
        let record = record.map_err(|error| damaged(&error))?;
        if parsed.rows.len() + parsed.errors.len() == MAX_ROWS {
            return Err(FileError::TooManyRows { most: MAX_ROWS });
        }
        let line = record
            .position()
            .map_or(0, |position| line(position, &text));
        match row(&record, &columns, template) {
            Ok(contact) => parsed.rows.push(Row { line, contact }),
            Err((column, message)) => parsed.errors.push(RowError {
                line,
                column,
                message,
            }),
        }
    }
    if parsed.rows.is_empty() && parsed.errors.is_empty() {
        return Err(FileError::Empty);
    }
    parsed.keep_last();
    Ok(parsed)
}

/// The line on which a row begins; its position lies before the blank lines above it.
fn line(position: &csv::Position, text: &str) -> u64 {
    let rest = text.as_bytes().iter().skip(position.byte() as usize);
    position.line() + rest.take_while(|byte| **byte == b'\n').count() as u64
}

impl Parsed {
    /// Leaves of all rows with the same first identity only the last.
    fn keep_last(&mut self) {
        let mut last: HashMap<Identity, u64> = HashMap::new();
        for row in &self.rows {
            if let Some(first) = row.contact.identities.first() {
                last.insert(first.clone(), row.line);
            }
        }
        let before = self.rows.len();
        self.rows.retain(|row| {
            let first = row.contact.identities.first();
            first.and_then(|first| last.get(first)) == Some(&row.line)
        });
        self.repeated = (before - self.rows.len()) as u64;
    }
}

type Wrong = (Option<String>, String);

fn row(record: &StringRecord, columns: &[Column], template: &Incoming) -> Result<Incoming, Wrong> {
    if record
        .iter()
        .skip(columns.len())
        .any(|cell| !cell.trim().is_empty())
    {
        let message = format!("expected {} cells, found {}", columns.len(), record.len());
        return Err((None, message));
    }
    let mut contact = template.clone();
    for (cell, column) in record.iter().zip(columns) {
        let cell: String = cell.trim().chars().take(MAX_TEXT).collect();
        if !cell.is_empty() {
            take(&mut contact, column, cell)?;
        }
    }
    let reachable =
        |identity: &Identity| matches!(identity, Identity::Email(_) | Identity::Phone(_));
    if !contact.identities.iter().any(reachable) {
        return Err((None, "expected an email address or a phone number".into()));
    }
    // The first identity decides whether two rows are about one contact.
    contact.identities.sort_unstable();
    Ok(contact)
}

/// Puts one cell into the contact.
fn take(contact: &mut Incoming, column: &Column, cell: String) -> Result<(), Wrong> {
    let wrong =
        |name: &str, error: &dyn std::fmt::Display| (Some(name.to_owned()), error.to_string());
    match column {
        Column::Email => {
            let email = cell.parse().map_err(|error| wrong("email", &error))?;
            contact.identities.push(Identity::Email(email));
        }
        Column::Phone => {
            let phone = cell.parse().map_err(|error| wrong("phone", &error))?;
            contact.identities.push(Identity::Phone(phone));
        }
        Column::External if cell.chars().count() > MAX_EXTERNAL => {
            return Err(wrong(
                "external_id",
                &format!("at most {MAX_EXTERNAL} characters"),
            ));
        }
        Column::External => contact.identities.push(Identity::External(cell)),
        Column::FullName => contact.full_name = Some(cell),
        Column::FirstName => contact.first_name = Some(cell),
        Column::LastName => contact.last_name = Some(cell),
        Column::Tags => {
            let tags: HashSet<&str> = cell.split(';').map(str::trim).collect();
            let tags = tags.into_iter().filter(|tag| !tag.is_empty());
            contact.tags.extend(tags.map(str::to_owned));
            contact.tags.sort_unstable();
        }
        Column::Birthday => {
            let date = date(&cell).unwrap_or(cell);
            contact.custom.insert("birthday".into(), date.into());
        }
        Column::Custom(name) => {
            contact.custom.insert(name.clone(), cell.into());
        }
        Column::Skipped => {}
    }
    Ok(())
}

/// `dd/mm/yyyy` as Vietnam writes it, as `yyyy-mm-dd`; `None` where it is no such date.
fn date(cell: &str) -> Option<String> {
    let parts: Vec<&str> = cell.split(['/', '-', '.']).collect();
    let [day, month, year] = parts.as_slice() else {
        return None;
    };
    let (day, month, year) = (day.parse().ok()?, month.parse().ok()?, year.parse().ok()?);
    let date = jiff::civil::Date::new(year, month, day).ok()?;
    (year >= 1900).then(|| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Parsed {
        parse(text.as_bytes(), &Incoming::default()).unwrap()
    }

    #[test]
    fn a_shops_export_is_understood() {
        let file = parsed(
            "\u{feff}Họ và tên;Số điện thoại;Email;Ngày sinh;Tỉnh/Thành;Thẻ\r\n\
             Trần Thị An;912345678;AN@Example.vn;02/03/1990;\"Hà; Nội\";VIP; sỉ\r\n\
             Trần Thị An;912345678;AN@Example.vn;02/03/1990;\"Hà; Nội\";VIP;\r\n",
        );
        assert_eq!(file.errors[0].line, 2);
        let contact = &file.rows[0].contact;
        assert_eq!(
            contact.identities,
            [
                Identity::Email("an@example.vn".parse().unwrap()),
                Identity::Phone("0912345678".parse().unwrap()),
            ]
        );
        assert_eq!(contact.full_name.as_deref(), Some("Trần Thị An"));
        assert_eq!(contact.custom["birthday"], "1990-03-02");
        assert_eq!(contact.custom["tinh_thanh"], "Hà; Nội");
        assert_eq!(contact.tags, ["VIP"]);
    }

    #[test]
    fn each_wrong_row_is_told_with_its_line() {
        let file = parsed(
            "Email,Phone\n\
             a@example.vn,\"0912345678\"\n\
             ,\n\
             a@b,\n\
             b@example.vn,02838221234\n\
             \"x@example.vn;y@example.vn\",\n\
             c@example.vn,,surplus\n",
        );
        let lines: Vec<_> = file
            .errors
            .iter()
            .map(|error| (error.line, error.column.as_deref()))
            .collect();
        assert_eq!(
            lines,
            [
                (3, None),
                (4, Some("email")),
                (5, Some("phone")),
                (6, Some("email")),
                (7, None)
            ]
        );
        assert_eq!(file.rows.len(), 1);
    }

    #[test]
    fn line_breaks_and_blank_lines_are_counted() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "Email,Note\na@example.vn,\"one\ntwo\"\n\n\nbad,\n".replace('\n', end);
            let file = parsed(&text);
            assert_eq!((file.rows.len(), file.errors[0].line), (1, 6), "{end:?}");
        }
    }

    #[test]
    fn of_repeated_rows_the_last_wins() {
        let file = parsed("Email,Name\na@example.vn,First\nb@example.vn,B\nA@example.vn,Last\n");
        assert_eq!(file.repeated, 1);
        let names: Vec<_> = file
            .rows
            .iter()
            .map(|row| row.contact.full_name.clone().unwrap())
            .collect();
        assert_eq!(names, ["B", "Last"]);
    }

    #[test]
    fn dates_are_vietnamese() {
        assert_eq!(date("02/03/1990").as_deref(), Some("1990-03-02"));
        for other in ["1990-03-02", "31/02/1990", "02/03", "x"] {
            assert_eq!(date(other), None, "{other}");
        }
    }

    #[test]
    fn empty_and_binary_files_are_refused() {
        let refused = |bytes: &[u8]| parse(bytes, &Incoming::default()).unwrap_err();
        assert_eq!(refused(b""), FileError::NoAddress);
        assert_eq!(refused(b"Email\n"), FileError::Empty);
        assert_eq!(refused(b"\x89PNG\0\0\0\0"), FileError::NotText);
    }

    proptest! {
        #[test]
        fn every_row_is_counted_once(cells in prop::collection::vec("[a-c0-9@.,;\" ]{0,20}", 1..30)) {
            let text = format!("Email,Phone\n{}\n", cells.join("\n"));
            let rows = ReaderBuilder::new().flexible(true).from_reader(text.as_bytes()).records().count();
            match parse(text.as_bytes(), &Incoming::default()) {
                Ok(file) => {
                    let counted = file.rows.len() + file.errors.len() + file.repeated as usize;
                    prop_assert_eq!(counted, rows);
                }
                Err(error) => prop_assert!(rows == 0, "{}", error),
            }
        }

        #[test]
        fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, &Incoming::default());
        }
    }
}
