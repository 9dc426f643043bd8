//! How often something happened in a fixed stretch of time, counted by all functions together.
//!
//! Counting is one `ADD`, so a repeated call counts twice: the safe side for a limit. At the border of
//! two windows twice the limit can pass, which limits of requests and sign-ins bear.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::item::Key;
use crate::{Error, Resources, Table, Update};

/// Counters in the table of limits.
#[derive(Clone, Debug)]
pub struct Window {
    table: Table,
}

/// What a window holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Counted so far, this call included.
    pub used: u32,
    /// Until the next window begins at 0.
    pub resets_in: Duration,
}

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    #[serde(default)]
    used: i64,
}

impl Window {
    /// Over the table Limits.
    pub fn over(resources: &Resources) -> Self {
        let table = resources.table("Limits");
        Self { table }
    }

    /// Adds `by`, which may be negative, to the current window of `scope`; windows are whole multiples of `period`.
    pub async fn count(&self, scope: &str, period: Duration, by: i32) -> Result<Usage, Error> {
        let (key, resets_in) = self.current(scope, period);
        let expires = self.table.clock().now().as_second() + resets_in.as_secs() as i64 + 60;
        let update = Update::new().add("used", i64::from(by)).set("ttl", expires);
        let counter: Option<Counter> = self.table.update(&key, update).await?.item()?;
        let used = counter.unwrap_or_default().used;
        let used = u32::try_from(used.max(0)).unwrap_or(u32::MAX);
        Ok(Usage { used, resets_in })
    }

    fn current(&self, scope: &str, period: Duration) -> (Key, Duration) {
        let period = period.as_secs().max(1) as i64;
        let now = self.table.clock().now().as_second();
        let start = now - now.rem_euclid(period);
        let left = Duration::from_secs((start + period - now) as u64);
        (Key::new(format!("LIM#{scope}#{start}"), "WINDOW"), left)
    }
}
