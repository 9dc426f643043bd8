//! Takes in what SES says about mails that were sent.
//!
//! Trigger: queue delivery-events, fed by an EventBridge rule. Effects: facts in the send ledger; the
//! contact's consent and timeline for bounces and complaints; one counter update for each campaign of
//! a batch. Events may come twice, late, in any order, and before our own record of the send.

mod handler;

use channels::Feedback;
use cloud::Counters;
use lambda::{ConfigError, Function, Setup};

/// Events of a batch that are handled at once.
const AT_ONCE: usize = 10;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let feedback = Feedback::over(resources);
    let counters = Counters::over(resources);
    let learn = move |record| {
        let feedback = feedback.clone();
        async move { handler::learn(&feedback, &record).await }
    };
    let count = move |gained| {
        let counters = counters.clone();
        async move {
            handler::count(&counters, gained).await;
            Ok(())
        }
    };
    Function::sqs_gathered(setup, AT_ONCE, learn, count)
}
