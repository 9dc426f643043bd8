//! One worker at a time, until it releases the lease or the lease expires.
//!
//! A lease limits which worker *works*, never which worker *sends*. After it expires another worker may run while
//! the first still does. The ledger guards the sends.

use std::time::Duration;

use kernel::TenantKey;

use crate::item::Key;
use crate::{Error, Resources, Table, Update};

/// Leases by name.
#[derive(Clone, Debug)]
pub struct Lease {
    table: Table,
}

/// A lease that was won.
#[derive(Debug)]
pub struct Held {
    key: Key,
    holder: String,
}

impl Lease {
    /// Over the table Limits.
    pub fn over(resources: &Resources) -> Self {
        let table = resources.table("Limits");
        Self { table }
    }

    /// Takes the lease for `length` unless another worker holds it.
    pub async fn take(
        &self,
        tenant: TenantKey,
        name: &str,
        length: Duration,
    ) -> Result<Option<Held>, Error> {
        let key = Key::new(format!("LEASE#{tenant}#{name}"), "LEASE");
        let (now, holder) = (self.table.clock().now_ms(), self.table.entropy().nonce());
        let until = now + length.as_millis() as i64;
        let update = Update::new()
            .set("until", until)
            .set("holder", &holder)
            .set("ttl", until / 1000 + 3600)
            .when_absent_or_less("until", now);
        let won = self.table.update(&key, update).await?.applied();
        Ok(won.then_some(Held { key, holder }))
    }

    /// Does the work of one worker at a time: `None` if another worker holds the lease. A crash leaves the lease until it
    /// expires.
    pub async fn hold<T>(
        &self,
        tenant: TenantKey,
        name: &str,
        length: Duration,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, Error> {
        let Some(held) = self.take(tenant, name, length).await? else {
            return Ok(None);
        };
        let done = work.await;
        self.release(held).await?;
        Ok(Some(done))
    }

    /// Releases the lease, if this worker still holds it.
    pub async fn release(&self, held: Held) -> Result<(), Error> {
        let update = Update::new()
            .set("until", 0)
            .when_equals("holder", &held.holder);
        self.table.update(&held.key, update).await?;
        Ok(())
    }
}
