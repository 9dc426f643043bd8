//! A contact, and the input about one. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kernel::{ContactId, EmailAddress, InboxId, ListId, Person, Phone, UserId, person};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::bounds::Surplus;
use crate::consent::{ChannelStatus, Consents, Statement};
use crate::identity::Reason;
use crate::names;
use crate::scores::Fading;

/// An identity of a contact; unique in the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// An id that a system of the shop gave. Two ids of one scope are two people.
    External {
        /// The system: [`OWN_SCOPE`], or a source's name and its shop, such as `haravan:ao-dai`.
        scope: String,
        /// The id in that system.
        id: String,
    },
    /// An email address.
    Email(EmailAddress),
    /// A mobile number.
    Phone(Phone),
    /// A visitor of the website's chat widget.
    Visitor {
        /// The widget's inbox.
        inbox: InboxId,
        /// The id that the widget keeps in the browser.
        visitor: String,
    },
    /// A browser or an app that a system of the shop's own follows.
    Anonymous {
        /// The id that its SDK drew: `anonymousId`.
        id: String,
    },
}

/// The scope of the ids that the shop itself gives: by the API and by files.
pub const OWN_SCOPE: &str = "shop";

impl Identity {
    /// An id that the shop itself gave.
    pub fn own(id: impl Into<String>) -> Self {
        Self::External {
            scope: OWN_SCOPE.to_owned(),
            id: id.into(),
        }
    }
}

/// How far an input is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The shop's: its staff, its systems, its files.
    #[default]
    Shop,
    /// Anybody's, such as a public form. It hangs no address on a contact that exists: the address stays unconfirmed.
    Anybody,
}

/// Where a contact first came from.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[schema(as = ContactSource)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the product's own words")]
pub enum Source {
    Import,
    Form,
    #[default]
    Api,
    Haravan,
    Kiotviet,
    Sapo,
    Shopee,
    Getfly,
    Ladipage,
    Chat,
    Manual,
}

impl Source {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Form => "form",
            Self::Api => "api",
            Self::Haravan => "haravan",
            Self::Kiotviet => "kiotviet",
            Self::Sapo => "sapo",
            Self::Shopee => "shopee",
            Self::Getfly => "getfly",
            Self::Ladipage => "ladipage",
            Self::Chat => "chat",
            Self::Manual => "manual",
        }
    }
}

/// The treatment of a field that the contact already has.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// The old value stays; only empty fields are set.
    #[default]
    FillEmpty,
    /// The new value replaces it.
    Overwrite,
}

/// The data about one person from one source. A field that is `None` or empty changes nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Incoming {
    /// Identities of the contact; at least one.
    pub identities: Vec<Identity>,
    /// Name, address and the other plain fields.
    pub person: Person,
    /// Tags to add.
    pub tags: Vec<String>,
    /// Lists to join.
    pub lists: Vec<ListId>,
    /// Custom fields.
    pub custom: BTreeMap<String, Value>,
    /// The member of the workspace who looks after the contact. The caller has checked the membership.
    pub owner: Option<UserId>,
    /// Origin of the data; kept only if the contact is new.
    pub source: Source,
    /// Decisions of the person about messages, and how the source knows. Nothing is booked without it.
    pub consent: Vec<Statement>,
    /// The treatment of fields that are already filled.
    pub merge: Merge,
    /// How far it is trusted.
    pub trust: Trust,
    /// When the values were given, if that was before now. They do not overwrite values that were given later.
    pub at: Option<Timestamp>,
    /// Name of the operation, such as an event's id. If the same operation runs again after a crash, a contact that
    /// it made still counts as created.
    pub operation: Option<String>,
}

/// The outcome of an upsert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upserted {
    /// The contact.
    pub contact: ContactId,
    /// Whether this operation made the contact.
    pub created: bool,
    /// Identities that are not this contact's.
    pub not_taken: Vec<NotTaken>,
    /// Values that the contact has no room for.
    pub surplus: Surplus,
}

/// The place where the contact keeps an identity that it did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It is in `shared_emails` or `shared_phones`: shown, found by search, no identity.
    Shared,
    /// It is in `unconfirmed_emails` or `unconfirmed_phones`.
    Unconfirmed,
    /// Nowhere: it is no address, or the contact has no room for more.
    Nowhere,
}

/// An identity of the input, or the value of a unique field, that is not the contact's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotTaken {
    /// Its place in the input: `/external_id`, `/email` or `/phone`; `/custom/…` for the value of a field.
    pub pointer: String,
    /// Why.
    pub reason: Reason,
    /// Where the contact keeps it.
    pub kept: Kept,
    /// The contact that has it, if one has.
    pub owner_id: Option<ContactId>,
}

/// Whether a contact is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactStatus {
    /// In use.
    #[default]
    Active,
    /// Kept, in no list, segment or search, and sent nothing.
    Archived,
}

/// A customer of the shop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Contact {
    /// Our id.
    pub id: ContactId,
    /// The shop's own id.
    pub external_id: Option<String>,
    /// Where mail goes.
    pub email: Option<EmailAddress>,
    /// Where text messages go.
    pub phone: Option<Phone>,
    /// Ids that other systems gave, by system.
    #[serde(default)]
    pub external_ids: BTreeMap<String, String>,
    /// Further addresses of the contact, from contacts that were merged into it. Each finds the contact; no mail goes there.
    #[serde(default)]
    pub other_emails: BTreeSet<EmailAddress>,
    /// Further numbers of the contact, from contacts that were merged into it.
    #[serde(default)]
    pub other_phones: BTreeSet<Phone>,
    /// Further ids of the contact, by system; `shop` names the ids that the shop itself gave.
    #[serde(default)]
    pub other_external_ids: BTreeMap<String, BTreeSet<String>>,
    /// Contacts that were merged into this one. A message that names one of them is about this contact.
    #[serde(default)]
    pub merged_ids: BTreeSet<ContactId>,
    /// Addresses that belong to somebody else, or beside the contact's own. They never find the contact's record.
    #[serde(default)]
    pub shared_emails: BTreeSet<EmailAddress>,
    /// Numbers that belong to somebody else, or beside the contact's own.
    #[serde(default)]
    pub shared_phones: BTreeSet<Phone>,
    /// Addresses that anybody could have typed in a form; they wait for a confirmation.
    #[serde(default)]
    pub unconfirmed_emails: BTreeSet<EmailAddress>,
    /// Numbers that anybody could have typed in a form.
    #[serde(default)]
    pub unconfirmed_phones: BTreeSet<Phone>,
    /// Name, address and the other plain fields. A given name that is not known is the last word of the whole name.
    #[serde(flatten)]
    pub person: Person,
    /// Code of the province of today that `province` names, such as `79`; also for a name that ended in 2025.
    #[serde(default)]
    pub province_code: Option<String>,
    /// Code of the ward of today that `ward` names. For an address of before 2025-07-01 with its district: the ward of today that
    /// holds the former one, unless that was divided.
    #[serde(default)]
    pub ward_code: Option<String>,
    /// Whether the address is of before 2025-07-01: it names a district or a former province.
    #[serde(default)]
    pub is_legacy_address: bool,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// Lists, as ids.
    #[serde(rename = "list_ids")]
    pub lists: BTreeSet<ListId>,
    /// Custom fields.
    pub custom: BTreeMap<String, Value>,
    /// Consent for mail.
    pub email_status: ChannelStatus,
    /// Consent for text messages.
    pub sms_status: ChannelStatus,
    /// Consent for Zalo.
    pub zalo_status: ChannelStatus,
    /// Consent for push notifications.
    pub push_status: ChannelStatus,
    /// Consent by channel and purpose. The statuses above are those for marketing.
    #[serde(skip)]
    pub consents: Consents,
    /// Whether mails came back since the last delivery, for a reason that may pass.
    #[serde(skip)]
    pub has_soft_bounces: bool,
    /// The user who looks after the contact. A user who left the workspace stays until another one is set.
    #[serde(default, rename = "owner_id")]
    pub owner: Option<UserId>,
    /// Whether the contact is in use.
    #[serde(default)]
    pub status: ContactStatus,
    /// The lead score; null if nothing counted yet.
    #[serde(default)]
    pub lead_score: Option<i64>,
    /// How the lead score fades, if it does.
    #[serde(skip)]
    pub fading: Option<Fading>,
    /// Where the contact first came from.
    pub source: Source,
    /// When the contact was archived.
    #[serde(default, serialize_with = "kernel::clock::millis")]
    pub archived_at: Option<Timestamp>,
    /// When the record was made.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
    /// When the record last changed.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub updated_at: Timestamp,
}

impl Contact {
    /// Whether the contact is archived.
    pub fn is_archived(&self) -> bool {
        self.status == ContactStatus::Archived
    }

    /// With the lead score of this instant.
    #[must_use]
    pub fn scored_at(mut self, now: Timestamp) -> Self {
        if let Some(fading) = self.fading {
            self.lead_score = Some(fading.at(now.as_millisecond()).0);
        }
        self
    }

    /// The data for templates: `{"contact": {"first_name": …}}`. Absent fields are null, which is false in
    /// a condition and prints nothing.
    pub fn merge_data(&self) -> Value {
        let text = |value: Option<&str>| Value::from(value);
        let mut contact = Map::new();
        contact.insert("id".into(), Value::from(self.id.to_string()));
        contact.insert("external_id".into(), text(self.external_id.as_deref()));
        let email = self.email.as_ref().map(EmailAddress::as_str);
        contact.insert("email".into(), text(email));
        contact.insert("phone".into(), text(self.phone.as_ref().map(Phone::e164)));
        for field in person::FIELDS {
            contact.insert(field.name().into(), text(field.of(&self.person)));
        }
        contact.insert("tags".into(), json!(self.tags));
        contact.insert("custom".into(), json!(self.custom));
        json!({ "contact": contact })
    }

    /// This contact and those that were merged into it.
    pub fn all_ids(&self) -> impl Iterator<Item = ContactId> {
        std::iter::once(self.id).chain(self.merged_ids.iter().copied())
    }

    /// Every identity that the contact owns: those that the record shows first, and the further ones.
    pub(crate) fn owned(&self) -> Vec<Identity> {
        [self.identities(), self.also()].concat()
    }

    /// The further identities: each finds the contact.
    pub(crate) fn also(&self) -> Vec<Identity> {
        let ids = self.other_external_ids.iter();
        let ids = ids.flat_map(|(scope, ids)| {
            ids.iter().map(|id| Identity::External {
                scope: scope.clone(),
                id: id.clone(),
            })
        });
        let emails = self.other_emails.iter().cloned().map(Identity::Email);
        let phones = self.other_phones.iter().cloned().map(Identity::Phone);
        ids.chain(emails).chain(phones).collect()
    }

    /// The identities that the record shows as the contact's first of their kind.
    pub(crate) fn identities(&self) -> Vec<Identity> {
        let own = self.external_id.clone().map(Identity::own);
        let others = self
            .external_ids
            .iter()
            .map(|(scope, id)| Identity::External {
                scope: scope.clone(),
                id: id.clone(),
            });
        let email = self.email.clone().map(Identity::Email);
        let phone = self.phone.clone().map(Identity::Phone);
        let addresses = [email, phone].into_iter().flatten();
        own.into_iter().chain(others).chain(addresses).collect()
    }

    /// The addresses that the record shows and that are not its identities.
    pub(crate) fn beside(&self) -> Vec<Identity> {
        let emails = self.shared_emails.union(&self.unconfirmed_emails);
        let phones = self.shared_phones.union(&self.unconfirmed_phones);
        let emails = emails.cloned().map(Identity::Email);
        emails.chain(phones.cloned().map(Identity::Phone)).collect()
    }

    /// Fills in the names that follow from those given.
    pub(crate) fn complete_names(mut self) -> Self {
        let person = &mut self.person;
        let (given, family) = person.full_name.as_deref().map(names::split).unzip();
        let (last, first) = (person.last_name.as_deref(), person.first_name.as_deref());
        let whole = names::join(last, first);
        person.full_name = person.full_name.take().or(whole);
        person.first_name = person.first_name.take().or(given);
        person.last_name = person.last_name.take().or(family.flatten());
        self
    }
}

/// An event of a contact, as the timeline keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unique for the contact at that time. It follows from the cause, so a repetition has the same id.
    pub id: String,
    /// `form.submitted`, `message.opened`…
    pub name: String,
    /// When it happened.
    pub at: Timestamp,
    /// The origin: a source id, a campaign id, `api`…
    pub source: String,
    /// Details; the recording function bounds them.
    #[serde(default)]
    pub data: Value,
}
