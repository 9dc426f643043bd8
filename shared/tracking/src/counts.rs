//! The counts of tracked calls, by hour: what was written, and what was refused, by reason.
//!
//! Counters of the subject `TRACK` (`cloud::counters`). One write unit for the messages of a batch of one workspace. The
//! counts are for people: a redelivered message counts again, and no decision may depend on them.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use cloud::counters::{Counts, Hour, HourCounts};
use cloud::{Counters, Error, Resources};
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, TenantKey};
use serde::Serialize;

/// Subject of the counters.
const SUBJECT: &str = "TRACK";
/// Beginning of the names of refused calls, by reason.
const REFUSED: &str = "refused_";
/// Days of one answer.
pub const MAX_DAYS: u16 = 31;

/// Counts of some calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<String, i64>);

impl Tally {
    /// Adds to a count.
    pub fn add(&mut self, name: &str, n: i64) {
        if n != 0 {
            *self.0.entry(name.to_owned()).or_default() += n;
        }
    }

    /// A count.
    pub fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or_default()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (name, n) in other.0 {
            self.add(&name, n);
        }
    }
}

/// The counts of all workspaces; cheap to clone.
#[derive(Clone, Debug)]
pub struct Counted {
    counters: Counters,
    clock: Clock,
}

/// The latest calls of own systems, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TrackingReport)]
pub struct Report {
    /// The time of the newest calls.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub last_at: Option<Timestamp>,
    /// Counts by name: `calls`, `events`, `anonymous` (of unknown visitors), `adopted`, `contacts_created`,
    /// `identities_not_taken`, `traits_unknown`, `traits_unreadable`, `suppressed`, `refused`.
    pub counts: BTreeMap<String, i64>,
    /// Refused calls by reason.
    pub refused: BTreeMap<String, i64>,
}

impl Counted {
    /// Over the table Reports.
    pub fn over(resources: &Resources) -> Self {
        Self {
            counters: Counters::over(resources),
            clock: resources.clock().clone(),
        }
    }

    /// Adds a tally in the hour of `at`. `message` spreads the writers.
    pub async fn add(
        &self,
        tenant: TenantKey,
        at: Timestamp,
        tally: &Tally,
        message: &str,
    ) -> Result<(), Error> {
        let counts: Counts = tally.0.clone();
        self.counters
            .add_at(tenant, SUBJECT, at, message, &counts)
            .await
    }

    /// The counts of the last days, today included.
    pub async fn report(&self, tenant: TenantKey, days: u16) -> Result<Report, Error> {
        let to = self.clock.now();
        let from = to - SignedDuration::from_hours(24 * i64::from(days));
        let mut report = Report::default();
        for hour in self.hours(tenant, from, to).await?.into_values() {
            report.last_at = report.last_at.max(hour.last_at);
            for (name, n) in hour.counts {
                let (counts, name) = match name.strip_prefix(REFUSED) {
                    Some(reason) => (&mut report.refused, reason.to_owned()),
                    None => (&mut report.counts, name),
                };
                *counts.entry(name).or_default() += n;
            }
        }
        Ok(report)
    }

    /// The counts of each hour, both ends included.
    pub async fn hours(
        &self,
        tenant: TenantKey,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<BTreeMap<Timestamp, HourCounts>, Error> {
        let (from, to) = (Hour::of(from), Hour::of(to));
        self.counters.hours(tenant, SUBJECT, from, to).await
    }
}
