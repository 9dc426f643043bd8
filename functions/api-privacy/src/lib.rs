//! Requests of persons about their own data, and the register of what the workspace holds, over HTTP.
//!
//! Trigger: HTTP API routes `/v1/privacy-requests…` and `/v1/compliance/register`, behind the authorizer. Effects: rows of the
//! directory table, each change after its entry in the audit log; a file with one contact's data; the consent of one contact.

mod file;
mod handler;
mod register;
mod shape;

use accounts::{Audit, PrivacyRequests, Senders};
use chat::{Chat, Inboxes};
use contacts::{Contacts, Notes};
use lambda::{ConfigError, Function, Setup, http};
use sources::Sources;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let api = handler::Api {
        requests: PrivacyRequests::over(resources),
        contacts: Contacts::over(resources),
        notes: Notes::over(resources),
        chat: Chat::over(resources),
        audit: Audit::over(resources),
        clock: setup.clock().clone(),
        files: resources.bucket("Imports"),
        sources: Sources::over(resources),
        senders: Senders::over(resources),
        inboxes: Inboxes::over(resources),
        region: setup.text("DEPLOYMENT_REGION").to_owned(),
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
