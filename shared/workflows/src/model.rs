//! A workflow after it was checked and saved. Pure data.

use std::fmt;

use channels::push::Note;
use channels::{Class, MailRef};
use indexmap::IndexMap;
use jiff::Timestamp;
use kernel::{BrandnameId, TransactionalReason, WorkflowId};
use serde::{Deserialize, Serialize};

use crate::activity::Activity;
use crate::trigger::Trigger;

/// Whether a workflow takes contacts in and moves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WorkflowStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Saved, never active yet.
    Draft,
    /// Enrolls contacts and moves them.
    Active,
    /// Enrolls nobody; enrolled contacts stop at their step.
    Paused,
    /// Ended for ever: enrolled contacts leave at their next step.
    Archived,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Archived => "archived",
        })
    }
}

/// How often one contact may enter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WorkflowEntry)]
#[serde(rename_all = "snake_case")]
pub enum EntryRule {
    /// Once in the workflow's life.
    #[default]
    Once,
    /// At every event that matches.
    EveryTime,
}

/// The mutable record of a workflow. Its graph is stored in immutable versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// Id.
    pub id: WorkflowId,
    /// Name for people.
    pub name: String,
    /// State.
    pub status: Status,
    /// Version of the definition that new contacts get.
    pub definition: u32,
    /// The trigger, copied from the definition, so that an event costs one read.
    pub trigger: Trigger,
    /// How often one contact may be enrolled, copied from the definition.
    pub entry: EntryRule,
    /// When it was saved first.
    pub created_at: Timestamp,
    /// When it took events in. Each border is some seconds after its request ([`cloud::recent::LEAD`]).
    #[serde(default)]
    pub activity: Activity,
    /// Version of this record, for conditional writes.
    pub version: u64,
}

impl Workflow {
    /// Whether an event that was recorded at this instant counts. The time that a source gives is ignored: forms
    /// carry times of any age. The present state counts only if the workflow has ended.
    pub fn counts(&self, recorded: Timestamp) -> bool {
        self.status != Status::Archived && self.activity.covers(recorded)
    }

    /// Whether both were made by one request. The state may have moved on since.
    pub(crate) fn is_draft_of(&self, new: &Self) -> bool {
        let made = |it: &Self| (it.created_at, it.entry);
        made(self) == made(new) && (&self.name, &self.trigger) == (&new.name, &new.trigger)
    }
}

/// One immutable version of a workflow. An enrolled contact stays on its version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The trigger.
    pub trigger: Trigger,
    /// How often one contact may enter.
    pub entry: EntryRule,
    /// The steps of a contact. Stored as one text: DynamoDB's maps have no order.
    #[serde(with = "text")]
    pub graph: Graph,
}

/// A value as JSON text, which keeps the order of its fields.
mod text {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<T: Serialize, S: Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(value).map_err(S::Error::custom)?;
        s.serialize_str(&text)
    }

    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        d: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(d)?;
        serde_json::from_str(&text).map_err(D::Error::custom)
    }
}

impl Definition {
    /// Whether it sends mail that needs consent.
    pub fn has_marketing(&self) -> bool {
        let mut nodes = self.graph.nodes.values();
        nodes.any(|node| {
            matches!(
                node,
                Node::SendEmail {
                    class: Class::Marketing,
                    ..
                }
            )
        })
    }
}

/// The steps, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WorkflowGraph)]
pub struct Graph {
    /// Name of the first step.
    pub start: String,
    /// All steps, in the author's order.
    pub nodes: IndexMap<String, Node>,
}

/// One step. Without `next` the contact has completed the workflow after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WorkflowNode)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Node {
    /// Nothing happens for a while.
    WaitDuration {
        /// How long.
        seconds: u32,
        /// Step after it.
        #[serde(default)]
        next: Option<String>,
    },
    /// A mail to the contact.
    SendEmail {
        /// Subject, for lists and reports; the mail itself is stored apart.
        subject: String,
        /// The mail's content.
        mail: MailRef,
        /// Whether it needs consent.
        class: Class,
        /// Why it is expected, if it needs none.
        #[serde(default)]
        reason: Option<TransactionalReason>,
        /// Step after it.
        #[serde(default)]
        next: Option<String>,
    },
    /// A text message to the contact.
    SendSms {
        /// The brandname that it comes from.
        brandname_id: BrandnameId,
        /// The text's template.
        content: String,
        /// Why it is expected.
        reason: TransactionalReason,
        /// Step after it.
        #[serde(default)]
        next: Option<String>,
    },
    /// A push notification to the contact's devices.
    SendPush {
        /// The notification.
        note: Note,
        /// Whether it needs consent.
        class: Class,
        /// Why it is expected, if it needs none.
        #[serde(default)]
        reason: Option<TransactionalReason>,
        /// Step after it.
        #[serde(default)]
        next: Option<String>,
    },
    /// Tags for the contact.
    AddTag {
        /// The tags.
        tags: Vec<String>,
        /// Step after it.
        #[serde(default)]
        next: Option<String>,
    },
    /// The contact leaves before the end.
    Exit,
}

impl Node {
    /// Name of the step after it.
    pub fn next(&self) -> Option<&str> {
        match self {
            Self::WaitDuration { next, .. }
            | Self::SendEmail { next, .. }
            | Self::SendSms { next, .. }
            | Self::SendPush { next, .. }
            | Self::AddTag { next, .. } => next.as_deref(),
            Self::Exit => None,
        }
    }
}
