//! The message to `message-sender`: one send to one contact.

use std::collections::BTreeMap;

use cloud::{Message, QueueName};
use contacts::Channel;
use jiff::Timestamp;
use kernel::{BrandnameId, ContactId, EmailAddress, TransactionalReason, WorkflowId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ledger::LedgerKey;
use crate::mail_store::MailRef;
use crate::push::Note;

/// The purpose of a send; it decides about consent and about ambiguous answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = MailClass)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Advertising: needs consent, carries the unsubscribe headers, never sent a second time.
    Marketing,
    /// Expected by its receiver (an order, a password). It is sent unless the address has bounced. A call without an
    /// answer is followed by one more try.
    Transactional,
}

/// The rules that a message follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The purpose.
    pub class: Class,
    /// Whether a consent that is only assumed is none.
    pub is_strict: bool,
}

/// The content of a message with its merge fields unfilled. It names its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "channel", rename_all = "snake_case")]
pub enum Content {
    /// A mail of the mail store.
    Email {
        /// Its name there.
        mail: MailRef,
    },
    /// A text message.
    Sms {
        /// The brandname that it comes from.
        brandname_id: BrandnameId,
        /// The text's template.
        text: String,
    },
    /// A message of a Zalo template to a phone number.
    Zns(ZnsContent),
    /// A push notification.
    Push {
        /// The notification.
        note: Note,
    },
}

/// A message of a Zalo template to a phone number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZnsContent {
    /// The Official Account that it comes from.
    pub oa_id: String,
    /// The template.
    pub template_id: String,
    /// The text of each parameter, a Liquid template.
    pub params: BTreeMap<String, String>,
    /// The text message to a person whom Zalo cannot reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<FallbackText>,
}

/// A text message in place of another message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FallbackText {
    /// The brandname that it comes from.
    pub brandname_id: BrandnameId,
    /// The text's template.
    pub text: String,
}

impl Content {
    /// The channel that sends it.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Email { .. } => Channel::Email,
            Self::Sms { .. } => Channel::Sms,
            Self::Zns(_) => Channel::Zalo,
            Self::Push { .. } => Channel::Push,
        }
    }

    /// Whether a provider takes a campaign's messages of this content in groups: a rest of a shard that is too small joins those
    /// of the other shards.
    pub fn is_grouped(&self) -> bool {
        matches!(self, Self::Sms { .. })
    }
}

/// Begins the scope of a test mail. The rest names the request, so a repeated request sends once.
pub const TEST_SCOPE: &str = "tst_";

/// A test: the message goes to this address, and no contact's record has part in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// The address.
    pub to: EmailAddress,
    /// The contact whose data fills the merge fields; absent: a person of our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<ContactId>,
}

/// A message to `message-sender`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SendMessage {
    /// First version.
    #[serde(rename = "send.v1")]
    V1(Box<Send>),
}

/// One send. `scope`, `contact`, the channel and `step` name its ledger row, so the same message handled twice
/// sends once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Send {
    /// Campaign id or enrollment id.
    pub scope: String,
    /// Node of the workflow, `0` for a campaign.
    pub step: String,
    /// The contact.
    pub contact: ContactId,
    /// The content.
    pub content: Content,
    /// Merge data beside `contact`, e.g. `{"trigger": {…}}`.
    #[serde(default)]
    pub data: Value,
    /// The purpose.
    pub class: Class,
    /// Why a transactional message is expected; it is counted by its reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<TransactionalReason>,
    /// The workflow: a message of an archived workflow is not sent. Absent for the mail of a signup form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowId>,
    /// The request of a signup form that this mail asks to confirm. The mail goes to the request's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_in: Option<String>,
    /// A test mail; its `contact` is nobody's record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// When its step was taken: a message that is delivered much later is not sent.
    pub at: Timestamp,
    /// A slot of the send rate that was reserved when this message was returned to the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
}

impl Send {
    /// Its row in the send ledger.
    pub fn key(&self) -> LedgerKey {
        LedgerKey {
            scope: self.scope.clone(),
            contact: self.contact,
            channel: self.content.channel(),
            step: self.step.clone(),
        }
    }
}

impl Message for SendMessage {
    const QUEUE: QueueName = QueueName::new("message");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_shape_is_fixed() {
        let content = [
            r#"{"channel":"email","mail":"ab12"}"#,
            r#"{"channel":"sms","brandname_id":"brn_0123456789a","text":"ACME: Chao"}"#,
            r#"{"channel":"zns","oa_id":"34","template_id":"a1","params":{"ten":"{{ contact.full_name }}"},"fallback":{"brandname_id":"brn_0123456789a","text":"ACME: Chao"}}"#,
            r#"{"channel":"push","note":{"title":"Chao","body":"ACME","link":"https://shop.example/","ttl":60}}"#,
        ];
        for content in content {
            let text = format!(
                r#"{{"type":"send.v1","scope":"enr1","step":"n2","contact":"con_00000000001","content":{content},"data":{{"trigger":{{}}}},"class":"transactional","reason":"order","workflow":"wfl_00000000001","at":"2026-03-02T08:00:00Z"}}"#
            );
            let message: SendMessage = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&message).unwrap(), text);
            assert!(serde_json::from_str::<SendMessage>(&text.replace("v1", "v2")).is_err());
        }
    }
}
