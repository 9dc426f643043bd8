//! Sends the mails of one chunk of a campaign.
//!
//! Trigger: queue campaign-email, [`campaigns::ChunkMessage`]. Effects: SES, one call a recipient,
//! each claimed in the send ledger first; the chunk's progress. Recipients that do not fit
//! into one run, or that must wait, go back to the queue with a delay. A redelivered message sends nobody a
//! second mail.
//! The campaigns of an archived workspace are paused, and those with bad figures until a review.

// The futures of the sending hold one another in more than 128 layers.
#![recursion_limit = "256"]

use channels::EmailChannel;
use content::tokens::TokenKey;
use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let token_key = TokenKey::new(setup.secret("TRACKING_SECRET"));
    let base_url = setup.text("PUBLIC_BASE_URL");
    let channel = EmailChannel::over(setup.resources(), base_url, token_key);
    sending::chunk::function(setup, channel, setup.number("EMAIL_SEND_RATE"))
}
