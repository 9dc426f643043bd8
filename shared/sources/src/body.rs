//! The bodies of forms, as fields with texts. Nested and stringified forms are read too, so that no field is lost.

use std::collections::VecDeque;

use kernel::EmailAddress;
use serde_json::Value;

use crate::submission::ParseError;

/// Forms have a dozen fields; a thousand is an attack.
pub const MAX_FIELDS: usize = 200;
/// Text between the values of a field that has several.
pub const BETWEEN_VALUES: &str = "; ";
/// Content type of a body without files.
const URLENCODED: &str = "application/x-www-form-urlencoded";
/// Content type of a body with files.
const MULTIPART: &str = "multipart/form-data";

/// A field as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Name of the object around the field, if the field is not at the top.
    pub outer: Option<String>,
    /// Text; several values have [`BETWEEN_VALUES`] between them.
    pub text: String,
}

impl Field {
    fn top((name, text): (String, String)) -> Self {
        let outer = None;
        Self { name, outer, text }
    }
}

/// Content type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// The body as text, with its content type. The files of a multipart form are left out: their fields hold the file's
/// name, and the form becomes an urlencoded one.
pub async fn to_text(content_type: &str, body: &[u8]) -> Result<(String, String), ParseError> {
    if essence(content_type) == MULTIPART {
        let pairs = multipart(content_type, body).await?;
        let mut text = form_urlencoded::Serializer::new(String::new());
        return Ok((URLENCODED.to_owned(), text.extend_pairs(pairs).finish()));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to();
        ParseError::Syntax(format!("not UTF-8 at byte {place}"))
    })?;
    // A byte order mark is no part of the form.
    let text = text.trim_start_matches('\u{feff}');
    Ok((content_type.to_owned(), text.to_owned()))
}

/// The fields of a body, those at the top first.
pub fn fields(content_type: &str, body: &str) -> Result<Vec<Field>, ParseError> {
    let body = body.trim_start_matches('\u{feff}');
    let essence = essence(content_type);
    let fields = match essence.as_str() {
        URLENCODED => {
            let pairs = form_urlencoded::parse(body.as_bytes()).into_owned();
            let pairs = pairs.map(|(name, text)| (name, with_plus(text)));
            unfolded(pairs.map(Field::top).take(MAX_FIELDS + 1).collect())
        }
        // Some relays send JSON as text, and some without a content type.
        "application/json" | "text/plain" | "text/json" | "" => json(body)?,
        _ => return Err(ParseError::ContentType(essence)),
    };
    if fields.len() > MAX_FIELDS {
        return Err(ParseError::TooManyFields(MAX_FIELDS));
    }
    Ok(fields)
}

/// An address whose plus was sent without its code came as a space.
fn with_plus(text: String) -> String {
    let given = text.replace(' ', "+");
    let is_address = |text: &str| text.parse::<EmailAddress>().is_ok();
    if text.trim().contains(' ') && !is_address(&text) && is_address(&given) {
        given
    } else {
        text
    }
}

fn json(body: &str) -> Result<Vec<Field>, ParseError> {
    // Serde's own message may quote the body.
    let syntax = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        ParseError::Syntax(format!("not JSON at line {line} column {column}"))
    };
    let value: Value = serde_json::from_str(body).map_err(syntax)?;
    if !value.is_object() {
        return Err(ParseError::Syntax("expected a JSON object".into()));
    }
    Ok(flat(VecDeque::from([(None, value)])))
}

/// The fields, with those of each text that is itself a form in JSON in its place.
fn unfolded(fields: Vec<Field>) -> Vec<Field> {
    let mut found = Vec::new();
    for field in fields {
        match stringified(&field.text) {
            Some(value) => found.extend(flat(VecDeque::from([(Some(field.name), value)]))),
            None => found.push(field),
        }
    }
    found
}

/// The object, or the list of objects, that a text holds. A list of other values is a text that somebody typed.
fn stringified(text: &str) -> Option<Value> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let is_form = match &value {
        Value::Array(values) => !values.is_empty() && values.iter().all(Value::is_object),
        other => other.is_object(),
    };
    is_form.then_some(value)
}

/// The texts of nested values, level by level, with the name around each. Ends after one field too many.
fn flat(mut levels: VecDeque<(Option<String>, Value)>) -> Vec<Field> {
    let mut fields = Vec::new();
    while let Some((outer, value)) = levels.pop_front() {
        if fields.len() > MAX_FIELDS {
            break;
        }
        match value {
            Value::Object(mut object) => {
                let outer = match named_pair(&mut object) {
                    Some((name, value)) => {
                        add(&mut fields, &mut levels, outer, name.clone(), value);
                        Some(name)
                    }
                    None => outer,
                };
                for (name, value) in object {
                    add(&mut fields, &mut levels, outer.clone(), name, value);
                }
            }
            Value::Array(values) => {
                levels.extend(values.into_iter().map(|value| (outer.clone(), value)));
            }
            other => {
                let name = outer.clone().unwrap_or_default();
                add(&mut fields, &mut levels, outer, name, other);
            }
        }
    }
    fields
}

/// Takes `{"name": "...", "value": "..."}` of `form_data` and `tracking_form` out of an object.
fn named_pair(object: &mut serde_json::Map<String, Value>) -> Option<(String, Value)> {
    let name = object.get("name")?.as_str()?.to_owned();
    let value = object.remove("value")?;
    object.remove("name");
    Some((name, value))
}

/// Adds the field of a text, or of a list of texts; other values wait for their level.
fn add(
    fields: &mut Vec<Field>,
    levels: &mut VecDeque<(Option<String>, Value)>,
    outer: Option<String>,
    name: String,
    value: Value,
) {
    if let Value::String(text) = &value
        && let Some(form) = stringified(text)
    {
        levels.push_back((Some(name), form));
        return;
    }
    let joined = match &value {
        Value::Array(values) => {
            let texts: Option<Vec<String>> = values.iter().map(text).collect();
            texts.map(|texts| texts.join(BETWEEN_VALUES))
        }
        other => text(other),
    };
    match joined {
        Some(text) => fields.push(Field { name, outer, text }),
        None => levels.push_back((Some(name), value)),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

async fn multipart(content_type: &str, body: &[u8]) -> Result<Vec<(String, String)>, ParseError> {
    let syntax = |error: multer::Error| ParseError::Syntax(error.to_string());
    let boundary = multer::parse_boundary(content_type).map_err(syntax)?;
    let bytes = bytes::Bytes::copy_from_slice(body);
    let stream = futures::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut form = multer::Multipart::new(stream, boundary);
    let mut pairs = Vec::new();
    while let Some(field) = form.next_field().await.map_err(syntax)? {
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().map(str::to_owned);
        let text = field.text().await.map_err(syntax)?;
        pairs.push((name, file.unwrap_or(text)));
        if pairs.len() > MAX_FIELDS {
            return Err(ParseError::TooManyFields(MAX_FIELDS));
        }
    }
    Ok(pairs)
}
