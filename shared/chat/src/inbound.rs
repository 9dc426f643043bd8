//! Receives a customer's message.
//!
//! Safe to run twice, late, in any order and concurrently with other runs, and to be killed at any point. Writes, in
//! this order:
//! 1. The pointer: one conversation per visitor and inbox. A second writer uses the pointer of the first.
//! 2. The header, made from the pointer, so every writer makes the same header.
//! 3. The contact's timeline entry, named by the message that began the conversation.
//! 4. The claim. It fixes the message's time to the time of the first attempt. A message that arrives too late for
//!    readers to see gets a later time (see `store.rs`).
//! 5. The typed details of the visitor; the reopening with its activity line; the newest time.
//! 6. The message itself, with its notice. It is the commit: a stored message is done. So a repetition never reopens
//!    a conversation that staff has closed since.

use cloud::{Created, Error, Resources, Table, Update};
use contacts::Contacts;
use jiff::{SignedDuration, Timestamp};
use kernel::{ConversationId, InboxId, TenantKey, clock::sortable};

use crate::body::{FromWidget, SnoozeOver};
use crate::keys;
use crate::model::{
    Change, Channel, Conversation, Delivery, Kind, NOBODY, Sender, Status, Visitor,
};
use crate::people;
use crate::store::{Chat, Draft, Pointer, origin, whole_ms};

/// Author part of a visitor message's origin.
const VISITOR: &str = "visitor";
/// How often a lost race is tried again before the message returns to its queue.
const ATTEMPTS: u32 = 6;
const LINE_BEFORE: SignedDuration = SignedDuration::from_millis(1);
const REOPENED: &str = "Khách hàng trả lời, cuộc trò chuyện được mở lại";

/// The outcome of a message; for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// This run stored it in its conversation.
    Stored,
    /// It was stored already.
    Known,
}

/// Receives customers' messages.
#[derive(Clone, Debug)]
pub struct Inbound {
    chat: Chat,
    contacts: Contacts,
}

impl Inbound {
    /// Over the tables of the chat and of the contacts.
    pub fn over(resources: &Resources) -> Self {
        Self {
            chat: Chat::telling(resources),
            contacts: Contacts::over(resources),
        }
    }

    /// Receives one message.
    pub async fn receive(
        &self,
        tenant: TenantKey,
        message: &FromWidget,
    ) -> Result<Received, Error> {
        let (conversation, joined) = self.conversation(tenant, message).await?;
        if conversation.begun_by == message.client_msg_id {
            people::tell_beginning(&self.contacts, tenant, &conversation).await?;
        }
        let origin = origin(VISITOR, &message.client_msg_id);
        let claim = self
            .chat
            .claim(tenant, conversation.id, &origin, message.sent_at);
        let (at, known) = claim.await?;
        if known.is_some() {
            return Ok(Received::Known);
        }
        // A visitor that has just become a contact has already saved its details.
        if !joined && !message.details.is_empty() {
            people::contact(&self.contacts, tenant, message).await?;
        }
        let conversation = self.reopen(tenant, conversation, &origin, at).await?;
        let draft = Draft {
            origin,
            kind: Kind::Incoming,
            content: message.text.clone(),
            private: false,
            sender: Sender::Contact {
                id: conversation.contact,
            },
            delivery: Delivery::Sent,
            client_msg_id: Some(message.client_msg_id.clone()),
            sent_at: Some(whole_ms(message.sent_at)),
            status: None,
        };
        self.chat.add(tenant, &conversation, draft, at).await?;
        Ok(Received::Stored)
    }

    /// Ends a snooze; returns whether this snooze was still the current one.
    pub async fn end_snooze(&self, tenant: TenantKey, over: &SnoozeOver) -> Result<bool, Error> {
        self.chat.end_snooze(tenant, over).await
    }

    /// The visitor's conversation, made if there is none; and whether its contact was looked up in this call.
    async fn conversation(
        &self,
        tenant: TenantKey,
        message: &FromWidget,
    ) -> Result<(Conversation, bool), Error> {
        let (inbox, visitor) = (message.inbox, &message.visitor);
        let mut joined = false;
        for attempt in 0..ATTEMPTS {
            let pointer = if let Some(pointer) = self.chat.pointer(tenant, inbox, visitor).await? {
                pointer
            } else {
                joined = true;
                self.begin(tenant, message).await?
            };
            let header = self.header(tenant, inbox, visitor, &pointer).await?;
            if header.inbox == inbox && header.visitor == *visitor {
                return Ok((header, joined));
            }
            // Two conversations drew the same id. This one was second and draws another id.
            self.point_elsewhere(tenant, message, &pointer, attempt)
                .await?;
        }
        Err(Error::Conflict)
    }

    async fn begin(&self, tenant: TenantKey, message: &FromWidget) -> Result<Pointer, Error> {
        let at = whole_ms(message.sent_at);
        let pointer = Pointer {
            conversation: conversation_id(at, message, 0),
            contact: people::contact(&self.contacts, tenant, message).await?,
            at,
            begun_by: message.client_msg_id.clone(),
        };
        let key = keys::pointer(tenant, message.inbox, &message.visitor);
        match self.table().create(&key, &pointer).await? {
            Created::New => Ok(pointer),
            Created::Existing(first) => Ok(first),
        }
    }

    /// The header under the pointer's id, made if there is none. The header may belong to another visitor.
    async fn header(
        &self,
        tenant: TenantKey,
        inbox: InboxId,
        visitor: &Visitor,
        pointer: &Pointer,
    ) -> Result<Conversation, Error> {
        let id = pointer.conversation;
        if let Some(header) = self.chat.conversation(tenant, id).await? {
            return Ok(header);
        }
        let header = Conversation {
            tenant: tenant.workspace(),
            id,
            inbox,
            channel: Channel::Website,
            visitor: visitor.clone(),
            contact: pointer.contact,
            status: Status::Open,
            assignee: NOBODY.to_owned(),
            last_activity: sortable(pointer.at),
            created_at: pointer.at,
            begun_by: pointer.begun_by.clone(),
            snoozed_until: None,
            muted_until: None,
            change: None,
        };
        match self
            .table()
            .create(&keys::header(tenant, id), &header)
            .await?
        {
            Created::New => Ok(header),
            Created::Existing(first) => Ok(first),
        }
    }

    async fn point_elsewhere(
        &self,
        tenant: TenantKey,
        message: &FromWidget,
        pointer: &Pointer,
        attempt: u32,
    ) -> Result<(), Error> {
        let next = conversation_id(pointer.at, message, attempt + 1);
        let update = Update::new()
            .set("conversation", next)
            .when_equals("conversation", pointer.conversation);
        let key = keys::pointer(tenant, message.inbox, &message.visitor);
        self.table().update(&key, update).await?;
        Ok(())
    }

    /// Reopens the conversation if it is closed, writes the activity line of the reopening, and raises the newest
    /// time. Each header write requires that no other writer changed the header.
    async fn reopen(
        &self,
        tenant: TenantKey,
        mut conversation: Conversation,
        origin: &str,
        at: Timestamp,
    ) -> Result<Conversation, Error> {
        let reopening = kernel::hash::name(&["reopened", origin]);
        for _ in 0..ATTEMPTS {
            let reopens = conversation.reopens_at(at);
            let own = |change: &Change| change.origin == reopening;
            // Write an activity line that a crash left out: the line of this reopening, or of the change that it
            // overwrites.
            if reopens || conversation.change.as_ref().is_some_and(own) {
                self.chat.write_activity(tenant, &conversation).await?;
            }
            let newest = sortable(at).max(conversation.last_activity.clone());
            if !reopens && newest == conversation.last_activity {
                return Ok(conversation);
            }
            let mut update = Update::new().set("last_activity", newest);
            if reopens {
                let change = Change {
                    origin: reopening.clone(),
                    // The activity line sorts directly before the message that caused it.
                    at: at.checked_sub(LINE_BEFORE).unwrap_or(at),
                    text: REOPENED.to_owned(),
                    by: Sender::Contact {
                        id: conversation.contact,
                    },
                    status: Some(Status::Open),
                };
                update = update
                    .set("status", Status::Open)
                    .set("change", change)
                    .remove("snoozed_until");
            }
            let changed = self.chat.change_header(tenant, &conversation, update);
            conversation = match changed.await? {
                Ok(header) | Err(header) => header,
            };
        }
        Err(Error::Conflict)
    }

    fn table(&self) -> &Table {
        &self.chat.table
    }
}

fn conversation_id(at: Timestamp, message: &FromWidget, attempt: u32) -> ConversationId {
    let inbox = message.inbox.to_string();
    let key = [&inbox, message.visitor.as_str(), &attempt.to_string()];
    ConversationId::derived(at, &key)
}
