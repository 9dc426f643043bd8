//! The activity of a source: its requests and their facts by hour, its newest request, and its newest refused one.
//!
//! The hours are counters of the subject `SRC#<source>` (`cloud::counters`). A batch of messages costs one write unit for
//! each source in it. The newest refused request is a row of its own. The counts are for people: a redelivered message
//! counts again, and no decision may depend on them.

use std::ops::AddAssign;
use std::time::Duration;

use cloud::counters::{Counts, Hour as UtcHour};
use cloud::{Counters, Error, Key, Recent, Resources, Table, Update};
use jiff::{Timestamp, ToSpan};
use kernel::{SourceId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::fact::Fact;

/// Days of one answer.
pub const MAX_DAYS: u16 = 31;
/// How long the time of a refused request is kept.
const KEPT: Duration = Duration::from_hours(MAX_DAYS as u64 * 24);
/// Sources whose refusals a process remembers.
const MOST: usize = 10_000;

/// The counts of requests and of their facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SourceCounts)]
pub struct Tally {
    /// Requests that were processed, with the failed ones.
    pub requests: i64,
    /// Requests that could not be read. They are listed as failed requests.
    pub failed: i64,
    /// Forms.
    pub forms: i64,
    /// Versions of customers, without the buyers of orders.
    pub customers: i64,
    /// Versions of orders.
    pub orders: i64,
    /// Versions of products, levels of stock, and deleted products.
    pub products: i64,
    /// Versions of carts.
    pub carts: i64,
}

impl Tally {
    /// Of a request that could not be read.
    pub const FAILED: Self = Self {
        requests: 1,
        failed: 1,
        forms: 0,
        customers: 0,
        orders: 0,
        products: 0,
        carts: 0,
    };

    /// Of a request with these facts.
    pub fn of(facts: &[Fact]) -> Self {
        let mut tally = Self {
            requests: 1,
            ..Self::default()
        };
        for fact in facts {
            let count = match fact {
                Fact::Submission(_) => &mut tally.forms,
                Fact::Customer(_) => &mut tally.customers,
                Fact::Order { .. } => &mut tally.orders,
                Fact::Product(_) | Fact::Stock(_) | Fact::ProductGone(_) => &mut tally.products,
                Fact::Cart { .. } => &mut tally.carts,
                Fact::Fetch(_) => continue,
            };
            *count += 1;
        }
        tally
    }

    fn counts(self) -> Counts {
        let counts = [
            ("requests", self.requests),
            ("failed", self.failed),
            ("forms", self.forms),
            ("customers", self.customers),
            ("orders", self.orders),
            ("products", self.products),
            ("carts", self.carts),
        ];
        let named = counts.into_iter().map(|(name, n)| (name.to_owned(), n));
        named.collect()
    }
}

impl From<&Counts> for Tally {
    fn from(counts: &Counts) -> Self {
        let of = |name: &str| counts.get(name).copied().unwrap_or_default();
        Self {
            requests: of("requests"),
            failed: of("failed"),
            forms: of("forms"),
            customers: of("customers"),
            orders: of("orders"),
            products: of("products"),
            carts: of("carts"),
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.forms += other.forms;
        self.customers += other.customers;
        self.orders += other.orders;
        self.products += other.products;
        self.carts += other.carts;
    }
}

/// The stored form of the newest refused request.
#[derive(Serialize, Deserialize)]
struct Refused {
    refused_at: Timestamp,
}

/// The counts of an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SourceHour)]
pub struct Hour {
    /// Its begin.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub at: Timestamp,
    /// Its counts.
    #[serde(flatten)]
    pub counts: Tally,
}

/// The activity of a source in some days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SourceActivity)]
pub struct Report {
    /// When the newest processed request came in; null if none came in these days.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub last_event_at: Option<Timestamp>,
    /// When a request with a wrong token or signature was last refused; null if none was in these days. Up to ten seconds
    /// older than the newest one.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub last_refused_at: Option<Timestamp>,
    /// The sums.
    #[serde(flatten)]
    pub counts: Tally,
    /// Each hour with a request, oldest first.
    pub hours: Vec<Hour>,
}

/// The activity of all sources; cheap to clone.
#[derive(Clone, Debug)]
pub struct Activity {
    counters: Counters,
    reports: Table,
    refused: Recent<SourceId, ()>,
}

impl Activity {
    /// Over the table Reports.
    pub fn over(resources: &Resources) -> Self {
        Self {
            counters: Counters::over(resources),
            reports: resources.table("Reports"),
            refused: Recent::new(resources.clock(), MOST),
        }
    }

    /// Counts the requests of a batch, the newest of which came in at `at`. `batch` spreads the writers of a busy source.
    /// Costs one write unit.
    pub async fn count(
        &self,
        tenant: TenantKey,
        source: SourceId,
        at: Timestamp,
        tally: Tally,
        batch: &str,
    ) -> Result<(), Error> {
        let (subject, counts) = (subject(source), tally.counts());
        let counters = &self.counters;
        counters.add_at(tenant, &subject, at, batch, &counts).await
    }

    /// Notes that a request was refused. Costs one write unit in ten seconds, for any number of requests.
    pub async fn refuse(&self, tenant: TenantKey, source: SourceId) -> Result<(), Error> {
        let reports = self.reports.clone();
        let note = || async move {
            let at = reports.clock().now();
            let ttl = at.as_second() + KEPT.as_secs() as i64;
            let update = Update::new().set("refused_at", at).set("ttl", ttl);
            let noted = reports.update(&refused(tenant, source), update).await;
            noted.map(drop)
        };
        self.refused.get(source, note).await
    }

    /// The activity of a source in the last `days` days. Two reads, eventually consistent: up to 12 read units, and 16 times as
    /// many for a source of thousands of requests a second.
    pub async fn report(
        &self,
        tenant: TenantKey,
        source: SourceId,
        days: u16,
    ) -> Result<Report, Error> {
        let now = self.reports.clock().now();
        let from = now - (i64::from(days.clamp(1, MAX_DAYS)) * 24).hours();
        let (subject, key) = (subject(source), refused(tenant, source));
        let range = (UtcHour::of(from), UtcHour::of(now));
        let hours = self.counters.hours(tenant, &subject, range.0, range.1);
        let (hours, refused) = (hours.await?, self.reports.look_up::<Refused>(&key).await?);
        let refused_at = refused.map(|row| row.refused_at);
        let mut report = Report {
            last_refused_at: refused_at.filter(|at| *at >= from),
            ..Report::default()
        };
        for (at, hour) in hours {
            let counts = Tally::from(&hour.counts);
            report.last_event_at = report.last_event_at.max(hour.last_at);
            report.counts += counts;
            report.hours.push(Hour { at, counts });
        }
        Ok(report)
    }
}

fn subject(source: SourceId) -> String {
    format!("SRC#{source}")
}

fn refused(tenant: TenantKey, source: SourceId) -> Key {
    Key::new(format!("{tenant}#{}", subject(source)), "REFUSED")
}
