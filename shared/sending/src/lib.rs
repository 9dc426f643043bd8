//! The common part of the functions that send: the settings of a workspace that its messages follow, and the worker of the
//! campaign senders.
//!
//! A function builds its channel and its [`campaigns::Sender`]; nothing here knows a provider.

pub mod chunk;

use accounts::Workspace;
use channels::Letterhead;

/// The settings of the workspace that its messages follow. Those of an unknown workspace are the strictest.
pub fn letterhead(workspace: Option<&Workspace>) -> Letterhead {
    let settings = workspace.map(|workspace| &workspace.settings);
    let letterhead = settings.map(|settings| Letterhead {
        postal_address: settings.postal_address.clone(),
        permission_reminder: settings.permission_reminder.clone(),
        takes_assumed: !settings.strict_consent,
        is_labelled: settings.advertising_label,
    });
    letterhead.unwrap_or_default()
}
