//! Chat's rows: headers, pointers, claims, messages. Also the rule that gives a message its one place.
//!
//! A message's place is its time and an id derived from its origin (the author and the id that the author gave). The
//! claim row keeps the time of the first attempt, so every repetition finds the same place. Two messages that
//! collide there are separated by a millisecond, the same way each time.
//!
//! A reader continues from a cursor that is [`SETTLED`]. So a message that arrives later than [`IN_TIME`], for
//! example from a dead-letter queue, gets a newer place. A claim of that age without its message is moved there
//! too. Between the two limits, a run that read the claim in time may still write to the old place. A run in that
//! interval must retry later.

use cloud::outbox::Rule;
use cloud::{Created, Error, Pending, Resources, Table, Update, UpdateOutcome};
use contacts::Listeners;
use jiff::{SignedDuration, Timestamp};
use kernel::{ContactId, ConversationId, InboxId, MessageId, TenantKey, clock::sortable};
use serde::{Deserialize, Serialize};

use crate::body::Address;
use crate::keys;
use crate::model::{Channel, Conversation, Delivery, Kind, Message, Sender, Status, Visitor};
use crate::notice;

/// How many milliseconds a message may be moved to find a free place. One collision is a 4,096th of
/// the messages that share a millisecond and a conversation.
const STEPS: i64 = 8;

/// Oldest time that a new message may use. The inbound queue dead-letters a message after five tries of a minute
/// each.
const IN_TIME: SignedDuration = SignedDuration::from_mins(5);
/// No message can still appear at a place of this age: no run lives a minute.
pub const SETTLED: SignedDuration = SignedDuration::from_mins(6);

/// The chat table; cheap to clone.
#[derive(Clone, Debug)]
pub struct Chat {
    pub(crate) table: Table,
    /// The events that webhooks want; absent in functions that change no status.
    listeners: Option<Listeners>,
}

/// The one conversation of a visitor in an inbox, with all data that its header begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pointer {
    pub conversation: ConversationId,
    pub contact: ContactId,
    pub at: Timestamp,
    pub begun_by: String,
}

/// How long a claim is kept. Its message may be redelivered from a queue (14 days) or a dead-letter queue (14 more).
const CLAIMED_SECONDS: i64 = 35 * 24 * 3600;

/// The time that the first attempt gave a message.
#[derive(Serialize, Deserialize)]
struct Claim {
    at: Timestamp,
    ttl: i64,
}

/// A message as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub message: Message,
    pub origin: String,
    pub rank: u32,
    /// The visitor who is notified of it besides the agents; absent in notes and activity lines.
    #[serde(default)]
    pub to: Option<Address>,
    /// Channel of an answer.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// The change that webhooks are told; present if one wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    #[serde(default)]
    pending: Pending,
}

/// A change of a conversation's status, for webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub contact: ContactId,
    pub inbox: InboxId,
    pub status: Status,
}

impl Told {
    /// The name of the event.
    pub fn event(&self) -> &'static str {
        match self.status {
            Status::Resolved => "conversation.resolved",
            Status::Open | Status::Pending | Status::Snoozed => "conversation.updated",
        }
    }
}

/// The content of a message, before it has a place.
pub(crate) struct Draft {
    pub origin: String,
    pub kind: Kind,
    pub content: String,
    pub private: bool,
    pub sender: Sender,
    pub delivery: Delivery,
    pub client_msg_id: Option<String>,
    /// When the customer sent it. The message keeps it if its place is later.
    pub sent_at: Option<Timestamp>,
    /// The new status, of a line that tells a change of the status.
    pub status: Option<Status>,
}

/// Names a message by its author and the id that the author gave it.
pub(crate) fn origin(author: &str, client_msg_id: &str) -> String {
    kernel::hash::name(&[author, client_msg_id])
}

/// The instant in whole milliseconds: keys hold no more.
pub(crate) fn whole_ms(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

fn place(
    conversation: ConversationId,
    origin: &str,
    at: Timestamp,
    step: i64,
) -> Result<(Timestamp, MessageId), Error> {
    let at = at.checked_add(SignedDuration::from_millis(step));
    let at = at.map_err(|error| Error::Shape(error.to_string()))?;
    Ok((
        at,
        MessageId::derived(at, &[&conversation.to_string(), origin]),
    ))
}

/// The row of a new message, with its effects.
fn row(conversation: &Conversation, message: Message, origin: &str, told: Option<&Told>) -> Row {
    let is_answer = message.kind == Kind::Outgoing && !message.private;
    let is_for_visitor = is_answer || message.kind == Kind::Incoming;
    let effects: &[Rule] = match told {
        _ if is_answer => &[notice::NEW, notice::ANSWER],
        Some(_) => &[notice::NEW, notice::HOOKED],
        None => &[notice::NEW],
    };
    Row {
        origin: origin.to_owned(),
        rank: message.delivery.rank(),
        to: is_for_visitor.then(|| Address {
            inbox: conversation.inbox,
            visitor: conversation.visitor.clone(),
        }),
        channel: is_answer.then_some(conversation.channel),
        told: told.cloned(),
        pending: Pending::of(effects),
        message,
    }
}

impl Chat {
    /// Over the table Chat.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Chat"),
            listeners: None,
        }
    }

    /// Over the tables Chat and Directory: webhooks are told the changes of a status that they want.
    pub fn telling(resources: &Resources) -> Self {
        Self {
            listeners: Some(Listeners::over(resources)),
            ..Self::over(resources)
        }
    }

    /// The change of a status, if a webhook wants it.
    async fn told(
        &self,
        tenant: TenantKey,
        conversation: &Conversation,
        status: Option<Status>,
    ) -> Result<Option<Told>, Error> {
        let (Some(status), Some(listeners)) = (status, &self.listeners) else {
            return Ok(None);
        };
        let told = Told {
            contact: conversation.contact,
            inbox: conversation.inbox,
            status,
        };
        let is_wanted = listeners.hooks_any(tenant, [told.event()]).await?;
        Ok(is_wanted.then_some(told))
    }

    /// The conversation, if this tenant has it.
    pub async fn conversation(
        &self,
        tenant: TenantKey,
        id: ConversationId,
    ) -> Result<Option<Conversation>, Error> {
        self.table.get(&keys::header(tenant, id)).await
    }

    /// The conversation of a visitor's browser, once the visitor has written.
    pub async fn conversation_of(
        &self,
        tenant: TenantKey,
        inbox: InboxId,
        visitor: &Visitor,
    ) -> Result<Option<ConversationId>, Error> {
        let pointer = self.pointer(tenant, inbox, visitor).await?;
        Ok(pointer.map(|pointer| pointer.conversation))
    }

    pub(crate) async fn pointer(
        &self,
        tenant: TenantKey,
        inbox: InboxId,
        visitor: &Visitor,
    ) -> Result<Option<Pointer>, Error> {
        self.table.get(&keys::pointer(tenant, inbox, visitor)).await
    }

    /// The time of this message's place, and the message if it is stored already.
    pub(crate) async fn claim(
        &self,
        tenant: TenantKey,
        conversation: ConversationId,
        origin: &str,
        at: Timestamp,
    ) -> Result<(Timestamp, Option<Message>), Error> {
        let now = self.table.clock().now();
        let at = whole_ms(at.max(now - IN_TIME));
        let key = keys::claim(tenant, conversation, origin);
        let ttl = now.as_second() + CLAIMED_SECONDS;
        let claimed = match self.table.create(&key, &Claim { at, ttl }).await? {
            Created::New => return Ok((at, None)),
            Created::Existing(claim) => claim.at,
        };
        let known = self.find(tenant, conversation, origin, claimed).await?;
        if known.is_some() || whole_ms(now - IN_TIME) <= claimed {
            return Ok((claimed, known));
        }
        if now - SETTLED < claimed {
            return Err(Error::Conflict);
        }
        let update = Update::new().set("at", at).when_equals("at", claimed);
        let outcome = self.table.update(&key, update).await?;
        if outcome.applied() {
            return Ok((at, None));
        }
        // Another run has just moved it.
        let moved = outcome.item::<Claim>()?.ok_or(Error::Conflict)?.at;
        let known = self.find(tenant, conversation, origin, moved).await?;
        Ok((moved, known))
    }

    /// The message of this origin, if it is at this time's place.
    async fn find(
        &self,
        tenant: TenantKey,
        conversation: ConversationId,
        origin: &str,
        at: Timestamp,
    ) -> Result<Option<Message>, Error> {
        for step in 0..STEPS {
            let (place_at, id) = place(conversation, origin, at, step)?;
            let key = keys::message(tenant, conversation, place_at, id);
            match self.table.get::<Row>(&key).await? {
                Some(row) if row.origin == origin => return Ok(Some(row.message)),
                Some(_) => {}
                None => break,
            }
        }
        Ok(None)
    }

    /// Stores a message at its place, with its effects. A repetition finds the message of the first attempt.
    pub(crate) async fn add(
        &self,
        tenant: TenantKey,
        conversation: &Conversation,
        draft: Draft,
        at: Timestamp,
    ) -> Result<Message, Error> {
        let told = self.told(tenant, conversation, draft.status).await?;
        let mut message = Message {
            id: MessageId::derived(at, &[]),
            conversation: conversation.id,
            at,
            kind: draft.kind,
            content: draft.content,
            private: draft.private,
            sender: draft.sender,
            delivery: draft.delivery,
            failure: None,
            client_msg_id: draft.client_msg_id,
            sent_at: draft.sent_at.filter(|&sent_at| sent_at < at),
        };
        for step in 0..STEPS {
            (message.at, message.id) = place(conversation.id, &draft.origin, at, step)?;
            let row = row(conversation, message.clone(), &draft.origin, told.as_ref());
            let key = keys::message(tenant, conversation.id, message.at, message.id);
            match self.table.create(&key, &row).await? {
                Created::New => return Ok(message),
                Created::Existing(row) if row.origin == draft.origin => return Ok(row.message),
                Created::Existing(_) => {}
            }
        }
        Err(Error::Conflict)
    }

    /// Writes the activity line of a conversation's latest change, if there is one and its line is missing.
    pub(crate) async fn write_activity(
        &self,
        tenant: TenantKey,
        conversation: &Conversation,
    ) -> Result<(), Error> {
        let Some(change) = &conversation.change else {
            return Ok(());
        };
        let claim = self.claim(tenant, conversation.id, &change.origin, change.at);
        let (at, known) = claim.await?;
        if known.is_some() {
            return Ok(());
        }
        let draft = Draft {
            origin: change.origin.clone(),
            kind: Kind::Activity,
            content: change.text.clone(),
            private: false,
            sender: change.by.clone(),
            delivery: Delivery::Sent,
            client_msg_id: None,
            sent_at: None,
            status: change.status,
        };
        self.add(tenant, conversation, draft, at).await?;
        Ok(())
    }

    /// Raises the time of the newest message; an older one changes nothing.
    pub(crate) async fn raise_activity(
        &self,
        tenant: TenantKey,
        conversation: ConversationId,
        at: Timestamp,
    ) -> Result<(), Error> {
        let at = sortable(at);
        let update = Update::new()
            .set("last_activity", &at)
            .when_absent_or_less("last_activity", &at)
            .when_exists();
        self.table
            .update(&keys::header(tenant, conversation), update)
            .await?;
        Ok(())
    }

    /// Changes a header if it is still as it was read: each state change writes another `change`. `Err` holds the
    /// current header.
    pub(crate) async fn change_header(
        &self,
        tenant: TenantKey,
        read: &Conversation,
        update: Update,
    ) -> Result<Result<Conversation, Conversation>, Error> {
        let update = update
            .when_equals("status", read.status)
            .when_equals("last_activity", &read.last_activity);
        let update = match &read.change {
            Some(change) => update.when_equals("change", change),
            None => update.when_absent("change"),
        };
        let key = keys::header(tenant, read.id);
        let outcome = self.table.update(&key, update).await?;
        let applied = outcome.applied();
        let header = outcome.item::<Conversation>()?;
        let header = header.ok_or_else(|| Error::Shape("a conversation vanished".into()))?;
        Ok(if applied { Ok(header) } else { Err(header) })
    }

    /// Records the state of an answer's delivery, unless a higher rank is stored. `false`: there is no such message.
    pub(crate) async fn note_delivery(
        &self,
        tenant: TenantKey,
        answer: &crate::body::Answer,
        delivery: Delivery,
        failure: Option<&str>,
    ) -> Result<bool, Error> {
        let update = Update::new()
            .set("delivery", delivery)
            .set("rank", delivery.rank())
            .set_some("failure", failure)
            .set("pending", Pending::of(&[notice::UPDATED]))
            .when_absent_or_less("rank", delivery.rank())
            .when_exists();
        let key = keys::message(tenant, answer.conversation, answer.at, answer.message);
        Ok(match self.table.update(&key, update).await? {
            UpdateOutcome::Applied(_) => true,
            UpdateOutcome::Refused(item) => !item.is_empty(),
        })
    }
}
