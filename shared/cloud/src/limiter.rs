//! A rate that all workers share: a reservation bucket.
//!
//! One item per limit holds the next free instant. A reservation moves it forward by `n / rate` and returns when
//! those `n` calls may start. Unused reservations are lost, so the real rate is never above the limit.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::item::Key;
use crate::{Error, Resources, Table, Update, UpdateOutcome};

/// How far ahead slots are reserved: as far as a queue can delay the message that carries one.
const HORIZON: Duration = Duration::from_secs(crate::queue::MAX_DELAY_SECONDS as u64);
/// Two updates decide. More rounds are needed only if other workers move the bucket in between.
const ROUNDS: u32 = 20;

/// Shared rates, one item each.
#[derive(Clone, Debug)]
pub struct Limiter {
    table: Table,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Bucket {
    /// Next free slot, microseconds since the epoch.
    #[serde(default)]
    next: i64,
}

/// The outcome of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The calls may start at this instant, which may be in the past.
    At(Timestamp),
    /// All slots up to the horizon are reserved; try again after this long. The waits of many workers that are
    /// refused together differ.
    Full(Duration),
}

impl Limiter {
    /// Over the table Limits.
    pub fn over(resources: &Resources) -> Self {
        let table = resources.table("Limits");
        Self { table }
    }

    /// Reserves `n` calls under the limit `scope` at `rate` calls a second. A crash or a repetition
    /// loses a reservation and never exceeds the rate.
    pub async fn reserve(&self, scope: &str, n: u32, rate: f64) -> Result<Slot, Error> {
        let key = Key::new(format!("LIM#{scope}"), "BUCKET");
        let cost = (f64::from(n) * 1_000_000.0 / rate).ceil() as i64;
        for _ in 0..ROUNDS {
            let now = self.table.clock().now().as_microsecond();
            // The usual case under load: the next slot is in the future, so reserve it and move it forward.
            let ahead = Update::new().add("next", cost).when_between(
                "next",
                now,
                now + HORIZON.as_micros() as i64,
            );
            let stored = match self.table.update(&key, ahead).await? {
                applied @ UpdateOutcome::Applied(_) => {
                    let bucket = applied.item::<Bucket>()?.unwrap_or_default();
                    return slot(bucket.next - cost);
                }
                refused @ UpdateOutcome::Refused(_) => {
                    refused.item::<Bucket>()?.unwrap_or_default().next
                }
            };
            if stored > now {
                return Ok(Slot::Full(self.far()));
            }
            // Idle until now: the bucket starts from this instant.
            let idle = Update::new()
                .set("next", now + cost)
                .when_absent_or_less("next", now);
            if self.table.update(&key, idle).await?.applied() {
                return slot(now);
            }
        }
        Err(Error::Conflict)
    }

    /// The clock's time for reservations.
    pub fn now(&self) -> Timestamp {
        self.table.clock().now()
    }

    /// A random wait in the second half of the horizon. A worker that asks each second while the bucket is full
    /// would pay for a write each time.
    fn far(&self) -> Duration {
        let half = HORIZON / 2;
        half + Duration::from_millis(self.table.entropy().u64() % half.as_millis() as u64)
    }
}

fn slot(microseconds: i64) -> Result<Slot, Error> {
    Timestamp::from_microsecond(microseconds)
        .map(Slot::At)
        .map_err(|error| Error::Shape(error.to_string()))
}
