//! A file of contacts: which rows are good, which are wrong and why. Pure.

use std::collections::{HashMap, HashSet};

use csv::{ReaderBuilder, StringRecord};
use kernel::person;

use super::columns::{Column, MAX_COLUMNS, columns};
use super::lines::{Lines, Row, RowError};
use super::text;
use crate::model::Identity;

/// Most rows of one file.
pub const MAX_ROWS: u64 = 200_000;
/// Wrong rows that the import itself shows; the others are in the file of errors.
pub const SHOWN_ERRORS: usize = 100;
/// Characters of one cell; a longer text is cut.
pub const MAX_TEXT: usize = 1000;
/// Longest external id.
pub const MAX_EXTERNAL: usize = 255;

/// Why a file cannot be imported at all.
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
    TooManyRows { most: u64 },
    #[error(
        "the file has too many filled cells; leave columns out or divide its rows among several files"
    )]
    TooManyCells,
    #[error("line {line} cannot be read")]
    Damaged { line: u64 },
}

impl FileError {
    /// One of each kind.
    pub fn each() -> [Self; 8] {
        [
            Self::NotText,
            Self::Empty,
            Self::NoAddress,
            Self::RepeatedColumn {
                heading: "email".to_owned(),
            },
            Self::TooManyColumns { most: MAX_COLUMNS },
            Self::TooManyRows { most: MAX_ROWS },
            Self::TooManyCells,
            Self::Damaged { line: 2 },
        ]
    }
}

/// The content of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    /// Good rows ([`Row`]), in the file's order.
    pub rows: Lines,
    /// Wrong rows ([`RowError`]).
    pub errors: Lines,
    /// The first of the wrong rows.
    pub first_errors: Vec<RowError>,
    /// Good rows that a later row about the same contact replaces.
    pub repeated: u64,
}

/// Reads a file.
pub fn parse(bytes: &[u8]) -> Result<Parsed, FileError> {
    let text = text::decode(bytes).ok_or(FileError::NotText)?;
    // The reader counts lines by line feeds only.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    // Of all rows with the same first identity only the last stays. Only the end of the file shows which row that
    // is, so the file is read twice.
    let (mut last, mut count) = (HashMap::new(), 0);
    each_row(&text, |row| {
        count += 1;
        if let Ok(Row {
            line, identities, ..
        }) = row
        {
            last.extend(identities.into_iter().next().map(|first| (first, line)));
        }
        if count > MAX_ROWS {
            return Err(FileError::TooManyRows { most: MAX_ROWS });
        }
        Ok(())
    })?;
    if count == 0 {
        return Err(FileError::Empty);
    }
    let mut parsed = Parsed::default();
    each_row(&text, |row| match row {
        Ok(row) => {
            let first = row.identities.first();
            if first.and_then(|first| last.get(first)) == Some(&row.line) {
                parsed.rows.push(&row)
            } else {
                parsed.repeated += 1;
                Ok(())
            }
        }
        Err(error) => {
            parsed.errors.push(&error)?;
            if parsed.first_errors.len() < SHOWN_ERRORS {
                parsed.first_errors.push(error);
            }
            Ok(())
        }
    })?;
    Ok(parsed)
}

/// Passes each row of the text to the callback, good or wrong.
fn each_row(
    text: &str,
    mut take: impl FnMut(Result<Row, RowError>) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(text::delimiter(text))
        .flexible(true)
        .from_reader(text.as_bytes());
    let damaged = |error: &csv::Error| FileError::Damaged {
        line: error.position().map_or(1, csv::Position::line),
    };
    let columns = columns(reader.headers().map_err(|error| damaged(&error))?.iter())?;
    for record in reader.records() {
        let record = record.map_err(|error| damaged(&error))?;
        let line = record.position();
        let line = line.map_or(0, |position| line_of(position, text));
        let row = row(line, &record, &columns);
        take(row.map_err(|(column, message)| RowError {
            line,
            column,
            message,
        }))?;
    }
    Ok(())
}

/// The line on which a row begins. The reader's position is before any blank lines above the row.
fn line_of(position: &csv::Position, text: &str) -> u64 {
    let rest = text.as_bytes().iter().skip(position.byte() as usize);
    position.line() + rest.take_while(|byte| **byte == b'\n').count() as u64
}

type Wrong = (Option<String>, String);

fn row(line: u64, record: &StringRecord, columns: &[Column]) -> Result<Row, Wrong> {
    if record
        .iter()
        .skip(columns.len())
        .any(|cell| !cell.trim().is_empty())
    {
        let message = format!("expected {} cells, found {}", columns.len(), record.len());
        return Err((None, message));
    }
    let mut row = Row {
        line,
        ..Row::default()
    };
    for (cell, column) in record.iter().zip(columns) {
        let cell: String = cell.trim().chars().take(MAX_TEXT).collect();
        if !cell.is_empty() {
            take(&mut row, column, cell)?;
        }
    }
    let reachable =
        |identity: &Identity| matches!(identity, Identity::Email(_) | Identity::Phone(_));
    if !row.identities.iter().any(reachable) {
        return Err((None, "expected an email address or a phone number".into()));
    }
    // The first identity decides whether two rows are about one contact.
    row.identities.sort_unstable();
    Ok(row)
}

/// Puts one cell into the row.
fn take(row: &mut Row, column: &Column, cell: String) -> Result<(), Wrong> {
    let wrong =
        |name: &str, error: &dyn std::fmt::Display| (Some(name.to_owned()), error.to_string());
    match column {
        Column::Email => {
            let email = cell.parse().map_err(|error| wrong("email", &error))?;
            row.identities.push(Identity::Email(email));
        }
        Column::Phone => {
            let phone = cell.parse().map_err(|error| wrong("phone", &error))?;
            row.identities.push(Identity::Phone(phone));
        }
        Column::External if cell.chars().count() > MAX_EXTERNAL => {
            return Err(wrong(
                "external_id",
                &format!("at most {MAX_EXTERNAL} characters"),
            ));
        }
        Column::External => row.identities.push(Identity::own(cell)),
        Column::Person(name) => {
            let value = person::field(name).and_then(|field| field.fit(&cell));
            // Another value is the shop's own text: nothing of the file is lost.
            match value {
                Some(value) => row.person.insert((*name).to_owned(), value),
                None => row.custom.insert((*name).to_owned(), cell),
            };
        }
        Column::Tags => {
            let tags: HashSet<&str> = cell.split(';').map(str::trim).collect();
            let tags = tags.into_iter().filter(|tag| !tag.is_empty());
            row.tags.extend(tags.map(str::to_owned));
            row.tags.sort_unstable();
        }
        Column::Custom(name) => {
            row.custom.insert(name.clone(), cell);
        }
        Column::Skipped => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Incoming;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Parsed {
        parse(text.as_bytes()).unwrap()
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_refused(
            head in "(email|Số điện thoại|họ tên|thẻ|x|\"|,|;|\t){0,8}",
            body in prop::collection::vec(any::<u8>(), 0..400),
            text in "([a-z]{1,5}@example\\.vn|0912345678|\"|,|;|\t|\r\n|\n|'|=|\\PC){0,60}",
        ) {
            for bytes in [body.clone(), [head.as_bytes(), b"\n", text.as_bytes()].concat(), [head.as_bytes(), b"\n", &body].concat()] {
                let Ok(file) = parse(&bytes) else { continue };
                let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64 + 1;
                prop_assert!(file.rows.count + file.errors.count + file.repeated <= lines);
                prop_assert!(file.first_errors.len() <= SHOWN_ERRORS);
                prop_assert!(file.rows.bytes.len() <= 100 * bytes.len() + 1_000);
                prop_assert_eq!(rows(&file).len() as u64, file.rows.count);
                prop_assert_eq!(parse(&bytes).unwrap(), file);
            }
        }
    }

    fn rows(file: &Parsed) -> Vec<Row> {
        let lines = file.rows.bytes.split_inclusive(|byte| *byte == b'\n');
        let rows: Vec<Row> = lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        assert_eq!(rows.len() as u64, file.rows.count);
        rows
    }

    #[test]
    fn a_shops_export_is_understood() {
        let file = parsed(
            "\u{feff}Họ và tên;Số điện thoại;Email;Ngày sinh;Tỉnh/Thành;Thẻ\r\n\
             Trần Thị An;912345678;AN@Example.vn;02/03/1990;\"Hà; Nội\";VIP; sỉ\r\n\
             Trần Thị An;912345678;AN@Example.vn;02/03/1990;\"Hà; Nội\";VIP;\r\n",
        );
        assert_eq!(file.first_errors[0].line, 2);
        let contact = rows(&file).remove(0).with(&Incoming::default());
        assert_eq!(
            contact.identities,
            [
                Identity::Email("an@example.vn".parse().unwrap()),
                Identity::Phone("0912345678".parse().unwrap()),
            ]
        );
        assert_eq!(contact.person.full_name.as_deref(), Some("Trần Thị An"));
        assert_eq!(contact.person.birthday.as_deref(), Some("1990-03-02"));
        assert_eq!(contact.person.province.as_deref(), Some("Hà; Nội"));
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
            .first_errors
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
        assert_eq!(file.rows.count, 1);
    }

    #[test]
    fn line_breaks_and_blank_lines_are_counted() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "Email,Note\na@example.vn,\"one\ntwo\"\n\n\nbad,\n".replace('\n', end);
            let file = parsed(&text);
            let wrong = file.first_errors[0].line;
            assert_eq!((file.rows.count, wrong), (1, 6), "{end:?}");
        }
    }

    #[test]
    fn of_repeated_rows_the_last_wins() {
        let file = parsed("Email,Name\na@example.vn,First\nb@example.vn,B\nA@example.vn,Last\n");
        assert_eq!(file.repeated, 1);
        let names: Vec<_> = rows(&file)
            .into_iter()
            .map(|row| row.person["full_name"].clone())
            .collect();
        assert_eq!(names, ["B", "Last"]);
    }

    #[test]
    fn rows_are_kept_in_few_bytes_and_those_that_cannot_be_are_refused() {
        let numbers: String = (0..2_000).map(|n| format!("9{n:08}\n")).collect();
        let file = parsed(&format!("Phone\n{numbers}"));
        assert!(file.rows.count > 1_000);
        assert!(file.rows.bytes.len() as u64 <= file.rows.count * 60);
        // A cell of one byte becomes 180 bytes.
        let headings: String = (100..295)
            .map(|n| format!(",{}{n}", "列".repeat(57)))
            .collect();
        let cells = ",1".repeat(195);
        let rows: String = (0..2_000).map(|n| format!("9{n:08}{cells}\n")).collect();
        let wide = format!("Phone{headings}\n{rows}");
        assert!(wide.len() < 1 << 20);
        assert_eq!(parse(wide.as_bytes()), Err(FileError::TooManyCells));
        let file = parsed(&format!("Email\n{}", "x\n".repeat(1_000)));
        assert_eq!((file.errors.count, file.first_errors.len()), (1_000, 100));
    }

    #[test]
    fn empty_and_binary_files_are_refused() {
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err();
        assert_eq!(refused(b""), FileError::NoAddress);
        assert_eq!(refused(b"Email\n"), FileError::Empty);
        assert_eq!(refused(b"\x89PNG\0\0\0\0"), FileError::NotText);
    }

    proptest! {
        #[test]
        fn every_row_is_counted_once(cells in prop::collection::vec("[a-c0-9@.,;\" ]{0,20}", 1..30)) {
            let text = format!("Email,Phone\n{}\n", cells.join("\n"));
            let rows = ReaderBuilder::new().flexible(true).from_reader(text.as_bytes()).records().count();
            match parse(text.as_bytes()) {
                Ok(file) => {
                    let counted = file.rows.count + file.errors.count + file.repeated;
                    prop_assert_eq!(counted, rows as u64);
                }
                Err(error) => prop_assert!(rows == 0, "{}", error),
            }
        }

        #[test]
        fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
