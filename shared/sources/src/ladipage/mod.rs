//! LadiPage lead forms: flat bodies in JSON, urlencoded or multipart, or the relay's form with `form_data` pairs.
//! They have no signature; a request header carries a token.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use kernel::links::without_links;
use kernel::{ConsentField, EmailAddress, Person, Phone, person};
use serde_json::{Map, Value};

pub use crate::body::MAX_FIELDS;
use crate::body::pairs;
use crate::inbound::RawRequest;
use crate::source::Settings;
use crate::submission::{Answer, Event, ParseError, Sender, Submission};

/// Characters that are kept of a field; a cell of an imported file has the same limit.
pub const MAX_FIELD: usize = 1_000;
/// Characters that are kept of a field's name.
pub const MAX_NAME: usize = 100;
/// Bytes that are kept of a form. If a workflow listens, the timeline stores them twice, in an item of at most 400
/// KB.
pub const MAX_KEPT: usize = 32 * 1024;
/// A repetition of a form without a time within this period is the same submission.
pub const SAME_WITHOUT_TIME: SignedDuration = SignedDuration::from_mins(10);
/// How long a repeated form without a usable time counts as the same submission. Queues and dead-letter queues
/// keep a form for 28 days.
const SAME_TIME_TEXT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A form's own time is accepted within these bounds around its arrival. The bound in the past is wide: a replay of
/// old forms must find its earlier entries.
const BELIEVED_PAST: SignedDuration = SignedDuration::from_hours(24 * 365);
const BELIEVED_FUTURE: SignedDuration = SignedDuration::from_hours(24);

/// Vietnam's time, without the zone file that Lambda's image may lack. The offset has been the same since 1975.
const VIETNAM: Offset = Offset::constant(7);

/// The form's own fields; the others that have a meaning are those of [`kernel::person`].
const OWN: [&str; 3] = ["message", "form_id", "message_time"];
/// The form's name for the whole name.
const NAME: &str = "name";
/// The field of [`kernel::person`] that is [`NAME`].
const FULL_NAME: &str = "full_name";
/// The formats of `message_time`.
pub const TIMES: [&str; 3] = ["%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S"];

/// Folded names that forms give to their own fields, with the field for each.
const ALIASES: [(&str, &str); 5] = [
    ("ladi_form_id", "form_id"),
    ("ghi_chu", "message"),
    ("loi_nhan", "message"),
    ("noi_dung", "message"),
    ("tin_nhan", "message"),
];
/// Fields of a contact that a form cannot set: anybody can type an id, and the tags are the shop's.
const NOT_TAKEN: [&str; 2] = ["external_id", "tags"];

/// Fields with a meaning of their own; every other field is only stored.
pub fn fields() -> impl Iterator<Item = &'static str> {
    let known = person::known().map(|known| known.name);
    let known = known.filter(|name| !NOT_TAKEN.contains(name));
    let known = known.map(|name| if name == FULL_NAME { NAME } else { name });
    known.chain(OWN)
}

/// The folded names that forms give to a field, beside its own.
pub fn other_names(field: &str) -> Vec<&'static str> {
    let contact = if field == NAME { FULL_NAME } else { field };
    let known = person::known().filter(|known| known.name == contact);
    let known = known.flat_map(|known| known.aliases).copied();
    let own = ALIASES.iter().filter(|(_, target)| *target == field);
    let names = known.chain(own.map(|(name, _)| *name));
    names.filter(|name| *name != field).collect()
}

/// The field that a folded name means.
fn meant(name: &str) -> Option<&'static str> {
    if let Some((_, field)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Some(field);
    }
    match person::meant(name)? {
        FULL_NAME => Some(NAME),
        field if NOT_TAKEN.contains(&field) => None,
        field => Some(field),
    }
}

/// Whether the body is a form at all. Another body will never be accepted.
pub async fn check(content_type: &str, body: &str) -> Result<(), ParseError> {
    pairs(content_type, body).await.map(drop)
}

/// Reads one form. The mapping of the settings holds the source's own field names (folded or not) and wins over the
/// known aliases.
pub async fn parse(request: &RawRequest, settings: &Settings) -> Result<Submission, ParseError> {
    let pairs = pairs(request.header("content-type"), &request.body).await?;
    let mapping: BTreeMap<String, &String> = settings
        .mapping
        .iter()
        .map(|(name, field)| (folded(name), field))
        .collect();
    let field_of = |name: &str| {
        let own = mapping.get(name).map(|field| field.as_str());
        own.or(meant(name)).unwrap_or(name).to_owned()
    };
    let pairs: Vec<(String, String)> = pairs
        .into_iter()
        .map(|(name, value)| (folded(&name), value))
        .collect();
    // "Tên" beside "Họ" is the given name; "Tên" alone is the whole name.
    let has_family = pairs.iter().any(|(name, _)| field_of(name) == "last_name");
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        let mut field = field_of(&name);
        if name == person::GIVEN_OR_WHOLE && field == "first_name" && !has_family {
            NAME.clone_into(&mut field);
        }
        let mut value = kernel::text::nfc(value.trim());
        if [NAME, "first_name", "last_name"].contains(&field.as_str()) {
            value = without_links(&value);
        }
        if !field.is_empty() && !value.is_empty() {
            fields.entry(field).or_insert(value);
        }
    }
    let mut submission = submission(&fields, request.received_at)?;
    let data = &submission.event.data;
    let answers = settings.consent.iter().filter_map(|(channel, asked)| {
        let yes = answer(data, &settings.mapping, asked)?;
        Some(Answer {
            channel: *channel,
            yes,
            text: asked.text.clone(),
        })
    });
    submission.consent = answers.collect();
    Ok(submission)
}

fn submission(
    fields: &BTreeMap<String, String>,
    received_at: Timestamp,
) -> Result<Submission, ParseError> {
    let email = fields.get("email").and_then(|text| text.parse().ok());
    let phone: Option<Phone> = fields.get("phone").and_then(|text| text.parse().ok());
    if email.is_none() && phone.is_none() {
        return Err(without_address(fields));
    }
    let time = fields.get("message_time");
    let said = time.and_then(|text| vietnamese_time(text));
    let said = said.filter(|at| {
        received_at.duration_since(*at) <= BELIEVED_PAST
            && at.duration_since(received_at) <= BELIEVED_FUTURE
    });
    let same_within = match (said, time) {
        (Some(_), _) => None,
        (None, Some(_)) => Some(SAME_TIME_TEXT),
        (None, None) => Some(SAME_WITHOUT_TIME),
    };
    let who = phone.as_ref().map(ToString::to_string);
    let who = who.or_else(|| email.as_ref().map(|email: &EmailAddress| email.to_string()));
    let who = who.unwrap_or_default();
    let (data, is_shortened) = kept(fields);
    Ok(Submission {
        event: Event {
            id: event_id(fields, &who),
            name: "form.submitted",
            at: said.unwrap_or(received_at),
            same_within,
            form: fields.get("form_id").cloned(),
            data: Value::Object(data),
            is_shortened,
        },
        sender: Sender {
            email,
            phone,
            person: person_of(fields),
        },
        consent: Vec::new(),
    })
}

/// The plain fields of the person. A value that is none of its field is only in the event.
fn person_of(fields: &BTreeMap<String, String>) -> Person {
    let mut person = Person::default();
    for field in person::FIELDS {
        let name = if field.name() == FULL_NAME {
            NAME
        } else {
            field.name()
        };
        let value = fields.get(name).and_then(|value| field.fit(value));
        *field.slot(&mut person) = value;
    }
    person
}

/// Names the submission by its content only.
fn event_id(fields: &BTreeMap<String, String>, who: &str) -> String {
    if let (Some(form), Some(time)) = (fields.get("form_id"), fields.get("message_time")) {
        return kernel::hash::name(&["ladipage", form, who, time]);
    }
    // The hash covers the fields and not the body: a multipart form has a new boundary each time.
    let texts = fields.iter().flat_map(|(name, value)| [name, value]);
    let texts = texts.map(String::as_str);
    let parts: Vec<&str> = std::iter::once("ladipage").chain(texts).collect();
    kernel::hash::name(&parts)
}

/// Why these fields identify no person.
fn without_address(fields: &BTreeMap<String, String>) -> ParseError {
    let mut names = ["phone", "email"].into_iter();
    if let Some(name) = names.find(|name| fields.contains_key(*name)) {
        return ParseError::BrokenAddress(name);
    }
    let is_address =
        |text: &String| text.parse::<Phone>().is_ok() || text.parse::<EmailAddress>().is_ok();
    if fields.values().any(is_address) {
        ParseError::UnmappedAddress
    } else {
        ParseError::NoAddress
    }
}

/// Key in an event's data: the names of the fields that did not fit. No folded name begins with `_`.
const SHORTENED: &str = "_shortened";

/// The stored fields, and whether some were cut; [`SHORTENED`] names those. Short fields are stored first, so that a
/// long field loses its own end and not the others.
fn kept(fields: &BTreeMap<String, String>) -> (Map<String, Value>, bool) {
    let mut by_length: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    by_length.sort_by_key(|(_, value)| value.len());
    let (mut data, mut shortened) = (Map::new(), Vec::new());
    let mut left = MAX_KEPT;
    for (name, value) in by_length {
        let short_name = beginning(name, MAX_NAME);
        let short = beginning(value, MAX_FIELD);
        let fits = short_name.len() + short.len() <= left;
        if fits {
            left -= short_name.len() + short.len();
            data.insert(short_name.to_owned(), Value::from(short));
        }
        if !fits || short.len() < value.len() || short_name.len() < name.len() {
            shortened.push(short_name.to_owned());
        }
    }
    let is_shortened = !shortened.is_empty();
    if is_shortened {
        shortened.sort_unstable();
        data.insert(SHORTENED.to_owned(), shortened.into());
    }
    (data, is_shortened)
}

/// The first characters of a text.
fn beginning(text: &str, characters: usize) -> &str {
    let end = text.char_indices().nth(characters);
    end.map_or(text, |(end, _)| &text[..end])
}

/// The answer of a form to a question about consent: whether the field's value means yes. `None`: the form has no such
/// field, so it did not ask, or the box was left empty. `data` holds the fields of the event.
fn answer(data: &Value, mapping: &BTreeMap<String, String>, asked: &ConsentField) -> Option<bool> {
    let name = folded(&asked.field);
    let own = mapping.iter().find(|(from, _)| folded(from) == name);
    let known = ALIASES.iter().find(|(alias, _)| *alias == name);
    let name = match (own, known) {
        (Some((_, to)), _) => to.as_str(),
        (None, Some((_, field))) => field,
        (None, None) => &name,
    };
    let given = kernel::text::fold(data.get(name)?.as_str()?.trim());
    Some(
        asked
            .yes
            .iter()
            .any(|yes| kernel::text::fold(yes.trim()) == given),
    )
}

/// `Họ và tên` -> `ho_va_ten`.
fn folded(name: &str) -> String {
    let plain = kernel::text::fold(name);
    let words = plain
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

/// `02/03/2026 08:15:30`, read as day/month/year as in Vietnam; the format is not documented.
fn vietnamese_time(text: &str) -> Option<Timestamp> {
    let local: DateTime = TIMES
        .iter()
        .find_map(|format| strtime::parse(format, text).ok()?.to_datetime().ok())?;
    VIETNAM.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests;
