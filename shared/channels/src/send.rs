//! The message to `message-sender`: one send to one contact.

use cloud::{Message, QueueName};
use jiff::Timestamp;
use kernel::{ContactId, TransactionalReason, WorkflowId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mail_store::MailRef;

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

/// One send. `scope`, `contact` and `step` name its ledger row, so the same message handled twice
/// sends once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum SendMessage {
    /// A mail.
    #[serde(rename = "email.v1")]
    Email {
        /// Campaign id or enrollment id.
        scope: String,
        /// Node of the workflow, `0` for a campaign.
        step: String,
        /// The contact.
        contact: ContactId,
        /// The mail.
        mail: MailRef,
        /// Merge data beside `contact`, e.g. `{"trigger": {…}}`.
        #[serde(default)]
        data: Value,
        /// The purpose.
        class: Class,
        /// Why a transactional mail is expected; it is counted by its reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<TransactionalReason>,
        /// The workflow: a mail of an archived workflow is not sent. Absent for the mail of a signup form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workflow: Option<WorkflowId>,
        /// The request of a signup form that this mail asks to confirm. The mail goes to the request's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opt_in: Option<String>,
        /// When its step was taken: a mail that is delivered much later is not sent.
        at: Timestamp,
        /// A slot of the send rate that was reserved when this message was returned to the queue.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<Timestamp>,
    },
}

impl Message for SendMessage {
    const QUEUE: QueueName = QueueName::new("message");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_shape_is_fixed() {
        let text = r#"{"type":"email.v1","scope":"enr1","step":"n2","contact":"con_00000000001","mail":"ab12","data":{"trigger":{}},"class":"transactional","reason":"order","workflow":"wfl_00000000001","at":"2026-03-02T08:00:00Z"}"#;
        let message: SendMessage = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), text);
        assert!(serde_json::from_str::<SendMessage>(&text.replace("v1", "v2")).is_err());
    }
}
