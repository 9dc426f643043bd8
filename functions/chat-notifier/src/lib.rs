//! Notifies open browsers that a conversation has changed.
//!
//! Trigger: the queue `ChatNotify`, in batches. Input: [`chat::body::Notice`]. Effects: posts to
//! connections; rows of ended connections are deleted, and connections of ended sessions are closed. Posts are
//! hints, so a repetition does no harm and a failed post is not tried again.

mod handler;

use accounts::Sessions;
use chat::realtime::Pusher;
use lambda::{ConfigError, Function, Setup};

/// Workspaces that are notified at once.
const TENANTS: usize = 4;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let notifier = handler::Notifier {
        pusher: Pusher::over(resources),
        sessions: Sessions::over(resources),
    };
    Function::sqs_gathered(
        setup,
        TENANTS,
        async |record| handler::read(&record),
        // The failure of one workspace's rows concerns its own notices.
        |(tenant, _)| *tenant,
        move |happened| {
            let notifier = notifier.clone();
            async move { handler::push(&notifier, &happened).await }
        },
    )
}
