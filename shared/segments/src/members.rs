//! The members of segments, in the table Segments.
//!
//! A row holds the version of the contact's state that decided it, and only a later decision replaces it. So a run
//! that was overtaken changes nothing. A contact that left keeps a row with an expiry for two days, which a late run
//! would otherwise write again.

use cloud::{Error, Query, Resources, Table, Update};
use jiff::Timestamp;
use kernel::{ContactId, Cursor, SegmentId, TenantKey, page::Page};
use serde::Deserialize;

use crate::keys;

/// How long the row of a contact that left is kept.
const KEEP_SECONDS: i64 = 2 * 24 * 3600;

/// The member rows of all workspaces.
#[derive(Clone, Debug)]
pub struct Members {
    table: Table,
}

/// A version of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Of {
    /// The segment.
    pub segment: SegmentId,
    /// Its version.
    pub version: u32,
}

#[derive(Deserialize)]
struct Row {
    contact: ContactId,
    #[serde(default)]
    is_in: bool,
    /// When the cause of the decision happened.
    at: Timestamp,
}

impl Members {
    /// Over the table Segments.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Segments"),
        }
    }

    /// Writes a decision, unless a later one is stored. One write unit.
    pub(crate) async fn decide(
        &self,
        tenant: TenantKey,
        of: Of,
        contact: ContactId,
        is_in: bool,
        (n, at): (u64, Timestamp),
    ) -> Result<bool, Error> {
        let update = Update::new()
            .set("contact", contact)
            .set("is_in", is_in)
            .set("n", n)
            .set("at", at)
            .when_absent_or_less("n", n);
        let update = if is_in {
            update.remove("ttl")
        } else {
            let now = self.table.clock().now().as_second();
            update.set("ttl", now + KEEP_SECONDS)
        };
        let key = keys::member(tenant, of.segment, of.version, contact);
        Ok(self.table.update(&key, update).await?.applied())
    }

    /// Whether the contact is a member; strongly consistent.
    pub async fn has(&self, tenant: TenantKey, of: Of, contact: ContactId) -> Result<bool, Error> {
        let key = keys::member(tenant, of.segment, of.version, contact);
        let row: Option<Row> = self.table.get(&key).await?;
        Ok(row.is_some_and(|row| row.is_in))
    }

    /// The stored decision, and when its cause happened; strongly consistent.
    pub(crate) async fn row(
        &self,
        tenant: TenantKey,
        of: Of,
        contact: ContactId,
    ) -> Result<Option<(bool, Timestamp)>, Error> {
        let key = keys::member(tenant, of.segment, of.version, contact);
        let row: Option<Row> = self.table.get(&key).await?;
        Ok(row.map(|row| (row.is_in, row.at)))
    }

    /// Those of the versions that the contact is a member of; eventually consistent, half a read unit each.
    pub(crate) async fn glance(
        &self,
        tenant: TenantKey,
        of: &[Of],
        contact: ContactId,
    ) -> Result<Vec<Of>, Error> {
        let key = |of: &Of| keys::member(tenant, of.segment, of.version, contact);
        let rows: Vec<(cloud::Key, Row)> =
            self.table.get_many(of.iter().map(key).collect()).await?;
        let has = |of: &&Of| {
            let own = key(of);
            rows.iter().any(|(found, row)| *found == own && row.is_in)
        };
        Ok(of.iter().filter(has).copied().collect())
    }

    /// A page of one contact shard, in order of id. A page may hold fewer members than `limit`, also none.
    pub async fn page(
        &self,
        tenant: TenantKey,
        of: Of,
        shard: u32,
        limit: u32,
        cursor: Option<Cursor>,
    ) -> Result<Page<ContactId>, Error> {
        let query = Query::partition(keys::members(tenant, of.segment, of.version, shard));
        let query = query.eventual().limit(limit).cursor(cursor);
        let page = self.table.query::<Row>(query).await?;
        let data = page.data.into_iter().filter(|row| row.is_in);
        Ok(Page {
            data: data.map(|row| row.contact).collect(),
            next: page.next,
        })
    }

    /// The rows of a shard after this contact, in order of id. True: the contact entered at `as_of` or before, and has
    /// not left. Fewer than `limit` at the end. Eventually consistent, a read unit for about eighty rows.
    pub async fn after(
        &self,
        tenant: TenantKey,
        of: Of,
        (shard, after): (u32, Option<ContactId>),
        as_of: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ContactId, bool)>, Error> {
        let query = Query::partition(keys::members(tenant, of.segment, of.version, shard));
        let query = query.eventual().limit(limit);
        let query = match after {
            Some(contact) => query.after(contact.to_string()),
            None => query,
        };
        let page = self.table.query::<Row>(query).await?;
        let is_in = |row: &Row| row.is_in && row.at <= as_of;
        Ok(page
            .data
            .iter()
            .map(|row| (row.contact, is_in(row)))
            .collect())
    }

    /// A page over all shards. A page may hold fewer members than `limit`.
    pub async fn all(
        &self,
        tenant: TenantKey,
        of: Of,
        limit: u32,
        cursor: Option<Cursor>,
    ) -> Result<Page<ContactId>, Error> {
        let damaged = || Error::Cursor("is damaged");
        let (mut shard, mut inner) = match cursor {
            None => (0, None),
            Some(Cursor(text)) => {
                let (shard, inner) = text.split_once('.').ok_or_else(damaged)?;
                let shard: u32 = shard.parse().map_err(|_| damaged())?;
                let inner = Some(inner).filter(|inner| !inner.is_empty());
                (shard, inner.map(|inner| Cursor(inner.to_owned())))
            }
        };
        let mut data = Vec::new();
        while shard < contacts::SHARDS && data.len() < limit as usize {
            let room = limit - data.len() as u32;
            let page = self.page(tenant, of, shard, room, inner.take()).await?;
            data.extend(page.data);
            match page.next {
                Some(next) => {
                    inner = Some(next);
                    // A long run of contacts that left ends the page.
                    break;
                }
                None => shard += 1,
            }
        }
        let next = (shard < contacts::SHARDS).then(|| {
            let inner = inner.map(|cursor| cursor.0).unwrap_or_default();
            Cursor(format!("{shard}.{inner}"))
        });
        Ok(Page { data, next })
    }

    /// Counts the members of one shard, strongly consistent: a read unit for about forty rows.
    pub(crate) async fn count(&self, tenant: TenantKey, of: Of, shard: u32) -> Result<i64, Error> {
        let (mut count, mut cursor) = (0, None);
        loop {
            let query = Query::partition(keys::members(tenant, of.segment, of.version, shard));
            let page = self.table.query::<Row>(query.cursor(cursor)).await?;
            count += page.data.iter().filter(|row| row.is_in).count() as i64;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(count);
            }
        }
    }

    /// Deletes up to `most` rows of a shard; returns whether the shard is empty.
    pub(crate) async fn clear(
        &self,
        tenant: TenantKey,
        of: Of,
        shard: u32,
        most: u32,
    ) -> Result<bool, Error> {
        let query = Query::partition(keys::members(tenant, of.segment, of.version, shard));
        let page = self.table.query::<Row>(query.limit(most)).await?;
        let rows = page.data.iter();
        let keys: Vec<_> = rows
            .map(|row| keys::member(tenant, of.segment, of.version, row.contact))
            .collect();
        self.table.delete_many(&keys).await?;
        Ok(page.next.is_none())
    }
}
