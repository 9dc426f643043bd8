//! Maps requests to use cases. Another tenant's conversation is not found, since keys begin with the
//! caller's tenant.

use access::op;
use accounts::Audit;
use axum::extract::State;
use axum::http::StatusCode;
use chat::desk::Reply;
use chat::model::MAX_TEXT;
use chat::reading::{Filter, Portion};
use chat::{Chat, InboxDoors, InboxSettings, Inboxes, Message, Position, Status};
use cloud::Timers;
use contacts::Fields;
use kernel::page::Page;
use kernel::{Clock, ConversationId, Cursor, InboxId};
use lambda::http::{ClientIp, Creation, DRAWS, Flaws, Json, May, Path, Problem, Query};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::shape::{
    ConversationPatch, ConversationView, InboxView, InboxesQuery, ListQuery, MessageView,
    MessagesQuery, NewMessage, NewMute, NewStatus,
};

/// Longest `client_msg_id`.
const MAX_CLIENT_ID: usize = 64;

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub chat: Chat,
    pub inboxes: Inboxes,
    pub doors: InboxDoors,
    pub audit: Audit,
    /// The custom fields of conversations.
    pub fields: Fields,
    pub timers: Timers,
    pub clock: Clock,
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, update))
        .routes(routes!(messages, write))
        .routes(routes!(set_status))
        .routes(routes!(set_muted))
        .routes(routes!(inboxes, create_inbox))
}

fn no_conversation() -> Problem {
    Problem::not_found("conversation")
}

/// List conversations, newest activity first.
#[utoipa::path(
    get,
    path = "/v1/conversations",
    operation_id = "listConversations",
    tag = "conversations",
    params(ListQuery),
    responses((status = 200, description = "A page of conversations", body = Page<ConversationView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListConversations>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<ConversationView>>, Problem> {
    let filter = Filter {
        status: query.status.unwrap_or(Status::Open),
        inbox: query.inbox_id,
        // No operation assigns a conversation yet.
        assignee: None,
    };
    let limit = query.limit.unwrap_or_default();
    let page = api
        .chat
        .conversations(caller.tenant, &filter, limit, query.cursor);
    Ok(Json(page.await?.map(ConversationView::from)))
}

/// Show a conversation with the values of its custom fields.
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}",
    operation_id = "showConversation",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation")),
    responses((status = 200, description = "The conversation", body = ConversationView)),
)]
async fn one(
    State(api): State<Api>,
    caller: May<op::ShowConversation>,
    Path(id): Path<ConversationId>,
) -> Result<Json<ConversationView>, Problem> {
    let header = api.chat.conversation(caller.tenant, id).await?;
    let header = header.ok_or_else(no_conversation)?;
    let custom = api.chat.custom(caller.tenant, id).await?;
    Ok(Json(ConversationView::from(header).with_custom(custom)))
}

/// Change the custom fields of a conversation.
///
/// A JSON merge patch: absent fields stay, and null clears. `/v1/fields` defines the fields, with the target
/// `conversation`.
#[utoipa::path(
    patch,
    path = "/v1/conversations/{id}",
    operation_id = "updateConversation",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation")),
    request_body = ConversationPatch,
    responses((status = 200, description = "Changed", body = ConversationView)),
)]
async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateConversation>,
    Path(id): Path<ConversationId>,
    Json(body): Json<ConversationPatch>,
) -> Result<Json<ConversationView>, Problem> {
    let fields = api.fields.recent(caller.tenant).await?;
    let (change, wrong) = fields.judge(body.custom);
    Flaws::from_iter(wrong).refuse()?;
    let header = api.chat.conversation(caller.tenant, id).await?;
    let header = header.ok_or_else(no_conversation)?;
    let changed = api.chat.change_custom(caller.tenant, id, &change).await?;
    let custom = changed.map_err(|long| Problem::invalid("/custom", long.to_string()))?;
    Ok(Json(ConversationView::from(header).with_custom(custom)))
}

/// `{data, next}` of messages.
#[derive(Serialize, utoipa::ToSchema)]
struct Messages {
    data: Vec<MessageView>,
    /// Give it as `cursor` (or as `after`, going forward) to read on; null at the end.
    #[schema(required = true, value_type = Option<Cursor>)]
    next: Option<Position>,
    /// Give it as `after`, later, to read what came since; null while there is a `next` going forward.
    #[schema(required = true, value_type = Option<Cursor>)]
    sync: Option<Position>,
}

/// Read a conversation: back in time from `cursor`, or forward from `after`.
///
/// Without either, the newest messages. Going back, `next` is null at the beginning. Going forward, `next` is null
/// at the end, and `sync` is the place to read on from later. A message can be stored up to six minutes after its
/// time, so `sync` goes back as far; drop messages whose `id` you have. A first page back also has a `sync`, and so
/// does each event, as its `cursor` (docs/websocket.md).
#[utoipa::path(
    get,
    path = "/v1/conversations/{id}/messages",
    operation_id = "listMessages",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation"), MessagesQuery),
    responses((status = 200, description = "A page of messages", body = Messages)),
)]
async fn messages(
    State(api): State<Api>,
    caller: May<op::ListMessages>,
    Path(id): Path<ConversationId>,
    Query(query): Query<MessagesQuery>,
) -> Result<Json<Messages>, Problem> {
    let (tenant, limit) = (caller.tenant, query.limit.unwrap_or_default());
    let header = api.chat.conversation(tenant, id).await?;
    header.ok_or_else(no_conversation)?;
    let stretch = match (query.cursor, query.after) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid("?after", "give cursor or after, not both"));
        }
        (cursor, None) => api.chat.history(tenant, id, limit, cursor).await?,
        (None, Some(after)) => {
            let whole = Portion::Large;
            api.chat
                .follow(tenant, id, limit, after, whole, Some)
                .await?
        }
    };
    Ok(Json(Messages {
        data: stretch.data.into_iter().map(MessageView::from).collect(),
        next: stretch.next,
        sync: stretch.sync,
    }))
}

/// Answer the customer, or leave a note for colleagues.
///
/// The same `client_msg_id`, or the same `Idempotency-Key`, writes one message.
#[utoipa::path(
    post,
    path = "/v1/conversations/{id}/messages",
    operation_id = "writeMessage",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation")),
    request_body = NewMessage,
    responses((status = 201, description = "Written; it goes out", body = MessageView)),
)]
async fn write(
    State(api): State<Api>,
    caller: May<op::WriteMessage>,
    Creation(origin): Creation,
    Path(id): Path<ConversationId>,
    Json(new): Json<NewMessage>,
) -> Result<(StatusCode, Json<MessageView>), Problem> {
    let content = chat::model::text(&new.content).ok_or_else(|| {
        let message = format!("must have 1 to {MAX_TEXT} characters, not only spaces");
        Problem::invalid("/content", message)
    })?;
    let fits = |id: &str| !id.is_empty() && id.len() <= MAX_CLIENT_ID;
    if !new.client_msg_id.as_deref().is_none_or(fits) {
        let message = "must have 1 to 64 bytes";
        return Err(Problem::invalid("/client_msg_id", message));
    }
    let reply = Reply {
        content,
        private: new.private,
        client_msg_id: new.client_msg_id,
        request: origin.is_repeatable.then_some(origin.name),
        by: caller.actor.clone(),
    };
    let message: Option<Message> = api.chat.reply(caller.tenant, id, reply).await?;
    let message = message.ok_or_else(no_conversation)?;
    lambda::metrics::count("MessagesWritten", 1);
    Ok((StatusCode::CREATED, Json(message.into())))
}

/// Open, snooze or resolve a conversation.
#[utoipa::path(
    post,
    path = "/v1/conversations/{id}/status",
    operation_id = "setConversationStatus",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation")),
    request_body = NewStatus,
    responses((status = 200, description = "The conversation", body = ConversationView)),
)]
async fn set_status(
    State(api): State<Api>,
    caller: May<op::SetConversationStatus>,
    Path(id): Path<ConversationId>,
    Json(new): Json<NewStatus>,
) -> Result<Json<ConversationView>, Problem> {
    if let Some(until) = new.snoozed_until {
        if new.status != Status::Snoozed {
            let message = "goes with the status snoozed only";
            return Err(Problem::invalid("/snoozed_until", message));
        }
        if until <= api.clock.now() {
            return Err(Problem::invalid("/snoozed_until", "must be in the future"));
        }
    }
    let header = api.chat.set_status(
        &api.timers,
        caller.tenant,
        id,
        new.status,
        new.snoozed_until,
        &caller.actor,
    );
    Ok(Json(header.await?.ok_or_else(no_conversation)?.into()))
}

/// Mute a conversation: its customer's messages do not reopen it for six hours.
#[utoipa::path(
    post,
    path = "/v1/conversations/{id}/mute",
    operation_id = "muteConversation",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation")),
    request_body = NewMute,
    responses((status = 200, description = "The conversation", body = ConversationView)),
)]
async fn set_muted(
    State(api): State<Api>,
    caller: May<op::MuteConversation>,
    Path(id): Path<ConversationId>,
    Json(new): Json<NewMute>,
) -> Result<Json<ConversationView>, Problem> {
    let header = api
        .chat
        .set_muted(caller.tenant, id, new.muted, &caller.actor);
    Ok(Json(header.await?.ok_or_else(no_conversation)?.into()))
}

/// List the inboxes, oldest first.
#[utoipa::path(
    get,
    path = "/v1/inboxes",
    operation_id = "listInboxes",
    tag = "conversations",
    params(InboxesQuery),
    responses((status = 200, description = "A page of inboxes", body = Page<InboxView>)),
)]
async fn inboxes(
    State(api): State<Api>,
    caller: May<op::ListInboxes>,
    Query(query): Query<InboxesQuery>,
) -> Result<Json<Page<InboxView>>, Problem> {
    let limit = query.limit.unwrap_or_default();
    let page = api.inboxes.page(caller.tenant, limit, query.cursor);
    Ok(Json(page.await?.map(InboxView::from)))
}

/// Make an inbox for a website.
#[utoipa::path(
    post,
    path = "/v1/inboxes",
    operation_id = "createInbox",
    tag = "conversations",
    request_body = InboxSettings,
    responses((status = 201, description = "Made", body = InboxView)),
)]
async fn create_inbox(
    State(api): State<Api>,
    caller: May<op::CreateInbox>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(settings): Json<InboxSettings>,
) -> Result<(StatusCode, Json<InboxView>), Problem> {
    settings
        .check()
        .map_err(|(pointer, message)| Problem::invalid(pointer, message))?;
    let (tenant, origins) = (caller.tenant, &settings.allowed_origins);
    for draw in 0..DRAWS {
        let id = InboxId::of(&origin, draw);
        let grant = caller.grant();
        api.audit
            .note(grant, caller.permission(), id, &ip.0)
            .await?;
        // The public row is written first: it makes the id unique among all workspaces. Without the inbox the row
        // is an address that nobody knows.
        let door = api.doors.create(tenant, id, settings.name.trim(), origins);
        if door.await?
            && let Some(inbox) = api.inboxes.create(tenant, id, origin.at, &settings).await?
        {
            return Ok((StatusCode::CREATED, Json(inbox.into())));
        }
    }
    Err(cloud::Error::Conflict.into())
}
