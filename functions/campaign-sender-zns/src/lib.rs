//! Sends the Zalo messages of one chunk of a campaign, and the text messages in place of those that Zalo refuses.
//!
//! Trigger: queue campaign-zns, [`campaigns::ChunkMessage`](channels::Content). Effects: one call of Zalo a recipient, each claimed
//! in the send ledger first; one call of eSMS for a recipient whom Zalo cannot reach, claimed in a row of its own; the tokens of the
//! Official Account, renewed under a lease; the chunk's progress. A redelivered message sends nobody a second message.
//! By night, and when the day's messages are used up, the rest of the chunk goes back to the queue with a delay.

// The futures of the sending hold one another in more than 128 layers.
#![recursion_limit = "256"]

use channels::TrackingKey;
use channels::sms::{self, ReportAddress, SmsChannel, SmsSettings};
use channels::zns::{App, Client, PER_SECOND, ZaloStore, ZnsChannel};
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
    let hosts = Hosts::new(hosts);
    let app = App::new(setup.text("ZALO_APP_ID"), setup.secret("ZALO_APP_SECRET"));
    let client = Client::new(resources, &hosts, app, ZaloStore::over(resources, secret));
    let texts = SmsSettings::over(resources, secret);
    let reports = ReportAddress::new(
        setup.text("PUBLIC_BASE_URL"),
        TokenKey::new(setup.secret("TRACKING_SECRET")),
    );
    let texts = SmsChannel::new(sms::Client::new(resources, &hosts, texts), reports);
    let tracking = TrackingKey::new(setup.secret("TRACKING_SECRET"));
    let channel = ZnsChannel::over(resources, client, tracking, texts);
    sending::chunk::function(setup, channel, PER_SECOND)
}
