//! The website's chat widget: its page, its sessions, and a visitor's own conversation.
//!
//! Trigger: public HTTP API routes `/chat/{inbox}…`. A session token that we signed names the visitor;
//! the browser's `Origin` must be one that the inbox allows. Effects: messages go to the queue `ChatIn`,
//! posts are counted, nothing else is written. A visitor reads its own conversation only, and no private note.

mod gate;
mod handler;
mod limits;
mod page;
mod state;

pub use handler::MAX_BODY;
pub use limits::{ADDRESS_POSTS, VISITOR_MESSAGES};

use accounts::RecentWorkspaces;
use chat::token::Tokens;
use chat::{Chat, InboxDoors};
use lambda::{ConfigError, Function, Setup};

use crate::limits::Limits;
use crate::state::Widget;

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::operations().into_openapi()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let widget = Widget {
        chat: Chat::over(resources),
        doors: InboxDoors::over(resources),
        workspaces: RecentWorkspaces::over(resources),
        tokens: Tokens::new(setup.secret("CHAT_SECRET")),
        limits: Limits::over(resources),
        incoming: resources.queue_of(),
        socket: setup.text("SOCKET_PUBLIC_URL").to_owned(),
        clock: setup.clock().clone(),
        entropy: setup.entropy().clone(),
    };
    Function::http(setup, handler::router(widget))
}
