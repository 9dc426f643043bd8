//! The first steps of an import: its file is cut into slices of whole records. Reads the file once, in windows.

use cloud::Error;
use kernel::TenantKey;

use super::error::FileError;
use super::job::{Job, LANES, Lane, Slice, Status};
use super::layout::{HEAD, Layout};
use super::records::Found;
use super::steps::{Imports, failed, file_name};
use crate::keys;

/// Bytes that are read at once.
const WINDOW: u64 = 4 * 1024 * 1024;
/// Windows of one step.
const WINDOWS: usize = 8;
/// Rows of a slice: a step imports them within its time.
pub const SLICE_ROWS: u64 = 1_000;
/// Bytes of a slice.
const SLICE_BYTES: usize = 1024 * 1024;

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
    loop {
        match cutter.next(bytes, cuts.taken, is_last) {
            Found::Record(record) => {
                rows += u64::from(!cutter.is_blank(&bytes[record.start..record.end]));
                cuts.taken = record.next;
                cuts.line += record.lines;
            }
            Found::TooLong => return Err(FileError::TooLong { line: cuts.line }),
            Found::More | Found::End => break,
        }
        if rows >= SLICE_ROWS || cuts.taken - start >= SLICE_BYTES {
            cuts.slices.push(slice(start, cuts.taken, line));
            cuts.rows += rows;
            (start, line, rows) = (cuts.taken, cuts.line, 0);
        }
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
