//! The effects of a message's row: notices for open browsers, answers for the channel.
//!
//! Pure: `change-relay` runs these functions on images from the table's stream (docs/adr/0003). They decide which
//! browsers are notified of a message. A visitor is notified only of messages that [`Message::for_visitor`] shows.

use cloud::outbox::{Image, Rule};
use cloud::{Effect, Error};
use serde_json::json;

use crate::body::{Address, Answer, Author, Event, Happened, Notice, OutboundMessage, What};
use crate::keys::Position;
use crate::model::{Delivery, Kind, Message, Sender};
use crate::store::Row;

/// Longest text in a notice and in an answer's message, in bytes. A longer text is read by the cursor. A frame holds
/// the notices of a second, and WebSocket messages are billed by 32 KB.
pub const LIVE_TEXT: usize = 1_000;

/// A new message: notifies the agents, and the visitor of the visitor's own message. The visitor is notified of an
/// answer once its channel has accepted it.
pub(crate) const NEW: Rule = Rule {
    name: "chat.new",
    messages: new,
};
/// The state of an answer's delivery changed: notifies the agents, and the visitor if the answer has arrived.
pub(crate) const UPDATED: Rule = Rule {
    name: "chat.updated",
    messages: updated,
};
/// A new answer: sends it to its channel, in the order of its conversation.
pub(crate) const ANSWER: Rule = Rule {
    name: "chat.answer",
    messages: answer,
};

/// A line that tells a change of the status: tells webhooks.
pub(crate) const HOOKED: Rule = Rule {
    name: "chat.hooked",
    messages: hooked,
};

/// All rules of the table Chat.
pub const EFFECTS: &[Rule] = &[NEW, UPDATED, ANSWER, HOOKED];

fn new(image: &Image) -> Result<Vec<Effect>, Error> {
    let Row { message, to, .. } = image.row()?;
    let visitor = to.filter(|_| message.kind == Kind::Incoming);
    notice(image, &message, What::New, visitor)
}

fn updated(image: &Image) -> Result<Vec<Effect>, Error> {
    let Row { message, to, .. } = image.row()?;
    let visitor = to.filter(|_| message.delivery != Delivery::Failed);
    notice(image, &message, What::Updated, visitor)
}

fn notice(
    image: &Image,
    message: &Message,
    what: What,
    visitor: Option<Address>,
) -> Result<Vec<Effect>, Error> {
    let event = Event {
        cursor: Position::before(message.at),
        conversation_id: message.conversation,
        message_id: message.id,
        r#type: what,
        at: message.at,
        author: match message.kind {
            Kind::Incoming => Author::Visitor,
            Kind::Outgoing => Author::Agent,
            Kind::Activity => Author::System,
        },
        private: message.private,
        status: message.delivery,
        text: live(message),
    };
    let what = match what {
        What::New => "new",
        What::Updated => "updated",
    };
    let id = format!("{}.{what}", message.id);
    let notice = Notice::V1(Happened { visitor, event });
    Ok(vec![Effect::new(image.tenant(), id, &notice)?])
}

fn answer(image: &Image) -> Result<Vec<Effect>, Error> {
    let row: Row = image.row()?;
    let (Some(to), Some(channel)) = (row.to, row.channel) else {
        let flaw = "an answer's row names no visitor or no channel";
        return Err(Error::Shape(flaw.into()));
    };
    let message = row.message;
    let answer = Answer {
        conversation: message.conversation,
        message: message.id,
        at: message.at,
        channel,
        to,
        text: live(&message),
    };
    let body = OutboundMessage::V1(answer);
    // A FIFO queue is one for all tenants, and ids are unique within a tenant only.
    let tenant = image.tenant();
    let effect = Effect::new(tenant, format!("{tenant}#{}", message.id), &body)?;
    Ok(vec![
        effect.in_group(format!("{tenant}#{}", message.conversation)),
    ])
}

fn hooked(image: &Image) -> Result<Vec<Effect>, Error> {
    let row: Row = image.row()?;
    let told = row.told;
    let told = told.ok_or_else(|| Error::Shape("a line tells no change".into()))?;
    let message = row.message;
    let by = match message.sender {
        Sender::Contact { .. } => "contact",
        Sender::Agent { .. } => "agent",
        Sender::System => "system",
    };
    let event = contacts::Event {
        id: message.id.to_string(),
        name: told.event().to_owned(),
        at: message.at,
        source: by.to_owned(),
        data: json!({
            "conversation_id": message.conversation, "inbox_id": told.inbox, "status": told.status,
        }),
    };
    let effect = contacts::for_webhooks(image.tenant(), told.contact, vec![event], message.at)?;
    Ok(vec![effect])
}

fn live(message: &Message) -> Option<String> {
    (message.content.len() <= LIVE_TEXT).then(|| message.content.clone())
}

#[cfg(test)]
mod tests {
    use cloud::outbox::effects_of;
    use serde_json::Value;

    use super::*;

    const VISITOR: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

    /// A message's row in its table's stream.
    fn image(kind: &str, names: &[&str], other: &Value) -> Value {
        let pending = json!({ "names": names, "trace": "t" });
        let mut image = json!({
            "pk": { "S": "ws_00000000001#cnv_0000000000a" },
            "sk": { "S": "M#2026-03-02T08:00:00.000Z#msg_0000000000c" },
            "id": { "S": "msg_0000000000c" },
            "conversation": { "S": "cnv_0000000000a" },
            "at": { "S": "2026-03-02T08:00:00Z" },
            "kind": { "S": kind },
            "content": { "S": "Còn hàng không?" },
            "private": { "BOOL": false },
            "sender": { "M": { "kind": { "S": "system" } } },
            "delivery": { "S": "sent" },
            "origin": { "S": "o" },
            "rank": { "N": "1" },
            "to": { "M": { "inbox": { "S": "inb_0000000000b" }, "visitor": { "S": VISITOR } } },
            "channel": { "S": "website" },
            "pending": { "S": pending.to_string() },
        });
        let other = other.as_object().unwrap().clone();
        image.as_object_mut().unwrap().extend(other);
        image
    }

    fn bodies(image: &Value) -> Vec<Value> {
        let effects = effects_of(EFFECTS, image).unwrap();
        let body = |effect: &Effect| serde_json::from_str::<Value>(&effect.text).unwrap();
        effects
            .iter()
            .map(|effect| body(effect)["body"].clone())
            .collect()
    }

    #[test]
    fn a_visitors_message_is_told_to_the_agents_and_to_its_author() {
        let image = image("incoming", &["chat.new"], &json!({}));
        let effects = effects_of(EFFECTS, &image).unwrap();
        assert_eq!(effects.len(), 1);
        assert_eq!(effects[0].queue.as_str(), "chat-notify");
        assert_eq!(effects[0].id, "msg_0000000000c.new");
        assert_eq!(effects[0].group, "ws_00000000001");
        let expected = json!({
            "type": "chat.notice.v1",
            "visitor": { "inbox": "inb_0000000000b", "visitor": VISITOR },
            "event": {
                "cursor": Position::before("2026-03-02T08:00:00Z".parse().unwrap()),
                "conversation_id": "cnv_0000000000a",
                "message_id": "msg_0000000000c",
                "type": "message.new",
                "created_at": "2026-03-02T08:00:00.000Z",
                "author": "visitor",
                "private": false,
                "status": "sent",
                "content": "Còn hàng không?",
            },
        });
        assert_eq!(bodies(&image), [expected]);
    }

    #[test]
    fn an_answer_goes_to_its_channel_in_the_order_of_its_conversation() {
        let sending = json!({ "delivery": { "S": "sending" } });
        let image = image("outgoing", &["chat.new", "chat.answer"], &sending);
        let effects = effects_of(EFFECTS, &image).unwrap();
        assert_eq!(effects[1].queue.as_str(), "chat-out");
        assert_eq!(effects[1].id, "ws_00000000001#msg_0000000000c");
        assert_eq!(effects[1].group, "ws_00000000001#cnv_0000000000a");
        assert_eq!(effects[1].trace.as_deref(), Some("t"));
        let bodies = bodies(&image);
        assert_eq!(bodies[0]["visitor"], Value::Null, "not before it is sent");
        let expected = json!({
            "type": "chat.answer.v1",
            "conversation": "cnv_0000000000a",
            "message": "msg_0000000000c",
            "at": "2026-03-02T08:00:00Z",
            "channel": "website",
            "to": { "inbox": "inb_0000000000b", "visitor": VISITOR },
            "text": "Còn hàng không?",
        });
        assert_eq!(bodies[1], expected);
    }

    #[test]
    fn a_visitor_hears_of_an_answer_that_has_arrived_only() {
        for (delivery, hears) in [("sent", true), ("failed", false), ("read", true)] {
            let image = image(
                "outgoing",
                &["chat.updated"],
                &json!({ "delivery": { "S": delivery } }),
            );
            let body = &bodies(&image)[0];
            assert_eq!(body["visitor"].is_object(), hears, "{delivery}");
            let event = &body["event"];
            assert_eq!(
                (&event["type"], &event["author"], &event["status"]),
                (&json!("message.updated"), &json!("agent"), &json!(delivery))
            );
        }
    }

    #[test]
    fn a_note_and_a_line_are_told_to_agents_only() {
        // The store writes no visitor into such a row.
        for kind in ["outgoing", "activity"] {
            let nobody = json!({ "private": { "BOOL": true }, "to": { "NULL": true } });
            let image = image(kind, &["chat.new"], &nobody);
            assert_eq!(bodies(&image)[0]["visitor"], Value::Null, "{kind}");
        }
    }

    #[test]
    fn a_change_of_the_status_is_told_to_webhooks() {
        let told = |status: &str| {
            let told = json!({ "M": { "contact": { "S": "con_0000000000d" },
                "inbox": { "S": "inb_0000000000b" }, "status": { "S": status } } });
            image("activity", &["chat.hooked"], &json!({ "told": told }))
        };
        for (status, name) in [
            ("resolved", "conversation.resolved"),
            ("snoozed", "conversation.updated"),
        ] {
            let effects = effects_of(EFFECTS, &told(status)).unwrap();
            assert_eq!(effects[0].queue.as_str(), "webhooks");
            let event = &bodies(&told(status))[0]["events"][0];
            assert_eq!(event["name"], name);
            let data = json!({ "conversation_id": "cnv_0000000000a", "inbox_id": "inb_0000000000b", "status": status });
            assert_eq!(event["data"], data);
        }
    }

    #[test]
    fn a_long_text_stays_behind() {
        let long = json!({ "content": { "S": "x".repeat(LIVE_TEXT + 1) } });
        let image = image("outgoing", &["chat.new", "chat.answer"], &long);
        let bodies = bodies(&image);
        assert_eq!(bodies[0]["event"]["text"], Value::Null);
        assert_eq!(bodies[1]["text"], Value::Null);
    }
}
