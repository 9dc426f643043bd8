//! Where the records of a file begin and end, on its raw bytes. Pure.
//!
//! The characters that matter are ASCII in every known encoding: quotes, separators and line breaks. So a file is cut
//! before it is decoded. A record depends only on the bytes from its own beginning on: slices that begin at a record
//! hold the records that one reader of the whole file finds.
//!
//! The crate `csv` reads a quote that never closes to the end of the file, as one cell. Here such a quote costs its
//! own line: see [`Cutter::next`].

/// Longest record, in bytes.
pub const MAX_RECORD: usize = 256 * 1024;

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// First byte.
    pub start: usize,
    /// The byte after the last, without the line break.
    pub end: usize,
    /// First byte of the next record.
    pub next: usize,
    /// Line breaks from `start` to `next`.
    pub lines: u64,
    /// A quote opens in the record's only line and does not close.
    pub is_unclosed: bool,
}

/// The outcome of looking for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A record.
    Record(Record),
    /// The record goes on after the bytes.
    More,
    /// The record is longer than [`MAX_RECORD`].
    TooLong,
    /// No bytes are left.
    End,
}

/// Finds records.
#[derive(Debug, Clone, Copy)]
pub struct Cutter {
    /// The separator of cells.
    pub delimiter: u8,
    /// Bytes of a unit: 2 in UTF-16.
    pub width: usize,
    /// Whether the first byte of a unit is its high one.
    pub is_big: bool,
}

/// The end of a quoted cell.
enum Quoted {
    /// The unit after its closing quote.
    Closed(usize),
    Unclosed,
    More,
}

impl Cutter {
    /// The unit at `at`; 0 where it is no ASCII character. `None` at the end.
    fn unit(self, bytes: &[u8], at: usize) -> Option<u8> {
        if self.width == 1 {
            return bytes.get(at).copied();
        }
        let pair = bytes.get(at..at + 2)?;
        let (high, low) = if self.is_big {
            (pair[0], pair[1])
        } else {
            (pair[1], pair[0])
        };
        Some(if high == 0 { low } else { 0 })
    }

    /// Whether a record holds nothing but spaces.
    pub fn is_blank(self, bytes: &[u8]) -> bool {
        let mut units = (0..bytes.len()).step_by(self.width);
        units.all(|at| matches!(self.unit(bytes, at), Some(b' ' | b'\t')))
    }

    /// The record that begins at `start`. `is_last`: the file ends with the bytes.
    ///
    /// A cell that begins with a quote goes on to the quote that a separator or a line break follows. A quote before
    /// anything else is a character of the cell, if the cell ends on its line. A cell over several lines with such a
    /// quote, or without an end, did not close: the record is then its first line.
    pub fn next(self, bytes: &[u8], start: usize, is_last: bool) -> Found {
        if start >= bytes.len() {
            return if is_last { Found::End } else { Found::More };
        }
        let more = |at: usize| {
            if at - start > MAX_RECORD {
                Found::TooLong
            } else {
                Found::More
            }
        };
        let (mut at, mut lines, mut is_cell_start) = (start, 0, true);
        while let Some(unit) = self.unit(bytes, at) {
            match unit {
                b'"' if is_cell_start => match self.quoted(bytes, at + self.width, is_last) {
                    Quoted::Closed(end) => {
                        lines += self.breaks(bytes, at, end);
                        at = end;
                        is_cell_start = false;
                    }
                    Quoted::Unclosed => return self.line(bytes, start, is_last),
                    Quoted::More => return more(bytes.len()),
                },
                b'\n' | b'\r' => {
                    let Some(next) = self.after_break(bytes, at, is_last) else {
                        return more(at);
                    };
                    if at - start > MAX_RECORD {
                        return Found::TooLong;
                    }
                    let (lines, is_unclosed) = (lines + 1, false);
                    return Found::Record(Record {
                        start,
                        end: at,
                        next,
                        lines,
                        is_unclosed,
                    });
                }
                _ => {
                    let is_blank = unit == b' ' && unit != self.delimiter;
                    is_cell_start = unit == self.delimiter || (is_cell_start && is_blank);
                    at += self.width;
                }
            }
        }
        if !is_last || at - start > MAX_RECORD {
            return more(at);
        }
        // A byte without its pair belongs to the last record.
        let end = bytes.len();
        Found::Record(Record {
            start,
            end,
            next: end,
            lines,
            is_unclosed: false,
        })
    }

    /// The first line from `start` on, as the record of a quote that does not close.
    fn line(self, bytes: &[u8], start: usize, is_last: bool) -> Found {
        let mut at = start;
        while let Some(unit) = self.unit(bytes, at) {
            if matches!(unit, b'\n' | b'\r') {
                let Some(next) = self.after_break(bytes, at, is_last) else {
                    return Found::More;
                };
                return Found::Record(Record {
                    start,
                    end: at,
                    next,
                    lines: 1,
                    is_unclosed: true,
                });
            }
            at += self.width;
        }
        let end = bytes.len();
        Found::Record(Record {
            start,
            end,
            next: end,
            lines: 0,
            is_unclosed: true,
        })
    }

    /// The unit after a line break; `None` if the bytes do not show whether a line feed follows.
    fn after_break(self, bytes: &[u8], at: usize, is_last: bool) -> Option<usize> {
        let next = at + self.width;
        if self.unit(bytes, at) == Some(b'\n') {
            return Some(next);
        }
        match self.unit(bytes, next) {
            Some(b'\n') => Some(next + self.width),
            Some(_) => Some(next),
            None => is_last.then_some(next),
        }
    }

    /// The end of the cell whose text begins at `at`.
    fn quoted(self, bytes: &[u8], start: usize, is_last: bool) -> Quoted {
        let (mut at, mut has_stray, mut is_over_lines) = (start, false, false);
        while let Some(unit) = self.unit(bytes, at) {
            if at - start > MAX_RECORD {
                return Quoted::Unclosed;
            }
            let after = at + self.width;
            match unit {
                b'"' if self.unit(bytes, after) == Some(b'"') => at = after + self.width,
                b'"' => {
                    let mut end = after;
                    while self.unit(bytes, end) == Some(b' ') && self.delimiter != b' ' {
                        end += self.width;
                    }
                    match self.unit(bytes, end) {
                        None if !is_last => return Quoted::More,
                        None => return Quoted::Closed(end),
                        Some(unit) if unit == self.delimiter || matches!(unit, b'\n' | b'\r') => {
                            return Quoted::Closed(end);
                        }
                        Some(_) => has_stray = true,
                    }
                    at = after;
                }
                b'\n' | b'\r' => {
                    is_over_lines = true;
                    at = after;
                }
                _ => at = after,
            }
            if has_stray && is_over_lines {
                return Quoted::Unclosed;
            }
        }
        if is_last {
            Quoted::Unclosed
        } else {
            Quoted::More
        }
    }

    /// Line breaks in a part.
    fn breaks(self, bytes: &[u8], start: usize, end: usize) -> u64 {
        let (mut at, mut count, mut last) = (start, 0, 0);
        while at < end {
            let unit = self.unit(bytes, at).unwrap_or_default();
            count += u64::from(unit == b'\r' || (unit == b'\n' && last != b'\r'));
            (last, at) = (unit, at + self.width);
        }
        count
    }
}

/// The cells of a record's text, trimmed. A quote that does not close is a character.
pub fn cells(text: &str, delimiter: u8, is_unclosed: bool) -> Vec<String> {
    let delimiter = char::from(delimiter);
    if is_unclosed {
        return text
            .split(delimiter)
            .map(|cell| cell.trim().to_owned())
            .collect();
    }
    let mut cells = Vec::new();
    let mut rest = text;
    loop {
        let start = rest.trim_start_matches(|c: char| c == ' ' && c != delimiter);
        let (cell, after) = match start.strip_prefix('"') {
            Some(inside) => quoted_cell(inside, delimiter),
            None => match rest.split_once(delimiter) {
                Some((cell, after)) => (cell.to_owned(), Some(after)),
                None => (rest.to_owned(), None),
            },
        };
        cells.push(cell.trim().to_owned());
        match after {
            Some(after) => rest = after,
            None => return cells,
        }
    }
}

/// The text of a quoted cell, and the text after its separator.
fn quoted_cell(inside: &str, delimiter: char) -> (String, Option<&str>) {
    let mut cell = String::new();
    let mut rest = inside;
    while let Some((before, after)) = rest.split_once('"') {
        cell.push_str(before);
        let next = after.trim_start_matches(|c: char| c == ' ' && c != delimiter);
        if let Some(after) = after.strip_prefix('"') {
            cell.push('"');
            rest = after;
        } else if let Some(after) = next.strip_prefix(delimiter) {
            return (cell, Some(after));
        } else if next.is_empty() {
            return (cell, None);
        } else {
            cell.push('"');
            rest = after;
        }
    }
    cell.push_str(rest);
    (cell, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CUTTER: Cutter = Cutter {
        delimiter: b',',
        width: 1,
        is_big: false,
    };

    fn records(bytes: &[u8], from: usize) -> Vec<Record> {
        let mut records = Vec::new();
        let mut at = from;
        while let Found::Record(record) = CUTTER.next(bytes, at, true) {
            at = record.next;
            records.push(record);
        }
        assert_eq!(at.max(from), bytes.len().max(from));
        records
    }

    fn read(text: &str) -> Vec<Vec<String>> {
        let records = records(text.as_bytes(), 0).into_iter();
        records
            .map(|one| cells(&text[one.start..one.end], b',', one.is_unclosed))
            .collect()
    }

    #[test]
    fn an_unclosed_quote_costs_its_own_line() {
        let text = "a,note,b\n1,\"5 inch,x\n2,ok,y\n3,the \"best\" day,z\n4,\"two\nlines\",w\n5,\"a \"b\" c\",v\n";
        let rows = read(text);
        assert_eq!(rows[1], ["1", "\"5 inch", "x"]);
        assert_eq!(rows[2], ["2", "ok", "y"]);
        assert_eq!(rows[3], ["3", "the \"best\" day", "z"]);
        assert_eq!(rows[4], ["4", "two\nlines", "w"]);
        assert_eq!(rows[5], ["5", "a \"b\" c", "v"]);
        assert_eq!(records(text.as_bytes(), 0)[4].lines, 2);
    }

    #[test]
    fn a_quote_that_opens_among_quoted_cells_is_found() {
        let rows = read("a,b\n1,\"open\n\"2\",\"x\"\n\"3\",\"y\"\n");
        assert_eq!(
            rows,
            [
                vec!["a", "b"],
                vec!["1", "\"open"],
                vec!["2", "x"],
                vec!["3", "y"]
            ]
        );
    }

    proptest! {
        #[test]
        fn what_the_csv_crate_writes_is_read_the_same(
            rows in prop::collection::vec(prop::collection::vec("[a-z\",;\n\r ]{0,8}", 2..5), 1..20),
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let trimmed: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(|cell| cell.trim()).collect()).collect();
            prop_assert_eq!(read(&text), trimmed);
        }

        #[test]
        fn a_slice_that_begins_at_a_record_has_the_records_of_the_whole(
            text in "([a-c]{1,3}|\"|,|\n|\r\n|\"\"| ){0,60}",
        ) {
            let bytes = text.as_bytes();
            let all = records(bytes, 0);
            for (n, record) in all.iter().enumerate() {
                prop_assert_eq!(&records(bytes, record.start)[..], &all[n..]);
                for (m, last) in all.iter().enumerate().skip(n) {
                    prop_assert_eq!(&records(&bytes[..last.next], record.start)[..], &all[n..=m]);
                }
                // A window that ends early gives the same record or asks for more bytes.
                for end in record.start..=bytes.len() {
                    match CUTTER.next(&bytes[..end], record.start, false) {
                        Found::Record(found) => prop_assert_eq!(found, *record),
                        other => prop_assert_eq!(other, Found::More),
                    }
                }
            }
            let lines = text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() as u64;
            prop_assert_eq!(all.iter().map(|record| record.lines).sum::<u64>(), lines);
        }
    }
}
