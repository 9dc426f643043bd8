//! Counters spread over shards, so that no single item takes every write.
//!
//! Only the winner of a conditional transition counts it. A crash between the transition and the
//! count loses one, and no recount repairs it yet: these figures are for reports, never for decisions.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::TenantKey;
use serde::Deserialize;

use crate::item::Key;
use crate::{Error, Query, Resources, Table, Update};

/// Longest pause before an addition is tried again.
const PAUSE_MS: u64 = 200;

/// 16 shards take 16,000 counts a second for one subject.
const SHARDS: u32 = 16;

/// Counts by metric name.
pub type Counts = BTreeMap<String, i64>;

/// The table of counters.
#[derive(Clone, Debug)]
pub struct Counters {
    table: Table,
}

#[derive(Deserialize)]
struct Shard {
    #[serde(flatten)]
    attributes: BTreeMap<String, serde_json::Value>,
}

impl Counters {
    /// Over the table Reports.
    pub fn over(resources: &Resources) -> Self {
        let table = resources.table("Reports");
        Self { table }
    }

    fn partition(tenant: TenantKey, subject: &str) -> String {
        format!("{tenant}#{subject}")
    }

    /// Adds to several metrics of a subject (a campaign, a workflow node) in one write. `source`
    /// spreads writers over the shards: the message id of the batch, say.
    pub async fn add(
        &self,
        tenant: TenantKey,
        subject: &str,
        source: &str,
        counts: &Counts,
    ) -> Result<(), Error> {
        self.add_trying(tenant, subject, source, counts, 1).await
    }

    /// Like [`Counters::add`], up to `attempts` times: for counts that no redelivery would bring again. An
    /// attempt whose answer was lost is not counted twice.
    pub async fn add_trying(
        &self,
        tenant: TenantKey,
        subject: &str,
        source: &str,
        counts: &Counts,
        attempts: u32,
    ) -> Result<(), Error> {
        let changes: Vec<_> = counts.iter().filter(|(_, n)| **n != 0).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let shard = kernel::hash::bucket(&[source], SHARDS);
        let key = Key::new(
            Self::partition(tenant, subject),
            format!("COUNT#{shard:02}"),
        );
        let update = changes
            .into_iter()
            .fold(Update::new(), |update, (metric, n)| {
                update.add(&format!("n_{metric}"), *n)
            });
        let entropy = self.table.entropy();
        let update = update.once(entropy.nonce());
        for attempt in 1.. {
            match self.table.update(&key, update.clone()).await {
                Err(error) if error.is_retryable() && attempt < attempts => {
                    let pause = Duration::from_millis(entropy.u64() % PAUSE_MS);
                    tokio::time::sleep(pause).await;
                }
                result => return result.map(drop),
            }
        }
        Ok(())
    }

    /// The sums over all shards.
    pub async fn read(&self, tenant: TenantKey, subject: &str) -> Result<Counts, Error> {
        let query = Query::partition(Self::partition(tenant, subject)).begins_with("COUNT#");
        let mut sums = Counts::new();
        for shard in self.table.query_all::<Shard>(query).await? {
            for (name, value) in shard.attributes {
                if let (Some(metric), Some(n)) = (name.strip_prefix("n_"), value.as_i64()) {
                    *sums.entry(metric.to_owned()).or_default() += n;
                }
            }
        }
        Ok(sums)
    }
}
