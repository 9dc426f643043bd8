//! Sign-in, users, workspaces, API keys and the audit log, under `/v1`.
//!
//! Trigger: HTTP API; behind the authorizer except for what makes a credential. Effects: rows of
//! the directory, each change after its entry in the audit log; messages to the account mailer. Of what
//! workspaces hold it only sees whether there is any, for the checklist.

mod api_keys;
mod attempt;
mod audit;
mod auth;
mod handler;
mod invitations;
mod me;
mod onboarding;
mod setup;
mod shape;
mod totp;
mod users;
mod workspaces;

use accounts::setup::FirstSetup;
use accounts::{
    AccountMails, ApiKeys, Audit, Invitations, Resets, Seal, SecondFactors, Sessions, Users,
    Workspaces,
};
use campaigns::Campaigns;
use chat::Inboxes;
use cloud::Window;
use contacts::Contacts;
use lambda::{ConfigError, Function, Setup};
use workflows::Workflows;

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "ACCOUNTS_SECRET",
    "ACCOUNT_MAIL_QUEUE_URL",
    "CAMPAIGNS_TABLE",
    "CONTACTS_TABLE",
    "DEDUPE_TABLE",
    "DIRECTORY_TABLE",
    "EMAIL_IDENTITY",
    "LIMITS_TABLE",
    "SETUP_TOKEN",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let directory = setup.table("DIRECTORY_TABLE")?;
    let users = Users::new(directory.clone());
    let seal = Seal::new(setup.text("ACCOUNTS_SECRET")?);
    let contacts = setup.table("CONTACTS_TABLE")?;
    let api = handler::Api {
        factors: SecondFactors::new(users.clone(), seal),
        users,
        invitations: Invitations::new(directory.clone()),
        resets: Resets::new(directory.clone()),
        mails: AccountMails::new(setup.queue_of()?),
        clock: setup.clock().clone(),
        entropy: setup.entropy().clone(),
        // Only their main tables are asked.
        contacts: Contacts::new(contacts.clone(), contacts.clone(), contacts),
        campaigns: Campaigns::new(setup.table("CAMPAIGNS_TABLE")?),
        workflows: Workflows::new(directory.clone(), directory.clone()),
        inboxes: Inboxes::new(directory.clone()),
        sessions: Sessions::new(directory.clone()),
        workspaces: Workspaces::new(directory.clone()),
        keys: ApiKeys::new(directory.clone()),
        audit: Audit::new(directory.clone()),
        first: FirstSetup::new(directory),
        attempts: Window::new(setup.table("LIMITS_TABLE")?),
        setup_token: setup.text("SETUP_TOKEN")?.to_owned(),
        identity: setup.text("EMAIL_IDENTITY")?.to_owned(),
    };
    let protected = handler::protected().with_state(api.clone());
    let public = handler::public().with_state(api);
    Function::api_beside(setup, protected.into(), public.into())
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::public().merge(handler::protected()).into_openapi()
}
