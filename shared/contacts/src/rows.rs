//! The rows of the table Contacts and the names of their attributes. It reads and writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use kernel::text::alike;
use kernel::{ContactId, EmailAddress, ListId, Person, Phone, TenantKey, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::Before;
use crate::consent::{Channel, ChannelStatus, Consents, Told};
use crate::model::{Contact, ContactStatus, Identity, Source};
use crate::places;
use crate::scores::{Fade, Fading};
use crate::shard;

/// Prefix of custom fields. Each is its own attribute, so writers of different fields do not conflict.
pub(crate) const CUSTOM: &str = "custom.";

/// Prefix of the ids that other systems gave, by scope.
pub(crate) const EXTERNAL: &str = "external.";

/// The profile's attribute for the address that bounced.
pub(crate) const BOUNCED: &str = "email_bounced";

/// The profile's set of mails that came back for a reason that may pass, since the last delivery.
pub(crate) const SOFT_BOUNCES: &str = "soft_bounces";

/// The profile's attribute that counts changes of its shown identities.
pub(crate) const VERSION: &str = "identity_version";
/// The profile's attribute that counts changes of its custom fields. A writer that adds to them must have read the
/// present ones, so that the limits hold.
pub(crate) const FIELDS: &str = "fields_version";
/// The profile's attribute that counts changes of its name. A writer that changes the name must have read the present
/// one: another writer may have deleted the rows of the search that the first one has written.
pub(crate) const NAMED: &str = "name_version";
/// The profile's former names whose rows of the search are not yet deleted.
pub(crate) const FORMER: &str = "former_names";
/// The profile's attribute for the time at which its values were last overwritten.
pub(crate) const OVERWRITTEN: &str = "overwritten_at";
/// The profile's attribute for the time at which the contact was archived.
pub(crate) const ARCHIVED: &str = "archived_at";
/// The attribute of a tombstone for the time at which the contact was erased. A tombstone is no contact, and no writer
/// changes it.
pub(crate) const ERASED: &str = "erased_at";
/// The attribute of a tombstone for the contact that the contact was merged into. Such a tombstone does not expire.
pub(crate) const MERGED_INTO: &str = "merged_into";
/// The profile's set of contacts that were merged into it.
pub(crate) const MERGED_IDS: &str = "merged_ids";
/// The profile's list of identities beside the first of their kind. It changes with [`VERSION`] only.
pub(crate) const ALSO: &str = "also";
/// The profile's attribute that names the row of an import that wrote it last, of a contact that the import made.
/// Every other write removes it: an import may remove only a contact that nobody has touched since.
pub(crate) const IMPORTED: &str = "imported";
/// The profile's attribute for the user who looks after the contact. It is a key of the index `ByOwner`.
pub(crate) const OWNER: &str = "owner_id";
/// The profile's attribute for the lead score. Only [`crate::scores`] writes it.
pub(crate) const SCORE: &str = "score";
/// The profile's attribute for how the lead score fades: [`crate::scores::Fade`]. It changes with [`SCORE`].
pub(crate) const FADE: &str = "score_fade";
/// The profile's attribute that names the import whose undo removed the contact.
pub(crate) const UNDONE: &str = "undone";
/// The profile's list of identities to release.
pub(crate) const REPLACED: &str = "replaced";

/// A profile as it is stored. A row without `created_at` only reserves its id (see [`crate::upsert`]) and is no
/// contact yet.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Profile {
    pub contact: Option<ContactId>,
    /// Names the last write.
    #[serde(default)]
    pub update_id: Option<String>,
    #[serde(default)]
    pub operation: Option<String>,
    /// The lead score; absent if nothing counted.
    #[serde(default)]
    pub score: Option<i64>,
    /// How the score fades; absent if it does not.
    #[serde(default)]
    pub score_fade: Option<Fade>,
    /// The import whose undo removed the contact.
    #[serde(default)]
    pub undone: Option<String>,
    /// How often the shown identities changed; absent until the profile shows one.
    pub identity_version: Option<u64>,
    pub fields_version: Option<u64>,
    pub name_version: Option<u64>,
    pub overwritten_at: Option<Timestamp>,
    /// Names that the contact no longer has and whose rows are not yet deleted.
    #[serde(default)]
    pub former_names: BTreeSet<String>,
    /// Identities that are no longer shown and whose rows are not yet released.
    #[serde(default)]
    pub replaced: Vec<Replaced>,
    /// The contact that this one was merged into.
    #[serde(default)]
    pub merged_into: Option<ContactId>,
    #[serde(default)]
    merged_ids: BTreeSet<ContactId>,
    /// Identities beside the first of their kind.
    #[serde(default)]
    also: Vec<Identity>,
    external_id: Option<String>,
    email: Option<EmailAddress>,
    phone: Option<Phone>,
    #[serde(default)]
    shared_emails: BTreeSet<EmailAddress>,
    #[serde(default)]
    shared_phones: BTreeSet<Phone>,
    #[serde(default)]
    unconfirmed_emails: BTreeSet<EmailAddress>,
    #[serde(default)]
    unconfirmed_phones: BTreeSet<Phone>,
    /// Visitors of chat widgets and anonymous visitors: [`crate::keys::visitor`]. The record does not show them; an erasure finds them here.
    #[serde(default)]
    pub visitors: BTreeSet<String>,
    #[serde(flatten)]
    person: Person,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    lists: BTreeSet<ListId>,
    /// How many decisions about consent are recorded.
    pub consent_records: Option<u64>,
    /// The last address that bounced. It counts only while it equals `email`.
    pub email_bounced: Option<EmailAddress>,
    /// Mails that came back since the last delivery; see [`SOFT_BOUNCES`].
    #[serde(default)]
    pub soft_bounces: BTreeSet<String>,
    /// When the contact was erased.
    pub erased_at: Option<Timestamp>,
    pub archived_at: Option<Timestamp>,
    owner_id: Option<UserId>,
    #[serde(default)]
    source: Source,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

impl Profile {
    /// The consent by channel and purpose, whether or not the address works.
    pub fn consents(&self) -> Consents {
        Consents::of_attributes(&self.rest)
    }

    /// Whether the address that the profile shows has bounced.
    pub fn is_bounced(&self) -> bool {
        self.email.is_some() && self.email == self.email_bounced
    }

    /// The stored tags: also those that another spelling repeats.
    pub fn stored_tags(&self) -> &BTreeSet<String> {
        &self.tags
    }

    /// The lead score at an instant; 0 if nothing counted.
    pub fn score_at(&self, now: Timestamp) -> i64 {
        let score = self.score.unwrap_or_default();
        self.score_fade.map_or(score, |fade| fade.of(score, now))
    }

    /// The attributes that have no name here.
    pub fn rest(&self) -> &HashMap<String, Value> {
        &self.rest
    }

    /// Whether it is a contact, not a reserved id.
    pub fn exists(&self) -> bool {
        self.created_at.is_some()
    }

    /// The contact, with the names as they were given.
    pub fn given(self) -> Option<Contact> {
        let created_at = self.created_at?;
        let bounced = self.is_bounced().then_some(ChannelStatus::Bounced);
        let consents = self.consents();
        let (mut custom, mut external_ids) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in self.rest {
            if let Some(name) = name.strip_prefix(CUSTOM) {
                custom.insert(name.to_owned(), value);
            } else if let (Some(scope), Value::String(id)) = (name.strip_prefix(EXTERNAL), value) {
                external_ids.insert(scope.to_owned(), id);
            }
        }
        let address = &self.person;
        let place = places::locate(
            address.province.as_deref(),
            address.district.as_deref(),
            address.ward.as_deref(),
        );
        let mut contact = Contact {
            id: self.contact?,
            other_emails: BTreeSet::new(),
            other_phones: BTreeSet::new(),
            other_external_ids: BTreeMap::new(),
            merged_ids: self.merged_ids,
            province_code: place.province_code.map(str::to_owned),
            ward_code: place.ward_code.map(str::to_owned),
            is_legacy_address: place.is_legacy,
            external_id: self.external_id,
            email: self.email,
            phone: self.phone,
            external_ids,
            shared_emails: self.shared_emails,
            shared_phones: self.shared_phones,
            unconfirmed_emails: self.unconfirmed_emails,
            unconfirmed_phones: self.unconfirmed_phones,
            person: self.person,
            tags: distinct(self.tags),
            lists: self.lists,
            custom,
            email_status: consents
                .marketing(Channel::Email)
                .merge(bounced.unwrap_or_default()),
            sms_status: consents.marketing(Channel::Sms),
            zalo_status: consents.marketing(Channel::Zalo),
            push_status: consents.marketing(Channel::Push),
            consents,
            has_soft_bounces: !self.soft_bounces.is_empty(),
            status: match self.archived_at {
                Some(_) => ContactStatus::Archived,
                None => ContactStatus::Active,
            },
            owner: self.owner_id,
            lead_score: self.score,
            fading: self.score_fade.map(|fade| Fading {
                score: self.score.unwrap_or_default(),
                fade,
            }),
            source: self.source,
            archived_at: self.archived_at,
            created_at,
            // One write sets both, each by its own look at the clock.
            updated_at: self.updated_at.unwrap_or(created_at).max(created_at),
        };
        contact.own(self.also);
        Some(contact)
    }
}

impl Contact {
    /// Takes the further identities. An address that is the contact's own is not shown as shared or unconfirmed.
    fn own(&mut self, also: Vec<Identity>) {
        for one in also {
            match one {
                Identity::External { scope, id } => {
                    self.other_external_ids.entry(scope).or_default().insert(id);
                }
                Identity::Email(address) => drop(self.other_emails.insert(address)),
                Identity::Phone(phone) => drop(self.other_phones.insert(phone)),
                Identity::Visitor { .. } | Identity::Anonymous { .. } => {}
            }
        }
        let (first, other) = (&self.email, &self.other_emails);
        let is_own = |one: &EmailAddress| first.as_ref() == Some(one) || other.contains(one);
        self.shared_emails.retain(|one| !is_own(one));
        self.unconfirmed_emails.retain(|one| !is_own(one));
        let (first, other) = (&self.phone, &self.other_phones);
        let is_own = |one: &Phone| first.as_ref() == Some(one) || other.contains(one);
        self.shared_phones.retain(|one| !is_own(one));
        self.unconfirmed_phones.retain(|one| !is_own(one));
    }
}

/// The tags without those that another spelling repeats. Two writers can add both at the same time.
fn distinct(tags: BTreeSet<String>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let is_new = |tag: &String| seen.insert(alike(tag));
    tags.into_iter().filter(is_new).collect()
}

/// An address that a contact shows without owning it: perhaps of the same person as its owner.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub contact: ContactId,
    pub address: Identity,
}

/// A name that can be searched.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NameRow {
    pub contact: ContactId,
}

/// A contact's place on a list. It has no `shard`. With one it would also be in the index over the workspace
/// (`ByShard`), at the cost of a write and of reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Membership {
    pub tenant: String,
    pub member_of: ListId,
    pub list_shard: u32,
    pub contact: ContactId,
}

impl Membership {
    pub fn new(tenant: TenantKey, contact: ContactId, list: ListId) -> Self {
        Self {
            tenant: tenant.to_string(),
            member_of: list,
            list_shard: shard(contact),
            contact,
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct IndexRow {
    pub contact: ContactId,
}

/// Any item of the table Contacts, for writes of mixed batches.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Row {
    Name(NameRow),
    Pair(Pair),
    Membership(Membership),
    Consent(Box<Told>),
    Before(Box<Before>),
}

/// An identity as it is stored. Without a contact it was released and may be claimed again.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Claim {
    #[serde(default)]
    pub contact: Option<ContactId>,
    /// Why mail to this address was refused under its last owner. The reason goes with the address to the next
    /// owner, who may be the same person.
    #[serde(default)]
    pub status: Option<ChannelStatus>,
    /// When mail was refused, in milliseconds.
    #[serde(default)]
    pub status_since: Option<i64>,
    /// A new value after each claim.
    #[serde(default, rename = "update_id")]
    pub mark: Option<String>,
    /// Whether this call claimed the row.
    #[serde(skip)]
    pub fresh: bool,
}

/// An identity that a profile has shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Replaced {
    pub identity: Identity,
    /// The opt-out or bounce that the next owner inherits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ChannelStatus>,
    /// When it was refused, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
}
