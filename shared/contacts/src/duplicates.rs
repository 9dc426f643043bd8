//! Pairs of contacts that are perhaps one person.
//!
//! A contact that shows an address without owning it has a row for that address. The rows are read in the order of the
//! contacts' shards. The pair is the contact and the owner of the address, as both are now. So a row that is outdated
//! is skipped, and no page walks over the contacts of the workspace.

use std::collections::{BTreeSet, HashMap};

use cloud::{Error, Key, Query};
use kernel::{ContactId, Cursor, Limit, TenantKey, page::Page};
use serde::Serialize;

use crate::members::resume;
use crate::model::{Contact, Identity};
use crate::profiles::Profiles;
use crate::rows::{Claim, Pair};
use crate::{SHARDS, keys};

/// Why two contacts are perhaps one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = DuplicateReason)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// The contact shows the email address of the other.
    SharedEmail,
    /// The contact shows the phone number of the other.
    SharedPhone,
    /// A public form gave the contact an address of the other, and nobody has confirmed it.
    UnconfirmedIdentity,
}

/// Two contacts that are perhaps one person.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Duplicate {
    /// The contact that shows the address.
    pub contact: Contact,
    /// The contact that owns the address.
    pub owner: Contact,
    /// Why.
    pub reason: Likeness,
    /// The address or number.
    pub address: String,
}

impl Profiles {
    /// A page of the pairs, in no order that means something. A page may hold fewer than `limit` and still have a
    /// `next`. At most 17 queries and two batch reads: for 25 pairs at most 46 read units.
    pub async fn duplicates(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Duplicate>, Error> {
        let (mut shard, mut inner) = resume(cursor)?;
        let mut rows: Vec<Pair> = Vec::new();
        while shard < SHARDS && rows.len() < limit.get() as usize {
            let left = limit.get() - rows.len() as u32;
            let query = Query::partition(keys::pairs(tenant, shard));
            let query = query.eventual().limit(left).cursor(inner.take());
            let page = self.contacts.query::<Pair>(query).await?;
            rows.extend(page.data);
            match page.next {
                Some(next) => inner = Some(next),
                None => shard += 1,
            }
        }
        let inner = inner.map(|cursor| cursor.0).unwrap_or_default();
        let next = (shard < SHARDS).then(|| Cursor(format!("{shard}.{inner}")));
        let data = self.pairs(tenant, rows).await?;
        Ok(Page { data, next })
    }

    /// The pairs of these rows that are pairs now.
    async fn pairs(&self, tenant: TenantKey, rows: Vec<Pair>) -> Result<Vec<Duplicate>, Error> {
        let claim = |row: &Pair| keys::identity(tenant, &row.address);
        let wanted: BTreeSet<Key> = rows.iter().map(claim).collect();
        let wanted = wanted.into_iter().collect();
        let claims: Vec<(Key, Claim)> = self.contacts.get_many(wanted).await?;
        let owners: HashMap<Key, ContactId> = claims
            .into_iter()
            .filter_map(|(key, claim)| Some((key, claim.contact?)))
            .collect();
        let ids: BTreeSet<ContactId> = rows
            .iter()
            .map(|row| row.contact)
            .chain(owners.values().copied())
            .collect();
        let ids: Vec<ContactId> = ids.into_iter().collect();
        let found = self.glance(tenant, &ids).await?;
        let pairs = rows.into_iter().filter_map(|row| {
            let owner = found.get(owners.get(&claim(&row))?)?;
            let contact = found.get(&row.contact)?;
            let in_use = !owner.is_archived() && !contact.is_archived();
            let is_pair =
                in_use && owner.id != contact.id && contact.beside().contains(&row.address);
            is_pair.then(|| Duplicate {
                contact: contact.clone(),
                owner: owner.clone(),
                reason: likeness(contact, &row.address),
                address: text(&row.address),
            })
        });
        Ok(pairs.collect())
    }
}

fn likeness(contact: &Contact, address: &Identity) -> Likeness {
    match address {
        Identity::Email(one) if contact.unconfirmed_emails.contains(one) => {
            Likeness::UnconfirmedIdentity
        }
        Identity::Phone(one) if contact.unconfirmed_phones.contains(one) => {
            Likeness::UnconfirmedIdentity
        }
        Identity::Phone(_) => Likeness::SharedPhone,
        _ => Likeness::SharedEmail,
    }
}

fn text(address: &Identity) -> String {
    match address {
        Identity::Email(one) => one.to_string(),
        Identity::Phone(one) => one.to_string(),
        other => keys::value(other),
    }
}
