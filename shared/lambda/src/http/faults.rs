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
/// Depth of fields that a placeholder may itself lack.
const MAX_DEPTH: usize = 3;
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
mod tests {
    use std::collections::BTreeMap;

    use kernel::{EmailAddress, ListId, Phone};
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Order {
        name: String,
        email: EmailAddress,
        phone: Option<Phone>,
        #[serde(default)]
        list_ids: Vec<ListId>,
        audience: Audience,
        kind: Kind,
        at: jiff::Timestamp,
        #[serde(default)]
        steps: BTreeMap<String, Step>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Audience {
        list_id: ListId,
        most: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Sale,
        News,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    enum Step {
        Wait { days: u32 },
        Tag { tag: String },
    }

    fn places(body: &Value) -> Vec<String> {
        let first = FieldError {
            pointer: String::new(),
            message: String::new(),
        };
        let faults = all::<Order>(&body.to_string(), first);
        let mut places: Vec<_> = faults.into_iter().map(|fault| fault.pointer).collect();
        places.sort();
        places
    }

    #[test]
    fn every_missing_field_is_named() {
        assert_eq!(
            places(&json!({})),
            ["/at", "/audience", "/email", "/kind", "/name"]
        );
        let inner = json!({ "audience": {} });
        assert_eq!(
            places(&inner),
            [
                "/at",
                "/audience/list_id",
                "/audience/most",
                "/email",
                "/kind",
                "/name"
            ]
        );
    }

    #[test]
    fn every_wrong_value_and_unknown_field_is_named() {
        let body = json!({
            "name": 1, "email": "sai", "phone": "xx", "lists": ["lst_zzz"], "list_ids": ["lst_zzz", "a"],
            "audience": { "list_id": 7, "most": "1", "least": 0 }, "kind": "all", "at": "noon",
        });
        assert_eq!(
            places(&body),
            [
                "/at",
                "/audience/least",
                "/audience/list_id",
                "/audience/most",
                "/email",
                "/kind",
                "/list_ids/0",
                "/list_ids/1",
                "/lists",
                "/name",
                "/phone",
            ]
        );
    }

    #[test]
    fn faults_of_several_steps_are_named() {
        let body = json!({
            "name": "Tết", "email": "an@example.vn", "kind": "sale", "at": "2026-03-02T08:00:00Z",
            "audience": { "list_id": "lst_0123456789a", "most": 3 },
            "steps": {
                "a": { "type": "wait" }, "b": { "type": "tag", "tag": "x" }, "c": { "type": "call" },
                "d": { "type": "tag", "tag": "x", "tags": [] },
            },
        });
        let places = places(&body);
        for step in ["a", "c", "d"] {
            let place = format!("/steps/{step}");
            assert!(
                places.iter().any(|one| is_within(one, &place)),
                "{places:?}"
            );
        }
        assert!(
            places.iter().all(|one| !is_within(one, "/steps/b")),
            "{places:?}"
        );
    }

    #[test]
    fn a_large_body_is_parsed_once() {
        let body = json!({ "name": "x".repeat(MAX_BYTES) }).to_string();
        let first = FieldError {
            pointer: "/first".into(),
            message: String::new(),
        };
        assert_eq!(all::<Order>(&body, first.clone()), [first]);
    }

    proptest! {
        /// Each fault is named at one place, and a body of any shape gets an answer.
        #[test]
        fn no_place_is_named_twice(
            fields in prop::collection::btree_map("name|email|phone|kind|at|audience|other", ".{0,6}", 0..7)
        ) {
            let places = places(&json!(fields));
            let mut unique = places.clone();
            unique.dedup();
            prop_assert!(!places.is_empty());
            prop_assert_eq!(places, unique);
        }
    }

    #[test]
    fn a_value_is_put_only_where_there_is_a_place() {
        let start = json!({ "a/b": 1, "list": [1, 2] });
        for (pointer, value, put_there) in [
            (
                "/a~1b",
                Some(json!(2)),
                Some(json!({ "a/b": 2, "list": [1, 2] })),
            ),
            (
                "/new",
                Some(json!(2)),
                Some(json!({ "a/b": 1, "list": [1, 2], "new": 2 })),
            ),
            (
                "/list/1",
                Some(json!(3)),
                Some(json!({ "a/b": 1, "list": [1, 3] })),
            ),
            ("/a~1b", None, Some(json!({ "list": [1, 2] }))),
            ("/new", None, None),
            ("/list/1", None, None),
            ("/list/2", Some(json!(3)), None),
            ("/list/x", Some(json!(3)), None),
            ("/a~1b/c", Some(json!(3)), None),
            ("", Some(json!(3)), None),
        ] {
            let mut body = start.clone();
            let is_put = put(&mut body, pointer, value);
            assert_eq!(is_put, put_there.is_some(), "{pointer}");
            assert_eq!(body, put_there.unwrap_or(start.clone()), "{pointer}");
        }
    }

    #[test]
    fn a_place_holds_itself_and_what_lies_below() {
        for (inner, outer, within) in [
            ("/a", "/a", true),
            ("/a/b", "/a", true),
            ("/ab", "/a", false),
            ("/b", "/a", false),
            ("/a", "", true),
        ] {
            assert_eq!(is_within(inner, outer), within, "{inner} in {outer}");
        }
    }

    #[test]
    fn a_refusal_says_what_would_fit() {
        let text = |text: &str| Some(Value::from(text));
        assert_eq!(hinted("closed is not one of: open, done"), [text("open")]);
        let id = "expected an id like lst_ followed by 11 letters or digits";
        assert_eq!(hinted(id), [text("lst_00000000001")]);
        assert_eq!(hinted("expected a number"), []);
        assert_eq!(placeholders("is not known"), [None]);
        let tried = placeholders(id);
        assert_eq!(tried.last(), Some(&text("lst_00000000001")));
        assert_eq!(tried.first(), Some(&None), "removed if nothing fits");
    }

    #[test]
    fn one_answer_names_a_bounded_number_of_faults() {
        let body = |wrong| {
            json!({
                "name": "Tết", "email": "an@example.vn", "kind": "sale", "at": "2026-03-02T08:00:00Z",
                "audience": { "list_id": "lst_0123456789a", "most": 3 }, "list_ids": vec![1; wrong],
            })
        };
        assert_eq!(
            places(&body(3)),
            ["/list_ids/0", "/list_ids/1", "/list_ids/2"]
        );
        assert_eq!(places(&body(MAX_FAULTS - 1)).len(), MAX_FAULTS - 1);
        assert_eq!(places(&body(MAX_FAULTS + 9)).len(), MAX_FAULTS);
    }

    #[test]
    fn a_hint_that_does_not_fit_is_not_followed_for_ever() {
        #[derive(Debug, Default)]
        struct Never;
        impl<'de> Deserialize<'de> for Never {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                serde::de::IgnoredAny::deserialize(d)?;
                let hint = "expected an id like lst_ followed by 11 letters or digits";
                Err(serde::de::Error::custom(hint))
            }
        }
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct Body {
            #[serde(default)]
            first: Never,
            last: u32,
        }
        let first = FieldError {
            pointer: String::new(),
            message: String::new(),
        };
        let faults = all::<Body>(r#"{"first":1,"last":"x"}"#, first);
        let places: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(places, ["/first", "/last"]);
    }

    #[test]
    fn the_longest_body_is_searched_for_more_than_its_first_fault() {
        let empty = json!({ "name": "" }).to_string().len();
        let body = |length: usize| json!({ "name": "x".repeat(length - empty) });
        assert_eq!(places(&body(64 * 1024)).len(), 4);
        assert_eq!(places(&body(64 * 1024 + 1)), [""]);
    }
}
