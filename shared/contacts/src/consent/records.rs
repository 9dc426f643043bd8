//! The append-only rows of decisions. A row lives as long as its contact, since it proves that messages were allowed.

use std::collections::BTreeSet;

use cloud::outbox::{Image, Rule};
use cloud::{Effect, Error, Key, Pending};
use jiff::Timestamp;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::statement::{Decision, Evidence, Method, Statement};
use super::{Channel, Purpose};
use crate::events::for_webhooks;
use crate::keys;
use crate::model::Event;
use crate::store::Contacts;

/// Most rows of one contact. A contact with so many takes no further grant, and a stop is stored without a row.
pub const MAX_RECORDS: u64 = 1_000;

/// The profile's attribute that counts the rows.
pub(crate) const COUNT: &str = "consent_records";

/// A decision as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ConsentEvent)]
pub struct Record {
    /// Unique for the contact. It follows from the cause, so a repetition has the same id.
    pub id: String,
    /// The channels that it is about.
    pub channels: BTreeSet<Channel>,
    /// The purposes that it is about.
    pub purposes: BTreeSet<Purpose>,
    /// The decision.
    pub decision: Decision,
    /// How the shop knows.
    pub method: Method,
    /// The text that the person agreed to.
    pub text: Option<String>,
    /// SHA-256 of the text, in hex.
    pub text_sha256: Option<String>,
    /// How often messages were promised to come.
    pub frequency: Option<String>,
    /// The proof.
    pub evidence: Evidence,
    /// The addresses and numbers of the channels at that time.
    pub addresses: Vec<String>,
    /// The person or key that entered it; null if the contact's own act was recorded.
    pub actor: Option<String>,
    /// When it was decided.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub decided_at: Timestamp,
}

impl Record {
    /// The row of a statement about some of its channels. `cause` names the operation.
    pub(crate) fn of(
        statement: &Statement,
        channels: &[Channel],
        addresses: Vec<String>,
        (at, cause): (Timestamp, &str),
    ) -> Self {
        Self {
            id: kernel::hash::name(&[cause]),
            channels: channels.iter().copied().collect(),
            purposes: statement.purposes.clone(),
            decision: statement.decision,
            method: statement.way,
            text: statement.text.clone(),
            text_sha256: statement.text.as_deref().map(kernel::hash::sha256),
            frequency: statement.frequency.clone(),
            evidence: statement.evidence.clone(),
            addresses,
            actor: statement.actor.clone(),
            decided_at: at,
        }
    }

    /// The key of the row.
    pub(crate) fn key(&self, tenant: TenantKey, contact: ContactId) -> Key {
        keys::consent(tenant, contact, self.decided_at, &self.id)
    }
}

/// The event of an agreement to messages. Only webhooks hear of it: the history of consent is in its own rows.
pub const SUBSCRIBED: &str = "contact.subscribed";
/// The event of the end of an agreement.
pub const UNSUBSCRIBED: &str = "contact.unsubscribed";

/// A decision with its message for webhooks, as its row is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    record: Record,
    #[serde(default, skip_serializing_if = "Pending::is_empty")]
    pending: Pending,
}

/// On a decision: tells webhooks of it.
pub(crate) const DECIDED: Rule = Rule {
    name: "contact.hooked_consent",
    messages: decided,
};

fn decided(image: &Image) -> Result<Vec<Effect>, Error> {
    let contact: ContactId = image.subject()?;
    let record: Record = image.row()?;
    let Some(name) = event_of(record.decision) else {
        return Ok(Vec::new());
    };
    let at = record.decided_at;
    let event = Event {
        id: format!("{name}#{}", record.id),
        name: name.to_owned(),
        at,
        source: record.actor.unwrap_or_else(|| "contact".to_owned()),
        data: json!({
            "channels": record.channels, "purposes": record.purposes,
            "decision": record.decision, "method": record.method,
        }),
    };
    let effect = for_webhooks(image.tenant(), contact, vec![event], at)?;
    Ok(vec![effect])
}

/// The event of a decision. A question without an answer, and the end of a block, are none.
fn event_of(decision: Decision) -> Option<&'static str> {
    match decision {
        Decision::Granted => Some(SUBSCRIBED),
        Decision::Withdrawn | Decision::Complained | Decision::Suppressed => Some(UNSUBSCRIBED),
        Decision::Refused | Decision::Pending | Decision::Lifted => None,
    }
}

impl Contacts {
    /// The row of a decision, with its message if a webhook wants it.
    pub(crate) async fn told(&self, tenant: TenantKey, record: &Record) -> Result<Told, Error> {
        let hooked = match event_of(record.decision) {
            Some(name) => self.interest.hooks_any(tenant, [name]).await?,
            None => false,
        };
        let rules: &[Rule] = if hooked { &[DECIDED] } else { &[] };
        Ok(Told {
            record: record.clone(),
            pending: Pending::of(rules),
        })
    }
}
