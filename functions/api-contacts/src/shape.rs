//! The bodies that the API reads, and their conversion to the types of the contacts crate.

use std::collections::BTreeMap;

use contacts::bounds::{
    MAX_FIELD_BYTES, MAX_FIELDS, MAX_LISTS as MAX_LISTS_EVER, MAX_TAGS as MAX_TAGS_EVER,
};
use contacts::{
    Channel, ChannelStatus, Event, FieldName, Identity, Incoming, Merge, Person, Source, Statement,
    Surplus, Tags, Trust,
};
use jiff::Timestamp;
use kernel::{Cursor, EmailAddress, Limit, ListId, Phone, UserId};
use lambda::http::{Code, Flaws, Problem};
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
    /// `male`, `female`, `other` or `unknown`; `nam` and `nữ` are understood.
    #[schema(min_length = 1, max_length = 20, example = "female")]
    gender: Option<String>,
    /// `yyyy-mm-dd`, or `--mm-dd` without the year.
    #[schema(min_length = 4, max_length = 30, example = "1990-03-02")]
    birthday: Option<String>,
    /// Street and house number.
    #[schema(min_length = 1, max_length = 500)]
    address: Option<String>,
    /// Ward or commune.
    #[schema(min_length = 1, max_length = 255)]
    ward: Option<String>,
    /// District, as received.
    #[schema(min_length = 1, max_length = 255)]
    district: Option<String>,
    /// Province or city.
    #[schema(min_length = 1, max_length = 255)]
    province: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    country: Option<String>,
    #[schema(min_length = 1, max_length = 20)]
    postal_code: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    company: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    job_title: Option<String>,
    /// Language tag.
    #[schema(min_length = 2, max_length = 35, example = "vi")]
    language: Option<String>,
    #[schema(min_length = 1, max_length = 64, example = "Asia/Ho_Chi_Minh")]
    timezone: Option<String>,
    /// Address of a picture.
    #[schema(
        min_length = 9,
        max_length = 1000,
        example = "https://shop.example.vn/an.png"
    )]
    avatar_url: Option<String>,
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
    pub custom: BTreeMap<String, Value>,
    /// The member of the workspace who looks after the contact.
    pub owner_id: Option<UserId>,
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

    /// Checked and brought into the shape of the contacts crate. The answer names these flaws too.
    pub fn incoming(self, mut flaws: Flaws) -> Result<Incoming, Problem> {
        let external = self.external_id.as_ref();
        let is_flawed = external.is_some_and(|text| is_bad(text));
        flaws.check(is_flawed, "/external_id", "must have 1 to 255 characters");
        let person = Person {
            full_name: self.full_name,
            first_name: self.first_name,
            last_name: self.last_name,
            gender: self.gender,
            birthday: self.birthday,
            address: self.address,
            ward: self.ward,
            district: self.district,
            province: self.province,
            country: self.country,
            postal_code: self.postal_code,
            company: self.company,
            job_title: self.job_title,
            language: self.language,
            timezone: self.timezone,
            avatar_url: self.avatar_url,
        };
        check_person(&person, &mut flaws);
        let are_many = self.list_ids.len() > MAX_LISTS;
        flaws.check(are_many, "/list_ids", "holds at most 20 lists");
        check_tags(&self.tags, &mut flaws);
        check_custom(&self.custom, &mut flaws);
        let identities: Vec<Identity> = self
            .external_id
            .map(Identity::own)
            .into_iter()
            .chain(self.email.map(Identity::Email))
            .chain(self.phone.map(Identity::Phone))
            .collect();
        let message = "give at least one of external_id, email and phone";
        flaws.check(identities.is_empty(), "", message);
        flaws.refuse()?;
        let given = [
            (Channel::Email, self.email_status),
            (Channel::Sms, self.sms_status),
        ];
        let said = given
            .into_iter()
            .filter_map(|(channel, status)| Statement::from_status(channel, status?.into()));
        Ok(Incoming {
            identities,
            person,
            tags: self.tags,
            lists: self.list_ids,
            custom: self.custom,
            owner: self.owner_id,
            trust: Trust::Shop,
            source: Source::Api,
            consent: said.collect(),
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

/// Each plain field has a value of its kind.
fn check_person(person: &Person, flaws: &mut Flaws) {
    for (field, value) in person.values() {
        if let Err(message) = field.parse(value) {
            flaws.add(format!("/{}", field.name()), message);
        }
    }
}

/// Custom fields are texts, numbers, truth values or short lists: a contact is one small item.
pub fn check_custom(fields: &BTreeMap<String, Value>, flaws: &mut Flaws) {
    let are_many = fields.len() > MAX_CUSTOM;
    flaws.check(are_many, "/custom", "holds at most 100 fields");
    for (name, value) in fields {
        let pointer = custom_pointer(name);
        if let Err(error) = FieldName::parse(name) {
            flaws.add(pointer.clone(), error.to_string());
        }
        let is_stored = contacts::bounds::is_storable(value);
        let message = "expected numbers from 1e-130 to 1e126, of either sign, or 0";
        flaws.check(!is_stored, pointer.clone(), message);
        let is_long = value.to_string().len() > MAX_VALUE;
        flaws.check(is_long, pointer, "a field's value has at most 3,000 bytes");
    }
}

/// The place of a custom field in a body.
pub fn custom_pointer(name: &str) -> String {
    format!("/custom/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The problem of values that the contact has no room for, or that other contacts have.
pub fn full(surplus: &Surplus) -> Problem {
    let is_full = surplus.count() > surplus.taken.len();
    let problem = if is_full {
        Problem::new(Code::Unprocessable, "the contact has no room for this")
    } else {
        Problem::new(Code::Conflict, "another contact has this value")
    };
    let problem = surplus.taken.iter().fold(problem, |problem, one| {
        let message = format!("contact {} has this value", one.owner_id);
        problem.at(custom_pointer(&one.field), message)
    });
    let problem = surplus.fields.iter().fold(problem, |problem, name| {
        let (most, bytes) = (MAX_FIELDS, MAX_FIELD_BYTES);
        let message = format!("a contact has at most {most} fields, together {bytes} bytes");
        problem.at(custom_pointer(name), message)
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
pub fn check_tags(tags: &[String], flaws: &mut Flaws) {
    flaws.check(tags.len() > MAX_TAGS, "/tags", "holds at most 50 tags");
    for (n, tag) in tags.iter().enumerate() {
        if let Err(error) = Tags::parse(tag) {
            flaws.add(format!("/tags/{n}"), error.to_string());
        }
    }
}

/// Refuses tags that are no tags, or too many.
pub fn tags(tags: &[String]) -> Result<(), Problem> {
    let mut flaws = Flaws::default();
    check_tags(tags, &mut flaws);
    flaws.refuse()
}

/// A tag as it is stored; `pointer` is its place in the body.
pub fn tag(pointer: &str, text: &str) -> Result<String, Problem> {
    let tag = Tags::parse(text).map_err(|error| Problem::invalid(pointer, error.to_string()))?;
    Ok(tag.into())
}

/// 1 to 50 tags as they are stored; `pointer` is their place in the body.
pub fn some_tags(
    pointer: &str,
    tags: &[String],
    flaws: &mut Flaws,
) -> Result<Vec<String>, Problem> {
    let is_wrong = !(1..=MAX_TAGS).contains(&tags.len());
    flaws.check(is_wrong, pointer, "holds 1 to 50 tags");
    let mut stored = Vec::new();
    for (n, text) in tags.iter().enumerate() {
        stored.extend(flaws.take(tag(&format!("{pointer}/{n}"), text))?);
    }
    stored.sort_unstable();
    stored.dedup();
    Ok(stored)
}

pub fn is_bad(text: &str) -> bool {
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
    /// The origin: a source id, a campaign id, `api`… Of `contact.updated` the door: `api`, `bulk`, `workflow`, `form`, `chat`…
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
