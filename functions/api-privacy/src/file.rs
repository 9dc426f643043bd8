//! The file with everything that the product holds of one contact.

use std::time::Duration;

use cloud::Error;
use contacts::Contact;
use jiff::Timestamp;
use kernel::{Limit, PrivacyRequestId, TenantKey};
use serde_json::{Value, json};

use crate::handler::Api;

/// Most events in a file: pages of 100, read within the time of a request.
const MAX_EVENTS: usize = 10_000;
const PAGE: u32 = 100;
/// Life of the link.
const LINK: Duration = Duration::from_hours(1);

/// Writes the file and gives a link to it. A repetition writes it again under the same name. One read unit for 8 KB of the
/// timeline.
pub async fn write(
    api: &Api,
    tenant: TenantKey,
    request: PrivacyRequestId,
    contact: &Contact,
    now: Timestamp,
) -> Result<String, Error> {
    let limit = Limit::new(PAGE).unwrap_or_default();
    let (mut events, mut cursor) = (Vec::new(), None);
    loop {
        let page = api
            .contacts
            .timeline(tenant, contact.id, limit, cursor)
            .await?;
        events.extend(page.data);
        cursor = page.next;
        if cursor.is_none() || events.len() >= MAX_EVENTS {
            break;
        }
    }
    let conversations: Vec<Value> = events
        .iter()
        .filter_map(|event| event.data.get("conversation_id").cloned())
        .collect();
    let file = json!({
        "generated_at": kernel::clock::sortable(now),
        "contact": contact,
        "timeline": events,
        // The messages: GET /v1/conversations/{id}/messages.
        "conversation_ids": conversations,
        "is_complete": cursor.is_none(),
    });
    let body = serde_json::to_vec(&file).map_err(|error| Error::Shape(error.to_string()))?;
    let key = format!("privacy/{tenant}/{request}.json");
    api.files.put(&key, "application/json", body.into()).await?;
    api.files.link(&key, LINK).await
}
