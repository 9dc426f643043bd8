//! Laws of the predicate. The reference below follows docs/segments.md, slowly and with the dates of `jiff`.

#![expect(
    clippy::float_cmp,
    clippy::unused_self,
    reason = "the reference compares as the guide says"
)]

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::facts::{Facts, product_hash};
use crate::language::{Bounds, parse};
use contacts::Contact;

const EVENTS: [&str; 2] = ["vip.visited", "order.completed"];
const ZONES: [&str; 4] = [
    "Asia/Ho_Chi_Minh",
    "America/New_York",
    // The clocks go forward at midnight.
    "Africa/Cairo",
    "Asia/Beirut",
];
const TAGS: [&str; 4] = ["vip", "Khách sỉ", "mới", "vàng"];

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

/// From 2026-01-01 to 2028-03-22, with a 29 February.
fn instant() -> impl Strategy<Value = i64> {
    1_767_225_600_000i64..1_837_300_000_000
}

fn day() -> impl Strategy<Value = String> {
    (20_454i64..21_200).prop_map(|day| {
        let date = Date::constant(1970, 1, 1).checked_add(Span::new().days(day));
        date.unwrap().to_string()
    })
}

fn birthday() -> impl Strategy<Value = String> {
    prop_oneof![
        day(),
        Just("2024-02-29".to_owned()),
        Just("--02-29".to_owned()),
        (1i8..=12, 1i8..=28).prop_map(|(month, day)| format!("--{month:02}-{day:02}")),
    ]
}

prop_compose! {
    fn contact()(
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
type Days = Vec<(i64, u8)>;

prop_compose! {
    fn facts()(
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

fn operands(kind: &'static str) -> BoxedStrategy<Value> {
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

fn with(mut base: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

fn custom(name: &'static str, kind: &'static str) -> BoxedStrategy<Value> {
    let base = json!({"family": "profile", "field": format!("custom.{name}"), "type": kind});
    operands(kind)
        .prop_map(move |more| with(base.clone(), &more))
        .boxed()
}

fn of(base: Value, kind: &'static str) -> BoxedStrategy<Value> {
    operands(kind)
        .prop_map(move |more| with(base.clone(), &more))
        .boxed()
}

fn condition() -> BoxedStrategy<Value> {
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

fn group() -> impl Strategy<Value = Value> {
    let word = || prop::sample::select(vec!["all", "any"]);
    let leaf = condition();
    let inner = (word(), prop::collection::vec(leaf.clone(), 1..4))
        .prop_map(|(word, parts)| json!({word: parts}));
    let part = prop_oneof![3 => leaf, 1 => inner];
    (word(), prop::collection::vec(part, 1..5)).prop_map(|(word, parts)| json!({word: parts}))
}

struct World<'a> {
    subject: Subject<'a>,
    days: &'a [Days],
    now: Timestamp,
    zone: &'a TimeZone,
}

impl World<'_> {
    fn today(&self) -> Date {
        let delay = SignedDuration::from_secs(delay(self.subject.contact.id));
        (self.now - delay).to_zoned(self.zone.clone()).date()
    }

    /// The reference.
    fn holds(&self, json: &Value) -> bool {
        let object = json.as_object().unwrap();
        if let Some(parts) = object.get("all") {
            return parts
                .as_array()
                .unwrap()
                .iter()
                .all(|part| self.holds(part));
        }
        if let Some(parts) = object.get("any") {
            return parts
                .as_array()
                .unwrap()
                .iter()
                .any(|part| self.holds(part));
        }
        let contact = self.subject.contact;
        let own = serde_json::to_value(contact).unwrap();
        let facts = self.subject.facts;
        let stamp = |at: Option<Timestamp>| at.map_or(Value::Null, |at| json!(at.to_string()));
        match json["family"].as_str().unwrap() {
            "profile" => match json["field"].as_str().unwrap() {
                "last_opened_at" => self.test(json, "datetime", &stamp(facts.last.opened)),
                "created_at" => self.test(json, "datetime", &stamp(Some(contact.created_at))),
                "email" => self.test(json, "text", &own["email"]),
                "birthday" => self.test(json, "date", &own["birthday"]),
                custom => {
                    let name = custom.strip_prefix("custom.").unwrap();
                    self.test(json, json["type"].as_str().unwrap(), &own["custom"][name])
                }
            },
            "order" => match json["field"].as_str().unwrap() {
                "last_at" => self.test(json, "datetime", &stamp(facts.orders.last)),
                "count" => self.test(json, "number", &json!(facts.orders.count)),
                _ => {
                    let has = |id: &Value| {
                        facts
                            .orders
                            .products
                            .contains(&product_hash(id.as_str().unwrap()))
                    };
                    let mut ids = json["values"].as_array().unwrap().iter();
                    match json["operator"].as_str().unwrap() {
                        "has_any" => ids.any(has),
                        "has_all" => ids.all(has),
                        _ => !ids.any(has),
                    }
                }
            },
            "location" => self.test(json, "text", &own["province"]),
            "tag" => self.tags(json, &own["tags"]),
            "list" => {
                let on = own["list_ids"]
                    .as_array()
                    .unwrap()
                    .contains(&json["list_ids"][0]);
                on == (json["operator"] == "in")
            }
            "segment" => facts.inside.is_empty() != (json["operator"] == "in"),
            "consent" => (own["email_status"] == json["value"]) == (json["operator"] == "is"),
            _ => self.event(json),
        }
    }

    fn tags(&self, json: &Value, tags: &Value) -> bool {
        let alike = |value: &Value| kernel::text::alike(value.as_str().unwrap());
        let own: Vec<String> = tags.as_array().unwrap().iter().map(alike).collect();
        let empty = Vec::new();
        let mut values = json["values"].as_array().unwrap_or(&empty).iter();
        match json["operator"].as_str().unwrap() {
            "is_set" => !own.is_empty(),
            "is_not_set" => own.is_empty(),
            "has_any" => values.any(|value| own.contains(&alike(value))),
            "has_all" => values.all(|value| own.contains(&alike(value))),
            _ => !values.any(|value| own.contains(&alike(value))),
        }
    }

    fn event(&self, json: &Value) -> bool {
        let at = EVENTS
            .iter()
            .position(|event| json["event"] == *event)
            .unwrap();
        let within = &json["within"];
        let kept = within["last_days"].as_i64().unwrap_or(400);
        let oldest = self.today().checked_sub(Span::new().days(kept)).unwrap();
        let count: u32 = self.days[at]
            .iter()
            .filter(|(day, _)| {
                let date = Date::constant(1970, 1, 1)
                    .checked_add(Span::new().days(*day))
                    .unwrap();
                let text = date.to_string();
                date > oldest
                    && within["from"]
                        .as_str()
                        .is_none_or(|from| text.as_str() >= from)
                    && within["to"].as_str().is_none_or(|to| text.as_str() <= to)
            })
            .map(|(_, count)| u32::from(*count))
            .sum();
        let times = json["times"].as_u64().unwrap_or(1) as u32;
        match json["operator"].as_str().unwrap() {
            "did" => count > 0,
            "did_not" => count == 0,
            "at_least" => count >= times,
            "at_most" => count <= times,
            _ => count == times,
        }
    }

    fn test(&self, json: &Value, kind: &str, value: &Value) -> bool {
        let operator = json["operator"].as_str().unwrap();
        let is_set = match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(values) => !values.is_empty(),
            _ => true,
        };
        match operator {
            "is_set" => return is_set,
            "is_not_set" => return !is_set,
            _ if !is_set => {
                let negative = [
                    "is_not",
                    "not_contains",
                    "not_in",
                    "ne",
                    "not_in_last_n",
                    "has_none",
                ];
                return negative.contains(&operator);
            }
            _ => {}
        }
        let fold = |value: &Value| kernel::text::fold(value.as_str().unwrap());
        let number = |key: &str| json[key].as_f64().unwrap();
        match kind {
            "text" => {
                let own = fold(value);
                match operator {
                    "is" => own == fold(&json["value"]),
                    "is_not" => own != fold(&json["value"]),
                    "contains" => own.contains(&fold(&json["value"])),
                    "not_contains" => !own.contains(&fold(&json["value"])),
                    "starts_with" => own.starts_with(&fold(&json["value"])),
                    "ends_with" => own.ends_with(&fold(&json["value"])),
                    _ => {
                        let mut values = json["values"].as_array().unwrap().iter();
                        values.any(|value| fold(value) == own) == (operator == "in")
                    }
                }
            }
            "number" => {
                let own = value.as_f64().unwrap();
                match operator {
                    "between" => number("from") <= own && own <= number("to"),
                    "eq" => own == number("value"),
                    "ne" => own != number("value"),
                    "gt" => own > number("value"),
                    "gte" => own >= number("value"),
                    "lt" => own < number("value"),
                    _ => own <= number("value"),
                }
            }
            "boolean" => {
                let is = match value {
                    Value::Bool(is) => Some(*is),
                    _ => match fold(value).as_str() {
                        "co" => Some(true),
                        "khong" => Some(false),
                        _ => None,
                    },
                };
                is == Some(operator == "is_true")
            }
            "multi_choice" => {
                let own: Vec<String> = value.as_array().unwrap().iter().map(fold).collect();
                let mut values = json["values"].as_array().unwrap().iter();
                match operator {
                    "has_any" => values.any(|value| own.contains(&fold(value))),
                    "has_all" => values.all(|value| own.contains(&fold(value))),
                    _ => !values.any(|value| own.contains(&fold(value))),
                }
            }
            _ => self.date(json, operator, value.as_str().unwrap()),
        }
    }

    fn date(&self, json: &Value, operator: &str, text: &str) -> bool {
        let value = |key: &str| -> Date { json[key].as_str().unwrap().parse().unwrap() };
        let unit = if json["unit"] == "weeks" { 7 } else { 1 };
        let n = json["n"].as_i64().unwrap_or_default() * unit;
        let today = self.today();
        // Month and day, the day where the year is known, and the instant.
        let (month, day, date, instant) = if let Some(rest) = text.strip_prefix("--") {
            (
                rest[..2].parse::<i8>().unwrap(),
                rest[3..].parse::<i8>().unwrap(),
                None,
                None,
            )
        } else if text.len() == 10 {
            let date: Date = text.parse().unwrap();
            (date.month(), date.day(), Some(date), None)
        } else {
            let at: Timestamp = text.parse().unwrap();
            let date = at.to_zoned(self.zone.clone()).date();
            (date.month(), date.day(), Some(date), Some(at))
        };
        let ago = |n: i64| today.checked_sub(Span::new().days(n)).unwrap();
        let hours = SignedDuration::from_hours(24 * n);
        match operator {
            "month_is" => {
                let wanted = json["value"].as_i64().unwrap_or(i64::from(today.month()));
                return i64::from(month) == wanted;
            }
            "anniversary_today" | "anniversary_in_n_days" => {
                let aim = ago(-n);
                let is_leap = aim.in_leap_year();
                let day = if (month, day) == (2, 29) && !is_leap {
                    28
                } else {
                    day
                };
                return (aim.month(), aim.day()) == (month, day);
            }
            _ => {}
        }
        let Some(date) = date else {
            return operator == "not_in_last_n";
        };
        match (operator, instant) {
            ("on", _) => date == value("value"),
            ("before", _) => date < value("value"),
            ("after", _) => date > value("value"),
            ("between", _) => value("from") <= date && date <= value("to"),
            ("in_last_n", Some(at)) => self.now - hours < at && at <= self.now,
            ("not_in_last_n", Some(at)) => !(self.now - hours < at && at <= self.now),
            ("in_next_n", Some(at)) => self.now < at && at <= self.now + hours,
            (_, Some(at)) => at <= self.now - hours,
            ("in_last_n", None) => ago(n) < date && date <= today,
            ("not_in_last_n", None) => !(ago(n) < date && date <= today),
            ("in_next_n", None) => today < date && date <= ago(-n),
            (_, None) => date <= ago(n),
        }
    }
}

fn days() -> impl Strategy<Value = Vec<Days>> {
    let event = prop::collection::btree_map(20_100i64..21_200, 1u8..4, 0..8);
    let event = event.prop_map(|days| days.into_iter().collect::<Days>());
    prop::collection::vec(event, 2)
}

fn fill(facts: &mut Facts, predicate: &Predicate, days: &[Days]) {
    for event in &predicate.mentions().events {
        let at = EVENTS.iter().position(|name| *name == event.name).unwrap();
        for (day, count) in &days[at] {
            facts.ring.set(event.hash, *day as u16, *count, 20_100);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_check_is_the_reference_and_stays_until_it_flips(
        contact in contact(), mut facts in facts(), days in days(), json in group(),
        now in instant(), zone in prop::sample::select(ZONES.to_vec()),
        later in prop::collection::vec(1i64..40_000_000_000, 12),
    ) {
        let zone = TimeZone::get(zone).unwrap();
        let conditions = parse(&json, &Bounds::default()).unwrap();
        let predicate = Predicate::compile(&conditions, &zone);
        fill(&mut facts, &predicate, &days);
        let subject = Subject::new(&contact, &facts);
        let reference = |now| World { subject, days: &days, now, zone: &zone }.holds(&json);
        let verdict = predicate.check(&subject, at(now));
        prop_assert_eq!(verdict.is_in, reference(at(now)), "{}", json);
        let flips = verdict.flips_at.map_or(i64::MAX, Timestamp::as_millisecond);
        prop_assert!(flips > now);
        let edge = (flips < i64::MAX).then(|| flips - 1);
        for then in later.iter().map(|more| now + more).chain(edge) {
            let is_in = predicate.check(&subject, at(then)).is_in;
            prop_assert_eq!(is_in, reference(at(then)), "later: {}", json);
            if then < flips {
                prop_assert_eq!(is_in, verdict.is_in, "{} at {} before {}", json, at(then), at(flips.min(1 << 50)));
            }
        }
    }

    /// One condition has the other answer at the instant that it names.
    #[test]
    fn one_condition_flips_at_that_instant(
        contact in contact(), mut facts in facts(), days in days(), json in condition(),
        now in instant(), zone in prop::sample::select(ZONES.to_vec()),
    ) {
        let zone = TimeZone::get(zone).unwrap();
        let conditions = parse(&json!({"all": [json]}), &Bounds::default()).unwrap();
        let predicate = Predicate::compile(&conditions, &zone);
        fill(&mut facts, &predicate, &days);
        let subject = Subject::new(&contact, &facts);
        let verdict = predicate.check(&subject, at(now));
        if let Some(flips_at) = verdict.flips_at {
            prop_assert_ne!(predicate.check(&subject, flips_at).is_in, verdict.is_in, "{}", json);
        }
    }

    #[test]
    fn nothing_else_matters(
        contact in contact(), other in contact(), facts in facts(), others in facts(), json in group(), now in instant(),
    ) {
        let zone = TimeZone::get("Asia/Ho_Chi_Minh").unwrap();
        let predicate = Predicate::compile(&parse(&json, &Bounds::default()).unwrap(), &zone);
        let mentions = predicate.mentions();
        let (mut changed, mut beside) = (contact.clone(), facts.clone());
        if !mentions.fields.contains("email") {
            changed.email = other.email;
        }
        if !mentions.fields.contains("created_at") {
            changed.created_at = other.created_at;
        }
        changed.updated_at = other.updated_at;
        if !mentions.fields.contains("birthday") {
            changed.person.birthday = other.person.birthday;
        }
        if !mentions.fields.contains("province") {
            changed.person.province = other.person.province;
        }
        changed.person.full_name = Some("An".into());
        for (name, value) in other.custom {
            if !mentions.fields.contains(&format!("custom.{name}")) {
                changed.custom.insert(name, value);
            }
        }
        for tag in TAGS.iter().filter(|tag| !mentions.tag(tag)) {
            if !changed.tags.remove(*tag) {
                changed.tags.insert((*tag).into());
            }
        }
        if mentions.lists.is_empty() {
            changed.lists = other.lists;
        }
        if !mentions.consent.contains(&contacts::Channel::Email) {
            changed.email_status = other.email_status;
        }
        if mentions.last.is_empty() {
            beside.last = others.last;
        }
        if !mentions.orders {
            beside.orders = others.orders;
        }
        if mentions.segments.is_empty() {
            beside.inside = others.inside;
        }
        beside.ring.set(7, 20_500, 3, 20_500);
        let before = predicate.check(&Subject::new(&contact, &facts), at(now));
        let after = predicate.check(&Subject::new(&changed, &beside), at(now));
        prop_assert_eq!(before, after, "{}", json);
    }
}

#[test]
fn a_page_view_holds_nobody_who_has_not_agreed() {
    let json = json!({"any": [{"family": "page_view", "match": "contains", "url": "/tet", "operator": "did_not"}]});
    let predicate = Predicate::compile(&parse(&json, &Bounds::default()).unwrap(), &TimeZone::UTC);
    let contact: Contact = serde_json::from_value(json!({
        "id": "con_00000000001", "tags": [], "list_ids": [], "custom": {}, "email_status": "none",
        "sms_status": "none", "zalo_status": "none", "push_status": "none", "source": "form",
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    }))
    .unwrap();
    let facts = Facts::default();
    let mut subject = Subject::new(&contact, &facts);
    assert!(!predicate.check(&subject, at(1_790_000_000_000)).is_in);
    subject.may_track = true;
    assert!(predicate.check(&subject, at(1_790_000_000_000)).is_in);
    let event = &predicate.mentions().events[0];
    assert!(event.matches("page.viewed", &json!({"url": "https://shop.vn/Tet?a=1"})));
    assert!(!event.matches("page.viewed", &json!({"url": "https://shop.vn/"})));
    assert!(!event.matches("page.viewed", &json!({})));
}
