use super::*;
use serde_json::{Value, json};

fn flaws(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut value = json!({
        "name": "Chào khách mới",
        "trigger": {"type": "form.submitted"},
        "graph": {"start": "wait", "nodes": {
            "wait": {"type": "wait_duration", "days": 1, "next": "mail"},
            "mail": {"type": "send_email", "next": "tag", "subject": "Xin chào",
                "sender": {"from_name": "Cửa hàng", "from_email": "shop@example.vn"},
                "html": "<p>Chào {{contact.first_name}}</p>"},
            "tag": {"type": "add_tag", "tags": ["khach-moi"], "next": "end"},
            "end": {"type": "exit"},
        }},
    });
    change(&mut value);
    let draft: Draft = serde_json::from_value(value).unwrap();
    draft
        .check("example.vn")
        .into_iter()
        .map(|flaw| flaw.pointer)
        .collect()
}

#[test]
fn a_good_draft_has_no_flaw() {
    assert!(flaws(|_| ()).is_empty());
}

#[test]
fn the_mails_of_one_workflow_are_compiled_within_one_request() {
    let long = "x".repeat(150_000);
    let found = flaws(|d| {
        for n in 0..8 {
            let mut mail = d["graph"]["nodes"]["mail"].clone();
            mail["html"] = json!(long);
            d["graph"]["nodes"][format!("m{n}")] = mail;
        }
    });
    assert_eq!(found, ["/graph/nodes"]);
}

#[test]
fn a_transactional_mail_needs_a_reason_and_marketing_has_none() {
    let place = ["/graph/nodes/mail/reason"];
    let mail = |class: &str, reason: Value| {
        flaws(|d| {
            d["graph"]["nodes"]["mail"]["class"] = json!(class);
            d["graph"]["nodes"]["mail"]["reason"] = reason;
        })
    };
    assert_eq!(mail("transactional", Value::Null), place);
    assert_eq!(mail("marketing", json!("order")), place);
    assert!(mail("transactional", json!("form_answer")).is_empty());
}

#[test]
fn the_shape_of_the_graph_is_checked() {
    let node = |id: &str| format!("/graph/nodes/{id}");
    assert_eq!(
        flaws(|d| d["graph"]["start"] = json!("x")),
        ["/graph/start"]
    );
    assert_eq!(
        flaws(|d| d["graph"]["nodes"]["tag"]["next"] = json!("x")),
        [node("tag/next"), node("end")]
    );
    assert_eq!(
        flaws(|d| d["graph"]["nodes"]["tag"]["next"] = json!("wait")),
        [node("tag/next"), node("end")]
    );
    assert_eq!(
        flaws(|d| d["graph"]["nodes"]["lost"] = json!({"type": "exit"})),
        [node("lost")]
    );
    assert_eq!(flaws(|d| d["graph"]["nodes"] = json!({})), ["/graph/nodes"]);
    let many = |d: &mut Value| {
        for i in 0..100 {
            d["graph"]["nodes"][format!("n{i}")] = json!({"type": "exit"});
        }
    };
    assert_eq!(flaws(many), ["/graph/nodes"]);
}

#[test]
fn the_content_of_steps_is_checked() {
    let nodes = |d: &mut Value, id: &str, field: &str, value: Value| {
        d["graph"]["nodes"][id][field] = value;
    };
    let at = |place: &str| vec![format!("/graph/nodes/{place}")];
    assert_eq!(flaws(|d| nodes(d, "wait", "days", json!(0))), at("wait"));
    assert_eq!(flaws(|d| nodes(d, "wait", "weeks", json!(60))), at("wait"));
    assert_eq!(
        flaws(|d| nodes(d, "tag", "tags", json!([]))),
        at("tag/tags")
    );
    assert_eq!(
        flaws(|d| nodes(d, "mail", "subject", json!(" "))),
        at("mail/subject")
    );
    assert_eq!(
        flaws(|d| nodes(d, "mail", "html", json!(null))),
        at("mail/html")
    );
    assert_eq!(
        flaws(|d| nodes(d, "mail", "html", json!("{{ broken"))),
        at("mail/html")
    );
    assert_eq!(
        flaws(|d| nodes(d, "mail", "text", json!("x".repeat(200_000)))),
        at("mail/text")
    );
    let foreign = json!({"from_name": "Cửa hàng", "from_email": "shop@example.com"});
    assert_eq!(
        flaws(|d| nodes(d, "mail", "sender", foreign.clone())),
        at("mail/sender/from_email")
    );
    assert_eq!(flaws(|d| d["name"] = json!("")), ["/name"]);
    assert_eq!(
        flaws(|d| d["trigger"] = json!({"type": "x"})),
        ["/trigger/type"]
    );
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    let bad = json!({"type": "wait_duration", "fortnights": 1});
    let error = serde_json::from_value::<DraftNode>(bad).unwrap_err();
    assert!(error.to_string().contains("fortnights"));
}
