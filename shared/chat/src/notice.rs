//! The effects that messages bring: notices for open browsers, answers for the channel.
//!
//! Pure. Decides who may hear of a message: a visitor only of what [`Message::for_visitor`] shows.

use cloud::{Effect, Error};
use kernel::TenantKey;

use crate::body::{Address, Answer, Author, Event, Happened, Notice, OutboundMessage, What};
use crate::keys::Position;
use crate::model::{Conversation, Delivery, Kind, Message};

/// Longest text that travels with the effects, in bytes: the effects are stored in the message's item,
/// and a write is paid by the kilobyte.
pub const LIVE_TEXT: usize = 1_000;

impl Conversation {
    /// The visitor at the other end.
    pub(crate) fn address(&self) -> Address {
        Address {
            inbox: self.inbox,
            visitor: self.visitor.clone(),
        }
    }
}

fn live(message: &Message) -> Option<String> {
    (message.content.len() <= LIVE_TEXT).then(|| message.content.clone())
}

/// Tells the agents of a new message, and the visitor of its own: an answer is told to the visitor
/// once its channel has taken it.
pub(crate) fn of_new(
    tenant: TenantKey,
    conversation: &Conversation,
    message: &Message,
) -> Result<Effect, Error> {
    let event = Event {
        cursor: Position::before(message.at),
        conversation_id: message.conversation,
        message_id: message.id,
        r#type: What::New,
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
    let own = message.kind == Kind::Incoming;
    let visitor = own.then(|| conversation.address());
    let id = format!("{}.new", message.id);
    let notice = Notice::V1(Happened { visitor, event });
    Effect::new(tenant, id, &notice)
}

/// Tells of an answer that went on; the visitor hears of it if it has arrived.
pub(crate) fn of_progress(
    tenant: TenantKey,
    answer: &Answer,
    delivery: Delivery,
) -> Result<Effect, Error> {
    let event = Event {
        cursor: Position::before(answer.at),
        conversation_id: answer.conversation,
        message_id: answer.message,
        r#type: What::Updated,
        at: answer.at,
        author: Author::Agent,
        private: false,
        status: delivery,
        text: answer.text.clone(),
    };
    let arrived = delivery != Delivery::Failed;
    let visitor = arrived.then(|| answer.to.clone());
    let id = format!("{}.updated", answer.message);
    let notice = Notice::V1(Happened { visitor, event });
    Effect::new(tenant, id, &notice)
}

/// Sends an answer on its way, in the order of its conversation.
pub(crate) fn answer(
    tenant: TenantKey,
    conversation: &Conversation,
    message: &Message,
) -> Result<Effect, Error> {
    let answer = Answer {
        conversation: message.conversation,
        message: message.id,
        at: message.at,
        channel: conversation.channel,
        to: conversation.address(),
        text: live(message),
    };
    let body = OutboundMessage::V1(answer);
    let effect = Effect::new(tenant, message.id.to_string(), &body)?;
    Ok(effect.in_group(message.conversation.to_string()))
}
