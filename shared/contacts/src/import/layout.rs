//! The layout of a file: its encoding, its separator, where its rows begin, and what each column holds. Pure.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::columns::{Column, MAX_COLUMNS, MAX_NAME, normal};
use super::encoding::Encoding;
use super::error::FileError;
use super::headless::{guess, letters};
use super::job::{Kind, Request};
use super::records::{self, Cutter, Found};

/// Bytes at the beginning of a file from which its layout is read.
pub const HEAD: u64 = 512 * 1024;
/// Records among which the headings are looked for: titles may be above them.
const TITLES: usize = 10;
/// Records that are read with each separator.
const LOOKED_AT: usize = 25;
/// The separators, the most usual first.
const SEPARATORS: [u8; 4] = *b",;\t|";

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Its heading in the file, at most 60 characters.
    pub heading: String,
    /// The name of the custom field that keeps cells which the column's field does not take.
    pub kept_as: String,
    /// Its field.
    pub field: Column,
}

/// The layout of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The encoding.
    pub encoding: Encoding,
    /// The separator of cells.
    pub delimiter: char,
    /// The columns.
    pub columns: Vec<Placed>,
    /// The line of the headings; 0 without headings.
    pub headings_line: u64,
    /// First byte of the rows.
    pub rows_at: u64,
    /// The line of the first row.
    pub rows_line: u64,
}

/// The fields that a request gives to headings, by the compared form of the heading.
pub type Mapping = BTreeMap<String, Column>;

/// A record of the head of a file.
struct Head {
    cells: Vec<String>,
    at: usize,
    line: u64,
    next: usize,
    next_line: u64,
}

impl Layout {
    /// Reads the head of a file as the request says. `is_whole`: the head is the file.
    pub fn asked(head: &[u8], is_whole: bool, request: &Request) -> Result<Self, FileError> {
        if request.has_header {
            Self::with_headings(head, is_whole, &request.mapping, request.kind)
        } else {
            Self::without_headings(head, is_whole, &request.mapping, request.kind)
        }
    }

    /// Reads the head of a file without headings. Of the separators that with most columns of known fields counts.
    fn without_headings(
        head: &[u8],
        is_whole: bool,
        mapping: &Mapping,
        kind: Kind,
    ) -> Result<Self, FileError> {
        let (encoding, mark) = Encoding::guess(head).ok_or(FileError::NotText)?;
        let (told, start) = told(encoding, head, mark);
        let first_line = if start > mark { 2 } else { 1 };
        let separators: Vec<u8> = told.map_or(SEPARATORS.to_vec(), |told| vec![told]);
        let mut best: Option<((bool, usize), Self)> = None;
        for delimiter in separators {
            let cutter = cutter(encoding, delimiter);
            let records = heads(encoding, cutter, head, start, first_line, is_whole);
            let Some(first) = records.first() else {
                return Err(FileError::Empty);
            };
            let rows: Vec<&[String]> = records.iter().map(|one| one.cells.as_slice()).collect();
            let width = rows.iter().map(|row| row.len()).max().unwrap_or_default();
            if width > MAX_COLUMNS {
                continue;
            }
            let fields = match kind {
                Kind::Contacts => guess(&rows, width, mapping),
                // Cells of goods do not tell their fields.
                Kind::Orders | Kind::Products => given(width, mapping),
            };
            let has_address = fields.iter().flatten().any(Column::is_address);
            let score = (has_address, fields.iter().flatten().count());
            let layout = Self {
                encoding,
                delimiter: char::from(delimiter),
                columns: (0..).zip(fields).map(|one| lettered(one, kind)).collect(),
                headings_line: 0,
                rows_at: first.at as u64,
                rows_line: first.line,
            };
            if best.as_ref().is_none_or(|(known, _)| score > *known) {
                best = Some((score, layout));
            }
        }
        match best {
            Some(((true, _), layout)) => Ok(layout),
            Some(_) => Err(unknown(kind)),
            None => Err(FileError::TooManyColumns { most: MAX_COLUMNS }),
        }
    }

    /// Reads the head of a file of contacts. `is_whole`: the head is the file.
    pub fn of(head: &[u8], is_whole: bool, mapping: &Mapping) -> Result<Self, FileError> {
        Self::with_headings(head, is_whole, mapping, Kind::Contacts)
    }

    fn with_headings(
        head: &[u8],
        is_whole: bool,
        mapping: &Mapping,
        kind: Kind,
    ) -> Result<Self, FileError> {
        let (encoding, mark) = Encoding::guess(head).ok_or(FileError::NotText)?;
        let (told, start) = told(encoding, head, mark);
        let first_line = if start > mark { 2 } else { 1 };
        let separators: Vec<u8> = told.map_or(SEPARATORS.to_vec(), |told| vec![told]);
        let mut best: Option<(Score, u8, Head)> = None;
        for delimiter in separators {
            let cutter = cutter(encoding, delimiter);
            let records = heads(encoding, cutter, head, start, first_line, is_whole);
            let found = heading(records, mapping, kind);
            if let Some((score, record)) = found
                && best.as_ref().is_none_or(|(known, ..)| score > *known)
            {
                best = Some((score, delimiter, record));
            }
        }
        let Some((_, delimiter, record)) = best else {
            return Err(FileError::Empty);
        };
        Ok(Self {
            encoding,
            delimiter: char::from(delimiter),
            columns: placed(&record.cells, mapping, kind)?,
            headings_line: record.line,
            rows_at: record.next as u64,
            rows_line: record.next_line,
        })
    }

    /// The cutter of the file's records.
    pub fn cutter(&self) -> Cutter {
        cutter(self.encoding, self.delimiter as u8)
    }

    /// The place of a column of goods.
    pub fn place(&self, name: &str) -> Option<usize> {
        let is_it = |one: &Placed| matches!(one.field, Column::Goods(_, field) if field == name);
        self.columns.iter().position(is_it)
    }

    /// The names of the fields.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.columns.iter().map(|placed| placed.field.name())
    }
}

fn cutter(encoding: Encoding, delimiter: u8) -> Cutter {
    Cutter {
        delimiter,
        width: encoding.width(),
        is_big: encoding == Encoding::Utf16Be,
    }
}

/// The separator that the line `sep=;` names, as Excel writes it, and where the file goes on after the line.
fn told(encoding: Encoding, head: &[u8], mark: usize) -> (Option<u8>, usize) {
    let Found::Record(record) = cutter(encoding, 0).next(head, mark, true) else {
        return (None, mark);
    };
    let line = encoding
        .decode(&head[record.start..record.end])
        .unwrap_or_default();
    let line = line.trim_matches(['"', ' ']);
    let told = line
        .to_lowercase()
        .starts_with("sep=")
        .then(|| line.get(4..))
        .flatten();
    match told.map(str::as_bytes) {
        Some([separator]) if separator.is_ascii() => (Some(*separator), record.next),
        // `sep=` before a tab is trimmed by some editors.
        Some([]) => (Some(b'\t'), record.next),
        _ => (None, mark),
    }
}

/// The first records that are not blank.
fn heads(
    encoding: Encoding,
    cutter: Cutter,
    head: &[u8],
    start: usize,
    line: u64,
    is_whole: bool,
) -> Vec<Head> {
    let (mut records, mut at, mut line) = (Vec::new(), start, line);
    while records.len() < LOOKED_AT {
        let Found::Record(record) = cutter.next(head, at, is_whole) else {
            break;
        };
        let text = encoding
            .decode(&head[record.start..record.end])
            .unwrap_or_default();
        let next_line = line + record.lines;
        if !text.trim().is_empty() {
            let cells = records::cells(&text, cutter.delimiter, record.is_unclosed);
            records.push(Head {
                cells,
                at,
                line,
                next: record.next,
                next_line,
            });
        }
        (at, line) = (record.next, next_line);
    }
    records
}

/// How likely a record holds the headings: it has an address, known headings, rows of the same width, many cells.
type Score = (bool, usize, usize, usize);

/// The record that most likely holds the headings: one of the first with an address, or else the very first.
fn heading(records: Vec<Head>, mapping: &Mapping, kind: Kind) -> Option<(Score, Head)> {
    let widths: Vec<usize> = records.iter().map(|record| record.cells.len()).collect();
    let mut best: Option<(Score, Head)> = None;
    for (n, record) in records.into_iter().enumerate().take(TITLES) {
        let known: Vec<Column> = record
            .cells
            .iter()
            .filter_map(|cell| known(cell, mapping, kind))
            .collect();
        let has_address = known.iter().any(Column::is_address);
        let alike = widths
            .iter()
            .skip(n + 1)
            .filter(|width| **width == record.cells.len())
            .count();
        let score = (has_address, known.len(), alike, record.cells.len());
        let is_better = best
            .as_ref()
            .is_none_or(|(old, _)| has_address && (score.0, score.1) > (old.0, old.1));
        if is_better {
            best = Some((score, record));
        }
    }
    best
}

/// The columns that a mapping names by their letters.
fn given(width: usize, mapping: &Mapping) -> Vec<Option<Column>> {
    let names = (0..width).map(|n| letters(n).to_lowercase());
    names.map(|name| mapping.get(&name).cloned()).collect()
}

/// Why no row of a file is known by a column.
fn unknown(kind: Kind) -> FileError {
    match kind {
        Kind::Contacts => FileError::NoAddress,
        Kind::Orders | Kind::Products => FileError::NoCode,
    }
}

/// The field of a column that no field is known for.
fn other(kind: Kind, kept_as: &str) -> Column {
    match kind {
        Kind::Contacts => Column::Custom(kept_as.to_owned()),
        Kind::Orders | Kind::Products => Column::Skipped,
    }
}

/// A column without a heading.
fn lettered((n, field): (usize, Option<Column>), kind: Kind) -> Placed {
    let heading = letters(n);
    let kept_as = format!("cot_{}", heading.to_lowercase());
    Placed {
        field: field.unwrap_or_else(|| other(kind, &kept_as)),
        heading,
        kept_as,
    }
}

fn known(heading: &str, mapping: &Mapping, kind: Kind) -> Option<Column> {
    let given = mapping.get(&normal(heading)).cloned();
    given.or_else(|| match kind.sheet() {
        Some(sheet) => Column::of_goods(sheet, heading),
        None => Column::of_heading(heading),
    })
}

/// The columns of the headings.
fn placed(headings: &[String], mapping: &Mapping, kind: Kind) -> Result<Vec<Placed>, FileError> {
    if headings.len() > MAX_COLUMNS {
        return Err(FileError::TooManyColumns { most: MAX_COLUMNS });
    }
    let mut names = HashSet::new();
    let mut columns: Vec<Placed> = Vec::new();
    for (n, heading) in headings.iter().enumerate() {
        let name = match normal(heading) {
            name if name.is_empty() => format!("cot_{}", n + 1),
            name => name,
        };
        // Two columns of one name get names of their own.
        let mut kept_as = name.clone();
        let mut number = 2;
        while !names.insert(kept_as.clone()) {
            kept_as = format!("{name}_{number}");
            number += 1;
        }
        let is_taken = |field: &Column| {
            let is_single = matches!(field, Column::Person(_) | Column::Goods(..));
            is_single && columns.iter().any(|one| one.field == *field)
        };
        let field = match known(heading, mapping, kind) {
            _ if heading.is_empty() => Column::Skipped,
            Some(field) if !is_taken(&field) => field,
            _ => other(kind, &kept_as),
        };
        let heading = heading.chars().take(MAX_NAME).collect();
        columns.push(Placed {
            heading,
            kept_as,
            field,
        });
    }
    name_alone(&mut columns, mapping);
    if !columns.iter().any(|column| column.field.is_address()) {
        return Err(unknown(kind));
    }
    Ok(columns)
}

/// "Tên" beside "Họ" is the given name; "Tên" alone is the whole name.
fn name_alone(columns: &mut [Placed], mapping: &Mapping) {
    let has = |name| columns.iter().any(|one| one.field == Column::Person(name));
    if has("last_name") || has("full_name") {
        return;
    }
    let given = columns.iter_mut().find(|one| {
        let name = normal(&one.heading);
        one.field == Column::Person("first_name") && name == "ten" && !mapping.contains_key(&name)
    });
    if let Some(column) = given {
        column.field = Column::Person("full_name");
    }
}

#[cfg(test)]
mod tests;
