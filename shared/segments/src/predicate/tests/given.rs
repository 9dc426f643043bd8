//! Random contacts, facts and conditions.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::facts::{Facts, product_hash};
use contacts::Contact;

pub(super) const EVENTS: [&str; 2] = ["vip.visited", "order.completed"];
pub(super) const ZONES: [&str; 4] = [
    "Asia/Ho_Chi_Minh",
    "America/New_York",
    // The clocks go forward at midnight.
    "Africa/Cairo",
    "Asia/Beirut",
];
pub(super) const TAGS: [&str; 4] = ["vip", "Khách sỉ", "mới", "vàng"];

pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

/// From 2026-01-01 to 2028-03-22, with a 29 February.
pub(super) fn instant() -> impl Strategy<Value = i64> {
    1_767_225_600_000i64..1_837_300_000_000
}

pub(super) fn day() -> impl Strategy<Value = String> {
    (20_454i64..21_200).prop_map(|day| {
        let date = Date::constant(1970, 1, 1).checked_add(Span::new().days(day));
        date.unwrap().to_string()
    })
}

pub(super) fn birthday() -> impl Strategy<Value = String> {
    prop_oneof![
        day(),
        Just("2024-02-29".to_owned()),
        Just("--02-29".to_owned()),
        (1i8..=12, 1i8..=28).prop_map(|(month, day)| format!("--{month:02}-{day:02}")),
    ]
}

prop_compose! {
    pub(super) fn contact()(
        number in 0u64..1 << 50,
        email in proptest::option::of(prop::sample::select(vec!["An@Shop.vn", "binh@example.vn"])),
        tags in proptest::sample::subsequence(TAGS.to_vec(), 0..=4),
        lists in proptest::sample::subsequence(vec!["lst_00000000001", "lst_00000000002"], 0..=2),
        status in prop::sample::select(vec!["none", "pending", "subscribed", "unsubscribed"]),
        created in instant(),
        birthday in proptest::option::of(birthday()),
        size in proptest::option::of(-3i64..4),
        city in proptest::option::of(prop::sample::select(vec!["Hà  Nội", "Đà Nẵng", "ha noi", ""])),
        likes in proptest::option::of(proptest::sample::subsequence(TAGS.to_vec(), 0..=3)),
        met in proptest::option::of(instant()),
        agreed in proptest::option::of(prop_oneof![
            Just(json!(true)), Just(json!("Không")), Just(json!("có")), Just(json!("maybe"))
        ]),
    ) -> Contact {
        let id: String = {
            let digits = "0123456789abcdefghjkmnpqrstvwxyz".as_bytes();
            let digit = |i: u32| digits[(number >> (5 * (10 - i))) as usize & 31] as char;
            (0..11).map(digit).collect()
        };
        let mut custom = json!({"size": size, "birthday": birthday, "city": city, "likes": likes, "agreed": agreed});
        if let Some(met) = met {
            custom["met"] = json!(at(met).to_string());
        }
        serde_json::from_value(json!({
            "id": format!("con_{id}"), "birthday": birthday, "province": city,
            "email": email.map(str::to_lowercase),
            "tags": tags, "list_ids": lists, "custom": custom,
            "email_status": status, "sms_status": "none", "zalo_status": "none", "push_status": "none",
            "source": "form",
            "created_at": at(created).to_string(), "updated_at": at(created).to_string(),
        })).unwrap()
    }
}

/// Ticks of each event as (day, count); the hashes follow from the condition that counts them.
pub(super) type Days = Vec<(i64, u8)>;

prop_compose! {
    pub(super) fn facts()(
        opened in proptest::option::of(instant()),
        ordered in proptest::option::of(instant()),
        orders in 0u32..4,
        products in proptest::sample::subsequence(vec!["p1", "p2", "p3"], 0..=3),
        inside in any::<bool>(),
    ) -> Facts {
        let mut facts = Facts::default();
        facts.last.opened = opened.map(at);
        facts.orders.count = orders;
        facts.orders.last = ordered.map(at);
        facts.orders.products = products.into_iter().map(product_hash).collect();
        if inside {
            facts.inside.insert("seg_00000000001".parse().unwrap(), 1);
        }
        facts
    }
}

pub(super) fn operands(kind: &'static str) -> BoxedStrategy<Value> {
    let words =
        || prop::sample::subsequence(vec!["VIP", "KHÁCH SỈ", "khach si", "moi", "hà nội"], 1..=3);
    let unit = prop_oneof![Just(("days", 1u16..400)), Just(("weeks", 1u16..50))];
    let span = (
        prop::sample::select(vec![
            "in_last_n",
            "not_in_last_n",
            "in_next_n",
            "more_than_n_ago",
        ]),
        unit.prop_flat_map(|(unit, n)| n.prop_map(move |n| (unit, n))),
    );
    let span =
        span.prop_map(|(operator, (unit, n))| json!({"operator": operator, "n": n, "unit": unit}));
    let dates = prop_oneof![
        4 => span,
        2 => (prop::sample::select(vec!["on", "before", "after"]), day())
            .prop_map(|(operator, value)| json!({"operator": operator, "value": value})),
        1 => (day(), day()).prop_map(|(a, b)| json!({"operator": "between", "from": a.clone().min(b.clone()), "to": a.max(b)})),
        1 => Just(json!({"operator": "anniversary_today"})),
        2 => (1u16..=365).prop_map(|n| json!({"operator": "anniversary_in_n_days", "n": n})),
        1 => (1u8..=12).prop_map(|month| json!({"operator": "month_is", "value": month})),
        1 => Just(json!({"operator": "month_is", "value": "current"})),
    ];
    let own = match kind {
        "number" => prop_oneof![
            (
                prop::sample::select(vec!["eq", "ne", "gt", "gte", "lt", "lte"]),
                -2i64..3
            )
                .prop_map(|(operator, value)| json!({"operator": operator, "value": value})),
            (-2i64..1, 0i64..3)
                .prop_map(|(from, to)| json!({"operator": "between", "from": from, "to": to})),
        ]
        .boxed(),
        "date" | "datetime" => dates.boxed(),
        "boolean" => prop::sample::select(vec!["is_true", "is_false"])
            .prop_map(|operator| json!({"operator": operator}))
            .boxed(),
        "multi_choice" => (
            prop::sample::select(vec!["has_any", "has_all", "has_none"]),
            words(),
        )
            .prop_map(|(operator, values)| json!({"operator": operator, "values": values}))
            .boxed(),
        _ => prop_oneof![
            (
                prop::sample::select(vec![
                    "is",
                    "is_not",
                    "contains",
                    "not_contains",
                    "starts_with",
                    "ends_with"
                ]),
                prop::sample::select(vec!["Hà Nội", "NỘI", "da", "shop.vn", "an@shop.vn"]),
            )
                .prop_map(|(operator, value)| json!({"operator": operator, "value": value})),
            (prop::sample::select(vec!["in", "not_in"]), words())
                .prop_map(|(operator, values)| json!({"operator": operator, "values": values})),
        ]
        .boxed(),
    };
    let set = prop::sample::select(vec!["is_set", "is_not_set"])
        .prop_map(|operator| json!({"operator": operator}));
    prop_oneof![8 => own, 1 => set].boxed()
}

pub(super) fn with(mut base: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

pub(super) fn custom(name: &'static str, kind: &'static str) -> BoxedStrategy<Value> {
    let base = json!({"family": "profile", "field": format!("custom.{name}"), "type": kind});
    operands(kind)
        .prop_map(move |more| with(base.clone(), &more))
        .boxed()
}

pub(super) fn of(base: Value, kind: &'static str) -> BoxedStrategy<Value> {
    operands(kind)
        .prop_map(move |more| with(base.clone(), &more))
        .boxed()
}

pub(super) fn condition() -> BoxedStrategy<Value> {
    let window = prop_oneof![
        Just(json!({})),
        (1u16..=400).prop_map(|days| json!({"within": {"last_days": days}})),
        (day(), day()).prop_map(
            |(a, b)| json!({"within": {"from": a.clone().min(b.clone()), "to": a.max(b)}})
        ),
        day().prop_map(|from| json!({"within": {"from": from}})),
    ];
    let times = prop_oneof![
        Just(json!({"operator": "did"})),
        Just(json!({"operator": "did_not"})),
        (
            prop::sample::select(vec!["at_least", "at_most", "exactly"]),
            1u8..6
        )
            .prop_map(|(operator, times)| json!({"operator": operator, "times": times})),
    ];
    let event = (prop::sample::select(EVENTS.to_vec()), times, window).prop_map(
        |(event, times, window)| {
            with(
                with(json!({"family": "event", "event": event}), &times),
                &window,
            )
        },
    );
    prop_oneof![
        custom("size", "number"),
        custom("birthday", "date"),
        of(json!({"family": "profile", "field": "birthday"}), "date"),
        of(json!({"family": "location", "field": "province"}), "text"),
        custom("met", "datetime"),
        custom("city", "text"),
        custom("likes", "multi_choice"),
        custom("agreed", "boolean"),
        of(json!({"family": "profile", "field": "email"}), "text"),
        of(json!({"family": "profile", "field": "created_at"}), "datetime"),
        of(json!({"family": "profile", "field": "last_opened_at"}), "datetime"),
        of(json!({"family": "order", "field": "last_at"}), "datetime"),
        of(json!({"family": "order", "field": "count"}), "number"),
        of(json!({"family": "tag"}), "multi_choice"),
        prop::sample::select(vec!["in", "not_in"]).prop_map(
            |operator| json!({"family": "list", "operator": operator, "list_ids": ["lst_00000000001"]})
        ),
        prop::sample::select(vec!["in", "not_in"]).prop_map(
            |operator| json!({"family": "segment", "operator": operator, "segment_ids": ["seg_00000000001"]})
        ),
        prop::sample::select(vec!["is", "is_not"]).prop_map(
            |operator| json!({"family": "consent", "channel": "email", "operator": operator, "value": "subscribed"})
        ),
        (prop::sample::select(vec!["has_any", "has_all", "has_none"]), prop::sample::subsequence(vec!["p1", "p2"], 1..=2))
            .prop_map(|(operator, values)| json!({"family": "order", "field": "product", "operator": operator, "values": values})),
        event,
    ]
    .boxed()
}

pub(super) fn group() -> impl Strategy<Value = Value> {
    let word = || prop::sample::select(vec!["all", "any"]);
    let leaf = condition();
    let inner = (word(), prop::collection::vec(leaf.clone(), 1..4))
        .prop_map(|(word, parts)| json!({word: parts}));
    let part = prop_oneof![3 => leaf, 1 => inner];
    (word(), prop::collection::vec(part, 1..5)).prop_map(|(word, parts)| json!({word: parts}))
}
