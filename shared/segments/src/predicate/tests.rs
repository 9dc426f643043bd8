//! Laws of the predicate.

mod given;
mod reference;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::facts::{Facts, product_hash};
use crate::language::{Bounds, parse};
use contacts::Contact;

use given::*;
use reference::World;

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

#[test]
fn a_province_of_today_holds_its_former_parts() {
    let is_in = |operator: &str, asked: &str, province: Option<(&str, &str)>| {
        let json = json!({"all": [
            {"family": "location", "field": "province", "operator": operator, "value": asked},
        ]});
        let conditions = parse(&json, &Bounds::default()).unwrap();
        let predicate = Predicate::compile(&conditions, &TimeZone::UTC);
        let (name, code) = province.unzip();
        let contact: Contact = serde_json::from_value(json!({
            "id": "con_00000000001", "tags": [], "list_ids": [], "custom": {}, "email_status": "none",
            "sms_status": "none", "zalo_status": "none", "push_status": "none", "source": "form",
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "province": name, "province_code": code,
        }))
        .unwrap();
        let facts = Facts::default();
        let subject = Subject::new(&contact, &facts);
        predicate.check(&subject, at(1_790_000_000_000)).is_in
    };
    let (today, former) = ("TP. Hồ Chí Minh", "Bình Dương");
    let code = contacts::places::province(today).unwrap().province.code;
    assert_eq!(
        contacts::places::province(former).unwrap().province.code,
        code
    );
    for (operator, asked, contact, holds) in [
        ("is", today, Some((former, code)), true),
        ("is", "Hồ Chí Minh", Some(("TPHCM", code)), true),
        ("is", former, Some((former, code)), true),
        ("is", former, Some((today, code)), false),
        ("is_not", today, Some((former, code)), false),
        ("is_not", today, None, true),
        ("is", today, None, false),
        ("is", today, Some(("Hà Nội", "01")), false),
    ] {
        let found = is_in(operator, asked, contact);
        assert_eq!(found, holds, "{operator} {asked}: {contact:?}");
    }
}
