//! The events of a send on the timeline of its contact (docs/adr/0065).
//!
//! Events of readers, bounces, complaints and unsubscriptions are always written. The others come with every message, so
//! they are written only if a workflow, a segment, a webhook or a rule of the lead score waits for them.

use cloud::Error;
use contacts::{Contacts, Event};
use jiff::Timestamp;
use kernel::TenantKey;
use serde_json::{Value, json};

use crate::ledger::LedgerKey;

/// The provider accepted a message.
pub(crate) const SENT: &str = "message.sent";
/// A message arrived.
pub(crate) const DELIVERED: &str = "message.delivered";
/// A message was refused.
pub(crate) const FAILED: &str = "message.failed";
/// A message came back for a reason that may pass.
pub(crate) const SOFT_BOUNCED: &str = "message.soft_bounced";

/// Writes the event if something waits for it. Its key follows from the send and the time, so a repetition with the same
/// time changes nothing. Nothing is read for an event that nothing waits for: the interest set is up to ten seconds old.
pub(crate) async fn tell_if_heard(
    contacts: &Contacts,
    tenant: TenantKey,
    key: &LedgerKey,
    (name, at): (&str, Timestamp),
    data: Value,
) -> Result<(), Error> {
    let event = event(key, name, at, data);
    if contacts.is_waited_for(tenant, &event).await? {
        contacts
            .record_of_known(tenant, key.contact, &event)
            .await?;
    }
    Ok(())
}

/// A send's event on the timeline. The names in `data` are read by workflow triggers.
pub(crate) fn event(key: &LedgerKey, name: &str, at: Timestamp, data: Value) -> Event {
    let mut details = json!({
        "scope": key.scope, "step": key.step, "channel": key.channel,
    });
    if let (Some(details), Value::Object(data)) = (details.as_object_mut(), data) {
        if key.is_campaign() {
            details.insert("campaign_id".to_owned(), json!(key.scope));
        }
        details.extend(data);
    }
    let mut id = format!("{name}#{}#{}", key.scope, key.step);
    // A mail has many links, and a workflow may wait for one of them.
    if let Some(url) = details["url"].as_str() {
        id = format!("{id}#{}", kernel::hash::name(&[url]));
    }
    Event {
        id,
        name: name.to_owned(),
        at,
        source: key.scope.clone(),
        data: details,
    }
}
