//! The first steps of an import: its file is cut into slices of whole records. Reads the file once, in windows.

use cloud::Error;
use kernel::TenantKey;
use kernel::commerce::Sheet;

use super::columns::Column;
use super::error::FileError;
use super::job::{Job, Kind, LANES, Lane, Slice, Status};
use super::layout::{HEAD, Layout};
use super::records::{self, Found, Record};
use super::steps::{Imports, failed, file_name};
use super::values::plain;
use crate::keys;

/// Bytes that are read at once.
const WINDOW: u64 = 4 * 1024 * 1024;
/// Windows of one step.
const WINDOWS: usize = 8;
/// Rows of a slice: a step imports them within its time.
pub const SLICE_ROWS: u64 = 1_000;
/// Bytes of a slice.
const SLICE_BYTES: usize = 1024 * 1024;
/// Rows of a file of orders or products.
pub const MOST_GOODS: u64 = 1_000_000;

/// The slices of a window.
struct Cuts {
    slices: Vec<Slice>,
    rows: u64,
    /// Bytes of the window that are cut.
    taken: usize,
    line: u64,
}

impl Imports {
    /// Cuts the next windows. A repetition cuts the same slices, since they follow from the file.
    pub(super) async fn cut(&self, tenant: TenantKey, job: Job) -> Result<Job, Error> {
        let name = file_name(tenant, job.id, "csv");
        let mut next = job.next();
        let now = self.table.clock().now();
        if next.layout.is_none() {
            let Some(head) = self.files.range(&name, 0, HEAD).await? else {
                return Ok(failed(next, &FileError::Missing, now));
            };
            let is_whole = head.total <= HEAD;
            let layout = match Layout::asked(&head.bytes, is_whole, &next.request) {
                Ok(layout) => layout,
                Err(error) => return Ok(failed(next, &error, now)),
            };
            (next.size, next.mark) = (head.total, head.mark);
            (next.cursor, next.line) = (layout.rows_at, layout.rows_line);
            next.layout = Some(layout);
        }
        for _ in 0..WINDOWS {
            if next.cursor >= next.size {
                break;
            }
            let Some(window) = self.files.range(&name, next.cursor, WINDOW).await? else {
                return Ok(failed(next, &FileError::Missing, now));
            };
            if window.mark != next.mark {
                return Ok(failed(next, &FileError::Changed, now));
            }
            let is_last = next.cursor + window.bytes.len() as u64 >= next.size;
            let cuts = match cuts(&next, &window.bytes, is_last) {
                Ok(cuts) => cuts,
                Err(error) => return Ok(failed(next, &error, now)),
            };
            let first = next.slices;
            let items = cuts.slices.into_iter().zip(first..);
            let items: Vec<_> = items
                .map(|(slice, n)| (keys::import_slice(tenant, next.id, n), slice))
                .collect();
            next.slices += items.len() as u32;
            self.table.put_many(&items).await?;
            next.total += cuts.rows;
            next.cursor += cuts.taken as u64;
            next.line = cuts.line;
        }
        if next.cursor < next.size {
            return Ok(next);
        }
        if next.total == 0 {
            return Ok(failed(next, &FileError::Empty, now));
        }
        if next.request.kind != Kind::Contacts && next.total > MOST_GOODS {
            let error = FileError::TooManyRows { most: MOST_GOODS };
            return Ok(failed(next, &error, now));
        }
        for lane in 0..LANES {
            let key = keys::import_lane(tenant, next.id, lane);
            self.table.create(&key, &Lane::new(lane, next.ttl)).await?;
        }
        next.status = Status::Processing;
        Ok(next)
    }
}

fn cuts(job: &Job, bytes: &[u8], is_last: bool) -> Result<Cuts, FileError> {
    let Some(layout) = &job.layout else {
        return Err(FileError::Empty);
    };
    let cutter = layout.cutter();
    let mut cuts = Cuts {
        slices: Vec::new(),
        rows: 0,
        taken: 0,
        line: job.line,
    };
    let (mut start, mut line, mut rows) = (0, job.line, 0);
    let slice = |start: usize, end: usize, line: u64| Slice {
        start: job.cursor + start as u64,
        end: job.cursor + end as u64,
        line,
        ttl: job.ttl,
    };
    let mut orders = OneOrder::of(layout);
    loop {
        let record = match cutter.next(bytes, cuts.taken, is_last) {
            Found::Record(record) => record,
            Found::TooLong => return Err(FileError::TooLong { line: cuts.line }),
            Found::More | Found::End => break,
        };
        let is_row = !cutter.is_blank(&bytes[record.start..record.end]);
        let size = cuts.taken - start;
        let is_full = rows >= SLICE_ROWS || size >= SLICE_BYTES;
        // No order has so many lines: then the slice ends anyway.
        let is_overfull = rows >= 2 * SLICE_ROWS || size >= 2 * SLICE_BYTES;
        let follows = if is_row {
            orders.follows(layout, bytes, &record, (cuts.taken, cuts.line, rows))
        } else {
            orders.began.is_some()
        };
        if is_overfull || (is_full && !follows) {
            cuts.slices.push(slice(start, cuts.taken, line));
            cuts.rows += rows;
            (start, line, rows) = (cuts.taken, cuts.line, 0);
        }
        rows += u64::from(is_row);
        cuts.taken = record.next;
        cuts.line += record.lines;
    }
    // The next window begins with the order that may go on after this one.
    let goes_on = |at: usize| !is_last && at > 0 && at >= start;
    if let Some((at, own_line, before)) = orders.began.filter(|(at, ..)| goes_on(*at)) {
        (cuts.taken, cuts.line) = (at, own_line);
        rows = if at == start { 0 } else { before };
    }
    if rows > 0 {
        cuts.slices.push(slice(start, cuts.taken, line));
        cuts.rows += rows;
    }
    if cuts.taken == 0 {
        return Err(FileError::TooLong { line: cuts.line });
    }
    Ok(cuts)
}

/// The order whose lines are read: they stay in one slice.
struct OneOrder {
    /// The column of the code; none in files of other things.
    column: Option<usize>,
    code: String,
    /// Where its first line begins, the number of that line, and the rows of the slice before it.
    began: Option<(usize, u64, u64)>,
}

impl OneOrder {
    fn of(layout: &Layout) -> Self {
        let place = layout.place(Sheet::KEY);
        let is_of_orders =
            |n: &usize| matches!(layout.columns[*n].field, Column::Goods(Sheet::Orders, _));
        Self {
            column: place.filter(is_of_orders),
            code: String::new(),
            began: None,
        }
    }

    /// Whether a row belongs to the order before it: a row without a code does, and one that cannot be read.
    fn follows(
        &mut self,
        layout: &Layout,
        bytes: &[u8],
        record: &Record,
        place: (usize, u64, u64),
    ) -> bool {
        let Some(column) = self.column else {
            return false;
        };
        let text = layout.encoding.decode(&bytes[record.start..record.end]);
        let cells =
            text.map(|text| records::cells(&text, layout.cutter().delimiter, record.is_unclosed));
        let code = cells.as_ref().and_then(|cells| cells.get(column));
        let code = code.map(|code| plain(code)).unwrap_or_default();
        if self.began.is_some() && (code.is_empty() || code == self.code) {
            return true;
        }
        code.clone_into(&mut self.code);
        self.began = Some(place);
        false
    }
}
