//! The links of a campaign, and how often people followed each one.
//!
//! A row of the table Reports is `<tenant>#<campaign>#L<0..f>` / `<hash of the link>`, with the attributes `n_total` and
//! `n_unique`. The contact chooses the partition, so a link that a million people follow in a minute heats none. A link is
//! counted without its query and fragment: these may name a person.
//!
//! Costs: one write unit for a click of a person; a read is 16 queries.

use std::collections::BTreeMap;

use cloud::{Error, Key, Query, Resources, Table, Update};
use futures::future::try_join_all;
use kernel::{CampaignId, ContactId, TenantKey};
use serde::{Deserialize, Serialize};

/// Partitions of the links of a campaign.
const PARTITIONS: u32 = 16;
/// Links that a read takes from each partition.
const MOST: u32 = 200;
/// Longest link that is kept, in characters: the row is one write unit.
const LONGEST: usize = 500;
/// Attempts of a count. Nothing repeats it later.
const ATTEMPTS: u32 = 3;
/// Three years, as other counts.
const KEEP_SECONDS: i64 = 3 * 366 * 24 * 3600;

/// A click of a person on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Click {
    /// The link without its query and fragment.
    pub url: String,
    /// Whether the person follows it for the first time.
    pub is_first: bool,
}

/// A link of a campaign with its clicks.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignLink)]
pub struct Link {
    /// The link without its query and fragment.
    pub url: String,
    /// Clicks of people.
    pub clicks: u64,
    /// People who followed it.
    pub clicked: u64,
    /// Its share of all clicks, from 0 to 1.
    pub share: f64,
}

/// The links of all campaigns; cheap to clone.
#[derive(Clone, Debug)]
pub struct Links {
    table: Table,
}

#[derive(Deserialize)]
struct Row {
    sk: String,
    url: String,
    #[serde(default)]
    n_total: i64,
    #[serde(default)]
    n_unique: i64,
}

impl Links {
    /// Over the table Reports.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Reports"),
        }
    }

    /// Counts a click. A lost count makes the figure smaller; nothing recounts it.
    pub async fn count(
        &self,
        tenant: TenantKey,
        scope: &str,
        contact: ContactId,
        click: &Click,
    ) -> Result<(), Error> {
        let shard = kernel::hash::bucket(&[&contact.to_string()], PARTITIONS);
        let name = kernel::hash::name(&[&click.url]);
        let url: String = click.url.chars().take(LONGEST).collect();
        let key = Key::new(partition(tenant, scope, shard), name);
        let expires = self.table.clock().now().as_second() + KEEP_SECONDS;
        let update = Update::new()
            .set_if_absent("url", url)
            .add("n_total", 1)
            .add("n_unique", i64::from(click.is_first))
            .set("ttl", expires)
            .once(self.table.entropy().nonce());
        let mut attempt = 1;
        loop {
            match self.table.update(&key, update.clone()).await {
                Err(error) if error.is_retryable() && attempt < ATTEMPTS => attempt += 1,
                result => return result.map(drop),
            }
        }
    }

    /// The links of a campaign, the most followed first, eventually consistent. At most 200 of each partition are read.
    pub async fn of(&self, tenant: TenantKey, campaign: CampaignId) -> Result<Vec<Link>, Error> {
        let scope = campaign.to_string();
        let pages = (0..PARTITIONS).map(|shard| {
            let query = Query::partition(partition(tenant, &scope, shard));
            self.table.query::<Row>(query.eventual().limit(MOST))
        });
        let pages = try_join_all(pages).await?;
        let mut sums: BTreeMap<String, (String, i64, i64)> = BTreeMap::new();
        for row in pages.into_iter().flat_map(|page| page.data) {
            let sum = sums.entry(row.sk).or_insert((row.url, 0, 0));
            sum.1 += row.n_total;
            sum.2 += row.n_unique;
        }
        let all: i64 = sums.values().map(|(_, total, _)| total).sum();
        let mut links: Vec<Link> = sums.into_values().map(|sum| link(sum, all)).collect();
        links.sort_by(|a, b| b.clicks.cmp(&a.clicks).then_with(|| a.url.cmp(&b.url)));
        Ok(links)
    }
}

fn link((url, total, unique): (String, i64, i64), all: i64) -> Link {
    Link {
        url,
        clicks: total.unsigned_abs(),
        clicked: unique.unsigned_abs(),
        share: (total as f64 / all.max(1) as f64 * 10_000.0).round() / 10_000.0,
    }
}

fn partition(tenant: TenantKey, scope: &str, shard: u32) -> String {
    format!("{tenant}#{scope}#L{shard:x}")
}

/// A link without the parts that may name a person.
pub fn plain(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}
