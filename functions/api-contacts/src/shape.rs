//! The bodies that the API reads, and their conversion to the types of the contacts crate.

use std::collections::BTreeMap;

use contacts::bounds::{
    MAX_FIELD_BYTES, MAX_FIELDS, MAX_LISTS as MAX_LISTS_EVER, MAX_TAGS as MAX_TAGS_EVER,
};
use contacts::{ChannelStatus, Event, Identity, Incoming, Merge, Source, Surplus};
use jiff::Timestamp;
use kernel::{Cursor, EmailAddress, Limit, ListId, Phone};
use lambda::http::{Code, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const MAX_TEXT: usize = 255;
const MAX_LISTS: usize = 20;
const MAX_TAGS: usize = 50;
const MAX_CUSTOM: usize = 100;
const MAX_VALUE: usize = 3000;

/// Where a page begins.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    #[serde(default)]
    #[param(value_type = Option<Limit>)]
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

/// A contact as a client gives it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewContact)]
#[serde(deny_unknown_fields)]
pub struct ContactIn {
    /// The id that the shop's own system gave.
    #[schema(min_length = 1, max_length = 255)]
    external_id: Option<String>,
    email: Option<EmailAddress>,
    phone: Option<Phone>,
    /// Whole name, family name first.
    #[schema(min_length = 1, max_length = 255, example = "Nguyễn Văn An")]
    full_name: Option<String>,
    /// Given name.
    #[schema(min_length = 1, max_length = 255)]
    first_name: Option<String>,
    /// Family and middle name.
    #[schema(min_length = 1, max_length = 255)]
    last_name: Option<String>,
    /// Tags to add.
    #[serde(default)]
    #[schema(max_items = 50)]
    tags: Vec<String>,
    /// Lists to join.
    #[serde(default)]
    #[schema(max_items = 20)]
    list_ids: Vec<ListId>,
    /// Up to 100 fields of the shop's own, each of at most 3,000 bytes.
    #[serde(default)]
    custom: BTreeMap<String, Value>,
    /// Consent for mail, given together with `email`; it counts if that is then the contact's address.
    /// Without it a new contact is `none` and gets no campaigns, and a known one keeps what it has.
    /// `subscribed` means that the person agreed. It never reverts an unsubscription, a bounce or a
    /// complaint.
    email_status: Option<Consent>,
    /// Consent for text messages, given together with `phone`; as with mail.
    sms_status: Option<Consent>,
    /// Fields that the contact has already are replaced; otherwise they stay.
    #[serde(default)]
    overwrite: bool,
}

/// The values of consent that a client may give; bounces and complaints come from providers only.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Consent {
    Subscribed,
    Unsubscribed,
    Pending,
}

impl From<Consent> for ChannelStatus {
    fn from(consent: Consent) -> Self {
        match consent {
            Consent::Subscribed => Self::Subscribed,
            Consent::Unsubscribed => Self::Unsubscribed,
            Consent::Pending => Self::Pending,
        }
    }
}

impl ContactIn {
    pub fn lists(&self) -> &[ListId] {
        &self.list_ids
    }

    /// Checked and brought into the shape of the contacts crate.
    pub fn incoming(self) -> Result<Incoming, Problem> {
        for (pointer, text) in [
            ("/external_id", &self.external_id),
            ("/full_name", &self.full_name),
            ("/first_name", &self.first_name),
            ("/last_name", &self.last_name),
        ] {
            if text.as_ref().is_some_and(|text| is_bad(text)) {
                return Err(Problem::invalid(pointer, "must have 1 to 255 characters"));
            }
        }
        if self.list_ids.len() > MAX_LISTS {
            return Err(Problem::invalid("/list_ids", "holds at most 20 lists"));
        }
        tags(&self.tags)?;
        custom(&self.custom)?;
        let identities: Vec<Identity> = self
            .external_id
            .map(Identity::External)
            .into_iter()
            .chain(self.email.map(Identity::Email))
            .chain(self.phone.map(Identity::Phone))
            .collect();
        if identities.is_empty() {
            return Err(Problem::invalid(
                "",
                "give at least one of external_id, email and phone",
            ));
        }
        Ok(Incoming {
            identities,
            full_name: self.full_name,
            first_name: self.first_name,
            last_name: self.last_name,
            tags: self.tags,
            lists: self.list_ids,
            custom: self.custom,
            source: Source::Api,
            email_status: self.email_status.map(Into::into),
            sms_status: self.sms_status.map(Into::into),
            merge: if self.overwrite {
                Merge::Overwrite
            } else {
                Merge::FillEmpty
            },
            operation: None,
            at: None,
        })
    }
}

/// Custom fields are texts, numbers, truth values or short lists: a contact is one small item.
fn custom(fields: &BTreeMap<String, Value>) -> Result<(), Problem> {
    if fields.len() > MAX_CUSTOM {
        return Err(Problem::invalid("/custom", "holds at most 100 fields"));
    }
    for (name, value) in fields {
        let pointer = format!("/custom/{}", name.replace('~', "~0").replace('/', "~1"));
        if is_bad(name) {
            return Err(Problem::invalid(
                pointer,
                "a field's name has 1 to 255 characters",
            ));
        }
        if !contacts::bounds::is_storable(value) {
            return Err(Problem::invalid(
                pointer,
                "expected numbers from 1e-130 to 1e126, of either sign, or 0",
            ));
        }
        if value.to_string().len() > MAX_VALUE {
            return Err(Problem::invalid(
                pointer,
                "a field's value has at most 3,000 bytes",
            ));
        }
    }
    Ok(())
}

/// The problem of values that the contact has no room for.
pub fn full(surplus: &Surplus) -> Problem {
    let problem = Problem::new(Code::Unprocessable, "the contact has no room for this");
    let field = |name: &String| format!("/custom/{}", name.replace('~', "~0").replace('/', "~1"));
    let problem = surplus.fields.iter().fold(problem, |problem, name| {
        let (most, bytes) = (MAX_FIELDS, MAX_FIELD_BYTES);
        let message = format!("a contact has at most {most} fields, together {bytes} bytes");
        problem.at(field(name), message)
    });
    let sets = [
        (
            "/tags",
            surplus.tags,
            format!("a contact has at most {MAX_TAGS_EVER} tags"),
        ),
        (
            "/list_ids",
            surplus.lists,
            format!("a contact is on at most {MAX_LISTS_EVER} lists"),
        ),
    ];
    sets.into_iter()
        .filter(|set| set.1 > 0)
        .fold(problem, |problem, set| problem.at(set.0, set.2))
}

/// Tags have 1 to 255 characters; at most 50 at once.
pub fn tags(tags: &[String]) -> Result<(), Problem> {
    if tags.len() > MAX_TAGS {
        return Err(Problem::invalid("/tags", "holds at most 50 tags"));
    }
    match tags.iter().position(|tag| is_bad(tag)) {
        Some(n) => Err(Problem::invalid(
            format!("/tags/{n}"),
            "must have 1 to 255 characters",
        )),
        None => Ok(()),
    }
}

fn is_bad(text: &str) -> bool {
    text.trim().is_empty() || text.chars().count() > MAX_TEXT
}

/// A new list.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewList)]
#[serde(deny_unknown_fields)]
pub struct ListIn {
    #[schema(min_length = 1, max_length = 255, example = "Khách quen")]
    pub name: String,
    #[schema(max_length = 1000)]
    pub description: Option<String>,
}

impl ListIn {
    pub fn check(&self) -> Result<(), Problem> {
        if is_bad(&self.name) {
            return Err(Problem::invalid("/name", "must have 1 to 255 characters"));
        }
        if self
            .description
            .as_ref()
            .is_some_and(|text| text.chars().count() > 1000)
        {
            return Err(Problem::invalid(
                "/description",
                "has at most 1,000 characters",
            ));
        }
        Ok(())
    }
}

/// A timeline entry in answers: something that a contact did, or that happened to it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TimelineEvent)]
pub(crate) struct EventView {
    /// Unique for the contact at that time.
    id: String,
    /// `form.submitted`, `message.opened`…
    name: String,
    /// When it happened: the event's own time, not the time of its arrival.
    #[serde(serialize_with = "kernel::clock::millis")]
    occurred_at: Timestamp,
    /// The origin: a source id, a campaign id, `api`…
    source: String,
    /// Details, by name of the event.
    data: Value,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            name: event.name,
            occurred_at: event.at,
            source: event.source,
            data: event.data,
        }
    }
}
