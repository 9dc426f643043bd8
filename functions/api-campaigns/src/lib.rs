//! Campaigns over HTTP.
//!
//! Trigger: HTTP API routes `/v1/campaigns…`, behind the authorizer. Effects: rows of the campaigns
//! table, the mail in the directory table, the timer of a schedule, test mails to the queue of message-sender; other messages
//! leave through the campaign's own pending effects. Commands may be repeated; creating a campaign again makes a second campaign.

mod approval;
mod commands;
mod content;
mod handler;
mod life;
mod look;
mod messages;
mod report;
mod shape;
mod winner;

use accounts::{Audit, Members, Senders, Workspaces};
use campaigns::{Campaigns, Estimator, Receivers, Starter};
use channels::push::Sites;
use channels::sms::Brandnames;
use channels::{Ledger, Links, MailStore};
use cloud::{Counters, Timers};
use contacts::{Fields, Lists, Profiles};
use lambda::{ConfigError, Function, Setup, http};
use segments::Pins;
use workflows::Runs;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let api = handler::Api {
        campaigns: Campaigns::over(resources),
        mails: MailStore::over(resources),
        brandnames: Brandnames::over(resources),
        zns: channels::zns::Drafts::over(resources),
        lists: Lists::over(resources),
        pins: Pins::over(resources),
        audit: Audit::over(resources),
        workspaces: Workspaces::over(resources),
        senders: Senders::over(resources),
        members: Members::over(resources),
        starter: Starter::over(resources),
        estimator: Estimator::over(resources),
        timers: Timers::over(resources),
        fields: Fields::over(resources),
        messages: resources.queue_of(),
        base_url: setup.text("PUBLIC_BASE_URL").to_owned(),
        sites: Sites::over(resources),
        identity: setup.text("EMAIL_IDENTITY").to_owned(),
        counters: Counters::over(resources),
        receivers: Receivers::over(resources),
        ledger: Ledger::over(resources),
        links: Links::over(resources),
        profiles: Profiles::over(resources),
        runs: Runs::over(resources),
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
