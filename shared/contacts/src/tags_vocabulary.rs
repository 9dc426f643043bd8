//! The vocabulary of a workspace's tags: one row a tag, with its colour and description. A tag need not be in the
//! vocabulary before a contact gets it: the first use enters it.
//!
//! A writer of contacts asks for each new tag of a contact whether the vocabulary has it, and remembers the answer
//! for ten seconds. So a tag that is in use costs no write, and about no read.

use cloud::{Error, Query, Recent, Resources, Table, Update};
use jiff::Timestamp;
use kernel::text::alike;
use kernel::{Cursor, Limit, TenantKey, page::Page};
use serde::{Deserialize, Serialize};

use crate::fields;
use crate::keys;

/// Most tags of a workspace's vocabulary. Contacts may have others.
pub const MAX_VOCABULARY: i64 = 10_000;
/// Longest description of a tag, in characters.
pub const MAX_DESCRIPTION: usize = 500;
/// The colour of a tag that has none.
pub const COLOUR: &str = "#1f93ff";
/// Tags of all workspaces that a process remembers.
const MOST: usize = 50_000;

/// A tag of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tag {
    /// Its name, unique in the workspace in any case of its letters.
    pub name: String,
    /// A colour as `#rrggbb`.
    pub colour: String,
    /// Its purpose.
    #[serde(default)]
    pub description: Option<String>,
    /// When it was made or first used.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
    /// The contacts in use that had it when they were last counted; null before the first count.
    #[serde(default)]
    pub contacts_count: Option<u64>,
    /// When they were counted. Reading the tags has them counted again, an hour later at the earliest.
    #[serde(default, serialize_with = "kernel::clock::millis")]
    pub counted_at: Option<Timestamp>,
}

impl Tag {
    /// A tag without a description.
    pub fn named(name: &str, at: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            colour: COLOUR.to_owned(),
            description: None,
            created_at: at,
            contacts_count: None,
            counted_at: None,
        }
    }

    /// The same tag before its contacts were counted.
    #[must_use]
    pub fn uncounted(self) -> Self {
        Self {
            contacts_count: None,
            counted_at: None,
            ..self
        }
    }

    /// Everything that is wrong with its settings: JSON pointers and rules.
    pub fn flaws(&self) -> Vec<(String, String)> {
        let mut flaws = Vec::new();
        let mut check = |is_flawed: bool, pointer: &str, message: &str| {
            if is_flawed {
                flaws.push((pointer.to_owned(), message.to_owned()));
            }
        };
        let is_bad = !fields::is_colour(&self.colour);
        check(is_bad, "/colour", "must be a colour as #1f93ff");
        let length = self.description.as_ref().map(|text| text.chars().count());
        let is_long = length.is_some_and(|length| length > MAX_DESCRIPTION);
        check(is_long, "/description", "has at most 500 characters");
        flaws
    }
}

/// The outcome of adding a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// It is new.
    New,
    /// It was there.
    Known(Tag),
    /// The vocabulary has as many tags as it may have.
    Full,
}

/// The vocabularies of all workspaces; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    contacts: Table,
    met: Recent<(TenantKey, String), ()>,
}

impl Vocabulary {
    /// Over the table Contacts, which every writer of contacts has.
    pub fn over(resources: &Resources) -> Self {
        Self {
            met: Recent::new(resources.clock(), MOST),
            contacts: resources.table("Contacts"),
        }
    }

    /// The time of a change.
    pub fn now(&self) -> Timestamp {
        self.contacts.clock().now()
    }

    /// Enters the tags that the vocabulary does not have; safe to repeat. A known tag costs half a read unit in ten
    /// seconds and process, a new one four write units once. Tags beyond the limit are left out.
    pub async fn meet(&self, tenant: TenantKey, tags: &[String]) -> Result<(), Error> {
        for tag in tags {
            let contacts = self.contacts.clone();
            let name = tag.clone();
            let read = move || async move {
                let key = keys::tag(tenant, &name);
                if contacts.look_up::<Tag>(&key).await?.is_none() {
                    let tag = Tag::named(&name, contacts.clock().now());
                    add(&contacts, tenant, &tag).await?;
                }
                Ok(())
            };
            self.met.get((tenant, alike(tag)), read).await?;
        }
        Ok(())
    }

    /// Adds a tag. A transaction of two rows: four write units.
    pub async fn add(&self, tenant: TenantKey, tag: &Tag) -> Result<Entered, Error> {
        add(&self.contacts, tenant, tag).await
    }

    /// One tag.
    pub async fn get(&self, tenant: TenantKey, name: &str) -> Result<Option<Tag>, Error> {
        self.contacts.get(&keys::tag(tenant, name)).await
    }

    /// Changes the colour and the description; `None`: there is no such tag. One write unit.
    pub async fn change(&self, tenant: TenantKey, tag: &Tag) -> Result<Option<Tag>, Error> {
        let update = Update::new().set("colour", &tag.colour).when_exists();
        let update = match &tag.description {
            Some(text) => update.set("description", text),
            None => update.remove("description"),
        };
        let key = keys::tag(tenant, &tag.name);
        let outcome = self.contacts.update(&key, update).await?;
        if outcome.applied() {
            outcome.item()
        } else {
            Ok(None)
        }
    }

    /// Removes a tag from the vocabulary; safe to repeat. After a crash in between the vocabulary counts one tag
    /// too many, so that its limit still holds.
    pub async fn remove(&self, tenant: TenantKey, name: &str) -> Result<(), Error> {
        let key = keys::tag(tenant, name);
        if self.contacts.get::<Tag>(&key).await?.is_none() {
            return Ok(());
        }
        self.contacts.delete_many(&[key]).await?;
        let update = Update::new().add("count", -1).when_exists();
        let header = keys::tags_count(tenant);
        self.contacts.update(&header, update).await.map(drop)
    }

    /// A page of tags, in the order of their names.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Tag>, Error> {
        let query = Query::partition(keys::tags(tenant));
        let query = query.limit(limit.get()).cursor(cursor);
        self.contacts.query(query).await
    }
}

async fn add(contacts: &Table, tenant: TenantKey, tag: &Tag) -> Result<Entered, Error> {
    let key = keys::tag(tenant, &tag.name);
    let one = Update::new()
        .set("name", &tag.name)
        .set("colour", &tag.colour)
        .set_some("description", tag.description.as_ref())
        .set("created_at", tag.created_at)
        .when_absent("created_at");
    let count = Update::new()
        .add("count", 1)
        .when_absent_or_less("count", MAX_VOCABULARY);
    let rows = vec![(keys::tags_count(tenant), count), (key.clone(), one)];
    if contacts.update_all(rows).await? {
        return Ok(Entered::New);
    }
    let found: Option<Tag> = contacts.get(&key).await?;
    Ok(found.map_or(Entered::Full, Entered::Known))
}
