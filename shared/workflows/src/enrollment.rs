//! One contact's progress through a workflow. Pure data.

use std::fmt;

use channels::{Class, Content};
use cloud::Pending;
use contacts::Event;
use jiff::Timestamp;
use kernel::{ContactId, TransactionalReason, WorkflowId, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::effects;
use crate::model::{EntryRule, Workflow};

/// Shards of the index by workflow: 8,000 moves a second.
pub const SHARDS: u32 = 8;
/// Longest data of an event that an enrollment keeps, in bytes of JSON. Of longer data the largest fields are
/// dropped.
pub const MAX_TRIGGER_BYTES: usize = 8 * 1024;

/// Names an enrollment. The same workflow, entry and contact always give the same name, so a repeated event enrolls
/// once.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EnrollmentId(String);

impl EnrollmentId {
    /// The name that follows from the entry rule. An event's id is unique for its contact and time.
    pub fn of(workflow: WorkflowId, entry: EntryRule, event: &Event, contact: ContactId) -> Self {
        let entry_key = match entry {
            EntryRule::Once => "once".to_owned(),
            EntryRule::EveryTime => format!("{}#{}", kernel::clock::sortable(event.at), event.id),
        };
        let (workflow, contact) = (workflow.to_string(), contact.to_string());
        let name = kernel::hash::name(&[&workflow, &entry_key, &contact]);
        Self(format!("enr_{name}"))
    }

    /// The id of this name, from a key.
    pub(crate) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnrollmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Status of an enrollment.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[schema(as = EnrollmentStatus)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// About to continue: its message is on its way.
    Active,
    /// Waiting for its timer.
    Waiting,
    /// Stopped with its workflow or its workspace, without a timer.
    Held,
    /// Came to the end.
    Completed,
    /// Left before the end.
    Exited,
    /// Cannot continue.
    Failed,
}

impl Standing {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Completed => "completed",
            Self::Exited => "exited",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Exited | Self::Failed)
    }
}

/// A finished step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// Its name.
    pub node: String,
    /// When it was taken.
    pub at: Timestamp,
}

/// A message that a state sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnSend {
    /// The step, which names the send.
    pub node: String,
    /// The content.
    pub content: Content,
    /// Whether it needs consent.
    pub class: Class,
    /// Why it is expected, if it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<TransactionalReason>,
    /// When the step was taken: a message that is delivered much later is not sent.
    pub at: Timestamp,
}

/// The stored record. `tenant`, `workflow`, `shard`, `status` and `entered_at` are the index by
/// workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Enrollment {
    /// Name.
    pub id: EnrollmentId,
    /// Workspace.
    pub tenant: WorkspaceId,
    /// Workflow.
    pub workflow: WorkflowId,
    /// Part of the index.
    pub shard: u32,
    /// Its status.
    pub status: Standing,
    /// When the contact was enrolled, as sortable text.
    pub entered_at: String,
    /// The contact.
    pub contact: ContactId,
    /// Version of the workflow's definition; it never changes.
    pub definition: u32,
    /// Version of this record, for conditional writes.
    pub version: u64,
    /// Step to take next; `None` if the workflow ends next.
    #[serde(default)]
    pub at: Option<String>,
    /// Only a message with this token moves it on. Each state has a new token; a late or repeated message has an
    /// older one.
    pub token: String,
    /// When the wait ends.
    #[serde(default)]
    pub wake_at: Option<Timestamp>,
    /// Why it exited or failed.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// The event that started it, for merge fields `{{trigger.…}}`.
    pub trigger: Value,
    /// Steps taken.
    #[serde(default)]
    pub path: Vec<Passed>,
    /// Messages that this state sends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sends: Vec<OwnSend>,
    /// Names of the effects of this state.
    #[serde(default)]
    pub pending: Pending,
    /// Names of the effects that the relay could not send yet. Only the relay writes them.
    #[serde(default, skip_serializing)]
    pub unsent: Pending,
}

impl Enrollment {
    /// A contact at the beginning. Its first message is not yet pending.
    pub fn begin(
        tenant: WorkspaceId,
        workflow: &Workflow,
        start: &str,
        contact: ContactId,
        event: &Event,
        now: Timestamp,
    ) -> Self {
        let id = EnrollmentId::of(workflow.id, workflow.entry, event, contact);
        Self {
            token: token(&id, 1, "begin"),
            shard: kernel::hash::bucket(&[id.as_str()], SHARDS),
            id,
            tenant,
            workflow: workflow.id,
            status: Standing::Active,
            entered_at: kernel::clock::sortable(now),
            contact,
            definition: workflow.definition,
            version: 1,
            at: Some(start.to_owned()),
            wake_at: None,
            reason: None,
            ended_at: None,
            trigger: trigger_data(event),
            path: Vec::new(),
            sends: Vec::new(),
            pending: Pending::default(),
            unsent: Pending::default(),
        }
    }
}

impl Enrollment {
    /// The messages of this state that the relay has not acknowledged. The next state takes them over, since it replaces
    /// the item. The send ledger recognises a message that was sent nevertheless.
    pub(crate) fn not_relayed(&self) -> Vec<OwnSend> {
        let is_unsent = self.pending.has(&effects::SENDS) || self.unsent.has(&effects::SENDS);
        if is_unsent {
            self.sends.clone()
        } else {
            Vec::new()
        }
    }
}

/// The token of the one message that may move this state on.
pub(crate) fn token(id: &EnrollmentId, version: u64, what: &str) -> String {
    kernel::hash::name(&[id.as_str(), &version.to_string(), what])
}

/// The event for templates: its data, with its name, time and source.
pub fn trigger_data(event: &Event) -> Value {
    let mut fields = Map::new();
    let mut left = MAX_TRIGGER_BYTES;
    if let Value::Object(data) = &event.data {
        for (name, value) in data {
            let size = name.len() + value.to_string().len();
            if size <= left {
                left -= size;
                fields.insert(name.clone(), value.clone());
            }
        }
    }
    let about = [
        ("event", json!(event.name)),
        ("at", json!(event.at)),
        ("source", json!(event.source)),
    ];
    for (name, value) in about {
        fields.entry(name).or_insert(value);
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, data: Value) -> Event {
        Event {
            id: id.into(),
            name: "form.submitted".into(),
            at: Timestamp::UNIX_EPOCH,
            source: "ladipage".into(),
            data,
        }
    }

    #[test]
    fn an_enrollment_is_named_by_its_entry_rule() {
        let workflow = "wfl_00000000001".parse().unwrap();
        let contact = "con_00000000001".parse().unwrap();
        let of = |entry, id| EnrollmentId::of(workflow, entry, &event(id, Value::Null), contact);
        assert_eq!(of(EntryRule::Once, "a"), of(EntryRule::Once, "b"));
        assert_eq!(of(EntryRule::EveryTime, "a"), of(EntryRule::EveryTime, "a"));
        assert_ne!(of(EntryRule::EveryTime, "a"), of(EntryRule::EveryTime, "b"));
        assert_eq!(of(EntryRule::Once, "a").as_str().len(), 36);
    }

    #[test]
    fn large_fields_of_an_event_stay_behind() {
        let data = json!({"big": "x".repeat(9000), "form_id": "F1", "source": "quảng cáo"});
        let event = event("e1", data);
        let data = trigger_data(&event);
        assert_eq!(data["form_id"], "F1");
        assert_eq!(data["source"], "quảng cáo");
        assert_eq!(data["event"], "form.submitted");
        assert!(data.get("big").is_none());
    }
}
