//! One batch of a stream: finds the table, and lets `cloud::Relay` send what the images ask for.

use std::collections::BTreeMap;

use cloud::{Relay, Table};
use lambda::metrics;
use lambda::stream::Change;
use serde_json::Value;

/// The relay with its tables.
pub struct Handler {
    /// Rules and queues.
    pub relay: Relay,
    /// Tables with an outbox, by physical name.
    pub tables: BTreeMap<String, Table>,
}

impl Handler {
    /// Sends everything that is pending in these changes and acknowledges it. An effect that cannot be sent now stays
    /// in its item for the sweep of `due-timer`.
    pub async fn send(&self, changes: Vec<Change>) {
        // One invocation reads one stream.
        let table = changes.first().and_then(Change::table);
        let table = table.and_then(|name| self.tables.get(name));
        let images: Vec<Value> = changes
            .into_iter()
            .filter_map(|change| change.dynamodb.new_image)
            .collect();
        let relayed = self.relay.send(table, &images).await;
        metrics::count("EffectsSent", relayed.sent);
        metrics::incident("RecordsRejected", relayed.rejected);
        metrics::incident("EffectsLeft", relayed.left);
    }
}
