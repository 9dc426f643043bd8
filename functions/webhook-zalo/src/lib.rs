//! Intake of Zalo: the events of the installation's app.
//!
//! Trigger: HTTP API route `/w/zalo`, without the authorizer: the request itself carries its proof. Effects: a receipt of a ZNS
//! goes to the queue delivery-backlog, in one request to SQS; no write. Other events are counted. Without an answer of SQS Zalo gets
//! 503 and sends again.

mod handler;

use channels::TrackingKey;
use channels::zns::Secrets;
use lambda::{ConfigError, Function, Setup};

/// The operation, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::operations().into_openapi()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let door = handler::Door {
        secrets: Secrets {
            app_id: setup.text("ZALO_APP_ID").to_owned(),
            oa_secret: setup.secret("ZALO_OA_SECRET").to_owned(),
            app_secret: setup.secret("ZALO_APP_SECRET").to_owned(),
        },
        tracking: TrackingKey::new(setup.secret("TRACKING_SECRET")),
        receipts: setup.resources().queue_of(),
    };
    Function::http(setup, handler::router(door))
}
