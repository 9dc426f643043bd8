//! LadiPage lead forms: flat bodies in JSON, urlencoded or multipart, or the relay's form with `form_data` pairs.
//! They have no signature; a request header carries a token.

use std::collections::BTreeMap;
use std::str::FromStr;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::{SignedDuration, Timestamp};
use kernel::links::without_links;
use kernel::{ConsentField, EmailAddress, Person, Phone, person};
use serde_json::{Map, Value};

pub use crate::body::MAX_FIELDS;
use crate::body::{self, BETWEEN_VALUES, Field};
use crate::inbound::RawRequest;
use crate::json::VIETNAM;
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

/// The form's own fields; the others that have a meaning are those of [`kernel::person`].
const OWN: [&str; 3] = ["message", "form_id", "message_time"];
/// The form's name for the whole name.
const NAME: &str = "name";
/// The field of [`kernel::person`] that is [`NAME`].
const FULL_NAME: &str = "full_name";
/// The formats of `message_time` in Vietnamese time, beside RFC 3339 with an offset.
pub const TIMES: [&str; 6] = [
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%H:%M:%S %d/%m/%Y",
    "%H:%M %d/%m/%Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
];

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

/// The content type and the text of a request. Another body than a form's is refused.
pub async fn take(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(BTreeMap<String, String>, String), ParseError> {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let (content_type, text) = body::to_text(given.unwrap_or_default(), body).await?;
    body::fields(&content_type, &text)?;
    Ok(([(CONTENT_TYPE.to_string(), content_type)].into(), text))
}

/// Reads one form. The mapping of the settings holds the source's own field names (folded or not) and wins over the
/// known aliases.
pub fn parse(request: &RawRequest) -> Result<Submission, ParseError> {
    let sent = body::fields(request.header(CONTENT_TYPE.as_str()), &request.body)?;
    read(sent, &request.settings, request.received_at)
}

/// Reads the fields of a form.
pub fn read(
    sent: Vec<Field>,
    settings: &Settings,
    received_at: Timestamp,
) -> Result<Submission, ParseError> {
    let fields = named(sent, &settings.mapping);
    let mut submission = submission(&fields, received_at)?;
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

/// The texts by our names. A name that is taken leaves the field its own name, then the name with that of the object
/// around it. Equal names share one field.
fn named(sent: Vec<Field>, mapping: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mapping: BTreeMap<String, &str> = mapping
        .iter()
        .map(|(name, field)| (folded(name), field.as_str()))
        .collect();
    let field_of = |name: &str| {
        let own = mapping.get(name).copied();
        own.or(meant(name)).unwrap_or(name).to_owned()
    };
    // "Tên" beside "Họ" is the given name; "Tên" alone is the whole name.
    let has_family = sent
        .iter()
        .any(|one| field_of(&folded(&one.name)) == "last_name");
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for one in sent {
        let own = folded(&one.name);
        let own = if own.is_empty() {
            UNNAMED.to_owned()
        } else {
            own
        };
        let mut field = field_of(&own);
        if own == person::GIVEN_OR_WHOLE && field == "first_name" && !has_family {
            NAME.clone_into(&mut field);
        }
        let mut value = kernel::text::nfc(one.text.trim());
        if [NAME, "first_name", "last_name"].contains(&field.as_str()) {
            value = without_links(&value);
        }
        if value.is_empty() {
            continue;
        }
        let outer = one
            .outer
            .map(|outer| folded(&format!("{outer} {}", one.name)));
        let mut free = [Some(&field), Some(&own), outer.as_ref()]
            .into_iter()
            .flatten();
        if let Some(name) = free.find(|name| !fields.contains_key(*name)) {
            fields.insert(name.clone(), value);
        } else if let Some(before) = fields.get_mut(&own).filter(|before| **before != value) {
            before.push_str(BETWEEN_VALUES);
            before.push_str(&value);
        }
    }
    fields
}

/// The first usable value of the fields that mean `field`, and whether such a field has a text at all.
fn usable<T: FromStr>(fields: &BTreeMap<String, String>, field: &str) -> (Option<T>, bool) {
    let others = fields.iter().filter(|(name, _)| meant(name) == Some(field));
    let texts = fields
        .get(field)
        .into_iter()
        .chain(others.map(|(_, text)| text));
    let texts: Vec<&String> = texts.collect();
    let read = |text: &&String| {
        let mut parts = kernel::text::parts(text).into_iter();
        text.parse()
            .ok()
            .or_else(|| parts.find_map(|part| part.parse().ok()))
    };
    (texts.iter().find_map(read), !texts.is_empty())
}

fn submission(
    fields: &BTreeMap<String, String>,
    received_at: Timestamp,
) -> Result<Submission, ParseError> {
    let (email, has_email) = usable::<EmailAddress>(fields, "email");
    let (phone, has_phone) = usable::<Phone>(fields, "phone");
    if !has_email && !has_phone {
        return Err(without_address(fields));
    }
    let unusable = [
        ("email", has_email && email.is_none()),
        ("phone", has_phone && phone.is_none()),
    ];
    let unusable: Vec<&str> = unusable
        .into_iter()
        .filter_map(|(name, is_unusable)| is_unusable.then_some(name))
        .collect();
    let time = fields.get("message_time");
    let said = time.and_then(|text| said_time(text));
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
    let who = who.or_else(|| email.as_ref().map(ToString::to_string));
    let typed = || ["phone", "email"].iter().find_map(|name| fields.get(*name));
    let who = who.or_else(|| typed().cloned()).unwrap_or_default();
    let (mut data, is_shortened) = kept(fields);
    if !unusable.is_empty() {
        data.insert(UNUSABLE.to_owned(), unusable.into());
    }
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
    let is_address =
        |text: &String| text.parse::<Phone>().is_ok() || text.parse::<EmailAddress>().is_ok();
    if fields.values().any(is_address) {
        ParseError::UnmappedAddress
    } else {
        ParseError::NoAddress
    }
}

/// Name of a field that was sent without a name.
const UNNAMED: &str = "unnamed";
/// Key in an event's data: the names of the address fields that hold no usable address.
const UNUSABLE: &str = "_unusable";
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

/// A time as forms write it. The format is not documented: an RFC 3339 time, or one of [`TIMES`], with the day before
/// the month as in Vietnam.
fn said_time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let local: DateTime = TIMES
        .iter()
        .find_map(|format| strtime::parse(format, text).ok()?.to_datetime().ok())?;
    VIETNAM.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests;
