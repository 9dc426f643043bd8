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

#[test]
fn a_body_that_lacks_a_deep_field_first_still_names_the_later_ones() {
    macro_rules! nest {
        ($($outer:ident in $field:ident: $inner:ty;)*) => {$(
            #[derive(Debug, Deserialize)]
            #[expect(dead_code, reason = "only read")]
            struct $outer {
                $field: $inner,
                next: u32,
            }
        )*};
    }
    nest! {
        E in name: String;
        D in e: E;
        C in d: D;
        B in c: C;
        A in b: B;
        Body in a: A;
    }
    let first = || FieldError {
        pointer: String::new(),
        message: String::new(),
    };
    let places = |text: &str| {
        let faults = all::<Body>(text, first());
        faults
            .into_iter()
            .map(|fault| fault.pointer)
            .collect::<Vec<_>>()
    };
    assert_eq!(places("{}"), ["/a", "/next"]);
    assert_eq!(
        places(r#"{"a": {"b": {}}}"#),
        ["/a/b/c", "/a/b/next", "/a/next", "/next"]
    );
}
