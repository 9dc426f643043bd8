//! Intake of LadiPage forms.
//!
//! Trigger: HTTP API route `POST /w/ladipage/{source}`, without the authorizer: the source's token is compared in
//! constant time. Effects: the unchanged body on the queue ingest, in one request to SQS; no write. Without an answer of
//! SQS the visitor gets 503 and may send again: a form that got 200 is not lost.

mod handler;

pub use handler::MAX_BODY;

use accounts::RecentWorkspaces;
use lambda::{ConfigError, Function, Setup};
use sources::Sources;

/// The operation, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::operations().into_openapi()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let intake = handler::Intake {
        workspaces: RecentWorkspaces::over(resources),
        sources: Sources::over(resources),
        queue: resources.queue_of(),
        clock: setup.clock().clone(),
        buckets: handler::Intake::buckets(setup.clock()),
        clients: handler::Intake::clients(setup.clock()),
    };
    Function::http(setup, handler::router(intake))
}
