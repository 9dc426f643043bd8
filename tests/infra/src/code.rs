//! The shape of a function's package and of the price list.

use std::collections::{BTreeMap, BTreeSet};

use crate::assert_none;
use crate::functions::{camel, folders};
use crate::template::{MESSAGING, functions, project};

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

/// Paths of `.route("...")` and of `#[utoipa::path(.., path = "...")]` in a function's sources.
fn routes(name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in sources(&project().join("functions").join(name).join("src")) {
        let plain = text.split(".route(").skip(1);
        for part in plain.chain(text.split("    path = ").skip(1)) {
            let path = part
                .trim_start()
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next());
            found.extend(path.map(str::to_owned));
        }
    }
    found
}

/// `{proxy+}` takes one segment or more.
fn covers(declared: &str, path: &str) -> bool {
    match declared.strip_suffix("{proxy+}") {
        Some(start) => path.len() > start.len() && path.starts_with(start),
        None => path == declared,
    }
}

#[test]
fn the_code_and_the_template_know_the_same_paths() {
    let mut violations = Vec::new();
    for function in functions() {
        let events = function.events("HttpApi");
        let declared: BTreeSet<&str> = events
            .iter()
            .filter_map(|(_, event)| event["Path"].as_str())
            // Taken by the routers' fallback.
            .filter(|path| *path != "$default")
            .collect();
        let written = if declared.is_empty() {
            BTreeSet::new()
        } else {
            routes(function.name())
        };
        for path in &written {
            if !declared.iter().any(|declared| covers(declared, path)) {
                violations.push(format!("{}: {path} never gets there", function.name()));
            }
        }
        for path in declared.iter().filter(|path| !path.ends_with("{proxy+}")) {
            if !written.contains(*path) {
                violations.push(format!("{}: {path} has no code", function.name()));
            }
        }
    }
    assert_none("routes", &violations);
}

/// Sources under this folder, tests at the end of a file left out.
fn sources(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            found.push(code.to_owned());
        }
    }
    found
}

#[test]
fn each_queue_of_ours_carries_one_type_of_message() {
    let mut types: BTreeMap<String, usize> = BTreeMap::new();
    for code in sources(&project().join("shared")) {
        for rest in code.split("= QueueName::new(\"").skip(1) {
            let name = rest.split('"').next().unwrap();
            *types.entry(camel(name)).or_default() += 1;
        }
    }
    let queues = MESSAGING.of_kind("AWS::SQS::Queue").into_iter();
    let queues = queues.map(|queue| queue.id.to_owned());
    // EventBridge sends to `DeliveryEvents`, in its own form.
    let ours = queues.filter(|id| !id.ends_with("Dlq") && id != "DeliveryEvents");
    let expected: BTreeMap<String, usize> = ours.map(|id| (id, 1)).collect();
    assert_eq!(types, expected);
}
