//! Intake of LadiPage forms.
//!
//! Trigger: HTTP API route `POST /w/ladipage/{source}`, without the authorizer: the source's token is compared in
//! constant time. Effects: the unchanged body on the queue ingest, in one request to SQS; no write. Without an answer of
//! SQS the visitor gets 503 and may send again: a form that got 200 is not lost.

mod handler;

pub use handler::MAX_BODY;

use intake::Intake;
use lambda::{ConfigError, Function, Setup};

/// The operation, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::operations().into_openapi()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let door = handler::Door {
        intake: Intake::of_tokens(setup, handler::RATE),
        clients: handler::Door::clients(setup.clock()),
    };
    Function::http(setup, handler::router(door))
}
