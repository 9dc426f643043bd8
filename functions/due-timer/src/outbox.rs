//! The sweep of the outbox: sends the effects that `change-relay` left or never saw, from the index of unsent effects.
//!
//! An empty index costs half a read unit, so an idle stage pays half a read unit a table and minute. This file sends
//! nothing by itself: `cloud::Relay` does, as for the stream.

use std::time::Duration;

use cloud::{Relay, Table};
use lambda::schedule::Tick;
use lambda::{Failure, metrics};
use serde_json::Value;

/// The stream has this time to relay an effect before the sweep sends it.
const STREAM: Duration = Duration::from_mins(2);
/// An effect that is still unsent after this time is reported.
const LATE: Duration = Duration::from_mins(10);
/// No page is read with less time left than this.
const RESERVE: Duration = Duration::from_secs(8);

/// The tables with an outbox, and the relay.
pub struct Outbox {
    /// Rules and queues of all effects.
    pub relay: Relay,
    /// The tables, in no order.
    pub tables: Vec<Table>,
}

impl Outbox {
    /// Sends what is unsent. Fails afterwards if the stream did not relay an effect, or if an effect is late: so a
    /// disabled mapping and a missing queue raise the alarm on errors.
    pub async fn sweep(&self, tick: &Tick) -> Result<(), Failure> {
        let mut late = Late::default();
        let mut swept = Ok(());
        for table in &self.tables {
            swept = swept.and(self.sweep_table(table, tick, &mut late).await);
        }
        swept?;
        if late.unrelayed + late.unsent == 0 {
            return Ok(());
        }
        let Late { unrelayed, unsent } = late;
        let detail = format!("{unrelayed} items were not relayed by the stream, {unsent} are late");
        Err(Failure::retry("Outbox.Late", detail))
    }

    async fn sweep_table(
        &self,
        table: &Table,
        tick: &Tick,
        late: &mut Late,
    ) -> Result<(), Failure> {
        let now = table.clock().now();
        let before = |time: Duration| kernel::clock::sortable(now - time);
        let (due, overdue) = (before(STREAM), before(LATE));
        let is_over = || tick.ends_within(RESERVE);
        let seen = |image: &Value| late.note(image, &overdue);
        let relayed = self.relay.sweep(table, &due, is_over, seen).await?;
        metrics::count("EffectsSent", relayed.sent);
        metrics::incident("EffectsRejected", relayed.rejected);
        metrics::incident("EffectsLeft", relayed.left);
        Ok(())
    }
}

/// Numbers of items that the alarm is for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Late {
    unrelayed: u64,
    unsent: u64,
}

impl Late {
    /// The relay removes `pending` from each item that it has seen.
    fn note(&mut self, image: &Value, overdue: &str) {
        if image.get("pending").is_some() {
            self.unrelayed += 1;
        } else if image["outbox"]["S"].as_str().is_some_and(|at| at < overdue) {
            self.unsent += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_effect_is_late_if_the_stream_missed_it_or_no_try_succeeds() {
        let overdue = "2026-03-02T08:00:00.000Z";
        let old = json!({ "S": "2026-03-02T07:59:59.999Z#1" });
        let new = json!({ "S": "2026-03-02T08:00:00.000Z#1" });
        let mut late = Late::default();
        late.note(&json!({ "outbox": new, "unsent": { "S": "x" } }), overdue);
        assert_eq!(late, Late::default());
        late.note(&json!({ "outbox": old, "unsent": { "S": "x" } }), overdue);
        late.note(&json!({ "outbox": new, "pending": { "S": "x" } }), overdue);
        let expected = Late {
            unrelayed: 1,
            unsent: 1,
        };
        assert_eq!(late, expected);
    }
}
