//! The shape of a function's package and of the price list.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::functions::folders;
use crate::template::project;

#[test]
fn an_entry_point_only_starts_its_function() {
    let mut violations = Vec::new();
    for name in folders() {
        let file = format!("functions/{name}/src/main.rs");
        let text = std::fs::read_to_string(project().join(&file)).unwrap();
        if text.lines().count() > 10 {
            violations.push(format!("{file}: {} lines", text.lines().count()));
        }
        if !text.contains(&format!(
            "lambda::run({}::function)",
            name.replace('-', "_")
        )) {
            violations.push(format!("{file}: does not run its own function"));
        }
    }
    assert_none("main.rs", &violations);
}

#[test]
fn prices_are_dated_and_the_same_list_for_each_region() {
    let text = std::fs::read_to_string(project().join("infra/prices.yaml")).unwrap();
    let prices: serde_json::Value = serde_yaml_ng::from_str(&text).unwrap();
    assert_eq!(
        prices["as_of"].as_str().map(str::len),
        Some("2026-11-22".len())
    );
    let regions = prices["regions"].as_object().unwrap();
    let names: BTreeSet<&String> = regions
        .values()
        .next()
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .collect();
    for (region, list) in regions {
        let list = list.as_object().unwrap();
        assert_eq!(list.keys().collect::<BTreeSet<_>>(), names, "{region}");
        for (name, price) in list {
            assert!(
                price["price"].as_f64().is_some_and(|price| price > 0.0),
                "{region}: {name}"
            );
            let source = price["source"].as_str().unwrap_or_default();
            assert!(
                prices["sources"][source].is_string(),
                "{region}: {name}: source {source}"
            );
            let confidence = price["confidence"].as_str().unwrap_or_default();
            assert!(
                ["high", "medium", "low"].contains(&confidence),
                "{region}: {name}"
            );
        }
    }
}
