//! The slices of a bulk job. Each is safe to run twice, to run concurrently with itself, and to be killed at any
//! point.

use cloud::outbox::{Image, Rule};
use cloud::{
    Created, Effect, Error, Key, Message, Pending, Query, QueueName, QueueOf, Resources,
    SendOptions, Table,
};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kernel::{BulkId, ContactId, Cursor, Limit, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use super::changes::Done;
use super::job::{Action, Job, Selection, Status};
use crate::bundle::{self, Full};
use crate::choice::{Asked, Choice};
use crate::files::Files;
use crate::{Contacts, Counts, Lists, keys};

/// Jobs of one workspace that run at a time.
pub const MAX_RUNNING: usize = 4;
/// Contacts that are changed concurrently.
const CONCURRENCY: usize = 16;
/// How long an attempt takes from the write of the job to the message of the next slice.
const SENDS_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// Message on the queue of bulk jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Step {
    /// Move the job on from this version.
    #[serde(rename = "contact.bulk.v1")]
    V1 {
        /// The job.
        job: BulkId,
        /// The version that the slice moves.
        version: u64,
    },
    /// Count the contacts of the tags and lists, from this version of the pass.
    #[serde(rename = "contact.count.v1")]
    Count {
        /// The version that the step moves.
        version: u64,
    },
    /// Delete what is left of an erased contact.
    #[serde(rename = "contact.erase.v1")]
    Erase {
        /// The contact.
        contact: ContactId,
    },
    /// Move what is left of a contact that was merged into another one.
    #[serde(rename = "contact.merge.v1")]
    Merge {
        /// The former contact.
        contact: ContactId,
    },
}

impl Message for Step {
    const QUEUE: QueueName = QueueName::new("contact-bulk");
}

/// On a new job: sends the message of its first slice.
pub(crate) const BEGIN: Rule = Rule {
    name: "contact.bulk",
    messages: begin,
};

fn begin(image: &Image) -> Result<Vec<Effect>, Error> {
    let job: BulkId = image.subject()?;
    let step = Step::V1 { job, version: 0 };
    Ok(vec![Effect::new(
        image.tenant(),
        format!("{job}#begin"),
        &step,
    )?])
}

/// The outcome of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// This attempt or another moved the job.
    Done,
    /// The job has ended: its choice is not needed any more.
    Over(BulkId, Option<Choice>),
    /// There is no such job.
    Missing,
}

/// The outcome of a request for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// The job runs, or has run.
    Job(Box<Job>),
    /// As many jobs run as may run.
    Busy,
    /// Another job has the id.
    Taken,
}

/// The outcome of a request to end a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// The job ends after the slice that is being done.
    Soon(Box<Job>),
    /// The job has ended.
    Over,
    /// The job completes the removal or the renaming of a tag or a list.
    Never,
    /// There is no such job.
    Missing,
}

/// A job in the row of running jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    job: BulkId,
    at: Timestamp,
}

/// A row of the list of jobs.
#[derive(Serialize, Deserialize)]
struct Listed {
    id: BulkId,
    ttl: i64,
}

/// Runs bulk jobs.
#[derive(Clone, Debug)]
pub struct Bulk {
    pub(super) contacts: Contacts,
    /// For the new name of a tag, which starts no workflow.
    pub(super) silent: Contacts,
    pub(super) lists: Lists,
    counts: Counts,
    files: Files,
    table: Table,
    queue: QueueOf<Step>,
}

impl Bulk {
    /// Over the tables Contacts, Directory and Timeline, the bucket Files and the queue `ContactBulk`.
    /// Changes of tags and lists can start workflows.
    pub fn over(resources: &Resources) -> Self {
        Self {
            contacts: Contacts::over(resources).by("bulk"),
            silent: Contacts::silent(resources).by("bulk"),
            lists: Lists::over(resources),
            counts: Counts::over(resources),
            files: Files::over(resources),
            table: resources.table("Contacts"),
            queue: resources.queue_of(),
        }
    }

    /// Starts a job, unless four others are running. The write that makes the job carries its first message, so a job whose
    /// request was interrupted runs too, and gives its turn back. Four write units, and three for the outbox.
    pub async fn start(
        &self,
        tenant: TenantKey,
        id: BulkId,
        at: Timestamp,
        actor: &str,
        action: Action,
        selection: Selection,
    ) -> Result<Started, Error> {
        let mut new = Job::new(id, action, selection, actor, at);
        new.pending = Pending::of(&[BEGIN]);
        let key = keys::bulk(tenant, id);
        let job = match self.table.create(&key, &new).await? {
            Created::New => new,
            Created::Existing(found) if found.is_start_of(&new) => found,
            Created::Existing(_) => return Ok(Started::Taken),
        };
        if job.is_over() {
            let is_refused = job.status == Status::Refused;
            return Ok(if is_refused {
                Started::Busy
            } else {
                Started::Job(Box::new(job))
            });
        }
        let listed = Listed { id, ttl: job.ttl };
        self.table
            .put(&keys::bulk_listed(tenant, id), &listed)
            .await?;
        if !self.enter(tenant, &job).await? && !self.recovered(tenant, &job).await? {
            self.refuse(tenant, job).await?;
            return Ok(Started::Busy);
        }
        // Its message may have been quicker, and have ended it.
        let now = self.get(tenant, id).await?;
        if now.is_none_or(|now| now.is_over()) {
            self.leave(tenant, id).await?;
        }
        Ok(Started::Job(Box::new(job)))
    }

    /// Ends a job that has no turn.
    async fn refuse(&self, tenant: TenantKey, job: Job) -> Result<Job, Error> {
        let version = job.version;
        let mut refused = job;
        refused.version += 1;
        refused.status = Status::Refused;
        refused.pending = Pending::default();
        let key = keys::bulk(tenant, refused.id);
        self.table.replace(&key, &refused, version).await?;
        Ok(refused)
    }

    /// Enters the job in the row of running jobs, if it has room.
    async fn enter(&self, tenant: TenantKey, job: &Job) -> Result<bool, Error> {
        let add = |running: &mut Vec<Running>| {
            if running.iter().any(|one| one.job == job.id) {
                return Ok(());
            }
            if running.len() >= MAX_RUNNING {
                return Err(Full);
            }
            running.push(Running {
                job: job.id,
                at: job.created_at,
            });
            Ok(())
        };
        let key = keys::bulk_running(tenant);
        Ok(bundle::edit(&self.table, &key, add).await?.is_ok())
    }

    /// Removes the jobs that have ended from a full row. Returns whether the job has room now.
    async fn recovered(&self, tenant: TenantKey, job: &Job) -> Result<bool, Error> {
        let key = keys::bulk_running(tenant);
        let running: Vec<Running> = bundle::read(&self.table, &key).await?;
        for one in running {
            match self.get(tenant, one.job).await? {
                Some(found) if !found.is_over() => {}
                _ => self.leave(tenant, one.job).await?,
            }
        }
        self.enter(tenant, job).await
    }

    async fn leave(&self, tenant: TenantKey, job: BulkId) -> Result<(), Error> {
        let remove = |running: &mut Vec<Running>| {
            running.retain(|one| one.job != job);
            Ok::<_, Full>(())
        };
        let key = keys::bulk_running(tenant);
        let left = bundle::edit(&self.table, &key, remove).await?;
        left.map_err(|Full| Error::Conflict)
    }

    /// One job.
    pub async fn get(&self, tenant: TenantKey, id: BulkId) -> Result<Option<Job>, Error> {
        self.table.get(&keys::bulk(tenant, id)).await
    }

    /// A page of jobs, newest first.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Job>, Error> {
        let query = Query::partition(keys::bulk_list(tenant))
            .begins_with("blk_")
            .descending()
            .limit(limit.get())
            .cursor(cursor);
        let rows: Page<Listed> = self.table.query(query).await?;
        let wanted: Vec<Key> = rows
            .data
            .iter()
            .map(|row| keys::bulk(tenant, row.id))
            .collect();
        let found = self.table.get_many::<Job>(wanted).await?;
        let mut data: Vec<Job> = found.into_iter().map(|(_, job)| job).collect();
        data.sort_unstable_by_key(|job| std::cmp::Reverse(job.id));
        Ok(Page {
            data,
            next: rows.next,
        })
    }

    /// Ends a job after the slice that is being done. Safe to repeat. One read and one write unit.
    pub async fn cancel(&self, tenant: TenantKey, id: BulkId) -> Result<Cancelled, Error> {
        let Some(job) = self.get(tenant, id).await? else {
            return Ok(Cancelled::Missing);
        };
        if job.is_over() {
            return Ok(Cancelled::Over);
        }
        if !job.can_be_cancelled() {
            return Ok(Cancelled::Never);
        }
        let row = Listed { id, ttl: job.ttl };
        let key = keys::bulk_cancelled(tenant, id);
        self.table.put(&key, &row).await?;
        Ok(Cancelled::Soon(Box::new(job)))
    }

    async fn is_cancelled(&self, tenant: TenantKey, id: BulkId) -> Result<bool, Error> {
        let row: Option<Listed> = self.table.get(&keys::bulk_cancelled(tenant, id)).await?;
        Ok(row.is_some())
    }

    /// Moves a job on by one slice; `find` finds the contacts of a choice. A message whose slice is done sends the next message again, since the earlier
    /// run may have crashed before it sent it. A message of an older slice sends nothing.
    pub async fn step<F, Fut>(
        &self,
        tenant: TenantKey,
        step: &Step,
        find: F,
    ) -> Result<Progress, Error>
    where
        F: Fn(Asked) -> Fut,
        Fut: Future<Output = Result<Page<ContactId>, Error>>,
    {
        let (id, version) = match *step {
            Step::V1 { job, version } => (job, version),
            Step::Erase { contact } => {
                self.contacts
                    .finish_erasure(tenant, contact, &self.files)
                    .await?;
                return Ok(Progress::Done);
            }
            Step::Count { version } => {
                self.counts.step(tenant, version).await?;
                return Ok(Progress::Done);
            }
            Step::Merge { contact } => {
                self.contacts.finish_merge(tenant, contact).await?;
                return Ok(Progress::Done);
            }
        };
        let Some(job) = self.get(tenant, id).await? else {
            return Ok(Progress::Missing);
        };
        if job.is_over() {
            return self.end(tenant, job).await;
        }
        if job.version != version {
            if job.version == version + 1 {
                self.resend(tenant, &job).await?;
            }
            return Ok(Progress::Done);
        }
        if version == 0 && !self.enter(tenant, &job).await? {
            // The request was interrupted before it asked for the turn, and nobody waits for its answer.
            let refused = self.refuse(tenant, job).await?;
            return self.end(tenant, refused).await;
        }
        let next = self.advance(tenant, job, &find).await?;
        let key = keys::bulk(tenant, id);
        // On a conflict another attempt was faster, and its counts are stored. This message stays in the queue: it
        // is redelivered, and sends the next message if the other attempt did not.
        self.table.replace(&key, &next, version).await?;
        if next.is_over() {
            return self.end(tenant, next).await;
        }
        self.send(tenant, id, next.version).await?;
        Ok(Progress::Done)
    }

    /// Gives the turn of a job that has ended to another.
    async fn end(&self, tenant: TenantKey, job: Job) -> Result<Progress, Error> {
        self.leave(tenant, job.id).await?;
        let choice = match job.selection {
            Selection::Chosen { choice } => Some(choice),
            _ => None,
        };
        Ok(Progress::Over(job.id, choice))
    }

    /// The state after the next slice.
    async fn advance<F, Fut>(&self, tenant: TenantKey, job: Job, find: &F) -> Result<Job, Error>
    where
        F: Fn(Asked) -> Fut,
        Fut: Future<Output = Result<Page<ContactId>, Error>>,
    {
        let mut next = job.clone();
        let is_cancelled = self.is_cancelled(tenant, job.id).await?;
        let ids = job.ids.iter().copied();
        let work = stream::iter(ids).map(|id| self.change(tenant, &job, id));
        let done: Vec<Done> = work.buffer_unordered(CONCURRENCY).try_collect().await?;
        for one in done {
            match one {
                Done::Changed => next.changed += 1,
                Done::Missing => next.missing += 1,
                Done::Full => next.full += 1,
                Done::Other => {}
            }
        }
        if is_cancelled {
            next.ids.clear();
            next.status = Status::Cancelled;
        } else {
            self.pick(tenant, &mut next, find).await?;
            if next.ids.is_empty() && next.is_searched() {
                next.status = Status::Completed;
            }
        }
        next.version += 1;
        next.moved_at = self.table.clock().now();
        if next.is_over() {
            next.finished_at = Some(next.moved_at);
        }
        Ok(next)
    }

    /// Sends the message of the next slice again. Soon after the last slice another attempt is about to send it, and
    /// two messages would go on side by side: this message then stays in the queue.
    async fn resend(&self, tenant: TenantKey, job: &Job) -> Result<(), Error> {
        let since = self.table.clock().now().duration_since(job.moved_at);
        if since < SENDS_WITHIN {
            return Err(Error::Conflict);
        }
        self.send(tenant, job.id, job.version).await
    }

    async fn send(&self, tenant: TenantKey, job: BulkId, version: u64) -> Result<(), Error> {
        let step = Step::V1 { job, version };
        self.queue.send(tenant, &step, SendOptions::default()).await
    }
}
