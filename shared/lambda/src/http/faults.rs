//! All faults of a JSON body, for one answer. Pure.
//!
//! A parser stops at its first fault. So the fault is repaired in a copy of the body, and the copy is parsed again.
//! This ends when the copy fits or a fault cannot be repaired. A repaired copy is never given to a handler: its values are not the
//! client's.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::plain::plain;
use super::problem::FieldError;

/// Longest body of which more than the first fault is looked for. A larger body costs too much for a refusal.
const MAX_BYTES: usize = 64 * 1024;
/// Faults that one answer names.
const MAX_FAULTS: usize = 20;
/// Times that a body is parsed for one answer.
const MAX_PARSES: usize = 300;
/// Depth of fields that a placeholder may itself lack. The types of bodies are less deep; [`MAX_PARSES`] bounds the work.
const MAX_DEPTH: usize = 16;
/// Beginning of the message about an unknown field, as `plain` words it.
const UNKNOWN: &str = "is not known";
/// Placeholders for the texts that types of the API read.
const TEXTS: [&str; 6] = [
    "x",
    "",
    "an@example.vn",
    "0912345678",
    "2026-01-01T00:00:00Z",
    "00:00:00",
];

/// The faults of a body that is JSON but no `T`, in the order of the parser. At least one.
pub(super) fn all<T: DeserializeOwned>(text: &str, first: FieldError) -> Vec<FieldError> {
    let mut body = match serde_json::from_str(text) {
        Ok(body) if text.len() <= MAX_BYTES => body,
        _ => return vec![first],
    };
    let (mut faults, mut parses) = (Vec::new(), MAX_PARSES);
    while let Some(fault) = next::<T>(&body, &mut parses) {
        // A field without a placeholder was removed, and is missing now.
        if faults
            .iter()
            .any(|known: &FieldError| known.pointer == fault.pointer)
        {
            break;
        }
        faults.push(fault);
        let fault = &faults[faults.len() - 1];
        if faults.len() == MAX_FAULTS || !repair::<T>(&mut body, fault, &mut parses, MAX_DEPTH) {
            break;
        }
    }
    if faults.is_empty() {
        vec![first]
    } else {
        faults
    }
}

/// The first fault of a value; none if it is a `T` or the parses are used up.
fn next<T: DeserializeOwned>(body: &Value, parses: &mut usize) -> Option<FieldError> {
    *parses = parses.checked_sub(1)?;
    serde_path_to_error::deserialize::<_, T>(body)
        .err()
        .map(|error| named(&error))
}

/// The place and the plain wording of a parser's error.
pub(super) fn named(error: &serde_path_to_error::Error<serde_json::Error>) -> FieldError {
    let plain = plain(&error.inner().to_string());
    FieldError {
        pointer: plain.at(pointer(error.path())),
        message: plain.message,
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let segments = path.iter().map(|segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => "/?".to_owned(),
    });
    segments.collect()
}

/// Puts something at the fault's place with which the parser gets past it. False: nothing was found.
fn repair<T: DeserializeOwned>(
    body: &mut Value,
    fault: &FieldError,
    parses: &mut usize,
    depth: usize,
) -> bool {
    let before = body.clone();
    let mut placeholders = placeholders(&fault.message);
    let mut hints = true;
    while let Some(placeholder) = placeholders.pop() {
        if !put(body, &fault.pointer, placeholder) {
            continue;
        }
        let mut found = next::<T>(body, parses);
        // The placeholder is an object that lacks fields of its own.
        for _ in 0..MAX_FAULTS {
            match &found {
                Some(inner)
                    if depth > 0
                        && inner.pointer != fault.pointer
                        && is_within(&inner.pointer, &fault.pointer)
                        && repair::<T>(body, inner, parses, depth - 1) =>
                {
                    found = next::<T>(body, parses);
                }
                _ => break,
            }
        }
        match found {
            // The body fits, or the parses are used up: the next parse ends the search.
            None => return true,
            Some(other) if !is_within(&other.pointer, &fault.pointer) => return true,
            // The refusal of a placeholder may say what would fit.
            Some(same) if hints && same.pointer == fault.pointer => {
                let more = hinted(&same.message);
                hints = more.is_empty();
                placeholders.extend(more);
            }
            Some(_) => {}
        }
        body.clone_from(&before);
    }
    false
}

fn is_within(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Values to try in place of a fault, the last one first; `None` removes the field.
fn placeholders(message: &str) -> Vec<Option<Value>> {
    if message.starts_with(UNKNOWN) {
        return vec![None];
    }
    let others = [
        Value::Object(serde_json::Map::new()),
        Value::Array(Vec::new()),
        Value::from(true),
        Value::from(1),
    ];
    let mut values = vec![None];
    values.extend(TEXTS.iter().rev().map(|text| Some(Value::from(*text))));
    values.extend(others.into_iter().map(Some));
    values.push(Some(Value::Null));
    values.extend(hinted(message));
    values
}

/// Values that a refusal names.
fn hinted(message: &str) -> Vec<Option<Value>> {
    // "closed is not one of: open, done": the first of them.
    let listed = message.split_once(" is not one of: ");
    let listed = listed.and_then(|(_, names)| names.split(", ").next());
    // "expected an id like lst_ followed by 11 letters or digits".
    let prefix = message.split_once("an id like ");
    let prefix = prefix.and_then(|(_, rest)| rest.split(' ').next());
    let id = prefix.map(|prefix| format!("{prefix}00000000001"));
    let texts = listed.map(str::to_owned).into_iter().chain(id);
    texts.map(|text| Some(Value::from(text))).collect()
}

/// Writes or removes the value at a JSON pointer. False: there is no such place.
fn put(body: &mut Value, pointer: &str, value: Option<Value>) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return false;
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    match (body.pointer_mut(parent), value) {
        (Some(Value::Object(fields)), None) => fields.remove(&name).is_some(),
        (Some(Value::Object(fields)), Some(value)) => {
            fields.insert(name, value);
            true
        }
        (Some(Value::Array(items)), Some(value)) => {
            let item = name.parse().ok().and_then(|n: usize| items.get_mut(n));
            item.map(|item| *item = value).is_some()
        }
        // Without the item the places of the next ones would be others.
        _ => false,
    }
}

#[cfg(test)]
mod tests;
