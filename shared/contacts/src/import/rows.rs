//! The rows of a part of a file: contacts, and what is told about them. Pure.
//!
//! One bad cell costs the cell. A row fails only if nothing in it names a contact, or if its line cannot be read.

use kernel::person;

use super::columns::{Column, Consent};
use super::error::{FileError, RowError};
use super::layout::{Layout, Mapping, Placed};
use super::records::{self, Found};
use super::values::{self, Reading, Said};
use crate::labels::Tags;
use crate::model::{Identity, Incoming};

/// Characters of one cell; a longer text is cut.
pub const MAX_TEXT: usize = 1000;
/// Longest external id.
pub const MAX_EXTERNAL: usize = 255;

/// The answers of a row about messages, by channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// About mail.
    pub email: Option<Said>,
    /// About text messages.
    pub sms: Option<Said>,
}

/// A good row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Line of the file.
    pub line: u64,
    /// The contact: identities, fields and tags.
    pub contact: Incoming,
    /// The answers about messages.
    pub heard: Heard,
    /// The parts that were not taken.
    pub notes: Vec<RowError>,
}

/// A record of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Line of the file on which the record begins.
    pub line: u64,
    /// Its cells; none if its text cannot be read.
    pub cells: Vec<String>,
    /// The row, or why it is wrong.
    pub row: Result<Row, RowError>,
}

/// A record of a file as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Line of the file on which the record begins.
    pub line: u64,
    /// Its cells; none if its text cannot be read.
    pub cells: Vec<String>,
    /// Why it is no row.
    pub fault: Option<RowError>,
    /// A note about a record that is a row.
    pub note: Option<RowError>,
}

/// Each record of `bytes`, which begin and end at records; `line` is the line of the first. Blank records are no lines.
pub fn lines<'a>(
    bytes: &'a [u8],
    layout: &'a Layout,
    line: u64,
) -> impl Iterator<Item = Line> + use<'a> {
    let cutter = layout.cutter();
    let (mut at, mut line) = (0, line);
    std::iter::from_fn(move || {
        loop {
            let Found::Record(record) = cutter.next(bytes, at, true) else {
                return None;
            };
            let own = line;
            (at, line) = (record.next, line + record.lines);
            let bytes = &bytes[record.start..record.end];
            if !cutter.is_blank(bytes) {
                return Some(text_line(bytes, layout, own, record.is_unclosed));
            }
        }
    })
}

fn text_line(bytes: &[u8], layout: &Layout, line: u64, is_unclosed: bool) -> Line {
    let told = |message: &str| RowError {
        line,
        column: None,
        message: message.to_owned(),
    };
    let Some(text) = layout.encoding.decode(bytes) else {
        let message = "the line has bytes that are no characters of the file's encoding";
        return Line {
            line,
            cells: Vec::new(),
            fault: Some(told(message)),
            note: None,
        };
    };
    let cells = records::cells(&text, layout.cutter().delimiter, is_unclosed);
    let wanted = layout.columns.len();
    let unclosed = is_unclosed.then(|| told("a quote opens on this line and does not close"));
    let is_wide = cells.iter().skip(wanted).any(|cell| !cell.is_empty());
    let fault = match &unclosed {
        Some(unclosed) if cells.len() != wanted => Some(unclosed.clone()),
        _ => is_wide.then(|| told(&format!("expected {wanted} cells, found {}", cells.len()))),
    };
    Line {
        line,
        cells,
        fault,
        note: unclosed,
    }
}

/// Each record of `bytes` as a contact, like [`lines`].
pub fn read<'a>(
    bytes: &'a [u8],
    layout: &'a Layout,
    line: u64,
) -> impl Iterator<Item = Read> + use<'a> {
    lines(bytes, layout, line).map(move |one| {
        let row = match one.fault {
            Some(fault) => Err(fault),
            None => row(one.line, &one.cells, layout).map(|mut row| {
                row.notes.extend(one.note);
                row
            }),
        };
        Read {
            line: one.line,
            cells: one.cells,
            row,
        }
    })
}

/// The errors and notes about the rows of a whole file.
pub fn told(file: &[u8]) -> Result<Vec<RowError>, FileError> {
    let layout = Layout::of(file, true, &Mapping::new())?;
    let rows = file.get(layout.rows_at as usize..).unwrap_or_default();
    let read = read(rows, &layout, layout.rows_line);
    Ok(read
        .flat_map(|one| one.row.map_or_else(|error| vec![error], |row| row.notes))
        .collect())
}

fn row(line: u64, cells: &[String], layout: &Layout) -> Result<Row, RowError> {
    let mut row = Row {
        line,
        contact: Incoming::default(),
        heard: Heard::default(),
        notes: Vec::new(),
    };
    for (cell, column) in cells.iter().zip(&layout.columns) {
        let cell = values::plain(cell);
        if !cell.is_empty() {
            row.take(column, cell);
        }
    }
    if row.contact.identities.is_empty() {
        // The reason of the only address says more than that there is none.
        let reason = row.notes.into_iter().find(|note| {
            matches!(
                note.column.as_deref(),
                Some("email" | "phone" | "external_id")
            )
        });
        return Err(reason.unwrap_or(RowError {
            line,
            column: None,
            message: "expected an email address, a phone number or an external id".into(),
        }));
    }
    // The strongest identity comes first.
    row.contact.identities.sort_unstable();
    let (tags, refused) = Tags::all(&row.contact.tags);
    row.contact.tags = tags.into_iter().map(String::from).collect();
    if refused > 0 {
        let message = "a tag must have 1 to 255 characters".to_owned();
        row.notes.push(RowError {
            line,
            column: Some("tags".to_owned()),
            message,
        });
    }
    Ok(row)
}

impl Row {
    fn has(&self, kind: fn(&Identity) -> bool) -> bool {
        self.contact.identities.iter().any(kind)
    }

    fn note(&mut self, column: &Placed, message: impl Into<String>) {
        let (line, column) = (self.line, Some(column.field.name()));
        self.notes.push(RowError {
            line,
            column,
            message: message.into(),
        });
    }

    /// Keeps a text in the field that is named as the column.
    fn keep(&mut self, column: &Placed, text: &str) {
        let text = self.cut(column, text);
        self.contact
            .custom
            .insert(column.kept_as.clone(), text.into());
    }

    fn cut(&mut self, column: &Placed, text: &str) -> String {
        match text.char_indices().nth(MAX_TEXT) {
            None => text.to_owned(),
            Some((end, _)) => {
                self.note(column, "the text was cut after 1,000 characters");
                text[..end].to_owned()
            }
        }
    }

    /// Takes the value of an address; the rest of the cell is kept.
    fn address<T>(&mut self, column: &Placed, read: Reading<T>, identity: fn(T) -> Identity) {
        if let Some(value) = read.value {
            self.contact.identities.push(identity(value));
        }
        if let Some(told) = read.told {
            self.note(column, told);
        }
        if let Some(rest) = read.rest {
            self.keep(column, &rest);
        }
    }

    /// Puts one cell into the row.
    fn take(&mut self, column: &Placed, cell: &str) {
        match &column.field {
            Column::Email if self.has(|one| matches!(one, Identity::Email(_))) => {
                self.keep(column, cell);
            }
            Column::Phone if self.has(|one| matches!(one, Identity::Phone(_))) => {
                self.keep(column, cell);
            }
            Column::Email => self.address(column, values::email(cell), Identity::Email),
            Column::Phone => self.address(column, values::phone(cell), Identity::Phone),
            Column::External if self.has(|one| matches!(one, Identity::External { .. })) => {
                self.keep(column, cell);
            }
            Column::External if cell.chars().count() > MAX_EXTERNAL => {
                self.note(column, format!("at most {MAX_EXTERNAL} characters"));
            }
            Column::External => self.contact.identities.push(Identity::own(cell)),
            Column::Tags => self.contact.tags.extend(values::tags(cell)),
            Column::Consent(kind) => self.hear(*kind, column, cell),
            Column::Person(name) => self.person(name, column, cell),
            Column::Custom(name) => {
                let text = self.cut(column, cell);
                self.contact.custom.insert(name.clone(), text.into());
            }
            Column::Goods(..) | Column::Skipped => {}
        }
    }

    fn person(&mut self, name: &str, column: &Placed, cell: &str) {
        let Some(field) = person::field(name) else {
            return;
        };
        let date = if name == "birthday" {
            values::birthday(cell)
        } else {
            None
        };
        let Some(value) = field.fit(date.as_deref().unwrap_or(cell)) else {
            self.note(column, field.expected);
            self.keep(column, cell);
            return;
        };
        if cell.chars().count() > field.longest {
            let message = format!("the text was cut after {} characters", field.longest);
            self.note(column, message);
        }
        *field.slot(&mut self.contact.person) = Some(value);
    }

    /// Notes what a cell says about messages. A no of any column wins.
    fn hear(&mut self, kind: Consent, column: &Placed, cell: &str) {
        let said = match (kind, values::said(cell)) {
            (Consent::RefusedAt, _) | (Consent::Refused, Some(Said::Yes)) => Said::No,
            // The column says that there is no refusal, or that the contact is active.
            (Consent::Refused, Some(Said::No)) | (Consent::Status, Some(Said::Yes)) => return,
            (_, Some(said)) => said,
            // So our own exports show that nobody was asked.
            (_, None) if matches!(cell, "none" | "pending") => return,
            (kind, None) => {
                if kind != Consent::Status {
                    self.note(column, "expected yes or no");
                }
                return self.keep(column, cell);
            }
        };
        let (email, sms) = match kind {
            Consent::Email => (true, false),
            Consent::Sms => (false, true),
            _ => (true, true),
        };
        if email {
            self.heard.email = self.heard.email.max(Some(said));
        }
        if sms {
            self.heard.sms = self.heard.sms.max(Some(said));
        }
    }
}

#[cfg(test)]
mod tests;
