//! The stage's tables, queues and buckets, found by name in the function's environment.
//!
//! A store looks up its own tables, so no caller can pass a wrong one. A look-up never fails. A variable without a
//! value is recorded, and [`Resources::check`] reports all of them when the function is built.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernel::{Clock, Entropy};

use crate::message::Message;
use crate::{Aws, Blobs, Mailer, Queue, QueueName, QueueOf, Sockets, Table, Web};

/// Environment variables, from the template.
#[derive(Debug, Clone, Default)]
pub struct Vars(Arc<BTreeMap<String, String>>);

impl Vars {
    /// From the process's environment.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn from_environment() -> Self {
        Self(Arc::new(std::env::vars().collect()))
    }

    /// From a map.
    pub fn from_map(vars: BTreeMap<String, String>) -> Self {
        Self(Arc::new(vars))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }
}

/// Variables that a function needs and cannot use; all of them together.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("environment variables are {}", self.text())]
pub struct ConfigError {
    /// Names without a value.
    pub missing: BTreeSet<String>,
    /// Names whose value does not parse, with the expected form.
    pub invalid: BTreeMap<String, &'static str>,
}

impl ConfigError {
    fn text(&self) -> String {
        let missing = self.missing.iter().map(|name| format!("missing: {name}"));
        let invalid = self.invalid.iter();
        let invalid = invalid.map(|(name, expected)| format!("invalid: {name} is not {expected}"));
        missing.chain(invalid).collect::<Vec<_>>().join("; ")
    }
}

/// Every name that was looked up, and the names whose value did not parse.
#[derive(Debug, Default)]
struct Notes {
    asked: BTreeSet<String>,
    invalid: BTreeMap<String, &'static str>,
}

/// The tables, queues and buckets of the stage; cheap to clone. Clones share their records.
#[derive(Clone, Debug)]
pub struct Resources {
    aws: Aws,
    vars: Vars,
    notes: Arc<Mutex<Notes>>,
}

impl Resources {
    /// The resources that these variables name.
    pub fn new(aws: Aws, vars: Vars) -> Self {
        Self {
            aws,
            vars,
            notes: Arc::default(),
        }
    }

    /// The table of this logical id: `SendLedger` is named by `SEND_LEDGER_TABLE`.
    pub fn table(&self, name: &str) -> Table {
        Table::new(&self.aws, self.text(&variable(name, "TABLE")))
    }

    /// The queue of one type of message: `workflow-step` is at `WORKFLOW_STEP_QUEUE_URL`.
    pub fn queue_of<M: Message>(&self) -> QueueOf<M> {
        QueueOf::new(&self.aws, self.text(&M::QUEUE.url_variable()))
    }

    /// Every queue that a variable `…_QUEUE_URL` gives, by its name.
    pub fn queues(&self) -> BTreeMap<QueueName, Queue> {
        let names = self.vars.0.keys();
        let queues = names.filter_map(|variable| {
            let name = QueueName::of_url_variable(variable)?;
            Some((name, Queue::new(&self.aws, self.text(variable))))
        });
        queues.collect()
    }

    /// The queue that the function reads, at `QUEUE_URL`.
    pub fn own_queue(&self) -> Queue {
        Queue::new(&self.aws, self.text("QUEUE_URL"))
    }

    /// The function's own dead-letter queue, at `DLQ_URL`.
    pub fn dead_letter_queue(&self) -> Queue {
        Queue::new(&self.aws, self.text("DLQ_URL"))
    }

    /// The bucket of this logical id: `Imports` is named by `IMPORTS_BUCKET`.
    pub fn bucket(&self, name: &str) -> Blobs {
        Blobs::new(&self.aws, self.text(&variable(name, "BUCKET")))
    }

    /// The mail client over the configuration set that `EMAIL_CONFIGURATION_SET` names.
    pub fn mailer(&self) -> Mailer {
        Mailer::new(&self.aws, self.text("EMAIL_CONFIGURATION_SET"))
    }

    /// The client of the WebSocket API's stage at `SOCKET_ENDPOINT`.
    pub fn sockets(&self) -> Sockets {
        Sockets::new(&self.aws, self.text("SOCKET_ENDPOINT"))
    }

    /// The client for systems outside of AWS.
    pub fn web(&self) -> Web {
        self.aws.web().clone()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        self.aws.clock()
    }

    /// The source of randomness.
    pub fn entropy(&self) -> &Entropy {
        self.aws.entropy()
    }

    /// A variable's text. A variable without a value is recorded and gives an empty text.
    pub fn text(&self, name: &str) -> &str {
        self.notes().asked.insert(name.to_owned());
        self.vars.get(name).unwrap_or_default()
    }

    /// Records that a variable's value is not `expected`.
    pub fn refuse(&self, name: &str, expected: &'static str) {
        self.notes().invalid.insert(name.to_owned(), expected);
    }

    /// The variables that were looked up so far.
    pub fn asked(&self) -> BTreeSet<String> {
        self.notes().asked.clone()
    }

    /// Fails with every variable that was looked up and cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        let notes = self.notes();
        let is_missing = |name: &&String| self.vars.get(name).is_none();
        let error = ConfigError {
            missing: notes.asked.iter().filter(is_missing).cloned().collect(),
            invalid: notes
                .invalid
                .iter()
                .filter(|(name, _)| !is_missing(name))
                .map(|(name, expected)| (name.clone(), *expected))
                .collect(),
        };
        drop(notes);
        if error == ConfigError::default() {
            Ok(())
        } else {
            Err(error)
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `SendLedger` and `TABLE` as `SEND_LEDGER_TABLE`.
fn variable(name: &str, suffix: &str) -> String {
    let mut variable = String::with_capacity(name.len() + suffix.len() + 4);
    for (i, letter) in name.char_indices() {
        if i > 0 && letter.is_ascii_uppercase() {
            variable.push('_');
        }
        variable.push(letter.to_ascii_uppercase());
    }
    variable + "_" + suffix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(vars: &[(&str, &str)]) -> Resources {
        let vars = vars
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let config = aws_types::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .build();
        let aws = Aws::new(config, Clock::system(), Entropy::seeded(1));
        Resources::new(aws, Vars::from_map(vars))
    }

    #[test]
    fn a_logical_id_names_its_variable() {
        assert_eq!(variable("SendLedger", "TABLE"), "SEND_LEDGER_TABLE");
        assert_eq!(variable("Chat", "TABLE"), "CHAT_TABLE");
    }

    #[test]
    fn every_missing_name_is_reported_at_once() {
        let resources = resources(&[("CHAT_TABLE", "chat"), ("LIMITS_TABLE", ""), ("RATE", "x")]);
        resources.table("Chat");
        assert_eq!(resources.check(), Ok(()));

        resources.table("Limits");
        let clone = resources.clone();
        clone.bucket("Imports");
        clone.text("RATE");
        clone.refuse("RATE", "a positive number");
        clone.text("SECRET");
        clone.refuse("SECRET", "a secret");
        let error = resources.check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variables are missing: IMPORTS_BUCKET; missing: LIMITS_TABLE; \
             missing: SECRET; invalid: RATE is not a positive number"
        );
        assert_eq!(resources.asked().len(), 5);
    }
}
