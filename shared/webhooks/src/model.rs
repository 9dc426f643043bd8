//! A webhook, a delivery, and their ids.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use kernel::{Seal, WebhookId};
use serde::{Deserialize, Serialize};

use crate::events::EventType;

/// Webhooks of a workspace.
pub const MAX_WEBHOOKS: u32 = 20;
/// Attempts that a delivery keeps; the oldest ones go.
const MAX_ATTEMPTS: usize = 20;

/// Whether a webhook gets events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookStatus {
    /// Events are sent.
    Active,
    /// Events are kept and sent when the webhook is resumed.
    Paused,
    /// Nothing is sent, and new events are not kept.
    Disabled,
}

/// Why a webhook was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WebhookDisabledReason)]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// The endpoint answered 410.
    Gone,
    /// Every call has failed for five days.
    Failing,
    /// A person or a key disabled it.
    Manual,
}

/// A secret that only its webhook can unseal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealedSecret {
    /// Hex of nonce and ciphertext.
    pub sealed: String,
    /// The end of its use, if a newer secret has replaced it.
    pub until: Option<Timestamp>,
}

/// An address of the shop that gets events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    /// Id.
    pub id: WebhookId,
    /// Where events are posted to.
    pub url: String,
    /// The shop's own note.
    pub description: Option<String>,
    /// The events that it wants.
    pub events: BTreeSet<EventType>,
    /// Whether it gets events.
    pub status: WebhookStatus,
    /// When it got this status.
    pub status_at: Timestamp,
    /// Why it was disabled.
    pub reason: Option<DisabledReason>,
    /// When it was made.
    pub created_at: Timestamp,
    pub(crate) secrets: Vec<SealedSecret>,
    pub(crate) version: u64,
}

impl Webhook {
    /// The secrets that sign now, newest first.
    pub(crate) fn open(&self, seal: &Seal, now: Timestamp) -> Vec<Vec<u8>> {
        let valid = self.secrets.iter();
        let valid = valid.filter(|secret| secret.until.is_none_or(|until| now < until));
        valid
            .filter_map(|secret| seal.open(&self.id.to_string(), &secret.sealed))
            .collect()
    }

    /// The end of the secret before the newest, if it still signs.
    pub fn previous_secret_until(&self) -> Option<Timestamp> {
        self.secrets.iter().filter_map(|secret| secret.until).max()
    }
}

/// The id of an event's delivery, which is also its `webhook-id`: the milliseconds of the event's recording, and a hash that
/// follows from what happened. So the same event has the same id at each redelivery.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String")]
#[schema(
    as = WebhookDeliveryId,
    min_length = 50,
    max_length = 50,
    pattern = "^evt_[0-9]{13}_[0-9a-f]{32}$",
    example = "evt_1772413260000_0123456789abcdef0123456789abcdef"
)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// The id of what these parts name, recorded at this time.
    pub fn of(at: Timestamp, parts: &[&str]) -> Self {
        let ms = at.as_millisecond().max(0);
        Self(format!("evt_{ms:013}_{}", kernel::hash::name(parts)))
    }

    /// The text before every id of this time or later.
    pub(crate) fn floor(at: Timestamp) -> String {
        format!("evt_{:013}", at.as_millisecond().max(0))
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parts = text
            .strip_prefix("evt_")
            .and_then(|rest| rest.split_once('_'));
        let is_id = parts.is_some_and(|(at, hash)| {
            let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
            at.len() == 13
                && at.chars().all(|c| c.is_ascii_digit())
                && hash.len() == 32
                && hash.chars().all(is_hex)
        });
        is_id
            .then_some(Self(text))
            .ok_or("expected the id of a delivery")
    }
}

impl FromStr for DeliveryId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WebhookDeliveryStatus)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// An attempt is planned.
    Pending,
    /// The webhook is paused.
    Held,
    /// The endpoint answered 2xx.
    Succeeded,
    /// No further attempt is planned.
    Failed,
}

/// Why a delivery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WebhookFailureReason)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// All attempts failed.
    Exhausted,
    /// The webhook is disabled.
    WebhookDisabled,
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WebhookAttempt)]
pub struct Attempt {
    /// When it began.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub at: Timestamp,
    /// The status of the answer; null without an answer.
    pub status: Option<u16>,
    /// A stable name of the reason why there is no answer: `timeout`, `unreachable`, `no_such_host`, `address_not_public`,
    /// `endpoint_failing` (the last calls of the webhook failed, so no call was made), `secret_unreadable` (rotate the secret).
    pub error: Option<String>,
    /// Milliseconds until the answer.
    pub duration_ms: u64,
    /// The first 1,024 bytes of the answer's body.
    pub response: Option<String>,
}

/// An event on its way to one webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Id, and the `webhook-id` of each attempt.
    pub id: DeliveryId,
    /// The webhook.
    pub webhook: WebhookId,
    /// The name of the event.
    pub kind: String,
    /// The body that is sent, as JSON text.
    pub body: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Why it failed.
    #[serde(default)]
    pub reason: Option<FailureReason>,
    /// The attempts so far, oldest first; at most 20.
    pub attempts: Vec<Attempt>,
    /// When the next attempt is planned.
    #[serde(default)]
    pub next_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The attempt that is planned; each message names one.
    pub(crate) turn: u32,
    /// Failed attempts since the delivery was last begun.
    pub(crate) failures: u32,
    pub(crate) version: u64,
    pub(crate) ttl: i64,
    /// The workspace; a key of the index `Failed`.
    pub(crate) tenant: String,
    /// A key of the index `Failed`, of a delivery that failed or is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
    /// The place in the index `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed_id: Option<DeliveryId>,
}

impl Delivery {
    /// Adds an attempt.
    pub(crate) fn note(&mut self, attempt: Attempt) {
        self.attempts.push(attempt);
        let surplus = self.attempts.len().saturating_sub(MAX_ATTEMPTS);
        self.attempts.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_of_time_and_follow_from_the_event() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let id = DeliveryId::of(at(1_772_413_260_000), &["a", "b"]);
        assert_eq!(id, DeliveryId::of(at(1_772_413_260_000), &["a", "b"]));
        assert_ne!(id, DeliveryId::of(at(1_772_413_260_000), &["ab"]));
        assert!(id < DeliveryId::of(at(1_772_413_260_001), &["a", "b"]));
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        assert!(DeliveryId::floor(at(1_772_413_260_000)) < id.to_string());
        assert!("evt_1_2".parse::<DeliveryId>().is_err());
    }
}
