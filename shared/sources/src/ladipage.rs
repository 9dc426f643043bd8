//! LadiPage lead forms: flat bodies in JSON, urlencoded or multipart, or the relay's form with `form_data` pairs.
//! They have no signature; a request header carries a token.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use kernel::links::without_links;
use kernel::{ConsentField, EmailAddress, Phone};
use serde_json::{Map, Value};

use crate::submitted::{Arrival, ParseError};

/// Forms have a dozen fields; a thousand is an attack.
pub const MAX_FIELDS: usize = 200;
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

/// Fields with a meaning of their own; every other field is only stored.
pub const FIELDS: [&str; 7] = [
    "phone",
    "email",
    "name",
    "address",
    "message",
    "form_id",
    "message_time",
];
/// The formats of `message_time`.
pub const TIMES: [&str; 3] = ["%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S"];

/// Folded names that forms give to a field, with the field of [`FIELDS`] for each.
pub const ALIASES: [(&str, &str); 25] = [
    ("ladi_form_id", "form_id"),
    ("ho_va_ten", "name"),
    ("ho_ten", "name"),
    ("hoten", "name"),
    ("ten", "name"),
    ("ten_khach_hang", "name"),
    ("full_name", "name"),
    ("fullname", "name"),
    ("so_dien_thoai", "phone"),
    ("sodienthoai", "phone"),
    ("sdt", "phone"),
    ("dien_thoai", "phone"),
    ("dienthoai", "phone"),
    ("tel", "phone"),
    ("mobile", "phone"),
    ("phone_number", "phone"),
    ("e_mail", "email"),
    ("mail", "email"),
    ("dia_chi_email", "email"),
    ("thu_dien_tu", "email"),
    ("dia_chi", "address"),
    ("ghi_chu", "message"),
    ("loi_nhan", "message"),
    ("noi_dung", "message"),
    ("tin_nhan", "message"),
];

/// Whether the body is a form at all. Another body will never be accepted.
pub async fn check(content_type: &str, body: &str) -> Result<(), ParseError> {
    pairs(content_type, body).await.map(drop)
}

/// Reads one form.
///
/// `mapping` holds the source's own field names (folded or not) and wins over the known aliases.
pub async fn parse(
    content_type: &str,
    body: &str,
    received_at: Timestamp,
    mapping: &BTreeMap<String, String>,
) -> Result<Arrival, ParseError> {
    let pairs = pairs(content_type, body).await?;
    let mapping: BTreeMap<String, &String> = mapping
        .iter()
        .map(|(name, field)| (folded(name), field))
        .collect();
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        let name = folded(&name);
        let known = ALIASES
            .iter()
            .find(|(alias, _)| *alias == name)
            .map(|(_, field)| *field);
        let field = mapping
            .get(&name)
            .map(|field| field.as_str())
            .or(known)
            .unwrap_or(&name);
        let mut value = kernel::text::nfc(value.trim());
        if field == "name" {
            value = without_links(&value);
        }
        if !field.is_empty() && !value.is_empty() {
            fields.entry(field.to_owned()).or_insert(value);
        }
    }
    arrival(&fields, received_at)
}

fn arrival(
    fields: &BTreeMap<String, String>,
    received_at: Timestamp,
) -> Result<Arrival, ParseError> {
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
    let (data, shortened) = kept(fields);
    let name = fields.get("name");
    Ok(Arrival {
        email,
        phone,
        full_name: name.map(|name| beginning(name, MAX_FIELD).to_owned()),
        event_id: event_id(fields, &who),
        event_name: "form.submitted",
        at: said.unwrap_or(received_at),
        same_within,
        data: Value::Object(data),
        shortened,
    })
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

/// The stored fields, and the names of the fields that were cut. Short fields are stored first, so that a long field
/// loses its own end and not the others.
fn kept(fields: &BTreeMap<String, String>) -> (Map<String, Value>, Vec<String>) {
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
    shortened.sort_unstable();
    (data, shortened)
}

/// The first characters of a text.
fn beginning(text: &str, characters: usize) -> &str {
    let end = text.char_indices().nth(characters);
    end.map_or(text, |(end, _)| &text[..end])
}

/// The answer of a form to a question about consent: whether the field's value means yes. `None`: the form has no such
/// field, so it did not ask, or the box was left empty. `data` holds the fields of an arrival.
pub fn answer(
    data: &Value,
    mapping: &BTreeMap<String, String>,
    asked: &ConsentField,
) -> Option<bool> {
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

async fn pairs(content_type: &str, body: &str) -> Result<Vec<(String, String)>, ParseError> {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let pairs: Vec<(String, String)> = match essence.as_str() {
        "application/x-www-form-urlencoded" => form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .take(MAX_FIELDS + 1)
            .collect(),
        "multipart/form-data" => multipart(content_type, body).await?,
        // Some relays send JSON as text, and some without a content type.
        "application/json" | "text/plain" | "text/json" | "" => json(body)?,
        _ => return Err(ParseError::ContentType(essence)),
    };
    if pairs.len() > MAX_FIELDS {
        return Err(ParseError::TooManyFields(MAX_FIELDS));
    }
    Ok(pairs)
}

fn json(body: &str) -> Result<Vec<(String, String)>, ParseError> {
    // Serde's own message may quote the body.
    let syntax = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        ParseError::Syntax(format!("not JSON at line {line} column {column}"))
    };
    let value: Value = serde_json::from_str(body).map_err(syntax)?;
    let Value::Object(object) = value else {
        return Err(ParseError::Syntax("expected a JSON object".into()));
    };
    let mut pairs = Vec::new();
    for (name, value) in object {
        match value {
            Value::Array(inner) => pairs.extend(inner.iter().filter_map(named_pair)),
            other => pairs.extend(text(&other).map(|text| (name, text))),
        }
    }
    Ok(pairs)
}

/// `{"name": "...", "value": "..."}` of `form_data` and `tracking_form`.
fn named_pair(pair: &Value) -> Option<(String, String)> {
    Some((
        pair.get("name")?.as_str()?.to_owned(),
        text(pair.get("value")?)?,
    ))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

async fn multipart(content_type: &str, body: &str) -> Result<Vec<(String, String)>, ParseError> {
    let syntax = |error: multer::Error| ParseError::Syntax(error.to_string());
    let boundary = multer::parse_boundary(content_type).map_err(syntax)?;
    let bytes = bytes::Bytes::copy_from_slice(body.as_bytes());
    let stream = futures::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut form = multer::Multipart::new(stream, boundary);
    let mut pairs = Vec::new();
    while let Some(field) = form.next_field().await.map_err(syntax)? {
        // Uploaded files are ignored.
        let name = field
            .name()
            .filter(|_| field.file_name().is_none())
            .map(str::to_owned);
        let value = field.text().await.map_err(syntax)?;
        pairs.extend(name.map(|name| (name, value)));
        if pairs.len() > MAX_FIELDS {
            break;
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests;
