//! Sign-in, users, workspaces, API keys and the audit log, under `/v1`.
//!
//! Trigger: HTTP API; behind the authorizer except for `/v1/auth/login` and `/v1/setup`. Effects: rows of
//! the directory, each change after its entry in the audit log. Knows nothing of what workspaces hold.

mod api_keys;
mod audit;
mod auth;
mod handler;
mod me;
mod setup;
mod shape;
mod users;
mod workspaces;

use accounts::setup::FirstSetup;
use accounts::{ApiKeys, Audit, Sessions, Users, Workspaces};
use cloud::Window;
use lambda::http::protect;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "DEDUPE_TABLE",
    "DIRECTORY_TABLE",
    "LIMITS_TABLE",
    "SETUP_TOKEN",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let directory = setup.table("DIRECTORY_TABLE")?;
    let api = handler::Api {
        users: Users::new(directory.clone()),
        sessions: Sessions::new(directory.clone()),
        workspaces: Workspaces::new(directory.clone()),
        keys: ApiKeys::new(directory.clone()),
        audit: Audit::new(directory.clone()),
        first: FirstSetup::new(directory),
        attempts: Window::new(setup.table("LIMITS_TABLE")?),
        setup_token: setup.text("SETUP_TOKEN")?.to_owned(),
    };
    let protected = handler::protected().with_state(api.clone());
    let public: axum::Router = handler::public().with_state(api).into();
    let router = public.merge(protect(setup, protected.into())?);
    Ok(Function::http(setup, router))
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::public().merge(handler::protected()).into_openapi()
}
