//! Intake of LadiPage forms: `POST /w/ladipage/{source}`.
//!
//! Checks the source's token in constant time, bounds the body, queues it as it came, answers 200.
//! One request to SQS and no write. If SQS does not take it, the answer is 503 and the page's visitor
//! may send again; nothing that was answered with 200 is lost.

mod handler;

use accounts::Doors;
use lambda::{ConfigError, Function, Setup};

/// Environment.
pub const VARS: &[&str] = &["DIRECTORY_TABLE", "INGEST_QUEUE_URL"];

/// Builds the function.
#[expect(clippy::unused_async, reason = "all functions are built alike")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let intake = handler::Intake {
        doors: Doors::new(setup.table("DIRECTORY_TABLE")?),
        queue: setup.queue_of()?,
        clock: setup.clock().clone(),
    };
    Ok(Function::http(setup, handler::router(intake)))
}
