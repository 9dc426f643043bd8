//! The API's reference, docs/openapi.json: it equals the output of the code, and it names every operation.

use access::Operation;
use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tanigo_local::reference;
use tanigo_local::runtime::gateway::routes::Routes;
use tanigo_local::template::model::Trigger;

use crate::support::{World, http_event};

/// The operation takes the API's own credential, and so is in the table of access. The others take none, or
/// one that their function checks itself.
fn is_ours(operation: &Value) -> bool {
    operation["security"].is_null()
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
        .filter(|(_, operation)| is_ours(operation))
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
        let sent = path
            .replace("{id}", "some-id")
            .replace("{note_id}", "not_01h4k7m2p9x")
            .replace(
                "{request_id}",
                "1772413260000-0123456789abcdef0123456789abcdef",
            )
            .replace(
                "{delivery_id}",
                "evt_1772413260000_0123456789abcdef0123456789abcdef",
            )
            .replace("{list_id}", "lst_01h4k7m2p9x")
            .replace("{tag}", "vip")
            .replace("{field}", "hop_dong")
            .replace("{inbox}", "inb_01h4k7m2p9x")
            .replace("{form}", "frm_01h4k7m2p9x")
            .replace("{source}", "src_01h4k7m2p9x")
            .replace("{device_id}", "0123456789abcdef")
            .replace("{oa_id}", "3400000000000000001")
            .replace("{template_id}", "207320")
            .replace("{call}", "t")
            .replace("{token}", "some-token");
        assert!(!sent.contains('{'), "{path}: say what its parameter is");
        for (method, operation) in item.as_object().unwrap() {
            let (method, ours) = (method.to_uppercase(), is_ours(operation));
            let place = format!("{method} {path}");
            let found = routes.find(&method, &sent);
            let found = found.filter(|(route, _)| route.path != "$default");
            let (route, _) = found.unwrap_or_else(|| panic!("{place}: not in the template"));
            assert_eq!(route.authorized, ours, "{place}");
            used.insert(route.key());
            let functions = &world.model.functions;
            let function = functions.iter().find(|f| f.logical_id == route.function);
            let event = http_event(&method, &sent, None, None);
            let answer = world
                .invoke(&function.unwrap().handler, event)
                .await
                .unwrap();
            // A path without a route in the function is a 404 or a 405. A route without a credential and a body
            // refuses for another reason.
            let status = answer["statusCode"].as_u64().unwrap();
            let refused: &[u64] = if ours {
                &[401]
            } else if sent.starts_with("/v1/") {
                &[400, 415]
            } else if sent.starts_with("/w/kiotviet/") {
                // KiotViet stops at most other answers of 4xx.
                &[429]
            } else if sent.starts_with("/s/") {
                // SDKs send again at no 400.
                &[400]
            } else if sent == "/t.js" || sent == "/push-sw.js" {
                &[200]
            } else if sent.starts_with("/w/shopee/") || sent == "/w/zalo" {
                // Without a signature the request is a check of the address.
                &[200]
            } else if sent == "/w/connect" || sent == "/w/zalo/connect" {
                // A person reads the answer.
                &[400]
            } else {
                // No such inbox, source or link.
                &[401, 404]
            };
            assert!(refused.contains(&status), "{place}: {answer}");
            let nothing = answer["body"]
                .as_str()
                .unwrap_or_default()
                .contains("no such route");
            assert!(!nothing, "{place}: {answer}");
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
        let content = &success["content"];
        let schema = &content["application/json"]["schema"];
        let is_empty = content.is_null() && ["202", "204"].contains(&status.as_str());
        // Shopee takes an answer with a body for a failure.
        let is_empty = is_empty || place.contains("/w/shopee/");
        let others = [
            "text/html",
            "text/csv",
            "text/javascript",
            "text/plain",
            "image/svg+xml",
        ];
        let is_page = others.iter().any(|kind| content[*kind].is_object());
        assert!(
            is_empty || is_page || schema.is_object(),
            "{place}: no answer"
        );
        let ours = place.contains(" /v1/").then_some("400");
        for problem in ["429", "500", "503"].into_iter().chain(ours) {
            assert!(responses.contains_key(problem), "{place}: no {problem}");
        }
        let about = operation["description"].as_str().unwrap_or_default();
        assert!(!about.is_empty(), "{place}: no description");
    }
}

#[test]
fn every_tag_is_declared_with_what_it_holds_and_used() {
    let document = reference::document().unwrap();
    let operations = operations(&document);
    let used: BTreeSet<&str> = operations
        .iter()
        .map(|(_, operation)| operation["tags"][0].as_str().unwrap())
        .collect();
    let tags = document["tags"].as_array().unwrap();
    let declared = tags.iter().map(|tag| tag["name"].as_str().unwrap());
    assert_eq!(declared.collect::<BTreeSet<_>>(), used);
    assert!(tags.iter().all(|tag| tag["description"].is_string()));
}

/// Generators of clients make a type of each member only where it has a name.
#[test]
fn the_members_of_a_tagged_union_have_names_and_one_field_that_tells_them_apart() {
    let document = reference::document().unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut unions = 0;
    for (name, schema) in schemas {
        let Some(tag) = schema["discriminator"]["propertyName"].as_str() else {
            // The conditions of segments are a language of their own, with a guide (docs/segments.md).
            let is_language = name.starts_with("SegmentCondition");
            let is_union = schema["oneOf"].is_array();
            assert!(is_language || !is_union, "{name} has no discriminator");
            continue;
        };
        unions += 1;
        let members = schema["oneOf"].as_array().unwrap();
        let mapping = schema["discriminator"]["mapping"].as_object().unwrap();
        assert_eq!(mapping.len(), members.len(), "{name}");
        for (value, path) in mapping {
            assert!(
                members.contains(&json!({ "$ref": path })),
                "{name}: {value}"
            );
            let path = path.as_str().unwrap().trim_start_matches('#');
            let member = document.pointer(path).unwrap();
            assert_eq!(member["properties"][tag]["enum"], json!([value]), "{name}");
            let required = member["required"].as_array().unwrap();
            assert!(required.contains(&json!(tag)), "{name}: {value}");
        }
    }
    assert!(unions >= 4, "{unions}");
    let mail = &schemas["NewWorkflowNodeSendEmail"];
    assert_eq!(mail["additionalProperties"], false);
    assert!(mail["properties"]["sender"].is_object(), "{mail}");
}

#[test]
fn every_schema_is_used() {
    let document = reference::document().unwrap();
    let text = document.to_string();
    for name in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(
            text.contains(&format!("#/components/schemas/{name}\"")),
            "{name}"
        );
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
