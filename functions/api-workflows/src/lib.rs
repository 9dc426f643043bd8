//! Workflows over HTTP.
//!
//! Trigger: HTTP API routes `/v1/workflows…`, behind the authorizer. Effects: rows of the directory
//! table. Changes of state may be repeated; creating a workflow again makes a second one.

mod handler;
mod shape;
mod trigger;

use accounts::{Audit, Senders, Workspaces};
use campaigns::Campaigns;
use channels::MailStore;
use channels::sms::Brandnames;
use chat::Inboxes;
use cloud::{Counters, Timers};
use contacts::Lists;
use lambda::{ConfigError, Function, Setup, http};
use workflows::Workflows;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let api = handler::Api {
        counters: Counters::over(resources),
        campaigns: Campaigns::over(resources),
        inboxes: Inboxes::over(resources),
        lists: Lists::over(resources),
        audit: Audit::over(resources),
        workspaces: Workspaces::over(resources),
        senders: Senders::over(resources),
        mails: MailStore::over(resources),
        brandnames: Brandnames::over(resources),
        workflows: Workflows::over(resources),
        timers: Timers::over(resources),
        identity: setup.text("EMAIL_IDENTITY").to_owned(),
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
