//! Known ids, for effects that have no natural key of their own.

use kernel::TenantKey;
use serde::{Deserialize, Serialize};

use crate::item::Key;
use crate::{Error, Resources, Table};

/// Source retention (4 days) + dead-letter retention (14 days) + margin: a redriven message must still be
/// recognised.
const KEEP_SECONDS: i64 = 35 * 24 * 3600;

/// The table of seen ids.
#[derive(Clone, Debug)]
pub struct Dedupe {
    table: Table,
}

#[derive(Serialize, Deserialize)]
struct Seen {
    ttl: i64,
}

impl Dedupe {
    /// Over the table Dedupe.
    pub fn over(resources: &Resources) -> Self {
        let table = resources.table("Dedupe");
        Self { table }
    }

    /// True for the first caller with this id, false for all later callers. Mark *after* the effect, or use an
    /// effect that is safe to repeat: a crash in between must not lose it.
    pub async fn first_time(&self, tenant: TenantKey, kind: &str, id: &str) -> Result<bool, Error> {
        let key = Key::new(format!("{tenant}#{kind}#{id}"), "SEEN");
        let ttl = self.table.clock().now().as_second() + KEEP_SECONDS;
        Ok(self.table.create(&key, &Seen { ttl }).await?.is_new())
    }
}
