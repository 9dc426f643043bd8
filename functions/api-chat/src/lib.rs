//! Conversations and inboxes over HTTP.
//!
//! Trigger: HTTP API routes `/v1/conversations…` and `/v1/inboxes…`, behind the authorizer. Effects: rows
//! of the chat and directory tables; answers leave through the message's own pending effects. An
//! answer with a `client_msg_id` may be sent again: it is the same message.

mod handler;
mod shape;

use accounts::{Audit, Doors};
use chat::{Chat, Inboxes};
use cloud::Timers;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CHAT_TABLE",
    "DEDUPE_TABLE",
    "DIRECTORY_TABLE",
    "LIMITS_TABLE",
    "TIMERS_TABLE",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let state = handler::Api {
        chat: Chat::new(setup.table("CHAT_TABLE")?),
        inboxes: Inboxes::new(setup.table("DIRECTORY_TABLE")?),
        audit: Audit::new(setup.table("DIRECTORY_TABLE")?),
        timers: Timers::new(setup.table("TIMERS_TABLE")?),
        doors: Doors::new(setup.table("DIRECTORY_TABLE")?),
        clock: setup.clock().clone(),
        entropy: setup.entropy().clone(),
    };
    let router: axum::Router = handler::routes().with_state(state).into();
    Function::api(setup, router)
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::routes().into_openapi()
}
