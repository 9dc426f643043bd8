//! Pages of signup forms, and their submissions.
//!
//! Trigger: HTTP API routes `/f/{form}…`, without the authorizer: anybody may open a published form. Effects: the judged
//! answers on the queue ingest, in one request to SQS; no write. Without an answer of SQS the visitor is asked to try
//! again: a form whose answer says that it was sent is not lost.

mod confirm;
mod handler;
mod reply;

use accounts::RecentWorkspaces;
use contacts::Fields;
use forms::{LinkKey, OpenForms};
use lambda::{ConfigError, Function, Setup};

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::operations().into_openapi()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let desk = handler::Desk {
        forms: OpenForms::over(resources),
        workspaces: RecentWorkspaces::over(resources),
        fields: Fields::over(resources),
        queue: resources.queue_of(),
        clock: setup.clock().clone(),
        entropy: resources.entropy().clone(),
        buckets: handler::buckets(setup.clock()),
        clients: handler::clients(setup.clock()),
        link_key: LinkKey::new(setup.secret("TRACKING_SECRET")),
    };
    Function::http(setup, handler::router(desk))
}
