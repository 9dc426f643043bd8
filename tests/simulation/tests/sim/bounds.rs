//! The work of one message has a bound, however much the tenant has.

use crate::queues::Source;
use crate::sim::Sim;

/// AWS calls of a whole batch that no message causes, e.g. cold caches of workspaces.
const FIXED: u64 = 16;

/// AWS calls that one message may need, by function. A function without a line has no bound here: its messages stand
/// for many rows.
const CALLS: &[(&str, u64)] = &[
    ("chat-inbound", 24),
    ("chat-notifier", 16),
    ("chat-outbound", 8),
    // An order of a provider brings its customer.
    ("ingest", 50),
    ("message-sender", 14),
    ("segment-updater", 20),
    ("source-sync", 40),
    ("webhook-dispatcher", 24),
    ("workflow-step", 14),
    ("workflow-trigger", 14),
];

impl Sim {
    /// Compares the calls of a batch without faults with the bound.
    pub fn check_calls(&self, source: &Source, messages: u64, calls: u64) {
        let bound = CALLS.iter().find(|(name, _)| *name == source.handler);
        let Some((_, each)) = bound else { return };
        if calls > FIXED + each * messages {
            let text = format!("{}: {calls} calls for {messages} messages", source.handler);
            self.broken("calls", text);
        }
    }
}
