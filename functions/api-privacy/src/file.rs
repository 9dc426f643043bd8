//! The file with everything that the product holds of one contact.

use std::collections::BTreeSet;
use std::time::Duration;

use chat::Message;
use cloud::Error;
use contacts::{Contact, Note};
use jiff::Timestamp;
use kernel::{ContactId, ConversationId, Limit, PrivacyRequestId, TenantKey};
use serde_json::{Value, json};

use crate::handler::Api;

/// Most events in a file: pages of 100, read within the time of a request.
const MAX_EVENTS: usize = 10_000;
/// Most messages in a file, of all conversations together.
const MAX_MESSAGES: usize = 10_000;
const PAGE: u32 = 100;
/// Life of the link.
const LINK: Duration = Duration::from_hours(1);

/// Writes the file and gives a link to it. A repetition writes it again under the same name. One read unit for 8 KB of the
/// timeline, of the notes and of the messages.
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
        let page = api.contacts.history(tenant, contact, limit, cursor).await?;
        events.extend(page.data);
        cursor = page.next;
        if cursor.is_none() || events.len() >= MAX_EVENTS {
            break;
        }
    }
    let (mut consents, mut more) = (Vec::new(), None);
    loop {
        let page = api
            .contacts
            .consent_history(tenant, contact.id, limit, more)
            .await?;
        consents.extend(page.data);
        more = page.next;
        // A contact has a bounded number of records.
        if more.is_none() {
            break;
        }
    }
    let notes = notes(api, tenant, contact.id).await?;
    let ids = events
        .iter()
        .filter_map(|event| event.data.get("conversation_id")?.as_str()?.parse().ok());
    let ids: BTreeSet<ConversationId> = ids.collect();
    let (conversations, is_whole) = conversations(api, tenant, ids).await?;
    let file = json!({
        "generated_at": kernel::clock::sortable(now),
        "contact": contact,
        "consent_records": consents,
        "timeline": events,
        "notes": notes,
        "conversations": conversations,
        "is_complete": cursor.is_none() && is_whole,
    });
    let body = serde_json::to_vec(&file).map_err(|error| Error::Shape(error.to_string()))?;
    let key = format!("privacy/{tenant}/{request}.json");
    api.files.put(&key, "application/json", body.into()).await?;
    api.files.link(&key, LINK).await
}

/// The notes of the staff. A contact has a bounded number.
async fn notes(api: &Api, tenant: TenantKey, contact: ContactId) -> Result<Vec<Note>, Error> {
    let limit = Limit::new(PAGE).unwrap_or_default();
    let (mut notes, mut cursor) = (Vec::new(), None);
    loop {
        let page = api.notes.page(tenant, contact, limit, cursor).await?;
        notes.extend(page.data);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(notes);
        }
    }
}

/// The conversations with the messages that the person sees, newest first, and whether these are all.
async fn conversations(
    api: &Api,
    tenant: TenantKey,
    ids: BTreeSet<ConversationId>,
) -> Result<(Vec<Value>, bool), Error> {
    let limit = Limit::new(PAGE).unwrap_or_default();
    let (mut conversations, mut count) = (Vec::new(), 0);
    for id in ids {
        let (mut messages, mut from) = (Vec::new(), None);
        loop {
            let page = api.chat.history(tenant, id, limit, from).await?;
            count += page.data.len();
            messages.extend(page.data.into_iter().filter_map(Message::for_visitor));
            from = page.next;
            if from.is_none() || count >= MAX_MESSAGES {
                break;
            }
        }
        let is_whole = from.is_none();
        conversations.push(json!({ "conversation_id": id, "messages": messages }));
        if !is_whole {
            return Ok((conversations, false));
        }
    }
    Ok((conversations, true))
}
