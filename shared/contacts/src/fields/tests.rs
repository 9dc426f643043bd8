//! Definitions and values of custom fields.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const KINDS: [Kind; 15] = [
    Kind::Text,
    Kind::LongText,
    Kind::Number,
    Kind::Currency,
    Kind::Percent,
    Kind::Date,
    Kind::Datetime,
    Kind::Boolean,
    Kind::Choice,
    Kind::MultiChoice,
    Kind::Link,
    Kind::Email,
    Kind::Phone,
    Kind::Province,
    Kind::File,
];

fn field(kind: Kind) -> Definition {
    let option = |key: &str, label: &str| Opt {
        key: key.into(),
        label: label.into(),
        colour: None,
        archived: key == "cu",
    };
    let options = [("vang", "Vàng"), ("bac", "Bạc"), ("cu", "Cũ")];
    let options = options.map(|(key, label)| option(key, label));
    Definition {
        target: Target::Contact,
        key: "hang".into(),
        label: "Hạng".into(),
        kind,
        options: if kind.has_choices() {
            options.to_vec()
        } else {
            Vec::new()
        },
        required: false,
        unique: false,
        default: None,
        help: None,
        format: Format::default(),
        visible_in: [Place::ContactPage].into(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn every_type_takes_its_values_in_one_form() {
    let cases = [
        (Kind::Text, json!(" Vải  "), json!("Vải")),
        (Kind::Text, json!(7), json!("7")),
        (Kind::LongText, json!("a\nb"), json!("a\nb")),
        (Kind::Number, json!("1,5"), json!(1.5)),
        (Kind::Number, json!("-007"), json!(-7)),
        (Kind::Number, json!(1e3), json!(1e3)),
        (Kind::Currency, json!("350.000đ"), json!(350_000)),
        (Kind::Currency, json!("1,350,000 VND"), json!(1_350_000)),
        (Kind::Currency, json!("600000.0000"), json!(600_000)),
        (Kind::Percent, json!("20 %"), json!(20)),
        (Kind::Date, json!("2/3/2026"), json!("2026-03-02")),
        (Kind::Date, json!("2026-03-02"), json!("2026-03-02")),
        (
            Kind::Datetime,
            json!("2026-03-02T15:00:00+07:00"),
            json!("2026-03-02T08:00:00.000Z"),
        ),
        (Kind::Boolean, json!("Có"), json!(true)),
        (Kind::Boolean, json!(0), json!(false)),
        (Kind::Choice, json!("VÀNG"), json!("vang")),
        (
            Kind::MultiChoice,
            json!("Bạc; vang"),
            json!(["vang", "bac"]),
        ),
        (Kind::MultiChoice, json!([]), json!([])),
        (
            Kind::Link,
            json!("https://shop.example.vn"),
            json!("https://shop.example.vn/"),
        ),
        (Kind::Email, json!("An@Example.vn"), json!("an@example.vn")),
        (Kind::Phone, json!("0912 345 678"), json!("+84912345678")),
        (Kind::Province, json!("Hà Nội"), json!("Hà Nội")),
    ];
    for (kind, given, stored) in cases {
        let field = field(kind);
        let result = check(&field, &given);
        assert_eq!(result, Ok(stored.clone()), "{kind:?} {given}");
        assert_eq!(check(&field, &stored), Ok(stored), "{kind:?}");
    }
}

#[test]
fn a_value_of_another_type_is_refused_with_the_rule() {
    let cases = [
        (Kind::Text, json!("a\nb"), "has one line only"),
        (
            Kind::Text,
            json!("x".repeat(256)),
            "has at most 255 characters",
        ),
        (
            Kind::Number,
            json!("1.200"),
            "can be read as thousands or as decimals; write it without either",
        ),
        (Kind::Number, json!("1e400"), "expected a number"),
        (
            Kind::Currency,
            json!(1.5),
            "expected a whole amount in dong",
        ),
        (
            Kind::Currency,
            json!("12 USD"),
            "expected a whole amount in dong",
        ),
        (
            Kind::Date,
            json!("31/02/2026"),
            "expected a date as 2026-03-02",
        ),
        (
            Kind::Datetime,
            json!("hôm qua"),
            "expected a time as 2026-03-02T08:00:00Z",
        ),
        (Kind::Boolean, json!("có lẽ"), "expected true or false"),
        (Kind::Choice, json!("cu"), "is none of the options"),
        (
            Kind::MultiChoice,
            json!(["vang", "kim"]),
            "is none of the options",
        ),
        (
            Kind::Link,
            json!("javascript:alert(1)"),
            "expected an address as https://shop.example.vn",
        ),
        (
            Kind::Link,
            json!("https://a:b@shop.example.vn"),
            "expected an address as https://shop.example.vn",
        ),
        (Kind::Email, json!("an"), "expected an email address"),
        (
            Kind::Phone,
            json!("12"),
            "expected a Vietnamese mobile number",
        ),
        (Kind::Province, json!([]), "expected the name of a province"),
    ];
    for (kind, given, message) in cases {
        let fault = check(&field(kind), &given).unwrap_err();
        assert_eq!(
            (fault.field.as_str(), fault.message.as_str()),
            ("hang", message)
        );
    }
}

#[test]
fn the_format_limits_the_values() {
    let mut number = field(Kind::Number);
    number.format = Format {
        decimals: Some(1),
        min: Some(0.0),
        max: Some(10.0),
        ..Format::default()
    };
    for (given, is_good) in [(json!(1.5), true), (json!(10), true), (json!(1.25), false)] {
        assert_eq!(check(&number, &given).is_ok(), is_good, "{given}");
    }
    for given in [json!(-1), json!(10.1), json!(1e-7)] {
        assert!(check(&number, &given).is_err(), "{given}");
    }
    let mut text = field(Kind::Text);
    text.format.pattern = Some(Pattern::Digits);
    text.format.max_length = Some(3);
    for (given, is_good) in [("012", true), ("0123", false), ("1a", false)] {
        assert_eq!(check(&text, &given.into()).is_ok(), is_good, "{given}");
    }
}

#[test]
fn a_definition_names_all_of_its_flaws() {
    assert!(KINDS.iter().all(|kind| field(*kind).flaws().is_empty()));
    let mut bad = field(Kind::Choice);
    bad.key = "Hạng".into();
    bad.label = " ".into();
    bad.options[1].key = "vang".into();
    bad.options[0].colour = Some("red".into());
    bad.format.min = Some(1.0);
    let pointers: Vec<String> = bad.flaws().into_iter().map(|flaw| flaw.0).collect();
    let expected = [
        "/key",
        "/label",
        "/options/0/colour",
        "/options/1/key",
        "/format/min",
    ];
    assert_eq!(pointers, expected);
    let mut default = field(Kind::Choice);
    default.default = Some(json!("cu"));
    assert_eq!(default.flaws()[0].0, "/default");
}

#[test]
fn a_type_changes_only_to_one_that_reads_the_old_values() {
    let pairs = KINDS.map(|from| KINDS.map(|to| (from, to)));
    let allowed = pairs
        .concat()
        .into_iter()
        .filter(|(from, to)| from != to && from.may_become(*to));
    let expected = [
        (Kind::Text, Kind::LongText),
        (Kind::LongText, Kind::Text),
        (Kind::Choice, Kind::MultiChoice),
        (Kind::MultiChoice, Kind::Choice),
    ];
    assert_eq!(allowed.collect::<Vec<_>>(), expected);
}

#[test]
fn a_left_out_option_stays_archived() {
    let mut new = field(Kind::Choice);
    new.options.remove(0);
    let kept = new.keeping(&field(Kind::Choice));
    let states: Vec<_> = kept
        .options
        .iter()
        .map(|o| (o.key.as_str(), o.archived))
        .collect();
    assert_eq!(states, [("bac", false), ("cu", true), ("vang", true)]);
}

#[test]
fn an_intake_keeps_the_good_values_and_learns_of_the_others() {
    let all = Definitions::of([field(Kind::Choice)]);
    let mut values = BTreeMap::from([
        ("hang".to_owned(), json!("kim cương")),
        ("other".to_owned(), json!([1, "x"])),
    ]);
    let faults = all.apply(&mut values);
    assert_eq!(faults.len(), 1);
    assert_eq!(
        values,
        BTreeMap::from([("other".to_owned(), json!([1, "x"]))])
    );
}

#[test]
fn fields_are_found_in_the_text_of_a_template() {
    let text =
        r#"{{ contact.custom.hang }} {{ contact.custom["cap_2"] }} customer.x custom: custom.Hoa"#;
    let found: Vec<String> = mentioned(text).into_iter().collect();
    assert_eq!(found, ["cap_2", "hang"]);
    assert!(mentioned(r#"{"html":"{{ contact.custom[\"hang\"] }}"}"#).contains("hang"));
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        "[-0-9.,/ :đT]{0,12}".prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        proptest::collection::vec("(vang|Bạc|cu)", 0..4).prop_map(|all| json!(all)),
    ]
}

proptest! {
    #[test]
    fn a_stored_value_is_storable_and_stays_itself(n in 0..KINDS.len(), value in any_value()) {
        let field = field(KINDS[n]);
        if let Ok(stored) = check(&field, &value) {
            prop_assert!(crate::bounds::is_storable(&stored));
            prop_assert_eq!(check(&field, &stored), Ok(stored));
        }
    }
}
