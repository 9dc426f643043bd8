//! Requests to use cases.

use accounts::{Door, InboxDoor};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, middleware};
use chat::body::{Details, FromWidget, InboundMessage};
use chat::model::MAX_TEXT;
use chat::reading::{Portion, Stretch};
use chat::token::Session;
use chat::{MessageForVisitor, Position, Visitor};
use cloud::SendOptions;
use jiff::Timestamp;
use kernel::{Limit, Phone};
use lambda::http::{Code, Json, Problem, Query, limit_body};
use serde::{Deserialize, Serialize};

use crate::state::Widget;
use crate::{gate, page};

const MAX_CLIENT_ID: usize = 64;
const MAX_NAME: usize = 100;
/// The longest text in four bytes a character, and the rest around it.
const MAX_BODY: usize = 100 * 1024;

pub fn router(widget: Widget) -> Router {
    // Preflights are answered by the gate; the routes must only know the method.
    let preflight = async || StatusCode::NO_CONTENT;
    let router = Router::new()
        .route("/chat/{inbox}", get(show_page))
        .route("/chat/{inbox}/sessions", post(open).options(preflight))
        .route(
            "/chat/{inbox}/messages",
            get(read).post(write).options(preflight),
        )
        .with_state(widget.clone());
    limit_body(router, MAX_BODY).route_layer(middleware::from_fn_with_state(widget, gate::check))
}

type Inbox = Extension<Door<InboxDoor>>;

async fn show_page(State(widget): State<Widget>, Extension(door): Inbox) -> Response {
    page::page(&door.settings, &widget.socket, &widget.entropy.nonce())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSession {
    visitor_id: Option<Visitor>,
}

/// What the page needs to talk and listen.
#[derive(Serialize)]
struct Opened {
    token: String,
    visitor_id: Visitor,
    #[serde(serialize_with = "kernel::clock::millis")]
    expires_at: Timestamp,
    socket: String,
    inbox_name: String,
}

async fn open(
    State(widget): State<Widget>,
    Extension(door): Inbox,
    Json(new): Json<NewSession>,
) -> Result<(StatusCode, Json<Opened>), Problem> {
    let visitor = new.visitor_id;
    let session = Session {
        tenant: door.tenant,
        inbox: door.settings.id,
        visitor: visitor.unwrap_or_else(|| Visitor::new(&widget.entropy)),
    };
    let (token, expires_at) = widget.tokens.issue(&session, widget.clock.now())?;
    let opened = Opened {
        token,
        visitor_id: session.visitor,
        expires_at,
        socket: widget.socket,
        inbox_name: door.settings.name,
    };
    Ok((StatusCode::CREATED, Json(opened)))
}

/// The visitor whose token the request carries, if it is of this inbox.
fn session(
    widget: &Widget,
    door: &Door<InboxDoor>,
    headers: &HeaderMap,
) -> Result<Session, Problem> {
    let header = headers.get(header::AUTHORIZATION);
    let token = header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    token
        .and_then(|token| widget.tokens.open(token, widget.clock.now()))
        .filter(|session| session.tenant == door.tenant && session.inbox == door.settings.id)
        .ok_or_else(|| Problem::new(Code::Unauthenticated, "open a session of this inbox first"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    client_msg_id: String,
    content: String,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Serialize)]
struct Taken {
    client_msg_id: String,
}

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

/// What was typed, each field checked; an empty field says nothing.
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadQuery {
    after: Option<Position>,
    limit: Option<Limit>,
}

async fn read(
    State(widget): State<Widget>,
    Extension(door): Inbox,
    headers: HeaderMap,
    Query(query): Query<ReadQuery>,
) -> Result<Json<Stretch<MessageForVisitor>>, Problem> {
    let session = session(&widget, &door, &headers)?;
    widget.limits.read(&session).await?;
    let (tenant, limit) = (session.tenant, query.limit.unwrap_or_default());
    let conversation = widget
        .chat
        .conversation_of(tenant, session.inbox, &session.visitor);
    let Some(conversation) = conversation.await? else {
        return Ok(Json(Stretch {
            data: Vec::new(),
            next: query.after,
            more: false,
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
