//! Campaigns over HTTP.
//!
//! Trigger: HTTP API routes `/v1/campaigns…`, behind the authorizer. Effects: rows of the campaigns
//! table, the mail in the directory table; what a campaign sets in motion leaves through its own
//! pending effects. Commands may be repeated; a campaign that is created again is another one.

mod handler;
mod shape;

use accounts::{Audit, Workspaces};
use campaigns::Campaigns;
use channels::MailStore;
use cloud::Counters;
use contacts::Lists;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CAMPAIGNS_TABLE",
    "DEDUPE_TABLE",
    "DIRECTORY_TABLE",
    "EMAIL_IDENTITY",
    "LIMITS_TABLE",
    "REPORTS_TABLE",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let state = handler::Api {
        campaigns: Campaigns::new(setup.table("CAMPAIGNS_TABLE")?),
        mails: MailStore::new(setup.table("DIRECTORY_TABLE")?),
        lists: Lists::new(setup.table("DIRECTORY_TABLE")?),
        audit: Audit::new(setup.table("DIRECTORY_TABLE")?),
        workspaces: Workspaces::new(setup.table("DIRECTORY_TABLE")?),
        identity: setup.text("EMAIL_IDENTITY")?.to_owned(),
        counters: Counters::new(setup.table("REPORTS_TABLE")?),
    };
    let router: axum::Router = handler::routes().with_state(state).into();
    Function::api(setup, router)
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::routes().into_openapi()
}
