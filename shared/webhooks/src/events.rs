//! The kinds of events, and the data that each one tells. Pure.
//!
//! The data names no person: no address, number or name, and of a link only the part before its query. Deliveries are kept for
//! 30 days, and an erased contact must not be in them. A receiver reads the contact by the API. docs/webhooks.md shows each
//! kind with an example, which a test compares with this file.

use contacts::Event;
use jiff::Timestamp;
use kernel::text::alike;
use kernel::{ContactId, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::DeliveryId;

/// The event that a person sends to try a webhook.
pub const TEST: &str = "webhook.test";

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:tt from $heard:expr;)*) => {
        /// A kind of event that a webhook may want.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
        )]
        #[schema(as = WebhookEventType)]
        pub enum EventType {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl EventType {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The names under which the product records it.
            pub const fn heard(self) -> &'static [&'static str] {
                match self { $(Self::$kind => $heard,)* }
            }
        }
    };
}

kinds! {
    /// A contact was made.
    ContactCreated = "contact.created" from &["contact.created"];
    /// Fields, tags or lists of a contact changed.
    ContactUpdated = "contact.updated" from &["contact.updated"];
    /// A contact was erased.
    ContactDeleted = "contact.deleted" from &["contact.deleted"];
    /// An agreement to messages was recorded.
    ContactSubscribed = "contact.subscribed" from &["contact.subscribed"];
    /// The end of an agreement to messages was recorded.
    ContactUnsubscribed = "contact.unsubscribed" from &["contact.unsubscribed"];
    /// A contact got tags.
    ContactTagged = "contact.tagged" from &["contact.tag_added"];
    /// A contact lost tags.
    ContactUntagged = "contact.untagged" from &["contact.tag_removed"];
    /// A contact entered a segment.
    ContactSegmentEntered = "contact.segment_entered" from &["segment.entered"];
    /// A contact left a segment.
    ContactSegmentLeft = "contact.segment_left" from &["segment.left"];
    /// The provider accepted a message.
    MessageSent = "message.sent" from &["message.sent"];
    /// A message arrived.
    MessageDelivered = "message.delivered" from &["message.delivered"];
    /// A message was refused.
    MessageFailed = "message.failed" from &["message.failed"];
    /// A message came back for a reason that may pass.
    MessageSoftBounced = "message.soft_bounced" from &["message.soft_bounced"];
    /// A person opened a mail.
    MessageOpened = "message.opened" from &["message.opened"];
    /// A person followed a link of a mail.
    MessageClicked = "message.clicked" from &["message.clicked"];
    /// A mail came back for good.
    MessageBounced = "message.bounced" from &["message.bounced"];
    /// A person reported a mail as spam.
    MessageComplained = "message.complained" from &["message.complained"];
    /// An order was recorded.
    OrderCreated = "order.created" from &["order.created"];
    /// The status or the payment of an order changed.
    OrderUpdated = "order.updated" from &[
        "order.confirmed", "order.processing", "order.paid", "order.shipped", "order.delivered",
        "order.completed", "order.cancelled", "order.returned",
    ];
    /// A conversation began.
    ConversationCreated = "conversation.created" from &["conversation.created"];
    /// A conversation became open, pending or snoozed.
    ConversationUpdated = "conversation.updated" from &["conversation.updated"];
    /// A conversation was resolved.
    ConversationResolved = "conversation.resolved" from &["conversation.resolved"];
}

impl EventType {
    /// The kind of a recorded event.
    pub fn of(recorded: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|kind| kind.heard().contains(&recorded))
    }

    /// The data that webhooks get.
    pub fn data(self, contact: ContactId, event: &Event) -> Value {
        let given = &event.data;
        let mut data = Map::new();
        data.insert("contact_id".to_owned(), json!(contact));
        let mut add = |name: &str, value: Value| {
            data.insert(name.to_owned(), value);
        };
        match self {
            Self::ContactCreated => {
                add("source", given["source"].clone());
                add("tags", json!(as_spelt(&given["tag"])));
                add("list_ids", list(&given["list_id"]));
            }
            Self::ContactUpdated => {
                let fields = given["fields"].as_object();
                let names: Vec<&String> = fields.into_iter().flat_map(Map::keys).collect();
                add("by", json!(event.source));
                add("fields", json!(names));
                add("custom_fields", list(&given["custom_fields"]));
                for name in ["tags_added", "tags_removed", "lists_joined", "lists_left"] {
                    add(name, list(&given[name]));
                }
            }
            Self::ContactDeleted => {}
            Self::ContactSubscribed | Self::ContactUnsubscribed => {
                for name in ["channels", "purposes", "decision", "method"] {
                    add(name, given[name].clone());
                }
            }
            Self::ContactTagged | Self::ContactUntagged => {
                add("by", json!(event.source));
                add("tags", json!(as_spelt(&given["tag"])));
            }
            Self::ContactSegmentEntered | Self::ContactSegmentLeft => {
                add("segment_id", given["segment_id"].clone());
            }
            Self::MessageSent
            | Self::MessageDelivered
            | Self::MessageFailed
            | Self::MessageSoftBounced
            | Self::MessageOpened
            | Self::MessageClicked
            | Self::MessageBounced
            | Self::MessageComplained => {
                let campaign = given["campaign_id"].clone();
                let scope = &given["scope"];
                let enrollment = campaign.is_null().then(|| scope.clone());
                // Events from before the other channels name none.
                let channel = given["channel"].as_str().unwrap_or("email");
                add("channel", json!(channel));
                add("campaign_id", campaign);
                add("enrollment_id", enrollment.unwrap_or_default());
                add("step", given["step"].clone());
                match self {
                    Self::MessageClicked => add("url", json!(plain_url(&given["url"]))),
                    Self::MessageBounced | Self::MessageSoftBounced | Self::MessageComplained => {
                        add("kind", given["kind"].clone());
                    }
                    Self::MessageFailed => add("reason", given["reason"].clone()),
                    _ => {}
                }
            }
            Self::OrderCreated | Self::OrderUpdated => {
                add("event", json!(event.name));
                for name in [
                    "order_id",
                    "code",
                    "source",
                    "shop",
                    "status",
                    "payment_status",
                    "payment_method",
                    "total",
                    "currency",
                ] {
                    add(name, given[name].clone());
                }
            }
            Self::ConversationCreated => {
                add("conversation_id", given["conversation_id"].clone());
                add("inbox_id", given["inbox_id"].clone());
            }
            Self::ConversationUpdated | Self::ConversationResolved => {
                add("by", json!(event.source));
                for name in ["conversation_id", "inbox_id", "status"] {
                    add(name, given[name].clone());
                }
            }
        }
        data.into()
    }
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(serialize_with = "kernel::clock::millis")]
    timestamp: Timestamp,
    workspace_id: WorkspaceId,
    id: &'a DeliveryId,
    data: Value,
}

/// The body of a request, as JSON text.
pub(crate) fn body(
    kind: &str,
    timestamp: Timestamp,
    workspace_id: WorkspaceId,
    id: &DeliveryId,
    data: Value,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Body {
        kind,
        timestamp,
        workspace_id,
        id,
        data,
    })
}

fn list(value: &Value) -> Value {
    match value {
        Value::Array(_) => value.clone(),
        _ => json!([]),
    }
}

/// The tags without the spellings that only serve to compare.
fn as_spelt(tags: &Value) -> Vec<&str> {
    let mut spelt: Vec<&str> = Vec::new();
    let tags = tags.as_array().into_iter().flatten();
    for tag in tags.filter_map(Value::as_str) {
        if spelt.iter().all(|before| alike(before) != tag) {
            spelt.push(tag);
        }
    }
    spelt
}

/// A link without its query and fragment, which may name a person.
fn plain_url(url: &Value) -> Option<&str> {
    url.as_str()?.split(['?', '#']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: Value) -> Event {
        Event {
            id: "e".into(),
            name: name.into(),
            at: Timestamp::UNIX_EPOCH,
            source: "api".into(),
            data,
        }
    }

    fn told(name: &str, data: Value) -> Value {
        let contact = "con_0123456789a".parse().unwrap();
        EventType::of(name)
            .unwrap()
            .data(contact, &event(name, data))
    }

    #[test]
    fn each_recorded_name_is_of_one_kind() {
        let mut heard: Vec<&str> = EventType::ALL
            .iter()
            .flat_map(|kind| kind.heard())
            .copied()
            .collect();
        let all = heard.len();
        heard.sort_unstable();
        heard.dedup();
        assert_eq!(heard.len(), all);
        assert_eq!(EventType::of("page.viewed"), None);
        assert_eq!(
            EventType::of(contacts::GONE),
            Some(EventType::ContactDeleted)
        );
    }

    #[test]
    fn a_change_tells_names_and_no_values() {
        let given = json!({ "fields": { "full_name": { "old": "Lan", "new": "Lan Anh" } }, "custom_fields": ["size"] });
        let data = told("contact.updated", given);
        assert_eq!(data["fields"], json!(["full_name"]));
        assert!(!data.to_string().contains("Lan"));
    }

    #[test]
    fn tags_are_told_as_they_are_spelt() {
        let given = json!({ "tag": ["VIP", "sỉ", alike("VIP"), alike("sỉ")] });
        assert_eq!(
            told("contact.tag_added", given)["tags"],
            json!(["VIP", "sỉ"])
        );
    }

    #[test]
    fn a_link_is_told_without_its_query() {
        let given = json!({ "scope": "enr_1", "step": "m", "url": "https://shop.example/a?email=lan@example.vn#x" });
        let data = told("message.clicked", given);
        assert_eq!(data["url"], "https://shop.example/a");
        assert_eq!(data["enrollment_id"], "enr_1");
        assert_eq!(data["campaign_id"], Value::Null);
    }
}
