//! The files that people write, `functions/<name>/function.yaml` and `infra/queues.yaml`, with their comments.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::text;
use crate::functions::{camel, folders};

/// `functions/<name>/function.yaml`. The first comment explains the function. A comment above a key or an entry is
/// copied to the resources that follow from it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The APIs of infra/template/root.yaml that call it by name.
    #[serde(default)]
    pub called_by: Vec<String>,
    /// `METHOD path`, followed by `public` if the route has no authorizer.
    #[serde(default)]
    pub routes: Vec<String>,
    pub queue: Option<QueueTrigger>,
    pub schedule: Option<String>,
    /// Streams of tables.
    #[serde(default)]
    pub streams: BTreeMap<String, Stream>,
    /// Rights by table.
    #[serde(default)]
    pub tables: BTreeMap<String, Vec<Right>>,
    /// Variables of infra/template/settings.yaml.
    #[serde(default)]
    pub settings: Vec<String>,
    /// Queues that it sends to.
    #[serde(default)]
    pub sends: Vec<String>,
    /// MB.
    #[serde(default = "usual_memory")]
    pub memory: u32,
    /// Seconds.
    #[serde(default = "usual_timeout")]
    pub timeout: u32,
    /// Concurrency that the account keeps for it.
    pub reserved: Option<u32>,
}

/// A right on a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Right {
    /// `GetItem`, or `Query/ByShard` for an index.
    Action(String),
    /// Actions on the partitions whose keys fit one of the patterns.
    Keys(KeyRight),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRight {
    pub actions: Vec<String>,
    /// `*` is any text.
    pub keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueTrigger {
    pub name: String,
    pub batch: u32,
    /// Most batches at once. Without this limit Lambda polls a quiet queue less, and a backlog is processed at
    /// full speed.
    pub concurrency: Option<Cap>,
    /// Seconds that a batch may wait to become full.
    #[serde(default)]
    pub window: u32,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Cap {
    Number(u32),
    /// A parameter of infra/template/root.yaml.
    Parameter(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Batches of one shard at once.
    pub parallel: u32,
}

fn usual_memory() -> u32 {
    256
}

fn usual_timeout() -> u32 {
    10
}

/// A function with its facts.
pub struct Function {
    /// The package: `due-timer`.
    pub name: String,
    /// First part of its resources' names: `DueTimer`.
    pub id: String,
    pub facts: Facts,
    comments: BTreeMap<String, String>,
}

/// The part of the root that a function belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Intake,
    Api,
    Sockets,
    Workers,
    Sources,
}

impl Function {
    /// All of them, by name.
    pub fn all() -> Vec<Self> {
        let read = |name: String| {
            let file = format!("functions/{name}/function.yaml");
            let (facts, comments) = parse(&file);
            let id = camel(&name);
            Self {
                name,
                id,
                facts,
                comments,
            }
        };
        folders().into_iter().map(read).collect()
    }

    pub fn group(&self) -> Group {
        let facts = &self.facts;
        if facts.queue.is_some() {
            Group::Workers
        } else if facts.schedule.is_some() || !facts.streams.is_empty() {
            Group::Sources
        } else if self.behind_authorizer() || facts.called_by.iter().any(|api| api == "HttpApi") {
            Group::Api
        } else if facts.called_by.is_empty() {
            Group::Intake
        } else {
            Group::Sockets
        }
    }

    /// Whether the function has a route with the authorizer, and so the contract of `Function::api`.
    pub fn behind_authorizer(&self) -> bool {
        self.facts
            .routes
            .iter()
            .any(|route| !route.ends_with(" public"))
    }

    /// The comment above a key, ending in a new line; the function's own for its first one.
    pub fn comment(&self, key: &str) -> &str {
        self.comments.get(key).map_or("", String::as_str)
    }

    /// The comment that explains the function.
    pub fn explanation(&self) -> &str {
        let first = ["called_by", "routes", "queue", "schedule", "streams"];
        let mut found = first.iter().map(|key| self.comment(key));
        found
            .find(|comment| !comment.is_empty())
            .unwrap_or_default()
    }

    /// Its dead-letter queue: that of its queue, or its own for a stream or a schedule.
    pub fn dead_letters(&self) -> Option<String> {
        let facts = &self.facts;
        match &facts.queue {
            Some(queue) => Some(format!("{}Dlq", queue.name)),
            None if facts.schedule.is_some() || !facts.streams.is_empty() => {
                Some(format!("{}Dlq", self.id))
            }
            None => None,
        }
    }
}

/// An entry of infra/queues.yaml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueFacts {
    age: Option<u32>,
    #[serde(default)]
    fifo: bool,
    rule: Option<String>,
}

/// A queue, or a dead-letter queue that has none.
pub struct Queue {
    pub name: String,
    /// Seconds after which its oldest message is an alarm.
    pub age: Option<u32>,
    pub fifo: bool,
    /// The EventBridge rule that may send to it.
    pub rule: Option<String>,
    /// Ends in a new line.
    pub comment: String,
}

impl Queue {
    /// All of them, by name.
    pub fn all() -> Vec<Self> {
        let (facts, comments): (BTreeMap<String, QueueFacts>, _) = parse("infra/queues.yaml");
        let make = |(name, facts): (String, QueueFacts)| Self {
            comment: comments.get(&name).cloned().unwrap_or_default(),
            age: facts.age,
            fifo: facts.fifo,
            rule: facts.rule,
            name,
        };
        facts.into_iter().map(make).collect()
    }

    /// Whether it is only a dead-letter queue, of a stream or a schedule.
    pub fn is_dead_letters(&self) -> bool {
        self.name.ends_with("Dlq")
    }
}

fn parse<T: DeserializeOwned>(file: &str) -> (T, BTreeMap<String, String>) {
    let text = text::read(file);
    let facts = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    (facts, text::comments(&text))
}
