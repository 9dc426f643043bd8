//! The actions of staff: answer, note, change a conversation's status, mute it.
//!
//! A request may be repeated with the same `client_msg_id`, or ask for the state that the conversation already has.
//! It then has the effect of one request. It also writes an activity line that a crash left out.

use cloud::{Error, Timers, Update};
use jiff::Timestamp;
use kernel::{ConversationId, TenantKey};

use crate::body::{InboundMessage, SnoozeOver};
use crate::model::{Change, Conversation, Delivery, Kind, MUTE_SECONDS, Message, Sender, Status};
use crate::store::{Chat, Draft, origin};

/// How often a lost race is tried again before the caller gets an error.
const ATTEMPTS: u32 = 6;

const SNOOZE_OVER: &str = "Đã đến giờ nhắc lại, cuộc trò chuyện được mở";

/// The line that tells a change.
#[derive(Clone, Copy)]
struct Line {
    /// The text of the activity line.
    text: &'static str,
    /// The new status, of a change of the status.
    status: Option<Status>,
}

/// A message that staff writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Plain text, already bounded by [`crate::model::text`].
    pub content: String,
    /// A note for staff only.
    pub private: bool,
    /// The caller's id of the message. Two messages with one id are the same message.
    pub client_msg_id: Option<String>,
    /// Name of the request, if the client can repeat it. Two messages of one request are the same message.
    pub request: Option<String>,
    /// Public id of the credential.
    pub by: String,
}

impl Chat {
    /// Adds an answer, which is then sent to its channel, or a note, which is not sent. `None`: the tenant has no
    /// such conversation.
    pub async fn reply(
        &self,
        tenant: TenantKey,
        id: ConversationId,
        reply: Reply,
    ) -> Result<Option<Message>, Error> {
        let Some(conversation) = self.conversation(tenant, id).await? else {
            return Ok(None);
        };
        let now = crate::store::whole_ms(self.table.clock().now());
        let (origin, at) = match reply.client_msg_id.as_ref().or(reply.request.as_ref()) {
            Some(own_id) => {
                let origin = origin(&reply.by, own_id);
                let (at, known) = self.claim(tenant, id, &origin, now).await?;
                if known.is_some() {
                    return Ok(known);
                }
                (origin, at)
            }
            None => (self.table.entropy().nonce(), now),
        };
        self.raise_activity(tenant, id, at).await?;
        let draft = Draft {
            origin,
            kind: Kind::Outgoing,
            content: reply.content,
            private: reply.private,
            sender: Sender::Agent { id: reply.by },
            delivery: if reply.private {
                Delivery::Sent
            } else {
                Delivery::Sending
            },
            client_msg_id: reply.client_msg_id,
            sent_at: None,
            status: None,
        };
        self.add(tenant, &conversation, draft, at).await.map(Some)
    }

    /// Sets the conversation's status. `None`: the tenant has no such conversation. The timer of a snooze is written
    /// before the snooze, so every snooze ends (docs/adr/0006).
    pub async fn set_status(
        &self,
        timers: &Timers,
        tenant: TenantKey,
        id: ConversationId,
        status: Status,
        snoozed_until: Option<Timestamp>,
        by: &str,
    ) -> Result<Option<Conversation>, Error> {
        if let Some(until) = snoozed_until {
            if self.conversation(tenant, id).await?.is_none() {
                return Ok(None);
            }
            let body = InboundMessage::SnoozeOver(SnoozeOver {
                conversation: id,
                until,
            });
            let timer = format!("{id}#{}", kernel::clock::sortable(until));
            timers.schedule(tenant, &timer, until, &body).await?;
        }
        let there = |header: &Conversation| {
            header.status == status && header.snoozed_until == snoozed_until
        };
        let update = |update: Update| {
            let update = update.set("status", status);
            match snoozed_until {
                Some(until) => update.set("snoozed_until", until),
                None => update.remove("snoozed_until"),
            }
        };
        let line = Line {
            text: status_line(status),
            status: Some(status),
        };
        self.change(tenant, id, there, update, line, by).await
    }

    /// Opens a conversation whose snooze is over. False: it has no snooze until that time.
    pub async fn end_snooze(&self, tenant: TenantKey, over: &SnoozeOver) -> Result<bool, Error> {
        let Some(mut header) = self.conversation(tenant, over.conversation).await? else {
            return Ok(false);
        };
        let until = over.until.to_string();
        let origin = kernel::hash::name(&["snooze over", &over.conversation.to_string(), &until]);
        for _ in 0..ATTEMPTS {
            self.write_activity(tenant, &header).await?;
            if header.status != Status::Snoozed || header.snoozed_until != Some(over.until) {
                let own = |change: &Change| change.origin == origin;
                return Ok(header.change.as_ref().is_some_and(own));
            }
            let change = Change {
                origin: origin.clone(),
                at: crate::store::whole_ms(self.table.clock().now()),
                text: SNOOZE_OVER.to_owned(),
                by: Sender::System,
                status: Some(Status::Open),
            };
            let update = Update::new()
                .set("status", Status::Open)
                .set("change", change)
                .remove("snoozed_until");
            header = match self.change_header(tenant, &header, update).await? {
                Ok(header) | Err(header) => header,
            };
        }
        Err(Error::Conflict)
    }

    /// Mutes the customer for six hours: messages do not reopen the conversation. Or ends the mute. `None`: the
    /// tenant has no such conversation.
    pub async fn set_muted(
        &self,
        tenant: TenantKey,
        id: ConversationId,
        muted: bool,
        by: &str,
    ) -> Result<Option<Conversation>, Error> {
        let now = self.table.clock().now();
        let until = Timestamp::from_second(now.as_second() + MUTE_SECONDS)
            .map_err(|error| Error::Shape(error.to_string()))?;
        let there =
            |header: &Conversation| muted == header.muted_until.is_some_and(|until| until > now);
        let update = |update: Update| {
            if muted {
                update.set("muted_until", until)
            } else {
                update.remove("muted_until")
            }
        };
        let text = if muted {
            "Cuộc trò chuyện bị tắt tiếng trong 6 giờ"
        } else {
            "Cuộc trò chuyện được bật tiếng lại"
        };
        let line = Line { text, status: None };
        self.change(tenant, id, there, update, line, by).await
    }

    /// One change with its activity line, unless the conversation is `there` already. The header keeps only the last
    /// change. So an activity line of the change before that a crash left out is written first.
    async fn change(
        &self,
        tenant: TenantKey,
        id: ConversationId,
        there: impl Fn(&Conversation) -> bool,
        apply: impl Fn(Update) -> Update,
        line: Line,
        by: &str,
    ) -> Result<Option<Conversation>, Error> {
        let Some(mut header) = self.conversation(tenant, id).await? else {
            return Ok(None);
        };
        for _ in 0..ATTEMPTS {
            self.write_activity(tenant, &header).await?;
            if there(&header) {
                return Ok(Some(header));
            }
            let change = Change {
                origin: self.table.entropy().nonce(),
                at: crate::store::whole_ms(self.table.clock().now()),
                text: line.text.to_owned(),
                by: Sender::Agent { id: by.to_owned() },
                status: line.status,
            };
            let update = apply(Update::new().set("change", change));
            header = match self.change_header(tenant, &header, update).await? {
                Ok(header) | Err(header) => header,
            };
        }
        Err(Error::Conflict)
    }
}

fn status_line(status: Status) -> &'static str {
    match status {
        Status::Open => "Cuộc trò chuyện được mở",
        Status::Pending => "Cuộc trò chuyện chờ giải quyết",
        Status::Snoozed => "Cuộc trò chuyện sẽ được nhắc lại",
        Status::Resolved => "Cuộc trò chuyện đã được giải quyết",
    }
}
