//! Sample events: at least a good, a malformed and a repeated one for each function.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::assert_none;
use crate::functions::folders;
use crate::template::project;

const NEEDED: &[&str] = &["ok.json", "malformed.json", "duplicate.json"];
/// Functions that a stranger can call, and whose events carry a signature or a secret of ours.
const SIGNED: &[&str] = &[
    "authorizer",
    "chat-socket",
    "chat-widget",
    "form-submit",
    "link-tracker",
    "track-events",
    "webhook-custom",
    "webhook-getfly",
    "webhook-haravan",
    "webhook-kiotviet",
    "webhook-ladipage",
    "webhook-sapo",
    "webhook-shopee",
    "webhook-zalo",
];

#[test]
fn every_function_has_its_events() {
    let mut violations = Vec::new();
    for name in folders() {
        let folder = project().join("events").join(&name);
        let signed = SIGNED.contains(&name.as_str());
        let missing: Vec<&str> = NEEDED
            .iter()
            .copied()
            .chain(signed.then_some("bad-signature.json"))
            .filter(|file| !folder.join(file).exists())
            .collect();
        if !missing.is_empty() {
            violations.push(format!("events/{name}: no {}", missing.join(", ")));
        }
    }
    assert_none("sample events", &violations);
}

#[test]
fn every_event_is_json_of_a_function_that_exists() {
    let functions: BTreeSet<String> = folders();
    let mut violations = Vec::new();
    for folder in std::fs::read_dir(project().join("events"))
        .into_iter()
        .flatten()
    {
        let folder = folder.unwrap();
        let name = folder.file_name().to_string_lossy().into_owned();
        if !functions.contains(&name) {
            violations.push(format!("events/{name} belongs to no function"));
            continue;
        }
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            if let Err(error) = serde_json::from_str::<Value>(&text) {
                violations.push(format!("{}: {error}", path.display()));
            }
        }
    }
    assert_none("sample events are JSON", &violations);
}
