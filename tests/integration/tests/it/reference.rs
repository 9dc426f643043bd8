//! The API's reference, docs/openapi.json: it is what the code says, and it names every operation.

use access::Operation;
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tanigo_local::reference;
use tanigo_local::runtime::gateway::routes::Routes;
use tanigo_local::template::model::Trigger;

use crate::support::{World, http_event};

/// Operations without a credential are not in the table of access.
fn is_public(operation: &Value) -> bool {
    operation["security"] == json!([])
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((format!("{method} {path}"), operation));
        }
    }
    all
}

#[test]
fn the_document_is_what_the_code_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let document = reference::document().unwrap();
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&file).unwrap();
    assert!(
        stored == text,
        "docs/openapi.json is behind the code; run the tests with UPDATE_DOCS=1"
    );
}

#[test]
fn every_operation_has_its_line_in_the_table_of_access() {
    let document = reference::document().unwrap();
    let operations = operations(&document);
    let documented: BTreeSet<&str> = operations
        .iter()
        .filter(|(_, operation)| !is_public(operation))
        .map(|(_, operation)| operation["operationId"].as_str().unwrap())
        .collect();
    let known = Operation::ALL.iter().map(|operation| operation.id());
    assert_eq!(documented, known.collect());
}

#[tokio::test]
async fn document_code_and_template_know_the_same_operations() {
    let world = World::new();
    let document = reference::document().unwrap();
    let routes = Routes::of(&world.model);
    let mut used = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let sent = path.replace("{id}", "some-id");
        assert!(!sent.contains('{'), "{path}: say what its parameter is");
        for (method, operation) in item.as_object().unwrap() {
            let (method, public) = (method.to_uppercase(), is_public(operation));
            let place = format!("{method} {path}");
            let found = routes.find(&method, &sent);
            let found = found.filter(|(route, _)| route.path != "$default");
            let (route, _) = found.unwrap_or_else(|| panic!("{place}: not in the template"));
            assert_eq!(route.authorized, !public, "{place}");
            used.insert(route.key());
            let functions = &world.model.functions;
            let function = functions.iter().find(|f| f.logical_id == route.function);
            let event = http_event(&method, &sent, None, None);
            let answer = world
                .invoke(&function.unwrap().handler, event)
                .await
                .unwrap();
            // What the function has no route for is a 404 or a 405; without a credential and a body a route
            // refuses for another reason.
            let status = answer["statusCode"].as_u64().unwrap();
            let refused: &[u64] = if public { &[400, 415] } else { &[401] };
            assert!(refused.contains(&status), "{place}: {answer}");
        }
    }
    for trigger in world.model.functions.iter().flat_map(|f| &f.triggers) {
        if let Trigger::Http { method, path, .. } = trigger
            && path.starts_with("/v1/")
            && path != "/v1/openapi.json"
        {
            let key = format!("{method} {path}");
            assert!(used.contains(&key), "{key} leads to no operation");
        }
    }
}

#[test]
fn every_operation_says_what_it_takes_and_answers() {
    let document = reference::document().unwrap();
    for (place, operation) in operations(&document) {
        assert!(operation["summary"].is_string(), "{place}: no summary");
        assert!(operation["tags"][0].is_string(), "{place}: no tag");
        let responses = operation["responses"].as_object().unwrap();
        let success = responses.iter().find(|(status, _)| status.starts_with('2'));
        let (status, success) = success.unwrap_or_else(|| panic!("{place}: no success"));
        let schema = &success["content"]["application/json"]["schema"];
        let is_empty = success["content"].is_null() && ["202", "204"].contains(&status.as_str());
        assert!(is_empty || schema.is_object(), "{place}: no answer");
        for problem in ["400", "429", "500", "503"] {
            assert!(responses.contains_key(problem), "{place}: no {problem}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(document: &Value, value: &Value) {
        if let Some(path) = value["$ref"].as_str() {
            let target = document.pointer(path.trim_start_matches('#'));
            assert!(target.is_some(), "{path}");
        }
        match value {
            Value::Array(all) => all.iter().for_each(|one| walk(document, one)),
            Value::Object(all) => all.values().for_each(|one| walk(document, one)),
            _ => {}
        }
    }
    let document = reference::document().unwrap();
    walk(&document, &document);
}

/// Whether they fit their schemas is checked in tests/contracts.
#[test]
fn every_request_and_answer_has_an_example() {
    let document = reference::document().unwrap();
    let mut seen = BTreeSet::new();
    for (place, operation) in operations(&document) {
        let responses = operation["responses"].as_object().unwrap();
        let good = responses
            .iter()
            .filter(|(status, _)| status.starts_with('2'));
        let bodies = good.map(|(_, response)| &response["content"]);
        for content in bodies.chain([&operation["requestBody"]["content"]]) {
            let schema = &content["application/json"]["schema"];
            let Some(name) = schema["$ref"].as_str() else {
                continue;
            };
            let known = document.pointer(name.trim_start_matches('#')).unwrap();
            let examples = known["examples"].as_array();
            let example = examples.and_then(|all| all.first());
            assert!(example.is_some(), "{place}: {name} has no example");
            seen.insert(name);
        }
    }
    assert!(seen.len() > 50, "{}", seen.len());
}

#[test]
fn every_field_of_a_request_has_a_bound() {
    fn walk(document: &Value, place: &str, schema: &Value, seen: &[&str], open: &mut Vec<String>) {
        if let Some(path) = schema["$ref"].as_str() {
            let target = document.pointer(path.trim_start_matches('#')).unwrap();
            if !seen.contains(&path) {
                walk(document, place, target, &[seen, &[path]].concat(), open);
            }
            return;
        }
        let parts = ["allOf", "oneOf", "anyOf"].map(|of| schema[of].as_array());
        for part in parts.into_iter().flatten().flatten() {
            walk(document, place, part, seen, open);
        }
        let is = |kind: &str| match &schema["type"] {
            Value::Array(kinds) => kinds.contains(&json!(kind)),
            one => one == kind,
        };
        let says = |names: &[&str]| names.iter().any(|name| !schema[*name].is_null());
        // An id's pattern has one length.
        let fixed = schema["pattern"]
            .as_str()
            .is_some_and(|text| text.ends_with("{10}$"));
        let bounded = fixed || !is("string") || says(&["maxLength", "enum", "const", "format"]);
        let bounded = bounded && (!is("integer") || says(&["maximum"]));
        if !(bounded && (!is("array") || says(&["maxItems"]))) {
            open.push(place.to_owned());
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            walk(document, &format!("{place}/{name}"), field, seen, open);
        }
        let each = &schema["additionalProperties"];
        if each.is_object() {
            walk(document, &format!("{place}/*"), each, seen, open);
        }
    }
    let document = reference::document().unwrap();
    let mut open = Vec::new();
    for (place, operation) in operations(&document) {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        walk(&document, &place, body, &[], &mut open);
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let path = parameter["$ref"]
                .as_str()
                .map(|path| path.trim_start_matches('#'));
            let parameter = path.map_or(parameter, |path| document.pointer(path).unwrap());
            let place = format!("{place}?{}", parameter["name"]);
            walk(&document, &place, &parameter["schema"], &[], &mut open);
        }
    }
    assert!(open.is_empty(), "{open:#?}");
}
