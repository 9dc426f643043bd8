//! Links in mails: the open pixel, tracked clicks, unsubscribing, preferences. Addresses of delivery reports.
//!
//! Trigger: HTTP API routes `/o/{token}`, `/c/{token}`, `/u/{token}`, `/p/{token}`, `/d/{token}`, without the authorizer: a token
//! signed by us is the credential. Effects: facts in the send ledger, the contact's consent and
//! timeline, counters. A token that is not ours gets a 404, so no request can redirect to a foreign address.

mod handler;
mod page;
mod preferences;
mod report;

use channels::{Feedback, Ledger, Links};
use cloud::Counters;
use contacts::Profiles;
use content::tokens::TokenKey;
use lambda::{ConfigError, Function, Setup};

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::operations().into_openapi()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let tracker = handler::Tracker {
        feedback: Feedback::over(resources),
        counters: Counters::over(resources),
        ledger: Ledger::over(resources),
        profiles: Profiles::over(resources),
        reports: resources.queue_of(),
        links: Links::over(resources),
        token_key: TokenKey::new(setup.secret("TRACKING_SECRET")),
    };
    Function::http(setup, handler::router(tracker))
}
