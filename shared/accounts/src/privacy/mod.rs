//! Requests of persons about their own data: the rights of Law 91/2025, with the terms in which they end.
//!
//! A request has a row of its own, and while it is open a row in the order of its next date. That row is written before the
//! request. A row that a crash left behind is skipped, since its date is not the request's, and expires.
//! This file knows contacts by id only: the function that runs a request reads and writes them.

pub mod breach;
pub mod notices;
pub mod terms;

use cloud::{Error, Query, Resources, Table, Timers};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{ContactId, Cursor, Limit, PrivacyRequestId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::keys;
use breach::Breach;
use notices::Notice;

/// A closed request is proof of what was done for its person, so it is kept for five years.
const KEEP: SignedDuration = SignedDuration::from_hours(5 * 366 * 24);
/// Most tasks of a request.
pub const MAX_TASKS: usize = 20;
/// Most pieces of evidence of a request.
pub const MAX_EVIDENCE: usize = 50;

/// The right that a person uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PrivacyRequestType)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To see the data.
    Access,
    /// To get a copy.
    Copy,
    /// To have data corrected.
    Correct,
    /// To have the data erased.
    Erase,
    /// To withdraw consent.
    Withdraw,
    /// To restrict processing.
    Restrict,
    /// To object to processing.
    Object,
    /// No request of a person: a breach of personal data, whose notice to the authority has a term of 72 hours.
    Breach,
}

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PrivacyRequestStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Work is left.
    Open,
    /// Fulfilled.
    Done,
    /// Refused, with a reason in `outcome`.
    Refused,
}

/// Work of one processor or third party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PrivacyTask)]
pub struct Task {
    /// The processor: `tanigo`, `Haravan`, an agency.
    #[schema(min_length = 1, max_length = 255)]
    pub processor: String,
    /// When the processor was done; null while work is left.
    #[serde(default, serialize_with = "kernel::clock::millis")]
    pub done_at: Option<Timestamp>,
    /// The processor's answer.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub note: Option<String>,
}

/// The one extension of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PrivacyExtension)]
pub struct Extension {
    /// Why more time is needed; the person is told.
    pub reason: String,
    /// When the request was extended.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub at: Timestamp,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PrivacyRequest {
    /// Its id.
    pub id: PrivacyRequestId,
    /// The right that the person uses.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The contact that it is about; null until the person is found.
    pub contact_id: Option<ContactId>,
    /// The person, as they named themself.
    pub requester: String,
    /// When it was received; the terms begin on the next day in Viet Nam.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub received_at: Timestamp,
    /// When the identity of the person was verified.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub verified_at: Option<Timestamp>,
    /// When the person was told that it was received.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub acknowledged_at: Option<Timestamp>,
    /// Last day to acknowledge it: two working days. Of a breach: the day on which its term ends.
    #[schema(value_type = String, format = Date)]
    pub ack_due: Date,
    /// Last day to fulfil it, in working days.
    #[schema(value_type = String, format = Date)]
    pub due: Date,
    /// The same term in calendar days, the stricter reading of the decree. Lists are in the order of this date.
    #[schema(value_type = String, format = Date)]
    pub calendar_due: Date,
    /// Whether processors or third parties take part; the term is then longer.
    pub third_parties: bool,
    /// The extension, if there was one.
    pub extension: Option<Extension>,
    /// Work of each processor.
    pub tasks: Vec<Task>,
    /// When the product last did its own part.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub ran_at: Option<Timestamp>,
    /// The result, or the reason of the refusal.
    pub outcome: Option<String>,
    /// Proof, as texts or links.
    pub evidence: Vec<String>,
    /// The facts of a breach; null for a request of a person.
    #[serde(default)]
    pub breach: Option<Breach>,
    /// Notices to the admins of the account that a date was near or had passed.
    #[serde(default)]
    pub notices: Vec<Notice>,
    /// How far it is.
    pub status: Status,
    /// When it was closed.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub closed_at: Option<Timestamp>,
    /// When it was entered.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
    /// The person or key that entered it.
    pub created_by: String,
}

impl PrivacyRequest {
    /// The next date on which something must be done.
    pub fn next_due(&self) -> Date {
        match self.acknowledged_at {
            _ if self.breach.is_some() => self.calendar_due,
            None => self.ack_due.min(self.calendar_due),
            Some(_) => self.calendar_due,
        }
    }

    /// Whether nothing is due any more although it is open: the authority knows of the breach.
    pub(crate) fn is_told(&self) -> bool {
        let breach = self.breach.as_ref();
        breach.is_some_and(|breach| breach.authority_notified_at.is_some())
    }

    /// Computes the dates again after a change of what they follow from.
    pub fn date(&mut self) {
        if let Some(breach) = &mut self.breach {
            let end = breach::notify_by(self.received_at);
            breach.notify_by = Some(end);
            let day = terms::day(end);
            (self.ack_due, self.due, self.calendar_due) = (day, day, day);
            return;
        }
        let received = terms::day(self.received_at);
        let more = self
            .extension
            .as_ref()
            .map_or(0, |_| terms::extension(self.kind));
        let days = terms::days(self.kind, self.third_parties) + more;
        self.ack_due = terms::acknowledge_by(received);
        (self.due, self.calendar_due) = terms::fulfil_by(received, days);
    }
}

/// A request as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The request.
    #[serde(flatten)]
    pub request: PrivacyRequest,
    /// The number of its changes.
    version: u64,
    /// Set once it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
}

/// The place of an open request in the order of dates.
#[derive(Serialize, Deserialize)]
struct Due {
    id: PrivacyRequestId,
    due: Date,
    ttl: i64,
}

/// The requests of all workspaces.
#[derive(Clone, Debug)]
pub struct PrivacyRequests {
    directory: Table,
    timers: Timers,
}

impl PrivacyRequests {
    /// Over the tables Directory and Timers.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
            timers: Timers::over(resources),
        }
    }

    /// Stores a new request; false if another one has the id. A repetition finds the request of the first run. Four
    /// write units for a small request: two of them are timers of its notices.
    pub async fn create(&self, tenant: TenantKey, request: &PrivacyRequest) -> Result<bool, Error> {
        self.enter(tenant, request).await?;
        let row = Stored {
            request: request.clone(),
            version: 0,
            ttl: None,
        };
        let key = keys::privacy_request(tenant, request.id);
        Ok(self.directory.create(&key, &row).await?.is_ours(&row))
    }

    /// One request.
    pub async fn get(
        &self,
        tenant: TenantKey,
        id: PrivacyRequestId,
    ) -> Result<Option<Stored>, Error> {
        self.directory.get(&keys::privacy_request(tenant, id)).await
    }

    /// Stores a change of a request that was read. [`Error::Conflict`]: somebody else changed it meanwhile.
    pub async fn change(
        &self,
        tenant: TenantKey,
        before: &Stored,
        request: PrivacyRequest,
    ) -> Result<PrivacyRequest, Error> {
        let (old, new) = (&before.request, &request);
        if old == new {
            return Ok(request);
        }
        let is_open = new.status == Status::Open;
        let moved = old.next_due() != new.next_due();
        if is_open && moved {
            self.enter(tenant, new).await?;
        }
        let closed = new.closed_at.map(|at| at.as_second() + KEEP.as_secs());
        let row = Stored {
            request: request.clone(),
            version: before.version + 1,
            ttl: closed,
        };
        let key = keys::privacy_request(tenant, request.id);
        self.directory.replace(&key, &row, before.version).await?;
        if moved || !is_open {
            let place = keys::privacy_due(tenant, old.next_due(), old.id);
            self.directory.delete(&place).await?;
        }
        Ok(request)
    }

    async fn enter(&self, tenant: TenantKey, request: &PrivacyRequest) -> Result<(), Error> {
        notices::schedule(&self.timers, tenant, request).await?;
        let due = request.next_due();
        let row = Due {
            id: request.id,
            due,
            // An open request that is two years late is in the list of all requests only.
            ttl: request.created_at.as_second() + 2 * 366 * 24 * 3600,
        };
        let key = keys::privacy_due(tenant, due, request.id);
        self.directory.put(&key, &row).await
    }

    /// A page of the open requests, the earliest next date first.
    pub async fn open(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<PrivacyRequest>, Error> {
        let query = Query::partition(keys::privacy_dues(tenant));
        let query = query.limit(limit.get()).cursor(cursor);
        let places: Page<Due> = self.directory.query(query).await?;
        let all = places.data.iter();
        let all = all.map(|place| keys::privacy_request(tenant, place.id));
        let found = self.directory.get_many_consistent::<Stored>(all.collect());
        let found = found.await?;
        let at = |place: &Due| {
            let row = found.iter().find(|(_, row)| row.request.id == place.id)?;
            let request = &row.1.request;
            let is_its = request.status == Status::Open && request.next_due() == place.due;
            is_its.then(|| request.clone())
        };
        Ok(Page {
            data: places.data.iter().filter_map(at).collect(),
            next: places.next,
        })
    }

    /// A page of all requests, newest first.
    pub async fn all(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<PrivacyRequest>, Error> {
        let query = Query::partition(keys::privacy(tenant)).descending();
        let query = query.limit(limit.get()).cursor(cursor);
        let page: Page<Stored> = self.directory.query(query).await?;
        Ok(page.map(|row| row.request))
    }
}
