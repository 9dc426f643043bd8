//! SES events in the formats of EventBridge, SNS and a plain notification. Pure.
//!
//! SES's own opens and clicks count as proof of acceptance only. Our own links carry signed tokens, and
//! [`crate::feedback`] distinguishes people from machines.

use contacts::Channel;
use jiff::Timestamp;
use kernel::{ContactId, EmailAddress, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ledger::{Fact, LedgerKey};

/// The content of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SesEvent {
    /// An event of a send of this workspace.
    About(WorkspaceId, About),
    /// The mail has none of our tags: it is not ours, or the event is a notification of an identity.
    Untagged,
    /// A kind of event without effect.
    Other(String),
}

/// An event of a send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The send.
    pub key: LedgerKey,
    /// The recipient's address; the contact may have another address by now.
    pub address: EmailAddress,
    /// The event.
    pub fact: Fact,
    /// Its time, as SES reports it.
    pub at: Timestamp,
    /// Kind of bounce or complaint, e.g. `Permanent/NoEmail`.
    pub detail: Option<String>,
    /// Trace id under which it was sent.
    pub trace: Option<String>,
    /// Whether mails to the contact had come back when it was sent.
    #[serde(default)]
    pub after_soft_bounces: bool,
}

/// The tag of a mail to a contact with mails that came back.
pub(crate) const AFTER_SOFT_BOUNCES: &str = "after_soft_bounces";

/// The text is no SES event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an SES event: {0}")]
pub struct NotAnEvent(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(alias = "notificationType")]
    event_type: String,
    mail: Mail,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Mail {
    timestamp: Timestamp,
    #[serde(default)]
    destination: Vec<String>,
    #[serde(default)]
    tags: serde_json::Map<String, Value>,
}

/// Reads an event from a queue message's text.
pub fn parse(text: &str) -> Result<SesEvent, NotAnEvent> {
    let wrong = |error: serde_json::Error| NotAnEvent(cloud::error::json_flaw(&error));
    let mut value: Value = serde_json::from_str(text).map_err(wrong)?;
    // EventBridge puts the event into `detail`, SNS as text into `Message`.
    if let Some(detail) = value.get_mut("detail") {
        value = detail.take();
    } else if let Some(message) = value.get("Message").and_then(Value::as_str) {
        value = serde_json::from_str(message).map_err(wrong)?;
    }
    let detail: Detail = serde_json::from_value(value).map_err(wrong)?;
    let Some(fact) = fact_of(&detail) else {
        return Ok(SesEvent::Other(detail.event_type));
    };
    let Some((workspace, key)) = send_of(&detail.mail) else {
        return Ok(SesEvent::Untagged);
    };
    // Each of our mails has one recipient.
    let address = detail.mail.destination.first();
    let Some(address) = address.and_then(|address| bare(address).parse().ok()) else {
        return Err(NotAnEvent("no address that the mail went to".to_owned()));
    };
    let about = About {
        key,
        address,
        fact,
        at: at(&detail),
        detail: kind(&detail),
        trace: trace_of(&detail.mail),
        after_soft_bounces: detail.mail.tags.contains_key(AFTER_SOFT_BOUNCES),
    };
    Ok(SesEvent::About(workspace, about))
}

/// The address of a mailbox, which may have a name before it (RFC 5322, 3.4): `"An" <an@example.vn>`.
fn bare(mailbox: &str) -> &str {
    let angle = mailbox.trim().strip_suffix('>');
    angle
        .and_then(|rest| rest.rsplit_once('<'))
        .map_or(mailbox, |(_, address)| address)
}

fn text<'a>(detail: &'a Detail, object: &str, field: &str) -> &'a str {
    let object = detail.rest.get(object).and_then(|object| object.get(field));
    object.and_then(Value::as_str).unwrap_or_default()
}

fn fact_of(detail: &Detail) -> Option<Fact> {
    Some(match detail.event_type.as_str() {
        "Send" | "DeliveryDelay" | "Open" | "Click" => Fact::Accepted,
        "Delivery" => Fact::Delivered,
        "Bounce" if text(detail, "bounce", "bounceType") == "Permanent" => Fact::HardBounced,
        "Bounce" if is_expired(detail) => Fact::HardBounced,
        "Bounce" => Fact::SoftBounced,
        // `not-spam`: the reader took a mail out of the spam folder, which is no complaint.
        "Complaint" if text(detail, "complaint", "complaintFeedbackType") == "not-spam" => {
            Fact::Accepted
        }
        "Complaint" => Fact::Complained,
        "Reject" | "Rendering Failure" => Fact::Rejected,
        _ => return None,
    })
}

/// Whether the receiving server took nothing for as long as SES tried: status 4.4.7 (RFC 3463).
fn is_expired(detail: &Detail) -> bool {
    let bounce = detail.rest.get("bounce");
    let status = bounce.and_then(|bounce| bounce.pointer("/bouncedRecipients/0/status"));
    status.and_then(Value::as_str) == Some("4.4.7")
}

fn at(detail: &Detail) -> Timestamp {
    let object = match detail.event_type.as_str() {
        "Delivery" => "delivery",
        "Bounce" => "bounce",
        "Complaint" => "complaint",
        _ => "",
    };
    let own = text(detail, object, "timestamp").parse();
    own.unwrap_or(detail.mail.timestamp)
}

fn kind(detail: &Detail) -> Option<String> {
    let kind = match detail.event_type.as_str() {
        "Bounce" => format!(
            "{}/{}",
            text(detail, "bounce", "bounceType"),
            text(detail, "bounce", "bounceSubType")
        ),
        "Complaint" => text(detail, "complaint", "complaintFeedbackType").to_owned(),
        "Reject" => text(detail, "reject", "reason").to_owned(),
        _ => return None,
    };
    (!kind.is_empty()).then_some(kind)
}

fn trace_of(mail: &Mail) -> Option<String> {
    let trace = mail.tags.get(cloud::mailer::TRACE_TAG)?.get(0)?.as_str()?;
    Some(trace.to_owned())
}

/// Tag values are lists.
fn send_of(mail: &Mail) -> Option<(WorkspaceId, LedgerKey)> {
    let tag = |name: &str| mail.tags.get(name)?.get(0)?.as_str();
    let contact: ContactId = tag("contact")?.parse().ok()?;
    let key = LedgerKey {
        scope: tag("scope")?.to_owned(),
        contact,
        channel: Channel::Email,
        step: tag("step")?.to_owned(),
    };
    Some((tag("tenant")?.parse().ok()?, key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, more: &Value) -> Value {
        let mut detail = json!({
            "eventType": kind,
            "mail": {
                "timestamp": "2026-03-02T01:15:30.123Z",
                "messageId": "0100",
                "destination": ["an@example.vn"],
                "tags": {
                    "ses:configuration-set": ["mail"],
                    "tenant": ["ws_0123456789a"], "scope": ["cmp_0123456789a"],
                    "contact": ["con_0123456789a"], "step": ["0"],
                },
            },
        });
        let more = more.as_object().cloned().unwrap_or_default();
        detail.as_object_mut().unwrap().extend(more);
        detail
    }

    fn fact(detail: &Value) -> Option<Fact> {
        match parse(&json!({ "source": "aws.ses", "detail": detail }).to_string()).unwrap() {
            SesEvent::About(_, about) => Some(about.fact),
            _ => None,
        }
    }

    #[test]
    fn each_kind_says_its_fact() {
        let bounce = |kind: &str| event("Bounce", &json!({ "bounce": { "bounceType": kind } }));
        let complaint = |kind: &str| {
            event(
                "Complaint",
                &json!({ "complaint": { "complaintFeedbackType": kind } }),
            )
        };
        for (detail, expected) in [
            (event("Send", &json!({ "send": {} })), Some(Fact::Accepted)),
            (event("Delivery", &json!({})), Some(Fact::Delivered)),
            (bounce("Permanent"), Some(Fact::HardBounced)),
            (bounce("Transient"), Some(Fact::SoftBounced)),
            (bounce("Undetermined"), Some(Fact::SoftBounced)),
            (
                event(
                    "Bounce",
                    &json!({ "bounce": {
                        "bounceType": "Transient", "bouncedRecipients": [{ "status": "4.4.7" }],
                    } }),
                ),
                Some(Fact::HardBounced),
            ),
            (complaint("abuse"), Some(Fact::Complained)),
            (complaint("not-spam"), Some(Fact::Accepted)),
            (event("Reject", &json!({})), Some(Fact::Rejected)),
            (event("Rendering Failure", &json!({})), Some(Fact::Rejected)),
            (event("DeliveryDelay", &json!({})), Some(Fact::Accepted)),
            (event("Open", &json!({})), Some(Fact::Accepted)),
            (event("Subscription", &json!({})), None),
            (event("Something New", &json!({})), None),
        ] {
            assert_eq!(fact(&detail), expected, "{}", detail["eventType"]);
        }
    }

    #[test]
    fn the_event_names_its_send_and_its_own_time() {
        let bounce = json!({ "bounce": {
            "bounceType": "Permanent", "bounceSubType": "NoEmail",
            "timestamp": "2026-03-02T01:15:32.000Z" } });
        let SesEvent::About(workspace, about) =
            parse(&event("Bounce", &bounce).to_string()).unwrap()
        else {
            panic!("an event about a send");
        };
        assert_eq!(workspace.to_string(), "ws_0123456789a");
        assert_eq!(about.key.scope, "cmp_0123456789a");
        assert_eq!(about.at.to_string(), "2026-03-02T01:15:32Z");
        assert_eq!(about.address.as_str(), "an@example.vn");
        assert_eq!(about.detail.as_deref(), Some("Permanent/NoEmail"));
        let mut named = event("Bounce", &bounce);
        named["mail"]["destination"] = json!(["\"Nguyễn A\" <AN@EXAMPLE.VN>"]);
        let SesEvent::About(_, same) = parse(&named.to_string()).unwrap() else {
            panic!("an event about a send");
        };
        assert_eq!(same.address, about.address);
    }

    #[test]
    fn the_other_shapes_are_read_as_well() {
        let detail = event("Delivery", &json!({}));
        let sns = json!({ "Type": "Notification", "Message": detail.to_string() });
        assert!(matches!(parse(&sns.to_string()), Ok(SesEvent::About(..))));
        let mut notification = detail.clone();
        let object = notification.as_object_mut().unwrap();
        object.remove("eventType");
        object.insert("notificationType".into(), "Delivery".into());
        object["mail"].as_object_mut().unwrap().remove("tags");
        assert_eq!(parse(&notification.to_string()), Ok(SesEvent::Untagged));
        let mut nowhere = detail;
        nowhere["mail"]
            .as_object_mut()
            .unwrap()
            .remove("destination");
        assert!(parse(&nowhere.to_string()).is_err());
        for bad in ["", "[]", "{}", r#"{"detail":{}}"#, r#"{"Message":"x"}"#] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
