//! Conversations and inboxes over HTTP.
//!
//! Trigger: HTTP API routes `/v1/conversations…` and `/v1/inboxes…`, behind the authorizer. Effects: rows
//! of the chat and directory tables; answers leave through the message's own pending effects. A
//! repeated answer with the same `client_msg_id` is the same message.

mod handler;
mod shape;

use accounts::Audit;
use chat::{Chat, InboxDoors, Inboxes};
use cloud::Timers;
use contacts::Fields;
use contacts::fields::Target;
use lambda::{ConfigError, Function, Setup, http};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let api = handler::Api {
        chat: Chat::telling(resources),
        inboxes: Inboxes::over(resources),
        audit: Audit::over(resources),
        fields: Fields::about(Target::Conversation, resources),
        timers: Timers::over(resources),
        doors: InboxDoors::over(resources),
        clock: setup.clock().clone(),
    };
    let audit = api.audit.clone();
    let router = http::on_refusal(
        handler::routes().with_state(api).into(),
        move |grant, permission, ip| {
            let audit = audit.clone();
            async move { audit.note_forbidden(&grant, permission, &ip).await }
        },
    );
    Function::api(setup, router)
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::routes().into_openapi()
}
