//! Intake of LadiPage forms: `POST /w/ladipage/{source}`.
//!
//! Checks the source's token in constant time, bounds the body, queues it as it came, answers 200.
//! One request to SQS and no write. If SQS does not take it, the answer is 503 and the page's visitor
//! may send again; nothing that was answered with 200 is lost.

mod handler;

pub use handler::MAX_BODY;

use accounts::Doors;
use lambda::{ConfigError, Function, Setup};

/// The operation, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::operations().into_openapi()
}

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let intake = handler::Intake {
        doors: Doors::over(resources),
        queue: resources.queue_of(),
        clock: setup.clock().clone(),
        buckets: handler::Intake::buckets(setup.clock()),
    };
    Function::http(setup, handler::router(intake))
}
