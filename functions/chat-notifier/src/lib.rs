//! Tells open browsers that a conversation has changed.
//!
//! Trigger: the queue `ChatNotify`, in batches. Input: [`chat::body::Notice`]. Effects: posts to
//! connections; ended connections are forgotten, and those of ended sessions are hung up. Posts are hints, so a repetition does no harm and a
//! post that fails is not tried again.

mod handler;

use accounts::Sessions;
use chat::realtime::{Pusher, Rooms};
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "DIRECTORY_TABLE",
    "DLQ_URL",
    "REALTIME_TABLE",
    "SOCKET_ENDPOINT",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let rooms = Rooms::new(setup.table("REALTIME_TABLE")?);
    let notifier = handler::Notifier {
        pusher: Pusher::new(rooms, setup.sockets("SOCKET_ENDPOINT")?),
        sessions: Sessions::new(setup.table("DIRECTORY_TABLE")?),
    };
    Function::sqs_gathered(
        setup,
        1,
        async |record| handler::read(&record),
        move |happened| {
            let notifier = notifier.clone();
            async move { handler::push(&notifier, &happened).await }
        },
    )
}
