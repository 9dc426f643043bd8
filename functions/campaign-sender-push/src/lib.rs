//! Sends the push notifications of one chunk of a campaign.
//!
//! Trigger: queue campaign-push, [`campaigns::ChunkMessage`]. Effects: push services of browsers and FCM, one call for each device
//! of a recipient. Each recipient is claimed in the send ledger first. Devices that are gone are removed. Recipients that do not
//! fit into one run, or that must wait, go back to the queue with a delay. A redelivered message sends nobody a second notification.

// The futures of the sending hold one another in more than 128 layers.
#![recursion_limit = "256"]

use channels::push::{PER_SECOND, PushChannel, PushSettings, Reach};
use cloud::Hosts;
use content::tokens::TokenKey;
use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let token_key = TokenKey::new(setup.secret("TRACKING_SECRET"));
    let hosts = setup.text("PROVIDERS_URL");
    if !Hosts::is_pattern(hosts) {
        let message = "https://* or an address of this machine with *";
        resources.refuse("PROVIDERS_URL", message);
    }
    let reach = Reach {
        hosts: &Hosts::new(hosts),
        loopback: setup.text("WEBHOOK_LOOPBACK"),
        base_url: setup.text("PUBLIC_BASE_URL"),
    };
    let settings = PushSettings::over(resources, setup.secret("SOURCES_SECRET"));
    let channel = PushChannel::over(resources, reach, settings, token_key);
    sending::chunk::function(setup, channel, PER_SECOND)
}
