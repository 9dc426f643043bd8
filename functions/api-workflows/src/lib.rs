//! Workflows over HTTP.
//!
//! Trigger: HTTP API routes `/v1/workflows…`, behind the authorizer. Effects: rows of the directory
//! table. Changes of state may be asked for again; a workflow that is created again is another one.

mod handler;
mod shape;

use accounts::{Audit, Workspaces};
use lambda::{ConfigError, Function, Setup};
use workflows::Workflows;

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "DEDUPE_TABLE",
    "DIRECTORY_TABLE",
    "EMAIL_IDENTITY",
    "FLOW_TABLE",
    "LIMITS_TABLE",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let directory = setup.table("DIRECTORY_TABLE")?;
    let api = handler::Api {
        audit: Audit::new(directory.clone()),
        workspaces: Workspaces::new(directory.clone()),
        workflows: Workflows::new(directory, setup.table("FLOW_TABLE")?),
        identity: setup.text("EMAIL_IDENTITY")?.to_owned(),
    };
    let router: axum::Router = handler::routes().with_state(api).into();
    Function::api(setup, router)
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::routes().into_openapi()
}
