//! The common part of the functions that send: the settings of a workspace that its messages follow, and the worker of the
//! campaign senders.
//!
//! A function builds its channel and its [`campaigns::Sender`]; nothing here knows a provider.

pub mod chunk;

use accounts::Workspace;
use campaigns::send::Rules;
use channels::Letterhead;
use channels::gate::{Cap, Gate, Quiet};
use jiff::tz::TimeZone;

/// The settings of the workspace that its messages follow. Those of an unknown workspace are the strictest for consent.
pub fn rules(workspace: Option<&Workspace>) -> Rules {
    let Some(workspace) = workspace else {
        return Rules::default();
    };
    let settings = &workspace.settings;
    let letterhead = Letterhead {
        postal_address: settings.postal_address.clone(),
        permission_reminder: settings.permission_reminder.clone(),
        takes_assumed: !settings.strict_consent,
        is_labelled: settings.advertising_label,
    };
    let standard = Gate::default();
    let gate = Gate {
        zone: TimeZone::get(&settings.time_zone).unwrap_or(standard.zone),
        quiet: settings.quiet_hours.map(|hours| Quiet {
            from: hours.from,
            until: hours.until,
        }),
        cap: settings.frequency_cap.map(|cap| Cap {
            messages: cap.messages,
            days: cap.days,
        }),
        holdout: settings.holdout_percent,
    };
    Rules { letterhead, gate }
}
