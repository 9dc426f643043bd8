//! The website's chat widget: its page, its sessions, and a visitor's own conversation.
//!
//! Trigger: public HTTP API routes `/chat/{inbox}…`. A session token that we signed says who writes;
//! the browser's `Origin` must be one that the inbox allows. Effects: messages go to the queue `ChatIn`,
//! posts are counted, nothing else is written. A visitor reads its own conversation only, and no private note.

mod gate;
mod handler;
mod limits;
mod page;

use accounts::Doors;
use chat::Chat;
use chat::token::Tokens;
use cloud::Window;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CHAT_IN_QUEUE_URL",
    "CHAT_SECRET",
    "CHAT_TABLE",
    "DIRECTORY_TABLE",
    "LIMITS_TABLE",
    "SOCKET_PUBLIC_URL",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let widget = handler::Widget {
        chat: Chat::new(setup.table("CHAT_TABLE")?),
        doors: Doors::new(setup.table("DIRECTORY_TABLE")?),
        tokens: Tokens::new(setup.text("CHAT_SECRET")?),
        limits: limits::Limits::new(Window::new(setup.table("LIMITS_TABLE")?)),
        incoming: setup.queue_of()?,
        socket: setup.text("SOCKET_PUBLIC_URL")?.to_owned(),
        clock: setup.clock().clone(),
        entropy: setup.entropy().clone(),
    };
    Ok(Function::http(setup, handler::router(widget)))
}
