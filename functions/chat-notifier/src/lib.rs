//! Tells open browsers that a conversation has changed.
//!
//! Trigger: the queue `ChatNotify`, in batches. Input: [`chat::body::Notice`]. Effects: posts to
//! connections; ended connections are forgotten. Posts are hints, so a repetition does no harm and a
//! post that fails is not tried again.

mod handler;

use chat::realtime::{Pusher, Rooms};
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &["DLQ_URL", "REALTIME_TABLE", "SOCKET_ENDPOINT"];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let rooms = Rooms::new(setup.table("REALTIME_TABLE")?);
    let pusher = Pusher::new(rooms, setup.sockets("SOCKET_ENDPOINT")?);
    Function::sqs_batch(setup, move |records| {
        let pusher = pusher.clone();
        async move { handler::handle(&pusher, records).await }
    })
}
