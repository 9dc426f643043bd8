//! Sends the messages that stored items name in `pending` to their queues.
//!
//! Trigger: the streams of Timeline, Campaigns, Flow and Chat, filtered to items with `pending`. The
//! context crates bring a rule for each name, which makes the messages from the item's image.
//! Effects: SQS messages, at least once. A record may be redelivered. A later write of an item that keeps the
//! same `pending` sends its effects again, since the stream has no old image to compare with. Consumers
//! recognise an effect by its id or by the state that it asks for.

mod handler;

use std::sync::Arc;

use cloud::outbox::Rule;
use lambda::{ConfigError, Function, Setup};

/// The rules of all tables with an outbox.
fn rules() -> Vec<Rule> {
    [
        campaigns::EFFECTS,
        chat::EFFECTS,
        contacts::EFFECTS,
        workflows::EFFECTS,
    ]
    .concat()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let relay = Arc::new(handler::Relay {
        rules: rules(),
        queues: resources.queues(),
        dead: resources.dead_letter_queue(),
    });
    Function::stream(setup, move |changes| {
        let relay = relay.clone();
        async move { relay.send(&changes).await }
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
