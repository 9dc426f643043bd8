//! The steps of an export. Each step is safe to run twice, concurrently with itself, and to be killed at any point.
//!
//! The first steps read the contacts and store them in chunks, and note the names of their custom fields. The last
//! steps write the file from the chunks, with a column for each name. A message names the version that it moves, as
//! with imports.

use std::time::Duration;

use cloud::blobs::MIN_PART;
use cloud::{
    Blobs, Created, Error, Message, Query, QueueName, QueueOf, Resources, SendOptions, Table,
};
use jiff::{SignedDuration, Timestamp};
use kernel::{ContactId, Cursor, ExportId, Limit, Origin, TenantKey, page::Page};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::{Export, Request, Status};
use super::table::{MAX_FIELDS, headings, line};
use crate::bundle::{self, Full};
use crate::choice::{Asked, Choice};
use crate::model::Contact;
use crate::profiles::Profiles;
use crate::{SHARDS, joined, keys};

/// How long a link to the file is valid.
pub const LINK_VALID: Duration = Duration::from_hours(1);
/// How long links to the file are given.
pub const KEPT: Duration = Duration::from_hours(7 * 24);
/// Contacts of a page.
const PAGE: u32 = 100;
/// Contacts of a chunk, and so of a step.
const CHUNK: usize = 1_000;
/// Pages of a step. Conditions may find few contacts in many.
const PAGES: u32 = 64;
/// Largest chunk that is read: a contact has 400 KB at most, and nearly all have less than one.
const MAX_CHUNK: u64 = 512 * 1024 * 1024;

/// Exports of one workspace that run at a time.
pub const MAX_RUNNING: usize = 4;
/// An export that does not exist so long after its request was interrupted.
const LOST_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// After this time a running export gives up its place: its message was lost to the dead-letter queue.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// A place among the running exports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    export: ExportId,
    at: Timestamp,
}

/// The outcome of a request for an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The export runs, or has run.
    Export(Box<Export>),
    /// As many exports run as may run.
    Busy,
    /// Another export has the id.
    Taken,
}

/// Message on the queue of exports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Step {
    /// Move the export on from this version.
    #[serde(rename = "contact.export.v1")]
    V1 {
        /// The export.
        export: ExportId,
        /// The version that the step moves.
        version: u64,
    },
}

impl Message for Step {
    const QUEUE: QueueName = QueueName::new("contact-export");
}

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// This attempt or another moved the export.
    Done,
    /// The export is complete: its choice is not needed any more.
    Over(ExportId, Option<Choice>),
    /// There is no such export.
    Missing,
}

/// Runs exports.
#[derive(Clone, Debug)]
pub struct Exports {
    profiles: Profiles,
    table: Table,
    files: Blobs,
    queue: QueueOf<Step>,
}

impl Exports {
    /// Over the table Contacts, the bucket Imports and the queue `ContactExport`.
    pub fn over(resources: &Resources) -> Self {
        Self {
            profiles: Profiles::over(resources),
            table: resources.table("Contacts"),
            files: resources.bucket("Imports"),
            queue: resources.queue_of(),
        }
    }

    /// Starts an export, unless four others run. A repetition completes the first run. Three write units.
    pub async fn start(
        &self,
        tenant: TenantKey,
        id: ExportId,
        origin: &Origin,
        request: &Request,
        by: &str,
    ) -> Result<Started, Error> {
        let export = Export::new(id, request.clone(), by, origin);
        if !self.enter(tenant, id, origin.at).await? {
            return Ok(Started::Busy);
        }
        let created = self
            .table
            .create(&keys::export(tenant, id), &export)
            .await?;
        let export = match created {
            Created::New => export,
            Created::Existing(found) if found.is_start_of(&export) => found,
            Created::Existing(_) => return Ok(Started::Taken),
        };
        self.send(tenant, id, 0).await?;
        Ok(Started::Export(Box::new(export)))
    }

    /// Gives the export its place before it exists. If all are taken, those of exports that have ended, or never began,
    /// are free. False: four others run.
    async fn enter(&self, tenant: TenantKey, id: ExportId, at: Timestamp) -> Result<bool, Error> {
        let key = keys::export_running(tenant);
        let add = |running: &mut Vec<Running>| {
            if running.iter().any(|one| one.export == id) {
                return Ok(());
            }
            if running.len() >= MAX_RUNNING {
                return Err(Full);
            }
            running.push(Running { export: id, at });
            Ok(())
        };
        if bundle::edit(&self.table, &key, add).await?.is_ok() {
            return Ok(true);
        }
        let now = self.table.clock().now();
        for one in bundle::read::<Running>(&self.table, &key).await? {
            let age = now.duration_since(one.at);
            let is_over = match self.get(tenant, one.export).await? {
                Some(export) => export.status == Status::Completed,
                None => age > LOST_AFTER,
            };
            if is_over || age > LONGEST {
                self.leave(tenant, one.export).await?;
            }
        }
        Ok(bundle::edit(&self.table, &key, add).await?.is_ok())
    }

    /// Frees the place of an export. May be repeated.
    async fn leave(&self, tenant: TenantKey, id: ExportId) -> Result<(), Error> {
        let remove = |running: &mut Vec<Running>| {
            running.retain(|one| one.export != id);
            Ok::<_, Full>(())
        };
        let key = keys::export_running(tenant);
        let left = bundle::edit(&self.table, &key, remove).await?;
        left.map_err(|Full| Error::Conflict)
    }

    /// One export.
    pub async fn get(&self, tenant: TenantKey, id: ExportId) -> Result<Option<Export>, Error> {
        self.table.get(&keys::export(tenant, id)).await
    }

    /// A page of exports, newest first.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Export>, Error> {
        let query = Query::partition(keys::exports(tenant)).descending();
        self.table
            .query(query.limit(limit.get()).cursor(cursor))
            .await
    }

    /// A link to the file; `None` before it is complete and after [`KEPT`].
    pub async fn link(&self, tenant: TenantKey, export: &Export) -> Result<Option<String>, Error> {
        let age = |at: Timestamp| self.table.clock().now().as_second() - at.as_second();
        match export.finished_at {
            Some(at) if age(at) < KEPT.as_secs() as i64 => self
                .files
                .link(&file_name(tenant, export.id, "csv"), LINK_VALID)
                .await
                .map(Some),
            _ => Ok(None),
        }
    }

    /// Makes one step; `find` finds the contacts of a choice, and `lines` gives a page of lines of other things.
    pub async fn step<F, Fut, L, Lines>(
        &self,
        tenant: TenantKey,
        step: &Step,
        find: F,
        lines: L,
    ) -> Result<Progress, Error>
    where
        F: Fn(Asked) -> Fut,
        Fut: Future<Output = Result<Page<ContactId>, Error>>,
        L: Fn(Value, Option<Cursor>) -> Lines,
        Lines: Future<Output = Result<Page<String>, Error>>,
    {
        let Step::V1 {
            export: id,
            version,
        } = *step;
        let Some(export) = self.get(tenant, id).await? else {
            return Ok(Progress::Missing);
        };
        if export.status == Status::Completed {
            self.leave(tenant, id).await?;
            return Ok(Progress::Over(id, export.request.choice));
        }
        if export.version != version {
            if export.version == version + 1 {
                self.send(tenant, id, export.version).await?;
            }
            return Ok(Progress::Done);
        }
        let others = export.request.others.as_ref();
        let asked = others.map(|others| others.asked.clone());
        let next = if export.shard < SHARDS {
            match asked {
                Some(asked) => self.read_lines(tenant, export, &asked, &lines).await?,
                None => self.read(tenant, export, &find).await?,
            }
        } else {
            self.write(tenant, export).await?
        };
        self.table
            .replace(&keys::export(tenant, id), &next, version)
            .await?;
        if next.status == Status::Completed {
            self.leave(tenant, id).await?;
            return Ok(Progress::Over(id, next.request.choice));
        }
        self.send(tenant, id, next.version).await?;
        Ok(Progress::Done)
    }

    /// Stores the next chunk of contacts.
    async fn read<F, Fut>(
        &self,
        tenant: TenantKey,
        export: Export,
        find: &F,
    ) -> Result<Export, Error>
    where
        F: Fn(Asked) -> Fut,
        Fut: Future<Output = Result<Page<ContactId>, Error>>,
    {
        let mut next = export;
        next.version += 1;
        let (mut text, mut count, mut pages) = (Vec::new(), 0, 0);
        while count < CHUNK && pages < PAGES && next.shard < SHARDS {
            pages += 1;
            let cursor = next.cursor.take().map(Cursor);
            let ids = self.requested(tenant, &next, cursor, find).await?;
            let mut contacts = self.profiles.glance(tenant, &ids.data).await?;
            for contact in ids.data.iter().filter_map(|id| contacts.remove(id)) {
                for name in contact.custom.keys() {
                    if next.fields.len() < MAX_FIELDS && !next.fields.contains(name) {
                        next.fields.insert(name.clone());
                    }
                }
                serde_json::to_writer(&mut text, &contact)
                    .map_err(|error| Error::Shape(error.to_string()))?;
                text.push(b'\n');
                count += 1;
            }
            match ids.next {
                Some(cursor) => next.cursor = Some(cursor.0),
                None => next.shard += 1,
            }
        }
        let name = file_name(tenant, next.id, &format!("rows.{:08}", next.chunks));
        self.files
            .put(&name, "application/x-ndjson", text.into())
            .await?;
        next.chunks += 1;
        next.rows += count as u64;
        Ok(next)
    }

    /// Stores the next chunk of lines.
    async fn read_lines<L, Lines>(
        &self,
        tenant: TenantKey,
        export: Export,
        asked: &Value,
        lines: &L,
    ) -> Result<Export, Error>
    where
        L: Fn(Value, Option<Cursor>) -> Lines,
        Lines: Future<Output = Result<Page<String>, Error>>,
    {
        let mut next = export;
        next.version += 1;
        let (mut text, mut count, mut pages) = (String::new(), 0, 0);
        while count < CHUNK && pages < PAGES && next.shard < SHARDS {
            pages += 1;
            let page = lines(asked.clone(), next.cursor.take().map(Cursor)).await?;
            count += page.data.len();
            text.extend(page.data);
            match page.next {
                Some(cursor) => next.cursor = Some(cursor.0),
                // Other things have no shards.
                None => next.shard = SHARDS,
            }
        }
        let name = file_name(tenant, next.id, &format!("rows.{:08}", next.chunks));
        self.files.put(&name, "text/csv", text.into()).await?;
        next.chunks += 1;
        next.rows += count as u64;
        Ok(next)
    }

    /// The next contacts of the request.
    async fn requested<F, Fut>(
        &self,
        tenant: TenantKey,
        export: &Export,
        cursor: Option<Cursor>,
        find: &F,
    ) -> Result<Page<ContactId>, Error>
    where
        F: Fn(Asked) -> Fut,
        Fut: Future<Output = Result<Page<ContactId>, Error>>,
    {
        let (profiles, shard) = (&self.profiles, export.shard);
        match &export.request {
            Request {
                choice: Some(choice),
                ..
            } => {
                let asked = Asked {
                    tenant,
                    choice: choice.clone(),
                    shard,
                    limit: PAGE,
                    cursor,
                };
                find(asked).await
            }
            Request {
                list: Some(list), ..
            } => profiles.members(tenant, *list, shard, PAGE, cursor).await,
            Request { .. } => profiles.of_shard(tenant, shard, PAGE, cursor).await,
        }
    }

    /// Writes the next part of the file.
    async fn write(&self, tenant: TenantKey, export: Export) -> Result<Export, Error> {
        let mut next = export;
        next.version += 1;
        let others = next.request.others.as_ref();
        let mut text = match others {
            _ if next.gathered > 0 => String::new(),
            Some(others) => others.heading.clone(),
            None => headings(&next.fields),
        };
        let is_lines = others.is_some();
        while next.gathered < next.chunks && text.len() < MIN_PART {
            let name = file_name(tenant, next.id, &format!("rows.{:08}", next.gathered));
            let chunk = self.files.range(&name, 0, MAX_CHUNK).await?;
            let chunk = chunk.map(|chunk| chunk.bytes).unwrap_or_default();
            next.gathered += 1;
            if is_lines {
                text += &String::from_utf8_lossy(&chunk);
                continue;
            }
            for row in chunk
                .split(|byte| *byte == b'\n')
                .filter(|row| !row.is_empty())
            {
                let contact: Contact =
                    serde_json::from_slice(row).map_err(|error| Error::Shape(error.to_string()))?;
                text += &line(&contact, &next.fields);
            }
        }
        let is_last = next.gathered == next.chunks;
        let name = file_name(tenant, next.id, "csv");
        next.upload = joined::append(
            &self.files,
            &name,
            next.upload.take(),
            text.into_bytes(),
            is_last,
        )
        .await?;
        if is_last {
            next.status = Status::Completed;
            next.finished_at = Some(self.table.clock().now());
        }
        Ok(next)
    }

    async fn send(&self, tenant: TenantKey, export: ExportId, version: u64) -> Result<(), Error> {
        let step = Step::V1 { export, version };
        self.queue.send(tenant, &step, SendOptions::default()).await
    }
}

fn file_name(tenant: TenantKey, export: ExportId, kind: &str) -> String {
    format!("exports/{tenant}/{export}.{kind}")
}
