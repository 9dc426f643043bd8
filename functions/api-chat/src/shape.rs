//! The shapes of the API's bodies and answers.

use chat::model::NOBODY;
use chat::{Channel, Conversation, Delivery, Inbox, Kind, Message, Position, Sender, Status};
use contacts::fields::Values;
use jiff::Timestamp;
use kernel::{ContactId, ConversationId, Cursor, InboxId, Limit, MessageId};
use serde::{Deserialize, Serialize};

/// `GET /v1/conversations`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Default `open`.
    pub status: Option<Status>,
    pub inbox_id: Option<InboxId>,
    pub limit: Option<Limit>,
    pub cursor: Option<Cursor>,
}

/// `GET /v1/inboxes`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct InboxesQuery {
    pub limit: Option<Limit>,
    pub cursor: Option<Cursor>,
}

/// `GET /v1/conversations/{id}/messages`: back in time from `cursor`, or forward from `after`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MessagesQuery {
    pub limit: Option<Limit>,
    #[param(value_type = Option<Cursor>)]
    pub cursor: Option<Position>,
    #[param(value_type = Option<Cursor>)]
    pub after: Option<Position>,
}

/// `POST /v1/conversations/{id}/messages`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    #[schema(min_length = 1, max_length = 20_000, example = "Dạ còn ạ")]
    pub content: String,
    /// For colleagues only.
    #[serde(default)]
    pub private: bool,
    #[schema(min_length = 1, max_length = 64)]
    pub client_msg_id: Option<String>,
}

/// `PATCH /v1/conversations/{id}`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationPatch {
    /// Values of the fields that `/v1/fields` defines for conversations, by key; null clears.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub custom: Values,
}

/// `POST /v1/conversations/{id}/status`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStatus {
    pub status: Status,
    /// With `snoozed`: when the conversation opens again by itself. Left out, it stays snoozed until the
    /// customer's next message.
    pub snoozed_until: Option<Timestamp>,
}

/// `POST /v1/conversations/{id}/mute`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMute {
    pub muted: bool,
}

/// A conversation in answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Conversation)]
pub struct ConversationView {
    id: ConversationId,
    inbox_id: InboxId,
    contact_id: ContactId,
    channel: Channel,
    status: Status,
    assignee_id: Option<String>,
    #[serde(serialize_with = "kernel::clock::millis")]
    snoozed_until: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    muted_until: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    last_activity_at: String,
    /// The values of its custom fields; null in lists, and in the answers that change a status.
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    custom: Option<Values>,
}

impl ConversationView {
    /// The same with the values of its custom fields.
    pub fn with_custom(mut self, custom: Values) -> Self {
        self.custom = Some(custom);
        self
    }
}

impl From<Conversation> for ConversationView {
    fn from(header: Conversation) -> Self {
        Self {
            id: header.id,
            inbox_id: header.inbox,
            contact_id: header.contact,
            channel: header.channel,
            status: header.status,
            assignee_id: Some(header.assignee).filter(|assignee| assignee != NOBODY),
            snoozed_until: header.snoozed_until,
            muted_until: header.muted_until,
            created_at: header.created_at,
            last_activity_at: header.last_activity,
            custom: None,
        }
    }
}

/// A message in answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Message)]
pub struct MessageView {
    id: MessageId,
    conversation_id: ConversationId,
    r#type: Kind,
    content: String,
    private: bool,
    sender: Sender,
    status: Delivery,
    failure: Option<String>,
    client_msg_id: Option<String>,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    /// When the customer sent it, if it was held up and came here minutes later.
    #[serde(serialize_with = "kernel::clock::millis")]
    sent_at: Option<Timestamp>,
}

impl From<Message> for MessageView {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            conversation_id: message.conversation,
            r#type: message.kind,
            content: message.content,
            private: message.private,
            sender: message.sender,
            status: message.delivery,
            failure: message.failure,
            client_msg_id: message.client_msg_id,
            created_at: message.at,
            sent_at: message.sent_at,
        }
    }
}

/// An inbox in answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Inbox)]
pub struct InboxView {
    id: InboxId,
    channel: Channel,
    name: String,
    allowed_origins: Vec<String>,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
}

impl From<Inbox> for InboxView {
    fn from(inbox: Inbox) -> Self {
        Self {
            id: inbox.id,
            channel: inbox.channel,
            name: inbox.name,
            allowed_origins: inbox.allowed_origins,
            created_at: inbox.created_at,
        }
    }
}
