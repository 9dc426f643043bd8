//! The steps of an import. Each step is safe to run twice, to run concurrently with itself, and to be killed at any
//! point.
//!
//! A message names the version of the job that it moves. Its rows are upserted, then one versioned write moves the
//! cursor and adds the counts. Only the attempt that wins this write counts. [`Incoming::operation`] shows whether a
//! row created its contact, so a repeated attempt counts the same.

use bytes::Bytes;
use cloud::{Blobs, Created, Error, Message, QueueName, QueueOf, Resources, SendOptions, Table};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kernel::{ImportId, TenantKey};
use serde::{Deserialize, Serialize};

use super::file::{self, FileError, Parsed};
use super::job::{Job, Request, Status};
use super::lines::{Row, RowError};
use super::slice;
use crate::bounds::Surplus;
use crate::consent::ChannelStatus;
use crate::model::{Incoming, Kept, Merge, NotTaken, Source};
use crate::{Contacts, keys};

/// Largest file, in bytes.
pub const MAX_FILE: usize = 5 * 1024 * 1024;
/// Rows of one step.
const ROWS: usize = 500;
/// Bytes of stored rows that one step reads; the longest row is far shorter.
const WINDOW: u64 = 2 * 1024 * 1024;
/// Contacts that are written concurrently.
const CONCURRENCY: usize = 32;

/// Message on the queue of imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Step {
    /// Move the job on from this version.
    #[serde(rename = "contact.import.v1")]
    V1 {
        /// The job.
        import: ImportId,
        /// The version that the step moves.
        version: u64,
    },
}

impl Message for Step {
    const QUEUE: QueueName = QueueName::new("contact-import");
}

/// The outcome of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// This attempt or another moved the job, or the job has ended.
    Done,
    /// There is no such job.
    Missing,
}

/// Runs imports.
#[derive(Clone, Debug)]
pub struct Imports {
    contacts: Contacts,
    table: Table,
    files: Blobs,
    queue: QueueOf<Step>,
}

#[derive(Default)]
struct Counts {
    created: u64,
    updated: u64,
    errors: Vec<RowError>,
    /// Rows of contacts that had no room for all of their values.
    left_out: Vec<RowError>,
}

impl Imports {
    /// Over the tables Contacts and Timeline, the bucket Imports and the queue `ContactImport`. An import
    /// triggers no workflow.
    pub fn over(resources: &Resources) -> Self {
        Self {
            contacts: Contacts::silent(resources),
            table: resources.table("Contacts"),
            files: resources.bucket("Imports"),
            queue: resources.queue_of(),
        }
    }

    /// Stores the file and starts the import; `None` if another import has the id. A repetition completes the first
    /// run: it stores the same file, and a message of a step that is done moves nothing.
    pub async fn start(
        &self,
        tenant: TenantKey,
        id: ImportId,
        at: Timestamp,
        request: &Request,
        body: Bytes,
    ) -> Result<Option<Job>, Error> {
        let job = Job::new(id, request.clone(), at);
        let created = self.table.create(&keys::import(tenant, id), &job).await?;
        let job = match created {
            Created::New => job,
            Created::Existing(found) if found.is_start_of(&job) => found,
            Created::Existing(_) => return Ok(None),
        };
        // The message is sent last: its step must find the job and the file.
        self.files
            .put(&file_name(tenant, id, "csv"), "text/csv", body)
            .await?;
        self.send(tenant, id, 0).await?;
        Ok(Some(job))
    }

    /// One import.
    pub async fn get(&self, tenant: TenantKey, id: ImportId) -> Result<Option<Job>, Error> {
        self.table.get(&keys::import(tenant, id)).await
    }

    /// Moves a job on by one step. A message whose step is done sends the next message again, since the earlier run
    /// may have crashed before it sent it. A message of an older step sends nothing.
    pub async fn step(&self, tenant: TenantKey, step: &Step) -> Result<Progress, Error> {
        let Step::V1 { import, version } = *step;
        let Some(job) = self.get(tenant, import).await? else {
            return Ok(Progress::Missing);
        };
        if job.version != version {
            if job.version == version + 1 && !job.is_over() {
                self.send(tenant, import, job.version).await?;
            }
            return Ok(Progress::Done);
        }
        let next = match job.status {
            Status::Pending => self.prepare(tenant, job).await?,
            Status::Processing => self.advance(tenant, job).await?,
            Status::Completed | Status::Failed => return Ok(Progress::Done),
        };
        // On a conflict another attempt was faster, and its counts are stored. This message still stays in the
        // queue: if the other attempt crashes before it sends the next message, this one is redelivered.
        let key = keys::import(tenant, import);
        self.table.replace(&key, &next, version).await?;
        if !next.is_over() {
            self.send(tenant, import, next.version).await?;
        }
        Ok(Progress::Done)
    }

    /// Reads the file once and stores its good rows as lines.
    async fn prepare(&self, tenant: TenantKey, job: Job) -> Result<Job, Error> {
        let name = file_name(tenant, job.id, "csv");
        let file = self.files.range(&name, 0, MAX_FILE as u64).await?;
        let bytes = file.map(|file| file.bytes).unwrap_or_default();
        let Parsed {
            rows,
            errors,
            first_errors,
            repeated,
        } = match file::parse(&bytes) {
            Ok(parsed) => parsed,
            Err(error) => return Ok(failed(job, &error, self.table.clock().now())),
        };
        let mut next = job;
        next.size = rows.bytes.len() as u64;
        next.total = rows.count + errors.count + repeated;
        next.skipped = repeated;
        next.add_errors(errors.count, first_errors);
        // The stored rows follow from the file: a repetition writes the same rows.
        let kind = "application/x-ndjson";
        self.files
            .put(&file_name(tenant, next.id, "rows"), kind, rows.bytes.into())
            .await?;
        self.files
            .put(
                &file_name(tenant, next.id, "errors"),
                kind,
                errors.bytes.into(),
            )
            .await?;
        Ok(next.moved_to(0, self.table.clock().now()))
    }

    /// Imports the rows of one step.
    async fn advance(&self, tenant: TenantKey, job: Job) -> Result<Job, Error> {
        let name = file_name(tenant, job.id, "rows");
        let part = self.files.range(&name, job.cursor, WINDOW).await?;
        let bytes = part.map(|part| part.bytes).unwrap_or_default();
        let shape = |error: serde_json::Error| Error::Shape(error.to_string());
        let (rows, taken) = slice::rows(&bytes, ROWS).map_err(shape)?;
        if taken == 0 {
            return Err(Error::Shape(format!(
                "no row at byte {} of {name}",
                job.cursor
            )));
        }
        let (id, common) = (job.id, common(&job));
        let groups = stream::iter(slice::groups(rows));
        let work = groups.map(|group| self.take(tenant, id, &common, group));
        let counts = work.buffer_unordered(CONCURRENCY);
        let counts = counts.try_fold(Counts::default(), async |mut all, counts| {
            all.created += counts.created;
            all.updated += counts.updated;
            all.errors.extend(counts.errors);
            all.left_out.extend(counts.left_out);
            Ok(all)
        });
        let mut counts = counts.await?;
        counts.errors.sort_unstable_by_key(|error| error.line);
        let mut next = job;
        next.created += counts.created;
        next.updated += counts.updated;
        next.add_errors(counts.errors.len() as u64, counts.errors);
        counts.left_out.sort_unstable_by_key(|row| row.line);
        next.add_errors(0, counts.left_out);
        let cursor = next.cursor + taken as u64;
        Ok(next.moved_to(cursor, self.table.clock().now()))
    }

    /// Imports rows one after another.
    async fn take(
        &self,
        tenant: TenantKey,
        import: ImportId,
        common: &Incoming,
        rows: Vec<Row>,
    ) -> Result<Counts, Error> {
        let mut counts = Counts::default();
        for row in rows {
            let line = row.line;
            let mut contact = row.with(common);
            contact.operation = Some(format!("{import}#{line}"));
            match self.contacts.upsert(tenant, &contact).await {
                Ok(upserted) => {
                    counts.created += u64::from(upserted.created);
                    counts.updated += u64::from(!upserted.created);
                    counts.left_out.extend(left_out(line, &upserted.surplus));
                    let not_taken = upserted.not_taken.iter();
                    counts
                        .left_out
                        .extend(not_taken.map(|one| other_owner(line, one)));
                }
                Err(error) if error.is_retryable() => return Err(error),
                // This row can never be stored (it may be too large); the other rows can.
                Err(error) => {
                    tracing::warn!(%import, line, error = error.name(), "row refused");
                    let message = "the row cannot be stored".to_owned();
                    counts.errors.push(RowError {
                        line,
                        column: None,
                        message,
                    });
                }
            }
        }
        Ok(counts)
    }

    async fn send(&self, tenant: TenantKey, import: ImportId, version: u64) -> Result<(), Error> {
        let step = Step::V1 { import, version };
        self.queue.send(tenant, &step, SendOptions::default()).await
    }
}

/// The common part of all contacts of an import. The shop's rows replace known values, but not those that were given
/// after the import was requested: a step that runs late or again keeps them. The shop declares that its contacts
/// agreed; an opt-out stays.
fn common(job: &Job) -> Incoming {
    let request = &job.request;
    Incoming {
        at: Some(job.created_at),
        tags: request.tags.clone(),
        lists: request.list.into_iter().collect(),
        source: Source::Import,
        email_status: Some(ChannelStatus::Subscribed),
        sms_status: Some(ChannelStatus::Subscribed),
        merge: Merge::Overwrite,
        ..Incoming::default()
    }
}

/// The note about an identity of a row that is not its contact's. The row itself is imported.
fn other_owner(line: u64, not_taken: &NotTaken) -> RowError {
    let kept = match not_taken.kept {
        Kept::Shared => "; kept as a shared address",
        Kept::Unconfirmed => "; kept unconfirmed",
        Kept::Nowhere => "",
    };
    let message = match not_taken.owner_id {
        Some(owner) => format!("belongs to contact {owner}{kept}"),
        None => format!("the contact has another one{kept}"),
    };
    RowError {
        line,
        column: Some(not_taken.pointer.trim_start_matches('/').to_owned()),
        message,
    }
}

/// The note about a row of which some values were left out. The row itself is imported.
fn left_out(line: u64, surplus: &Surplus) -> Option<RowError> {
    let count = surplus.count();
    (count > 0).then(|| RowError {
        line,
        column: None,
        message: format!("the contact is full: {count} values were left out"),
    })
}

fn failed(job: Job, error: &FileError, now: jiff::Timestamp) -> Job {
    let mut next = job.moved_to(0, now);
    next.status = Status::Failed;
    next.problem = Some(error.to_string());
    next.finished_at = Some(now);
    next
}

fn file_name(tenant: TenantKey, import: ImportId, kind: &str) -> String {
    format!("imports/{tenant}/{import}.{kind}")
}
