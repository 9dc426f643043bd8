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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8]) -> Vec<Read> {
        let layout = Layout::of(bytes, true, &Mapping::new()).unwrap();
        let rows = &bytes[layout.rows_at as usize..];
        read(rows, &layout, layout.rows_line).collect()
    }

    fn good(text: &str) -> Vec<Row> {
        let rows = read_all(text.as_bytes()).into_iter();
        rows.map(|read| read.row.unwrap()).collect()
    }

    fn messages(row: &Row) -> Vec<(&str, &str)> {
        let notes = row.notes.iter();
        notes
            .map(|note| {
                (
                    note.column.as_deref().unwrap_or_default(),
                    note.message.as_str(),
                )
            })
            .collect()
    }

    #[test]
    fn a_shops_export_is_understood() {
        let rows = good(
            "\u{feff}Họ và tên;Số điện thoại;Email;Cỡ áo;Thẻ\r\nTrần Thị An;912345678;AN@Example.vn;\"Hà; Nội\";\"VIP; sỉ\"\r\n",
        );
        let contact = &rows[0].contact;
        let identities = [
            Identity::Email("an@example.vn".parse().unwrap()),
            Identity::Phone("0912345678".parse().unwrap()),
        ];
        assert_eq!(contact.identities, identities);
        assert_eq!(contact.custom["co_ao"], "Hà; Nội");
        assert_eq!(contact.tags, ["VIP", "sỉ"]);
        assert_eq!(rows[0].notes, []);
    }

    #[test]
    fn a_bad_cell_costs_the_cell() {
        let rows = good("Email,SĐT,Ngày sinh\na@example.vn,024 3825 1234,x\nb@,0912345678,\n");
        assert_eq!(rows[0].contact.identities.len(), 1);
        assert_eq!(rows[0].contact.custom["sdt"], "024 3825 1234");
        assert_eq!(
            messages(&rows[0])
                .iter()
                .map(|one| one.0)
                .collect::<Vec<_>>(),
            ["phone", "birthday"]
        );
        assert_eq!(rows[1].contact.custom["email"], "b@");
    }

    #[test]
    fn of_two_columns_the_first_good_number_counts() {
        let rows = good(
            "Điện thoại,Di động,Email\n02438251234,0903555641,lan@example.vn\n0903555641,0903555642,\n",
        );
        assert!(
            rows[0]
                .contact
                .identities
                .contains(&Identity::Phone("0903555641".parse().unwrap()))
        );
        assert_eq!(rows[0].contact.custom["dien_thoai"], "02438251234");
        assert_eq!(rows[1].contact.custom["di_dong"], "0903555642");
    }

    #[test]
    fn a_no_wins_over_a_yes() {
        let rows = good(
            "Email,Đồng ý nhận email,Trạng thái,UNSUB_TIME,Opt out\n\
             a@example.vn,có,subscribed,,no\nb@example.vn,có,cleaned,,\nc@example.vn,yes,,2025-01-01,\nd@example.vn,không,spam,,\ne@example.vn,,khách mới,,\n",
        );
        let heard: Vec<_> = rows.iter().map(|row| row.heard.email).collect();
        assert_eq!(
            heard,
            [
                Some(Said::Yes),
                Some(Said::No),
                Some(Said::No),
                Some(Said::Complained),
                None
            ]
        );
        assert_eq!(rows[1].heard.sms, Some(Said::No));
        assert_eq!(rows[4].contact.custom["trang_thai"], "khách mới");
    }

    #[test]
    fn damaged_lines_are_told_and_the_others_read() {
        let text = b"T\xc3\xaan,Email,S\xc4\x90T\nA,a@example.vn,0912345671\n\"B,b@example.vn,0912345672\n\"C, D,c@example.vn,0912345673\n\
            E\xea,e@example.vn,\nF,f@example.vn,\"0912345676";
        let lines: Vec<_> = read_all(text)
            .into_iter()
            .map(|read| {
                (
                    read.line,
                    read.row.map(|row| row.notes.len()).map_err(|e| e.line),
                )
            })
            .collect();
        assert_eq!(
            lines,
            [(2, Ok(0)), (3, Ok(1)), (4, Err(4)), (5, Err(5)), (6, Ok(2))]
        );
    }

    proptest! {
        /// Every record that is not blank is one row, good or wrong; any cut at records gives the same rows.
        #[test]
        fn each_row_is_accounted_for_however_the_file_is_cut(
            lines in prop::collection::vec("([a-c]{1,2}@example\\.vn|09123456[0-9]{2}|\"|,|\r|\n|;| |x|ê){0,12}", 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let text = format!("Email,SĐT,Ghi chú\n{}", lines.join("\n"));
            let bytes = text.as_bytes();
            let layout = Layout::of(bytes, true, &Mapping::new()).unwrap();
            let (body, cutter) = (&bytes[layout.rows_at as usize..], layout.cutter());
            let mut starts = vec![(0, layout.rows_line)];
            let (mut at, mut line, mut count) = (0, layout.rows_line, 0);
            while let Found::Record(record) = cutter.next(body, at, true) {
                count += u64::from(!cutter.is_blank(&body[record.start..record.end]));
                (at, line) = (record.next, line + record.lines);
                starts.push((at, line));
            }
            let whole: Vec<Read> = read(body, &layout, layout.rows_line).collect();
            prop_assert_eq!(whole.len() as u64, count);
            let mut chosen: Vec<(usize, u64)> = cuts.iter().map(|cut| *cut.get(&starts)).collect();
            chosen.push(starts[0]);
            chosen.push((body.len(), 0));
            chosen.sort_unstable();
            let parts = chosen.windows(2).flat_map(|two| {
                read(&body[two[0].0..two[1].0], &layout, two[0].1).collect::<Vec<_>>()
            });
            prop_assert_eq!(parts.collect::<Vec<_>>(), whole);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), with_heading: bool) {
            let bytes = if with_heading { [b"email,sdt\n".as_slice(), &bytes].concat() } else { bytes };
            if let Ok(layout) = Layout::of(&bytes, true, &Mapping::new()) {
                let _ = read(&bytes[layout.rows_at as usize..], &layout, 1).count();
            }
        }
    }
}
