//! Pages of signup forms, and their submissions.
//!
//! Trigger: HTTP API routes `/f/{form}…`, without the authorizer: anybody may open a published form. Effects: the judged
//! answers on the queue ingest, in one request to SQS, and one count. Without an answer of SQS the visitor is asked to try
//! again: a form whose answer says that it was sent is not lost. A form with keys of Turnstile is sent once Cloudflare has
//! judged its token, or gives no answer.

mod body;
mod confirm;
mod desk;
mod handler;
mod reply;

use accounts::RecentWorkspaces;
use contacts::{Fields, RecentLists};
use forms::{LinkKey, OpenForms, Tallies, Turnstile};
use lambda::{ConfigError, Function, Setup};

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::operations().into_openapi()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let (url, secret) = (setup.text("TURNSTILE_URL"), setup.secret("FORMS_SECRET"));
    if !Turnstile::is_address(url) {
        resources.refuse("TURNSTILE_URL", "an https URL");
    }
    let desk = desk::Desk {
        forms: OpenForms::over(resources),
        workspaces: RecentWorkspaces::over(resources),
        fields: Fields::over(resources),
        lists: RecentLists::over(resources),
        queue: resources.queue_of(),
        clock: setup.clock().clone(),
        entropy: resources.entropy().clone(),
        buckets: desk::buckets(setup.clock()),
        clients: desk::clients(setup.clock()),
        viewers: desk::viewers(setup.clock()),
        tallies: Tallies::over(resources),
        turnstile: Turnstile::new(url, secret, setup.clock()),
        link_key: LinkKey::new(setup.secret("TRACKING_SECRET")),
    };
    Function::http(setup, handler::router(desk))
}
