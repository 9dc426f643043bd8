//! A trigger that could never start its workflow is refused when the workflow is made. This checks what the definition
//! alone does not show: whether the campaign, the list and the inbox exist, and whether anything records the event.

use kernel::TenantKey;
use serde_json::Value;
use tracking::Call;
use workflows::Flaw;
use workflows::trigger::{KINDS, PERFORMED, Trigger};

use crate::handler::Api;

/// The flaw of a trigger, if it has one. One read for a trigger that names a campaign, a list or an inbox.
pub async fn flaw(
    api: &Api,
    tenant: TenantKey,
    trigger: &Trigger,
) -> Result<Option<Flaw>, cloud::Error> {
    if trigger.kind == PERFORMED {
        // An own system may track any other name.
        let event = trigger.event();
        let is_own = Call::is_free(event);
        let is_recorded = is_own || KINDS.iter().any(|(kind, _)| *kind == event);
        let message = "nothing records this event; docs/triggers.md lists the recorded ones";
        return Ok((!is_recorded).then(|| Flaw::new("/trigger/name", message)));
    }
    let setting = |name: &str| trigger.settings.get(name);
    if let Some(campaign) = setting("campaign_id") {
        let exists = match id(campaign) {
            Some(id) => api.campaigns.get(tenant, id).await?.is_some(),
            None => false,
        };
        return Ok((!exists).then(|| Flaw::new("/trigger/campaign_id", "no such campaign")));
    }
    if let Some(list) = setting("list_id") {
        let exists = match id(list) {
            Some(id) => api.lists.get(tenant, id).await?.is_some(),
            None => false,
        };
        return Ok((!exists).then(|| Flaw::new("/trigger/list_id", "no such list")));
    }
    if let Some(inbox) = setting("inbox_id") {
        let exists = match id(inbox) {
            Some(id) => api.inboxes.get(tenant, id).await?.is_some(),
            None => false,
        };
        return Ok((!exists).then(|| Flaw::new("/trigger/inbox_id", "no such inbox")));
    }
    Ok(None)
}

fn id<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}
