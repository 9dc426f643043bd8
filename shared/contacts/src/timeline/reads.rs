//! Reads of the events of a contact. A read writes nothing.

use std::collections::BTreeMap;

use cloud::{Error, Query};
use futures::future::try_join_all;
use jiff::Timestamp;
use kernel::{ContactId, Cursor, Limit, TenantKey, page::Page};

use super::Entry;
use crate::model::{Contact, Event};
use crate::{Contacts, keys};

/// Bytes of a sort key that DynamoDB accepts.
const LONGEST_KEY: usize = 1024;

impl Contacts {
    /// Whether the event is on the timeline.
    pub async fn has(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
    ) -> Result<bool, Error> {
        let key = keys::event(tenant, contact, event);
        Ok(self.timeline.get::<Entry>(&key).await?.is_some())
    }

    /// The events from `from` on and before `to`, strongly consistent. For a day or so. One query, and one more for each
    /// contact that was merged into this one.
    pub async fn events_between(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Event>, Error> {
        let (from, to) = (kernel::clock::sortable(from), kernel::clock::sortable(to));
        let mut all = Vec::new();
        for id in contact.all_ids() {
            let query = Query::partition(keys::contact(tenant, id));
            let query = query.between(from.clone(), to.clone());
            all.extend(self.timeline.query_all::<Event>(query).await?);
        }
        Ok(distinct(all))
    }

    /// The last `most` events since `from` at most, newest first, strongly consistent.
    pub async fn events_since(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        from: Timestamp,
        most: usize,
    ) -> Result<Vec<Event>, Error> {
        let mut all = Vec::new();
        for id in contact.all_ids() {
            all.extend(self.last_events(tenant, id, from, most).await?);
        }
        let mut all = distinct(all);
        all.truncate(most);
        Ok(all)
    }

    async fn last_events(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        from: Timestamp,
        most: usize,
    ) -> Result<Vec<Event>, Error> {
        let query = Query::partition(keys::contact(tenant, contact));
        let query = query.after(kernel::clock::sortable(from)).descending();
        let (mut events, mut cursor) = (Vec::new(), None);
        loop {
            let page: Page<Event> = self.timeline.query(query.clone().cursor(cursor)).await?;
            events.extend(page.data);
            cursor = page.next;
            if cursor.is_none() || events.len() >= most {
                events.truncate(most);
                return Ok(events);
            }
        }
    }

    /// The last event of a name between two times, among the last hundred events; eventually consistent. One query.
    pub async fn last_named(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        (from, to): (Timestamp, Timestamp),
        name: &str,
    ) -> Result<Option<Event>, Error> {
        let (from, to) = (kernel::clock::sortable(from), kernel::clock::sortable(to));
        let query = Query::partition(keys::contact(tenant, contact)).between(from, to);
        let query = query.descending().limit(100).eventual();
        let page: Page<Event> = self.timeline.query(query).await?;
        Ok(page.data.into_iter().find(|event| event.name == name))
    }

    /// A page of the events that were recorded under one id, newest first. One query.
    pub async fn timeline(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Event>, Error> {
        let query = Query::partition(keys::contact(tenant, contact));
        let query = query.descending().limit(limit.get()).cursor(cursor);
        self.timeline.query(query).await
    }

    /// A page of the contact's events, newest first. One query, and one more for each contact that was merged into this
    /// one: an event that arrives late is recorded under the former id.
    pub async fn history(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Event>, Error> {
        if contact.merged_ids.is_empty() {
            return self.timeline(tenant, contact.id, limit, cursor).await;
        }
        let before = cursor.as_ref().map(place).transpose()?;
        let pages = contact.all_ids().map(|id| {
            let query = Query::partition(keys::contact(tenant, id)).descending();
            let query = match &before {
                Some(before) => query.between("0", before.as_str()),
                None => query,
            };
            self.timeline.query::<Event>(query.limit(limit.get() + 1))
        });
        let pages: Vec<Page<Event>> = try_join_all(pages).await?;
        let order = |event: &Event| keys::event_order(event.at, &event.id);
        // Events that are older than the end of an unfinished page may have others before them.
        let ends = pages.iter().filter(|page| page.next.is_some());
        let end = ends.filter_map(|page| page.data.last().map(order)).max();
        let all = distinct(pages.into_iter().flat_map(|page| page.data).collect());
        let mut data: Vec<Event> = all
            .into_iter()
            .filter(|event| before.as_ref().is_none_or(|before| order(event) < *before))
            .filter(|event| end.as_ref().is_none_or(|end| order(event) >= *end))
            .collect();
        let more = data.len() > limit.get() as usize || end.is_some();
        data.truncate(limit.get() as usize);
        let last = data.last().filter(|_| more);
        let next = last.map(|event| Cursor(format!("m{}", hex(&order(event)))));
        Ok(Page { data, next })
    }
}

/// The events once each, newest first. An event may be recorded under two ids.
fn distinct(events: Vec<Event>) -> Vec<Event> {
    let order = |event: Event| (keys::event_order(event.at, &event.id), event);
    let all: BTreeMap<String, Event> = events.into_iter().map(order).collect();
    all.into_values().rev().collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The sort key before which a page of [`Contacts::history`] begins.
fn place(Cursor(text): &Cursor) -> Result<String, Error> {
    let other = || Error::Cursor("belongs to another list");
    let digits = text.strip_prefix('m').ok_or_else(other)?;
    let bytes = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    let bytes: Option<Vec<u8>> = bytes.collect();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let is_place = |text: &String| text.len() <= LONGEST_KEY && text.as_str() > "0";
    text.filter(is_place).ok_or(Error::Cursor("is damaged"))
}
