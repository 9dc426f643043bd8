//! Maps requests to use cases.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::options;
use axum::{Router, middleware};
use chat::body::{Details, FromWidget, InboundMessage};
use chat::model::MAX_TEXT;
use chat::reading::{MessagePage, Portion};
use chat::token::Session;
use chat::{Door, MessageForVisitor, Position, Visitor};
use cloud::SendOptions;
use jiff::Timestamp;
use kernel::{Cursor, EmailAddress, InboxId, Limit, Phone};
use lambda::http::{Code, Json, Problem, Query, limit_body};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::Widget;
use crate::{gate, page};

const MAX_CLIENT_ID: usize = 64;
const MAX_NAME: usize = 100;
/// The longest text at four bytes a character, plus the other fields.
pub const MAX_BODY: usize = 100 * 1024;

pub fn router(widget: Widget) -> Router {
    // Preflights are answered by the gate; the routes must only know the method.
    let preflight = async || StatusCode::NO_CONTENT;
    let router = Router::from(operations())
        .route("/chat/{inbox}/sessions", options(preflight))
        .route("/chat/{inbox}/messages", options(preflight))
        .with_state(widget.clone());
    limit_body(router, MAX_BODY).route_layer(middleware::from_fn_with_state(widget, gate::check))
}

/// The operations, with their description for the reference.
pub fn operations() -> OpenApiRouter<Widget> {
    OpenApiRouter::new()
        .routes(routes!(show_page))
        .routes(routes!(open))
        .routes(routes!(read, write))
}

type Inbox = Extension<Door>;

/// Show the chat page.
///
/// A website shows it in a frame; see docs/widget.md.
#[utoipa::path(
    get,
    path = "/chat/{inbox}",
    operation_id = "showChatPage",
    tag = "widget",
    params(("inbox" = InboxId, Path, description = "The inbox")),
    security(()),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 403, description = "The inbox does not allow this origin"),
        (status = 404, description = "No such inbox"),
    ),
)]
async fn show_page(State(widget): State<Widget>, Extension(door): Inbox) -> Response {
    page::page(&door.inbox, &widget.socket, &widget.entropy.nonce())
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWidgetSession)]
struct NewSession {
    /// The visitor of an earlier session; left out, a new visitor is made.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-f]{32}$", max_length = 32)]
    visitor_id: Option<Visitor>,
}

/// The credential and addresses that the page needs to write and to receive.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = WidgetSession)]
struct Opened {
    /// Bearer token of the visitor, for this inbox.
    token: String,
    /// The visitor: keep it secret, and send it to come back to the conversation.
    #[schema(value_type = String)]
    visitor_id: Visitor,
    /// When the token ends, after 24 hours; a new session with `visitor_id` goes on.
    #[serde(serialize_with = "kernel::clock::millis")]
    expires_at: Timestamp,
    /// Address of the WebSocket API.
    socket: String,
    /// Name of the inbox, as a title.
    inbox_name: String,
}

/// Open a session of a visitor.
#[utoipa::path(
    post,
    path = "/chat/{inbox}/sessions",
    operation_id = "openWidgetSession",
    tag = "widget",
    params(("inbox" = InboxId, Path, description = "The inbox")),
    request_body = NewSession,
    security(()),
    responses(
        (status = 201, description = "Opened", body = Opened),
        (status = 400, description = "Not valid"),
        (status = 403, description = "The inbox does not allow this origin"),
        (status = 404, description = "No such inbox"),
        (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"),
    ),
)]
async fn open(
    State(widget): State<Widget>,
    Extension(door): Inbox,
    Json(new): Json<NewSession>,
) -> Result<(StatusCode, Json<Opened>), Problem> {
    let visitor = new.visitor_id;
    let session = Session {
        tenant: door.tenant,
        inbox: door.inbox.id,
        visitor: visitor.unwrap_or_else(|| Visitor::new(&widget.entropy)),
    };
    let (token, expires_at) = widget.tokens.issue(&session, widget.clock.now())?;
    let opened = Opened {
        token,
        visitor_id: session.visitor,
        expires_at,
        socket: widget.socket,
        inbox_name: door.inbox.name,
    };
    Ok((StatusCode::CREATED, Json(opened)))
}

/// The visitor whose token the request carries, if it is of this inbox.
fn session(widget: &Widget, door: &Door, headers: &HeaderMap) -> Result<Session, Problem> {
    let header = headers.get(header::AUTHORIZATION);
    let token = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    token
        .and_then(|token| widget.tokens.open(token, widget.clock.now()))
        .filter(|session| session.tenant == door.tenant && session.inbox == door.inbox.id)
        .ok_or_else(|| Problem::new(Code::Unauthenticated, "open a session of this inbox first"))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWidgetMessage)]
struct NewMessage {
    /// Names the message: the same id is stored once, however often it is sent.
    #[schema(min_length = 1, max_length = 64)]
    client_msg_id: String,
    /// Plain text.
    #[schema(min_length = 1, max_length = 20_000)]
    content: String,
    /// Name that the visitor gives; kept where the contact has none.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// Address that the visitor gives; not verified.
    #[schema(value_type = Option<EmailAddress>)]
    email: Option<String>,
    /// Vietnamese mobile number that the visitor gives; not verified.
    #[schema(value_type = Option<Phone>)]
    phone: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TakenWidgetMessage)]
struct Taken {
    client_msg_id: String,
}

/// Write a message as the visitor.
///
/// The message is readable a moment later, when its queue was processed.
#[utoipa::path(
    post,
    path = "/chat/{inbox}/messages",
    operation_id = "writeWidgetMessage",
    tag = "widget",
    params(("inbox" = InboxId, Path, description = "The inbox")),
    request_body = NewMessage,
    security(("visitor" = [])),
    responses(
        (status = 202, description = "On its queue", body = Taken),
        (status = 400, description = "Not valid"),
        (status = 401, description = "No session of this inbox"),
        (status = 403, description = "The inbox does not allow this origin"),
        (status = 404, description = "No such inbox"),
        (status = 413, description = "Too large"),
        (status = 415, description = "Not JSON"),
    ),
)]
async fn write(
    State(widget): State<Widget>,
    Extension(door): Inbox,
    headers: HeaderMap,
    Json(new): Json<NewMessage>,
) -> Result<(StatusCode, Json<Taken>), Problem> {
    let session = session(&widget, &door, &headers)?;
    widget.limits.message(&session).await?;
    if new.client_msg_id.is_empty() || new.client_msg_id.len() > MAX_CLIENT_ID {
        let message = "must have 1 to 64 bytes";
        return Err(Problem::invalid("/client_msg_id", message));
    }
    let text = chat::model::text(&new.content).ok_or_else(|| {
        let message = format!("must have 1 to {MAX_TEXT} characters, not only spaces");
        Problem::invalid("/content", message)
    })?;
    let message = InboundMessage::V1(FromWidget {
        inbox: session.inbox,
        visitor: session.visitor,
        client_msg_id: new.client_msg_id.clone(),
        sent_at: widget.clock.now(),
        text,
        details: details(new.name, new.email, new.phone)?,
    });
    let options = SendOptions::default();
    widget
        .incoming
        .send(session.tenant, &message, options)
        .await?;
    let client_msg_id = new.client_msg_id;
    Ok((StatusCode::ACCEPTED, Json(Taken { client_msg_id })))
}

/// The typed fields, each one checked; an empty field counts as absent.
fn details(
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
) -> Result<Details, Problem> {
    let typed = |field: Option<String>| {
        let field = field.map(|text| text.trim().to_owned());
        field.filter(|text| !text.is_empty())
    };
    let name = typed(name).map(|name| kernel::text::nfc(&name));
    if name
        .as_ref()
        .is_some_and(|name| name.chars().count() > MAX_NAME)
    {
        return Err(Problem::invalid(
            "/name",
            "must have at most 100 characters",
        ));
    }
    let email = typed(email).map(|email| email.parse());
    let email = email
        .transpose()
        .map_err(|_| Problem::invalid("/email", "must be an email address"))?;
    let phone = typed(phone).map(|phone| phone.parse::<Phone>());
    let phone = phone
        .transpose()
        .map_err(|_| Problem::invalid("/phone", "must be a Vietnamese mobile number"))?;
    Ok(Details { name, email, phone })
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ReadQuery {
    /// The `next` of the page before, or the `sync` of the last page; left out, from the beginning.
    #[param(value_type = Option<Cursor>)]
    after: Option<Position>,
    limit: Option<Limit>,
}

/// A page of a visitor's messages.
#[derive(utoipa::ToSchema)]
#[schema(as = WidgetMessages)]
#[expect(dead_code, reason = "only its schema is used")]
struct Messages {
    data: Vec<MessageForVisitor>,
    /// Give it as `after` to read on; null at the end.
    #[schema(required = true, value_type = Option<Cursor>)]
    next: Option<Position>,
    /// Give it as `after`, later, to read what came since. Null while there is a `next`, and before the first message.
    #[schema(required = true, value_type = Option<Cursor>)]
    sync: Option<Position>,
}

/// Read the visitor's own conversation, oldest first.
///
/// Read on until `next` is null; keep the `sync` of that page and read from there later. Messages of the last six
/// minutes are then returned again; drop those whose `id` you have.
#[utoipa::path(
    get,
    path = "/chat/{inbox}/messages",
    operation_id = "readWidgetMessages",
    tag = "widget",
    params(("inbox" = InboxId, Path, description = "The inbox"), ReadQuery),
    security(("visitor" = [])),
    responses(
        (status = 200, description = "Messages", body = Messages),
        (status = 400, description = "Not valid"),
        (status = 401, description = "No session of this inbox"),
        (status = 403, description = "The inbox does not allow this origin"),
        (status = 404, description = "No such inbox"),
    ),
)]
async fn read(
    State(widget): State<Widget>,
    Extension(door): Inbox,
    headers: HeaderMap,
    Query(query): Query<ReadQuery>,
) -> Result<Json<MessagePage<MessageForVisitor>>, Problem> {
    let session = session(&widget, &door, &headers)?;
    widget.limits.read(&session).await?;
    let (tenant, limit) = (session.tenant, query.limit.unwrap_or_default());
    let conversation = widget
        .chat
        .conversation_of(tenant, session.inbox, &session.visitor);
    let Some(conversation) = conversation.await? else {
        return Ok(Json(MessagePage {
            data: Vec::new(),
            next: None,
            sync: query.after,
        }));
    };
    let after = query.after.unwrap_or_else(Position::start);
    let stretch = widget.chat.follow(
        tenant,
        conversation,
        limit,
        after,
        Portion::Small,
        chat::Message::for_visitor,
    );
    Ok(Json(stretch.await?))
}
