//! Sign-in, users, workspaces, API keys and the audit log, under `/v1`.
//!
//! Trigger: HTTP API; behind the authorizer except for operations that make a credential. Effects: rows of
//! the directory, each change after its entry in the audit log; messages to the account mailer. Of the
//! data of workspaces it reads only whether there is any, for the checklist.

mod api;
mod api_keys;
mod attempt;
mod audit;
mod auth;
mod handler;
mod invitations;
mod me;
mod members;
mod onboarding;
mod senders;
mod setup;
mod shape;
mod totp;
mod users;
mod workspaces;

use accounts::setup::FirstSetup;
use accounts::{
    AccountMails, Accounts, ApiKeys, Audit, Invitations, Members, Resets, SecondFactors, Senders,
    Sessions, Users, Workspaces,
};
use campaigns::Campaigns;
use chat::Inboxes;
use cloud::{Timers, Window};
use contacts::Profiles;
use kernel::Seal;
use lambda::{ConfigError, Function, Setup, http};
use workflows::WorkflowStore;

use crate::api::Api;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let seal = Seal::new("accounts", setup.secret("ACCOUNTS_SECRET"));
    let api = Api {
        accounts: Accounts::over(resources),
        factors: SecondFactors::over(resources, seal),
        users: Users::over(resources),
        members: Members::over(resources),
        invitations: Invitations::over(resources),
        resets: Resets::over(resources),
        senders: Senders::over(resources),
        mails: AccountMails::over(resources),
        clock: setup.clock().clone(),
        entropy: setup.entropy().clone(),
        contacts: Profiles::over(resources),
        campaigns: Campaigns::over(resources),
        workflows: WorkflowStore::over(resources),
        inboxes: Inboxes::over(resources),
        sessions: Sessions::over(resources),
        workspaces: Workspaces::over(resources),
        keys: ApiKeys::over(resources),
        audit: Audit::over(resources),
        first: FirstSetup::over(resources),
        attempts: Window::over(resources),
        timers: Timers::over(resources),
        setup_token: setup.secret("SETUP_TOKEN").to_owned(),
        identity: setup.text("EMAIL_IDENTITY").to_owned(),
    };
    let audit = api.audit.clone();
    let protected = handler::protected().with_state(api.clone());
    let protected = http::on_refusal(protected.into(), move |grant, permission, ip| {
        let audit = audit.clone();
        async move { audit.note_forbidden(&grant, permission, &ip).await }
    });
    let public = handler::public().with_state(api);
    Function::api_beside(setup, protected, public.into())
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::public().merge(handler::protected()).into_openapi()
}
