//! The steps of an import. Each step is safe to run twice, to run concurrently with itself, and to be killed at any
//! point.
//!
//! A message names the version of the job, or of a lane, that it moves. One versioned write moves it and adds the
//! counts. Only the attempt that wins this write counts. A message whose step is done sends the next messages again,
//! since the earlier run may have crashed before it sent them. The state names the message that moved it: another
//! message of the same step sends nothing. So two messages of one step go on as one chain, not as two side by side.

use std::time::Duration;

use bytes::Bytes;
use cloud::outbox::{Image, Rule};
use cloud::{
    Blobs, Created, Effect, Error, Message, Pending, QueueName, QueueOf, Resources, SendOptions,
    Table,
};
use jiff::Timestamp;
use kernel::{ImportId, Origin, TenantKey};
use serde::{Deserialize, Serialize};

use super::error::FileError;
use super::importing::{Fate, Goods};
use super::job::{Job, LANES, Lane, Request, Slice, Status};
use super::turns::Turn;
use crate::{Contacts, Fields, keys};

/// Largest file that a request carries, in bytes. A larger file is uploaded by a link.
pub const MAX_BODY: usize = 5 * 1024 * 1024;
/// How long the link to upload a file is valid.
pub const UPLOAD_VALID: Duration = Duration::from_hours(1);
/// How long the link to the outcomes is valid.
pub const OUTCOME_VALID: Duration = Duration::from_hours(1);

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
    /// Import the next slice of a lane.
    #[serde(rename = "contact.import.lane.v1")]
    Lane {
        /// The job.
        import: ImportId,
        /// The lane.
        lane: u32,
        /// The version of the lane that the step moves.
        version: u64,
    },
}

impl Message for Step {
    const QUEUE: QueueName = QueueName::new("contact-import");
}

/// On an import that starts: sends its first message.
pub(crate) const BEGIN: Rule = Rule {
    name: "contact.import",
    messages: first,
};

/// The part of a job that its first message names.
#[derive(Deserialize)]
struct Begins {
    version: u64,
}

fn first(image: &Image) -> Result<Vec<Effect>, Error> {
    let import: ImportId = image.subject()?;
    let Begins { version } = image.row()?;
    let step = Step::V1 { import, version };
    let id = format!("{import}#{version}");
    Ok(vec![Effect::new(image.tenant(), id, &step)?])
}

/// The outcome of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// This attempt or another moved the job, or the job has ended.
    Done,
    /// There is no such job.
    Missing,
}

/// The outcome of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The import runs or waits for its turn.
    Yes(Box<Job>),
    /// There is no such import.
    Missing,
    /// It has no file yet.
    NoFile,
    /// As many imports wait as may.
    Busy,
}

/// Runs imports.
#[derive(Clone, Debug)]
pub struct Imports {
    pub(super) contacts: Contacts,
    /// For imports that start workflows.
    heard: Contacts,
    pub(super) table: Table,
    pub(super) files: Blobs,
    pub(super) fields: Fields,
    queue: QueueOf<Step>,
}

impl Imports {
    /// Over the tables Contacts and Timeline, the bucket Imports and the queue `ContactImport`. An import
    /// starts workflows only if its settings say so.
    pub fn over(resources: &Resources) -> Self {
        let heard = Contacts::over(resources);
        let fields = heard.fields();
        Self {
            contacts: Contacts {
                fields: fields.clone(),
                ..Contacts::silent(resources)
            },
            heard,
            table: resources.table("Contacts"),
            files: resources.bucket("Imports"),
            fields,
            queue: resources.queue_of(),
        }
    }

    /// The writer of the contacts of an import.
    pub(super) fn writer(&self, job: &Job) -> &Contacts {
        if job.request.start_workflows {
            &self.heard
        } else {
            &self.contacts
        }
    }

    /// Stores an import; `None` if another import has the id. A repetition finds the import of the first run. With
    /// a file the import starts with [`Imports::begin`] at once; without one it is a draft.
    pub async fn create(
        &self,
        tenant: TenantKey,
        id: ImportId,
        origin: &Origin,
        request: &Request,
        file: Option<Bytes>,
    ) -> Result<Option<Job>, Error> {
        let status = if file.is_some() {
            Status::Pending
        } else {
            Status::Draft
        };
        let job = Job::new(id, request.clone(), origin, status);
        self.list(tenant, &job).await?;
        let created = self.table.create(&keys::import(tenant, id), &job).await?;
        let job = match created {
            Created::New => job,
            Created::Existing(found) if found.is_start_of(&job) => found,
            Created::Existing(_) => return Ok(None),
        };
        if let Some(file) = file {
            self.files
                .put(&file_name(tenant, id, "csv"), "text/csv", file)
                .await?;
        }
        Ok(Some(job))
    }

    /// A link to which the file of a draft is put.
    pub async fn upload_link(&self, tenant: TenantKey, id: ImportId) -> Result<String, Error> {
        self.files
            .upload_link(&file_name(tenant, id, "csv"), UPLOAD_VALID)
            .await
    }

    /// A link to the file of outcomes of an import that is over.
    pub async fn outcome_link(&self, tenant: TenantKey, id: ImportId) -> Result<String, Error> {
        self.files
            .link(&file_name(tenant, id, "outcome.csv"), OUTCOME_VALID)
            .await
    }

    /// Replaces the settings of a draft; `None` if the import is no draft any more.
    pub async fn change(
        &self,
        tenant: TenantKey,
        job: Job,
        request: Request,
    ) -> Result<Option<Job>, Error> {
        if job.status != Status::Draft {
            return Ok(None);
        }
        let version = job.version;
        let mut next = job.next();
        next.request = request;
        self.table
            .replace(&keys::import(tenant, next.id), &next, version)
            .await?;
        Ok(Some(next))
    }

    /// Starts an import whose file is there. The write that starts it carries its first message, which asks for the turn. So an
    /// import whose request was interrupted runs too. May be repeated.
    pub async fn begin(&self, tenant: TenantKey, id: ImportId) -> Result<Begun, Error> {
        let Some(mut job) = self.job(tenant, id).await? else {
            return Ok(Begun::Missing);
        };
        if job.status == Status::Draft {
            let name = file_name(tenant, id, "csv");
            if self.files.range(&name, 0, 1).await?.is_none() {
                return Ok(Begun::NoFile);
            }
        }
        if matches!(job.status, Status::Draft | Status::Pending) {
            let version = job.version;
            job = job.next();
            if job.status == Status::Draft {
                job.status = Status::Pending;
                job.started_at = Some(self.table.clock().now());
            }
            job.pending = Pending::of(&[BEGIN]);
            self.table
                .replace(&keys::import(tenant, id), &job, version)
                .await?;
            if self.admit(tenant, id).await? == Turn::None {
                return Ok(Begun::Busy);
            }
        }
        Ok(Begun::Yes(Box::new(job)))
    }

    /// One import, with the progress of its lanes.
    pub async fn get(&self, tenant: TenantKey, id: ImportId) -> Result<Option<Job>, Error> {
        let Some(mut job) = self.job(tenant, id).await? else {
            return Ok(None);
        };
        // A failed import shows the rows that were stored before.
        let has_lanes = job.status == Status::Failed && job.slices > 0;
        if job.status == Status::Processing || has_lanes {
            let lanes = self.lanes(tenant, id).await?;
            job.gather(&lanes);
        }
        Ok(Some(job))
    }

    pub(super) async fn job(&self, tenant: TenantKey, id: ImportId) -> Result<Option<Job>, Error> {
        self.table.get(&keys::import(tenant, id)).await
    }

    pub(super) async fn lanes(&self, tenant: TenantKey, id: ImportId) -> Result<Vec<Lane>, Error> {
        let mut lanes = Vec::new();
        for lane in 0..LANES {
            lanes.extend(self.table.get(&keys::import_lane(tenant, id, lane)).await?);
        }
        Ok(lanes)
    }

    /// Makes one step. `by` is the id of the message that asks for the step. `goods` takes lines of orders and products.
    pub async fn step<G, Fut>(
        &self,
        tenant: TenantKey,
        step: &Step,
        by: &str,
        goods: G,
    ) -> Result<Progress, Error>
    where
        G: Fn(Goods) -> Fut,
        Fut: Future<Output = Result<Vec<Fate>, Error>>,
    {
        let (Step::V1 { import, .. } | Step::Lane { import, .. }) = *step;
        let Some(job) = self.job(tenant, import).await? else {
            return Ok(Progress::Missing);
        };
        match *step {
            Step::V1 { version, .. } => self.move_job(tenant, job, version, by).await?,
            Step::Lane { lane, version, .. } => {
                self.move_lane(tenant, &job, (lane, version), by, &goods)
                    .await?;
            }
        }
        Ok(Progress::Done)
    }

    async fn move_job(
        &self,
        tenant: TenantKey,
        job: Job,
        version: u64,
        by: &str,
    ) -> Result<(), Error> {
        if job.version != version {
            if job.version == version + 1 && job.by.as_deref() == Some(by) {
                self.follow(tenant, &job).await?;
            }
            return Ok(());
        }
        let (id, clock) = (job.id, self.table.clock());
        let undo = job.undo.clone().filter(|undo| undo.finished_at.is_none());
        let mut next = match job.status {
            Status::Pending => match self.admit(tenant, id).await? {
                Turn::Runs => self.cut(tenant, job).await?,
                // The import that ends sends the message again.
                Turn::Waits | Turn::None => return Ok(()),
            },
            Status::Processing => {
                let lanes = self.lanes(tenant, id).await?;
                if lanes.iter().any(|lane| lane.slice < job.slices) {
                    return Ok(());
                }
                let mut next = self.gather_outcomes(tenant, job).await?;
                next.gather(&lanes);
                if next.gathered == next.slices {
                    next.status = Status::Completed;
                    next.finished_at = Some(clock.now());
                }
                next
            }
            Status::Completed | Status::Failed => match undo {
                Some(undo) => self.undo_step(tenant, job, undo).await?,
                None => return Ok(()),
            },
            Status::Draft => return Ok(()),
        };
        next.by = Some(by.to_owned());
        // On a conflict another attempt was faster. This message still stays in the queue: if the other attempt
        // crashes before it sends the next message, this one is redelivered.
        self.table
            .replace(&keys::import(tenant, id), &next, version)
            .await?;
        self.follow(tenant, &next).await
    }

    /// Sends the messages that follow the job's state.
    pub(super) async fn follow(&self, tenant: TenantKey, job: &Job) -> Result<(), Error> {
        match job.status {
            Status::Pending => self.send(tenant, job.id, job.version).await,
            Status::Processing => {
                let lanes = self.lanes(tenant, job.id).await?;
                if lanes.iter().all(|lane| lane.slice >= job.slices) {
                    return self.send(tenant, job.id, job.version).await;
                }
                for (number, lane) in (0..).zip(lanes) {
                    if lane.slice < job.slices {
                        self.send_lane(tenant, job.id, number, lane.version).await?;
                    }
                }
                Ok(())
            }
            Status::Completed | Status::Failed if job.undo.is_some() => {
                if job
                    .undo
                    .as_ref()
                    .is_some_and(|undo| undo.finished_at.is_none())
                {
                    self.send(tenant, job.id, job.version).await?;
                }
                Ok(())
            }
            Status::Completed | Status::Failed => self.release(tenant, job.id).await,
            Status::Draft => Ok(()),
        }
    }

    async fn move_lane<G, Fut>(
        &self,
        tenant: TenantKey,
        job: &Job,
        (number, version): (u32, u64),
        by: &str,
        goods: &G,
    ) -> Result<(), Error>
    where
        G: Fn(Goods) -> Fut,
        Fut: Future<Output = Result<Vec<Fate>, Error>>,
    {
        let is_failed = job.status == Status::Failed;
        if is_failed && job.undo.is_some() {
            return self.release(tenant, job.id).await;
        }
        let key = keys::import_lane(tenant, job.id, number);
        let lane: Option<Lane> = self.table.get(&key).await?;
        let Some(lane) = lane.filter(|_| is_failed || job.status == Status::Processing) else {
            return Ok(());
        };
        let next = if lane.version == version && lane.slice < job.slices {
            let slice: Option<Slice> = self
                .table
                .get(&keys::import_slice(tenant, job.id, lane.slice))
                .await?;
            let slice = slice.ok_or_else(|| {
                Error::Shape(format!("import {} has no slice {}", job.id, lane.slice))
            })?;
            let imported = self.import(tenant, job, (lane.slice, &slice), goods);
            let Some((counts, errors)) = imported.await? else {
                if is_failed {
                    // The lane that failed the import may have been killed before the release.
                    return self.release(tenant, job.id).await;
                }
                return self.fail(tenant, job.clone(), &FileError::Changed).await;
            };
            let next = lane.after(counts, errors, by);
            self.table.replace(&key, &next, version).await?;
            next
        } else if lane.version == version + 1 && lane.by.as_deref() == Some(by) {
            lane
        } else {
            return Ok(());
        };
        if is_failed {
            return self.release(tenant, job.id).await;
        }
        if next.slice < job.slices {
            return self.send_lane(tenant, job.id, number, next.version).await;
        }
        let lanes = self.lanes(tenant, job.id).await?;
        if lanes.iter().all(|lane| lane.slice >= job.slices) {
            self.send(tenant, job.id, job.version).await?;
        }
        Ok(())
    }

    async fn fail(&self, tenant: TenantKey, job: Job, error: &FileError) -> Result<(), Error> {
        let version = job.version;
        let next = failed(job.next(), error, self.table.clock().now());
        self.table
            .replace(&keys::import(tenant, next.id), &next, version)
            .await?;
        self.follow(tenant, &next).await
    }

    pub(super) async fn send(
        &self,
        tenant: TenantKey,
        import: ImportId,
        version: u64,
    ) -> Result<(), Error> {
        let step = Step::V1 { import, version };
        self.queue.send(tenant, &step, SendOptions::default()).await
    }

    async fn send_lane(
        &self,
        tenant: TenantKey,
        import: ImportId,
        lane: u32,
        version: u64,
    ) -> Result<(), Error> {
        let step = Step::Lane {
            import,
            lane,
            version,
        };
        self.queue.send(tenant, &step, SendOptions::default()).await
    }
}

/// The job whose file cannot be read.
pub(super) fn failed(job: Job, error: &FileError, now: Timestamp) -> Job {
    let mut next = job;
    next.status = Status::Failed;
    next.problem = Some(error.to_string());
    next.finished_at = Some(now);
    next
}

pub(super) fn file_name(tenant: TenantKey, import: ImportId, kind: &str) -> String {
    format!("imports/{tenant}/{import}.{kind}")
}
