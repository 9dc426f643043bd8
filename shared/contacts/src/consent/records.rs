//! The append-only rows of decisions. A row lives as long as its contact, since it proves that messages were allowed.

use std::collections::BTreeSet;

use cloud::Key;
use jiff::Timestamp;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use super::statement::{Decision, Evidence, Method, Statement};
use super::{Channel, Purpose};
use crate::keys;

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
    /// What was decided.
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
