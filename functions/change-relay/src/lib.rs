//! Sends the messages that stored items name in `pending` to their queues.
//!
//! Trigger: the streams of Timeline, Campaigns, Commerce, Contacts, Flow and Chat, filtered to items with `pending`. The
//! context crates bring a rule for each name, which makes the messages from the item's image.
//! Effects: SQS messages, at least once; then `pending` is removed from the item. A record may be redelivered.
//! Consumers recognise an effect by its id or by the state that it asks for. An effect that SQS does not take stays
//! named in its item, and `due-timer` sends it later.

mod handler;

use std::sync::Arc;

use cloud::Relay;
use cloud::outbox::Rule;
use lambda::{ConfigError, Function, Setup};

/// The rules of all tables with an outbox.
fn rules() -> Vec<Rule> {
    [
        campaigns::EFFECTS,
        chat::EFFECTS,
        commerce::EFFECTS,
        contacts::EFFECTS,
        workflows::EFFECTS,
    ]
    .concat()
}

/// Tables with an outbox.
const TABLES: [&str; 6] = [
    "Campaigns",
    "Chat",
    "Commerce",
    "Contacts",
    "Flow",
    "Timeline",
];

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let tables = TABLES.map(|name| resources.table(name));
    let handler = Arc::new(handler::Handler {
        relay: Relay {
            rules: rules(),
            queues: resources.queues(),
            dead: resources.dead_letter_queue(),
        },
        tables: tables.map(|table| (table.name().to_owned(), table)).into(),
    });
    Function::stream(setup, move |changes| {
        let handler = handler.clone();
        async move { handler.send(changes).await }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn a_name_means_one_rule() {
        let rules = super::rules();
        let names: BTreeSet<&str> = rules.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), rules.len(), "{names:?}");
    }
}
