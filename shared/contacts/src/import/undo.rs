//! The undo of an import: contacts that it made are removed, values that it replaced come back, unless somebody was
//! there since. One step takes one slice, the last slice first; the rows of a slice are taken from the last to the
//! first. Each step may be repeated; one versioned write of the job counts it.

use std::collections::BTreeMap;

use cloud::Error;
use cloud::blobs::MIN_PART;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kernel::{ContactId, ImportId, TenantKey};
use serde::{Deserialize, Serialize};

use super::importing::OUTCOME_COLUMNS;
use super::job::{Job, Kind, Status};
use super::steps::{Imports, OUTCOME_VALID, file_name};
use crate::csv_out;
use crate::joined::{self, Upload};
use crate::keys;
use crate::rows::Profile;

/// How long after its end an import may be undone, in seconds.
pub const UNDO_SECONDS: i64 = 24 * 3600;
/// After this time no lane of a failed import is in a step any more: longer than the visibility time-out of its queue, after
/// which the message of a killed step is redelivered.
const LANES_END_SECONDS: i64 = 900;
/// The columns of the file that tells what became of each row.
pub const UNDO_COLUMNS: [&str; 4] = [
    "import_line",
    "undo_outcome",
    "undo_contact_id",
    "undo_message",
];
/// Contacts that are undone concurrently.
const CONCURRENCY: usize = 16;
/// Largest file of outcomes of a slice.
const MAX_OUTCOME: u64 = 16 * 1024 * 1024;

/// The undo of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// Rows whose contact was removed.
    pub removed: u64,
    /// Rows whose replaced values came back.
    pub restored: u64,
    /// Rows of which something stays.
    pub kept: u64,
    /// Slices that are not undone.
    pub(super) left: u32,
    /// Slices whose outcome is in the file.
    pub(super) gathered: u32,
    #[serde(default)]
    pub(super) upload: Upload,
}

/// The outcome of a request to undo an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// The undo runs, or has ended.
    Yes(Box<Job>),
    /// There is no such import.
    Missing,
    /// The import is not over.
    NotOver,
    /// The import failed just now: its last rows may still be stored, for this many seconds.
    TooSoon(u32),
    /// The import ended more than a day ago.
    TooLate,
    /// It is no import of contacts: orders and products stay.
    OfGoods,
}

/// A row of the file of outcomes that changed something.
struct Line {
    number: u64,
    is_created: bool,
    contact: ContactId,
}

/// The outcome of a row.
struct Told {
    number: u64,
    outcome: &'static str,
    contact: ContactId,
    message: String,
}

impl Imports {
    /// Starts the undo. May be repeated.
    pub async fn undo(&self, tenant: TenantKey, id: ImportId) -> Result<Undone, Error> {
        let Some(job) = self.job(tenant, id).await? else {
            return Ok(Undone::Missing);
        };
        if job.request.kind != Kind::Contacts {
            return Ok(Undone::OfGoods);
        }
        if job.undo.is_some() {
            self.follow(tenant, &job).await?;
            return Ok(Undone::Yes(Box::new(job)));
        }
        let now = self.table.clock().now();
        let is_over = matches!(job.status, Status::Completed | Status::Failed);
        let Some(ended) = job.finished_at.filter(|_| is_over && job.slices > 0) else {
            return Ok(Undone::NotOver);
        };
        let age = now.as_second() - ended.as_second();
        if job.status == Status::Failed && age < LANES_END_SECONDS {
            let wait = u32::try_from(LANES_END_SECONDS - age).unwrap_or_default();
            return Ok(Undone::TooSoon(wait));
        }
        if age > UNDO_SECONDS {
            return Ok(Undone::TooLate);
        }
        let version = job.version;
        let mut next = job.next();
        next.undo = Some(Undo {
            started_at: now,
            finished_at: None,
            removed: 0,
            restored: 0,
            kept: 0,
            left: next.slices,
            gathered: 0,
            upload: None,
        });
        self.table
            .replace(&keys::import(tenant, id), &next, version)
            .await?;
        self.follow(tenant, &next).await?;
        Ok(Undone::Yes(Box::new(next)))
    }

    /// A link to the file that tells what became of each row.
    pub async fn undo_link(&self, tenant: TenantKey, id: ImportId) -> Result<String, Error> {
        let name = file_name(tenant, id, "undo.csv");
        self.files.link(&name, OUTCOME_VALID).await
    }

    /// The next state of the job: one slice more is undone, or more of the outcomes are in the file.
    pub(super) async fn undo_step(
        &self,
        tenant: TenantKey,
        job: Job,
        mut undo: Undo,
    ) -> Result<Job, Error> {
        if undo.left == 0 {
            self.gather_undone(tenant, &job, &mut undo).await?;
        } else {
            let told = self.undo_slice(tenant, &job, undo.left - 1).await?;
            for one in &told {
                match one.outcome {
                    "removed" => undo.removed += 1,
                    "restored" => undo.restored += 1,
                    _ => undo.kept += 1,
                }
            }
            undo.left -= 1;
        }
        let mut next = job.next();
        next.undo = Some(undo);
        Ok(next)
    }

    async fn undo_slice(
        &self,
        tenant: TenantKey,
        job: &Job,
        number: u32,
    ) -> Result<Vec<Told>, Error> {
        let name = file_name(tenant, job.id, &format!("outcome.{number:08}"));
        let part = self.files.range(&name, 0, MAX_OUTCOME).await?;
        let lines = lines(&part.map(|part| part.bytes).unwrap_or_default());
        let mut contacts: BTreeMap<ContactId, Vec<Line>> = BTreeMap::new();
        for line in lines.into_iter().rev() {
            contacts.entry(line.contact).or_default().push(line);
        }
        let work =
            stream::iter(contacts.into_values()).map(|rows| self.undo_rows(tenant, job, rows));
        let told: Vec<Vec<Told>> = work.buffer_unordered(CONCURRENCY).try_collect().await?;
        let mut told: Vec<Told> = told.into_iter().flatten().collect();
        told.sort_by_key(|one| one.number);
        let text: String = told.iter().map(text).collect();
        let name = file_name(tenant, job.id, &format!("undo.{number:08}"));
        self.files.put(&name, "text/csv", text.into()).await?;
        Ok(told)
    }

    /// Undoes the rows about one contact, the last one first.
    async fn undo_rows(
        &self,
        tenant: TenantKey,
        job: &Job,
        rows: Vec<Line>,
    ) -> Result<Vec<Told>, Error> {
        let mut told = Vec::with_capacity(rows.len());
        for row in rows {
            let made_here = row.is_created || self.was_made_by(tenant, job, row.contact).await?;
            let (outcome, message) = if made_here {
                match self.unmake(tenant, job, row.contact).await? {
                    Ok(()) => ("removed", String::new()),
                    Err(why) => ("kept", why.to_owned()),
                }
            } else {
                let operation = format!("{}#{}", job.id, row.number);
                match self.restore(tenant, row.contact, &operation).await? {
                    None => ("kept", "the contact is gone".to_owned()),
                    Some(stays) if stays.is_empty() => ("restored", String::new()),
                    Some(stays) => ("kept", stays.join("; ")),
                }
            };
            told.push(Told {
                number: row.number,
                outcome,
                contact: row.contact,
                message,
            });
        }
        Ok(told)
    }

    /// Whether the import made the contact, by another row.
    async fn was_made_by(
        &self,
        tenant: TenantKey,
        job: &Job,
        id: ContactId,
    ) -> Result<bool, Error> {
        let profile: Option<Profile> = self.table.get(&keys::profile(tenant, id)).await?;
        let import = job.id.to_string();
        let is_by = |name: Option<&String>| {
            name.is_some_and(|name| name.split('#').next() == Some(&import))
        };
        Ok(profile.is_some_and(|row| is_by(row.operation.as_ref()) || is_by(row.undone.as_ref())))
    }

    /// Adds a part to the file; the last part ends the undo.
    async fn gather_undone(
        &self,
        tenant: TenantKey,
        job: &Job,
        undo: &mut Undo,
    ) -> Result<(), Error> {
        let mut all = String::new();
        if undo.gathered == 0 {
            all = csv_out::MARK.to_owned() + &csv_out::line(UNDO_COLUMNS);
        }
        let mut all = all.into_bytes();
        while undo.gathered < job.slices && all.len() < MIN_PART {
            let name = file_name(tenant, job.id, &format!("undo.{:08}", undo.gathered));
            let part = self.files.range(&name, 0, MAX_OUTCOME).await?;
            all.extend(part.map(|part| part.bytes).unwrap_or_default());
            undo.gathered += 1;
        }
        let is_all = undo.gathered == job.slices;
        let name = file_name(tenant, job.id, "undo.csv");
        undo.upload = joined::append(&self.files, &name, undo.upload.take(), all, is_all).await?;
        if is_all {
            undo.finished_at = Some(self.table.clock().now());
        }
        Ok(())
    }
}

/// The rows of a file of outcomes that made or changed a contact. Its last four columns are ours.
fn lines(bytes: &[u8]) -> Vec<Line> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.has_headers(false).flexible(true).from_reader(bytes);
    let line = |record: csv::StringRecord| {
        let own = record.len().checked_sub(OUTCOME_COLUMNS.len())?;
        let outcome = record.get(own + 1)?;
        Some(Line {
            number: record.get(own)?.parse().ok()?,
            is_created: outcome == "created",
            contact: record.get(own + 2)?.parse().ok()?,
        })
        .filter(|_| matches!(outcome, "created" | "updated"))
    };
    reader
        .records()
        .filter_map(|record| line(record.ok()?))
        .collect()
}

fn text(one: &Told) -> String {
    let cells = [
        one.number.to_string(),
        one.outcome.to_owned(),
        one.contact.to_string(),
        one.message.clone(),
    ];
    csv_out::line(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_an_outcome_are_read_with_whatever_cells_they_have() {
        let text = "\"a, \"\"b\"\"\nc\",x,2,created,con_0123456789a,\r\n\
            x,y,3,updated,con_0123456789b,\"email: no; x, y\"\r\n,,4,failed,,bad\r\n,,5,skipped,con_0123456789c,\r\n";
        let lines = lines(text.as_bytes());
        let found: Vec<(u64, bool)> = lines
            .iter()
            .map(|line| (line.number, line.is_created))
            .collect();
        assert_eq!(found, [(2, true), (3, false)]);
    }
}
