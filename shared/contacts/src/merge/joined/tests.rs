//! The laws of a merge, over random pairs of contacts.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::consent::Purpose;
use crate::rows::{ALSO, MERGED_IDS};

const KINDS: [&str; 8] = [
    "pending",
    "granted",
    "verified",
    "refused",
    "withdrawn",
    "complained",
    "suppressed",
    "lifted",
];

/// A stored profile, with values from small sets so that two profiles have many in common.
fn row(id: usize) -> impl Strategy<Value = Map<String, Value>> {
    let email = proptest::option::of(0..3usize);
    let phone = proptest::option::of(0..3usize);
    let external = proptest::option::of(0..2usize);
    let beside = proptest::collection::btree_set(0..6usize, 0..4);
    let words = proptest::collection::btree_set(0..6usize, 0..4);
    let marks = proptest::collection::vec((0..KINDS.len(), 1..9i64), 0..6);
    let score = proptest::option::of(-5..9i64);
    (email, phone, external, beside, words, marks, score).prop_map(
        move |(email, phone, external, beside, words, marks, score)| {
            let mut row = Map::new();
            row.insert("contact".into(), json!(format!("con_{id:011}")));
            row.insert("created_at".into(), json!("2026-03-02T08:00:00Z"));
            if let Some(n) = email {
                row.insert("email".into(), json!(format!("own{id}-{n}@example.vn")));
            }
            if let Some(n) = phone {
                row.insert("phone".into(), json!(format!("+84912{id}4567{n}")));
            }
            if let Some(n) = external {
                row.insert("external_id".into(), json!(format!("K{id}{n}")));
                row.insert("external.haravan:a".into(), json!(format!("H{id}{n}")));
            }
            let shared: Vec<String> = beside.iter().map(|n| format!("s{n}@example.vn")).collect();
            row.insert("shared_emails".into(), json!(shared));
            let tags: Vec<String> = words.iter().map(|n| format!("t{n}")).collect();
            row.insert("tags".into(), json!(tags));
            let lists: Vec<String> = words.iter().map(|n| format!("lst_{n:011}")).collect();
            row.insert("lists".into(), json!(lists));
            for n in &words {
                row.insert(format!("custom.f{n}"), json!(format!("{id}")));
                row.insert("full_name".into(), json!(format!("Lê {id}")));
            }
            for (kind, at) in marks {
                let whole = ["complained", "suppressed", "lifted"].contains(&KINDS[kind]);
                let purpose = if whole { "all" } else { "marketing" };
                row.insert(format!("c.push.{purpose}.{}", KINDS[kind]), json!(at));
            }
            if let Some(score) = score {
                row.insert("score".into(), json!(score));
                if score % 2 == 0 {
                    let at = format!("2026-03-{:02}T01:00:00Z", score.rem_euclid(28) + 1);
                    let fade =
                        json!({ "points": 1 + score.rem_euclid(3), "idle_days": 4, "at": at });
                    row.insert("score_fade".into(), fade);
                }
            }
            row
        },
    )
}

fn profile(row: &Map<String, Value>) -> (Profile, Contact) {
    let profile: Profile = serde_json::from_value(Value::Object(row.clone())).unwrap();
    let contact = profile.clone().given().unwrap();
    (profile, contact)
}

fn join(own: &Map<String, Value>, other: &Map<String, Value>) -> Joined {
    let (own, other) = (profile(own), profile(other));
    Joined::of((&own.0, &own.1), (&other.0, &other.1), &Foreign::new()).unwrap()
}

/// The survivor's row after the write.
fn after(own: &Map<String, Value>, other: &Map<String, Value>) -> Map<String, Value> {
    let joined = join(own, other);
    let mut row = own.clone();
    row.extend(joined.fields);
    for (mark, at) in joined.marks {
        row.insert(mark.attribute(), json!(at));
    }
    if let Some(score) = joined.score {
        row.insert("score".into(), json!(score));
    }
    if let Some(fade) = joined.fade {
        row.insert("score_fade".into(), json!(fade));
    }
    row.insert(ALSO.into(), json!(joined.also));
    let mut add = |set: &str, new: Vec<String>| {
        let known = row.entry(set.to_owned()).or_insert(json!([]));
        let known = known.as_array_mut().unwrap();
        known.extend(new.into_iter().map(Value::from));
    };
    add("tags", joined.tags);
    add(
        "lists",
        joined.lists.iter().map(ToString::to_string).collect(),
    );
    add(
        MERGED_IDS,
        joined.merged_ids.iter().map(ToString::to_string).collect(),
    );
    for (set, address) in &joined.beside {
        add(set, vec![crate::change::stored(address)]);
    }
    row
}

/// The values that do not depend on which of the two survives.
fn common(row: &Map<String, Value>) -> impl PartialEq + std::fmt::Debug {
    let (_, contact) = profile(row);
    let owned: BTreeSet<Identity> = contact.owned().into_iter().collect();
    let beside: BTreeSet<Identity> = contact.beside().into_iter().collect();
    let ids: BTreeSet<ContactId> = contact.all_ids().collect();
    let custom: BTreeSet<String> = contact.custom.keys().cloned().collect();
    let states: BTreeMap<_, _> = Purpose::ALL
        .into_iter()
        .map(|purpose| {
            (
                purpose.name(),
                contact.consents.state(Channel::Push, purpose).status,
            )
        })
        .collect();
    (
        owned,
        beside,
        ids,
        contact.tags,
        contact.lists,
        custom,
        states,
        contact.lead_score,
        contact.fading,
    )
}

proptest! {
    #[test]
    fn it_does_not_matter_who_survives(a in row(1), b in row(2)) {
        prop_assert_eq!(
            format!("{:?}", common(&after(&a, &b))),
            format!("{:?}", common(&after(&b, &a)))
        );
    }

    #[test]
    fn the_order_of_merges_does_not_matter(a in row(1), b in row(2), c in row(3)) {
        let first = after(&after(&a, &b), &c);
        let second = after(&a, &after(&b, &c));
        prop_assert_eq!(format!("{:?}", common(&first)), format!("{:?}", common(&second)));
    }

    #[test]
    fn nothing_is_lost(a in row(1), b in row(2)) {
        let merged = profile(&after(&a, &b)).1;
        for (_, one) in [profile(&a), profile(&b)] {
            let owned = merged.owned();
            prop_assert!(one.owned().iter().all(|identity| owned.contains(identity)));
            let shown = [owned, merged.beside()].concat();
            prop_assert!(one.beside().iter().all(|address| shown.contains(address)));
            prop_assert!(one.tags.is_subset(&merged.tags) && one.lists.is_subset(&merged.lists));
            prop_assert!(one.custom.keys().all(|name| merged.custom.contains_key(name)));
            for purpose in Purpose::ALL {
                let status = one.consents.state(Channel::Push, purpose).status;
                let now = merged.consents.state(Channel::Push, purpose).status;
                prop_assert!(!status.refuses() || now.rank() >= status.rank());
            }
        }
        // The survivor's own values stay.
        let own = profile(&a).1;
        prop_assert!(own.identities().iter().all(|one| merged.identities().contains(one)));
        prop_assert!(own.custom.iter().all(|(name, value)| merged.custom[name] == *value));
    }

    #[test]
    fn the_stops_of_a_channel_are_those_in_force(a in row(1)) {
        let consents = profile(&a).1.consents;
        let stops = consents.stops_of(Channel::Push);
        for purpose in Purpose::ALL {
            let before = consents.state(Channel::Push, purpose).status;
            let after = stops.state(Channel::Push, purpose).status;
            if before.refuses() {
                prop_assert_eq!(after, before);
            } else {
                prop_assert!(!after.refuses() && after.rank() == 0);
            }
        }
        prop_assert_eq!(consents.merged(&consents), consents.clone());
    }
}

#[test]
fn limits_that_are_passed_together_are_all_named() {
    let full = |id: usize| {
        let mut row = Map::new();
        row.insert("contact".into(), json!(format!("con_{id:011}")));
        row.insert("created_at".into(), json!("2026-03-02T08:00:00Z"));
        let tags: Vec<String> = (0..150).map(|n| format!("t{id}-{n}")).collect();
        row.insert("tags".into(), json!(tags));
        let lists: Vec<String> = (0..150).map(|n| format!("lst_{id}{n:010}")).collect();
        row.insert("lists".into(), json!(lists));
        for n in 0..150 {
            row.insert(format!("custom.f{id}-{n}"), json!(n));
        }
        let shared: Vec<String> = (0..15).map(|n| format!("s{id}-{n}@example.vn")).collect();
        row.insert("shared_emails".into(), json!(shared));
        row.insert("consent_records".into(), json!(600));
        profile(&row)
    };
    let (a, b) = (full(1), full(2));
    let excess = Joined::of((&a.0, &a.1), (&b.0, &b.1), &Foreign::new()).unwrap_err();
    let places: BTreeSet<&str> = excess.iter().map(|(place, _)| *place).collect();
    assert_eq!(
        places,
        ["", "/custom", "/list_ids", "/shared_emails", "/tags"].into()
    );
}
