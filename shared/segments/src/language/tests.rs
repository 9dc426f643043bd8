//! The language is read strictly, and the guide docs/segments.md says what the code does.

#![expect(
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    reason = "tables of cases"
)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::schema::operators;
use super::*;

fn faults(json: &Value) -> Vec<String> {
    let faults = parse(json, &Bounds::default()).unwrap_err();
    faults.iter().map(Fault::to_string).collect()
}

fn pointers(json: &Value) -> Vec<String> {
    let faults = parse(json, &Bounds::default()).unwrap_err();
    faults.into_iter().map(|fault| fault.pointer).collect()
}

fn one(condition: Value) -> Value {
    json!({"all": [condition]})
}

#[test]
fn every_fault_is_named_at_once() {
    let json = json!({"all": [
        {"family": "profile", "field": "emial", "operator": "is", "value": "a"},
        {"family": "profile", "field": "email", "operator": {"or": "1=1"}, "value": "a"},
        {"family": "profile", "field": "custom.size", "type": "number", "operator": "between", "from": 2, "to": 1},
        {"any": [
            {"family": "list", "operator": "in", "list_ids": ["lst_00000000001", 7]},
            {"family": "event", "event": "a", "operator": "at_least", "within": {"last_days": 500, "to~/": 1},
             "where": [{"property": "x", "operator": "is"}]},
        ]},
        {"family": "device", "operator": "is"},
        {"family": "AND 1=1) OR pg_sleep(5)"},
        "text",
    ]});
    let expected = [
        "/all/0/field",
        "/all/1/operator",
        "/all/2/to",
        "/all/3/any/0/list_ids/1",
        "/all/3/any/1/where/0/value",
        "/all/3/any/1/times",
        "/all/3/any/1/within/last_days",
        "/all/3/any/1/within/to~0~1",
        "/all/4/family",
        "/all/5/family",
        "/all/6",
    ];
    assert_eq!(pointers(&json), expected, "{:#?}", faults(&json));
}

#[test]
fn values_of_a_wrong_type_are_named() {
    for (condition, place) in [
        (
            json!({"family": "score", "operator": "gt", "value": "5"}),
            "/all/0/value",
        ),
        (
            json!({"family": "score", "operator": "gt", "value": 1e300}),
            "/all/0/value",
        ),
        (
            json!({"family": "score", "operator": "gt", "value": null}),
            "/all/0/value",
        ),
        (
            json!({"family": "score", "operator": "gt", "value": 5, "sort": "pk"}),
            "/all/0/sort",
        ),
        (
            json!({"family": "score", "operator": ["gt"], "value": 5}),
            "/all/0/operator",
        ),
        (
            json!({"family": "tag", "operator": "has_any", "values": []}),
            "/all/0/values",
        ),
        (
            json!({"family": "tag", "operator": "has_any", "values": vec!["a"; 101]}),
            "/all/0/values",
        ),
        (
            json!({"family": "tag", "operator": "has_any", "values": ["a\u{0}b"]}),
            "/all/0/values/0",
        ),
        (
            json!({"family": "tag", "operator": "has_any", "values": [["a"]]}),
            "/all/0/values/0",
        ),
        (
            json!({"family": "tag", "operator": "has_any", "values": ["x".repeat(256)]}),
            "/all/0/values/0",
        ),
        (
            json!({"family": "tag", "operator": "has_any", "values": [" "]}),
            "/all/0/values/0",
        ),
        (
            json!({"family": "profile", "field": "created_at", "operator": "on", "value": "02/03/2026"}),
            "/all/0/value",
        ),
        (
            json!({"family": "profile", "field": "created_at", "operator": "on", "value": "2026-02-30"}),
            "/all/0/value",
        ),
        (
            json!({"family": "profile", "field": "created_at", "operator": "in_last_n", "n": -1}),
            "/all/0/n",
        ),
        (
            json!({"family": "profile", "field": "created_at", "operator": "in_last_n", "n": 1.5}),
            "/all/0/n",
        ),
        (
            json!({"family": "profile", "field": "created_at", "operator": "in_last_n", "n": 9, "unit": "years"}),
            "/all/0/unit",
        ),
        (
            json!({"family": "profile", "field": "source", "operator": "is", "value": "=cmd()"}),
            "/all/0/value",
        ),
        (
            json!({"family": "profile", "field": "custom.", "operator": "is_set"}),
            "/all/0/field",
        ),
        (
            json!({"family": "profile", "field": "custom.x", "operator": "is_set"}),
            "/all/0/type",
        ),
        (
            json!({"family": "consent", "channel": "fax", "operator": "is", "value": "none"}),
            "/all/0/channel",
        ),
        (
            json!({"family": "consent", "channel": "sms", "purpose": "x", "operator": "is", "value": "none"}),
            "/all/0/purpose",
        ),
        (
            json!({"family": "message", "did": "opened", "url": "x", "operator": "did"}),
            "/all/0/url",
        ),
        (
            json!({"family": "event", "event": "a", "operator": "did", "within": []}),
            "/all/0/within",
        ),
        (
            json!({"family": "event", "event": "a", "operator": "exactly", "times": 1001}),
            "/all/0/times",
        ),
        (
            json!({"family": "order", "field": "count", "operator": "has_any", "values": ["a"]}),
            "/all/0/operator",
        ),
    ] {
        let json = one(condition);
        assert_eq!(pointers(&json), [place], "{json}");
    }
}

#[test]
fn groups_and_their_number_are_bounded() {
    let tag = json!({"family": "tag", "operator": "is_set"});
    for wrong in [
        json!([]),
        json!(null),
        json!({}),
        json!({"all": [tag], "any": [tag]}),
        json!({"none": [tag]}),
        tag.clone(),
    ] {
        assert_eq!(pointers(&wrong), [""], "{wrong}");
    }
    assert_eq!(pointers(&json!({"all": []})), ["/all"]);
    assert_eq!(pointers(&json!({"all": {"0": tag}})), ["/all"]);
    let many = |n: usize| json!({"any": vec![tag.clone(); n]});
    assert!(parse(&many(20), &Bounds::default()).is_ok());
    assert_eq!(pointers(&many(21)), [""]);
    assert_eq!(
        faults(&many(10_000)),
        [": must have at most 20 conditions in all"]
    );
    let nested =
        |levels: usize| (1..levels).fold(one(tag.clone()), |inner, _| json!({"any": [inner]}));
    assert!(parse(&nested(3), &Bounds::default()).is_ok());
    assert_eq!(pointers(&nested(4)), ["/any/0/any/0/any/0"]);
    assert_eq!(pointers(&nested(100)), ["/any/0/any/0/any/0"]);
    let faulty = json!({"any": vec![json!({"family": "tag", "operator": "is_set", "a": 1, "b": 1, "c": 1}); 20]});
    assert_eq!(pointers(&faulty).len(), 50, "no more than fifty are named");
}

#[test]
fn a_question_without_a_stored_fact_is_refused_with_its_reason() {
    for (family, field, why) in REFUSED {
        let key = "field";
        let mut condition = json!({"family": family, "operator": "did"});
        if !field.is_empty() {
            condition[key] = json!(field);
        }
        let place = if field.is_empty() { "family" } else { key };
        let expected = format!("/all/0/{place}: {why}");
        let found = faults(&one(condition));
        assert!(found.contains(&expected), "{family} {field}: {found:?}");
    }
}

fn guide() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/segments.md");
    std::fs::read_to_string(path).unwrap()
}

/// The examples of the guide.
fn examples() -> Vec<Value> {
    let text = guide();
    let blocks = text.split("```json conditions\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks
        .map(|block| serde_json::from_str(block).unwrap())
        .collect()
}

#[test]
fn the_guide_names_every_family_field_operator_and_refusal() {
    let text = guide();
    let mut missing = Vec::new();
    let mut need = |text_of: String| {
        if !text.contains(&text_of) {
            missing.push(text_of);
        }
    };
    for family in FAMILIES {
        need(format!("| `{}` |", family.name));
        family.keys.iter().for_each(|key| need(format!("`{key}`")));
        for operator in operators(family.name) {
            need(format!("`{operator}`"));
        }
        for (name, _, kind) in standard(family.name) {
            need(format!("`{name}`"));
            need(format!("`{}`", kind.name()));
        }
    }
    for (_, field, why) in REFUSED {
        need((*why).to_owned());
        if !field.is_empty() {
            need(format!("`{field}`"));
        }
    }
    assert!(missing.is_empty(), "docs/segments.md lacks {missing:?}");
}

#[test]
fn every_example_of_the_guide_is_read_and_written_again() {
    let mut all = String::new();
    for example in examples() {
        let conditions = parse(&example, &Bounds::default()).unwrap();
        let text = serde_json::to_string(&conditions).unwrap();
        let again: Conditions = serde_json::from_str(&text).unwrap();
        assert_eq!(again, conditions);
        all += &text;
    }
    for family in FAMILIES.iter().filter(|family| !family.keys.is_empty()) {
        let named = format!(r#""family":"{}""#, family.name);
        assert!(all.contains(&named), "no example of {}", family.name);
    }
}

#[test]
fn the_published_schema_names_every_key() {
    let mut schemas = Vec::new();
    <Conditions as utoipa::ToSchema>::schemas(&mut schemas);
    let names: Vec<&str> = schemas.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["SegmentConditions", "SegmentCondition"]);
    let condition = serde_json::to_value(&schemas[1].1).unwrap();
    let answered = FAMILIES.iter().filter(|family| !family.keys.is_empty());
    for (family, schema) in answered.zip(condition["oneOf"].as_array().unwrap()) {
        assert_eq!(schema["properties"]["family"]["enum"], json!([family.name]));
        assert_eq!(schema["additionalProperties"], json!(false));
        for key in family.keys {
            assert!(
                schema["properties"][key].is_object(),
                "{}: {key}",
                family.name
            );
        }
    }
}

/// JSON that looks like conditions.
fn near() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "all",
        "any",
        "family",
        "profile",
        "tag",
        "event",
        "field",
        "email",
        "operator",
        "is",
        "has_any",
        "did",
        "value",
        "values",
        "within",
        "last_days",
        "where",
        "property",
        "type",
        "n",
        "unit",
    ]);
    let leaf = prop_oneof![
        word.clone().prop_map(|word| json!(word)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,5}".prop_map(|text| json!(text)),
        Just(Value::Null),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|entries| {
                Value::Object(
                    entries
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused_with_a_place(json in near()) {
        match parse(&json, &Bounds::default()) {
            Ok(conditions) => prop_assert_eq!(serde_json::to_value(&conditions).unwrap(), json),
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                for fault in faults {
                    let parent = fault.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                    prop_assert!(json.pointer(parent).is_some(), "{}", fault);
                }
            }
        }
    }
}
