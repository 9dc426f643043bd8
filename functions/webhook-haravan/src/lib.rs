//! Intake of Haravan.
//!
//! Trigger: HTTP API route `/w/haravan/{source}`, without the authorizer: the request itself carries its proof. Effects: the
//! raw body on the queue ingest, in one request to SQS; no write. Without an answer of SQS the sender gets 503 and sends
//! again.

mod handler;

use intake::Intake;
use lambda::{ConfigError, Function, Setup};

/// The operation, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::operations().into_openapi()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    Function::http(setup, handler::router(Intake::of_keys(setup)))
}
