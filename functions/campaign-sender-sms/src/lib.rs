//! Sends the text messages of one chunk of a campaign.
//!
//! Trigger: queue campaign-sms, `campaign.chunk.v1`. Effects: eSMS, one call for a group of 30 numbers or more, each
//! claimed in the send ledger first; the chunk's progress. A redelivered message sends nobody a second text. Outside of the hours
//! of the law and of the workspace the chunk waits as a timer.

// The futures of the sending hold one another in more than 128 layers.
#![recursion_limit = "256"]

use channels::sms::{self, ReportAddress, SmsChannel, SmsSettings};
use cloud::Hosts;
use content::tokens::TokenKey;
use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let (hosts, secret) = (setup.text("PROVIDERS_URL"), setup.secret("SOURCES_SECRET"));
    if !Hosts::is_pattern(hosts) {
        let message = "https://* or an address of this machine with *";
        resources.refuse("PROVIDERS_URL", message);
    }
    let settings = SmsSettings::over(resources, secret);
    let client = sms::Client::new(resources, &Hosts::new(hosts), settings);
    let token_key = TokenKey::new(setup.secret("TRACKING_SECRET"));
    let reports = ReportAddress::new(setup.text("PUBLIC_BASE_URL"), token_key);
    let channel = SmsChannel::new(client, reports);
    sending::chunk::function(setup, channel, sms::PER_SECOND)
}
