//! The door of tracking SDKs, in the shape of Segment's HTTP API, and the script for web pages.
//!
//! Trigger: HTTP API routes `/v1/batch` and the like, `/s/{call}` for browsers, `/t.js`, `/push-sw.js` and `/s/push`, without the authorizer: the
//! write key is in the request. Effects: the judged calls on the queue track, one message for 100 calls or 60 KB; no write
//! but the rate of the workspace, once for a thousand events. Without an answer of SQS the SDK gets 503 and sends again.

mod answer;
mod body;
mod handler;
mod pace;
mod site;

use accounts::{RecentWorkspaces, WriteKeys};
use channels::push::Sites;
use lambda::{ConfigError, Function, Setup};

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::operations().into_openapi()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let door = handler::Door {
        keys: WriteKeys::over(resources),
        workspaces: RecentWorkspaces::over(resources),
        pace: pace::Pace::over(setup),
        queue: resources.queue_of(),
        sites: Sites::over(resources),
        clock: setup.clock().clone(),
        entropy: resources.entropy().clone(),
    };
    Function::http(setup, handler::router(door))
}
