//! Steps that send text messages: from the event to the provider, over the provider's own wire.

use std::time::Duration;

use channels::{Ledger, LedgerKey, State};
use contacts::{Channel, Identity};
use kernel::ContactId;
use serde_json::{Value, json};
use tanigo_local::providers::Fault;

use super::shop::{Shop, incoming};
use crate::support::{grant_of, http_event};

const PHONE: &str = "0912345678";

async fn channel(shop: &Shop, method: &str, path: &str, body: &Value) -> (u64, Value) {
    let grant = grant_of(shop.tenant.workspace(), "read write admin");
    let path = format!("/v1/channels/sms{path}");
    let event = http_event(method, &path, Some(body), Some(&grant));
    shop.world.ask("api-channels", event).await
}

/// Connects an account; gives the id of a brandname of this kind.
async fn brandname(shop: &Shop, kind: &str) -> String {
    let keys = json!({ "api_key": "shop", "secret_key": tanigo_local::providers::SECRET });
    let (status, answer) = channel(shop, "PUT", "", &keys).await;
    assert!(status < 300, "{answer}");
    let mut brandname = json!({
        "name": "ACME", "kind": kind, "carriers": [{ "carrier": "viettel", "status": "approved" }],
    });
    if kind == "advertising" {
        brandname["opt_out"] = json!("TC: soan TC gui 1551");
    }
    let (status, answer) = channel(shop, "POST", "/brandnames", &brandname).await;
    assert_eq!(status, 201, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

fn draft(brandname: &str) -> Value {
    json!({
        "name": "Xác nhận",
        "trigger": { "type": "form.submitted", "form_id": "FORM8" },
        "graph": { "start": "text", "nodes": {
            "text": {
                "type": "send_sms", "brandname_id": brandname, "reason": "order",
                "content": "ACME: Đã nhận {{ trigger.message }}",
            },
        }},
    })
}

async fn person(shop: &Shop) -> ContactId {
    let mut person = incoming("an@example.vn");
    let phone = Identity::Phone(PHONE.parse().unwrap());
    person.identities.push(phone);
    let upserted = shop.contacts().upsert(shop.tenant, &person).await;
    upserted.unwrap().contact
}

/// A shop whose workflow has put one text message on the queue; gives the name of its send.
async fn waiting() -> (Shop, LedgerKey) {
    let shop = Shop::new().await;
    let brandname = brandname(&shop, "care").await;
    shop.active(draft(&brandname)).await;
    let contact = person(&shop).await;
    shop.form(contact, "f1").await;
    shop.run(2).await;
    let batch = shop.world.take("message-sender").unwrap();
    let body: Value =
        serde_json::from_str(batch.event["Records"][0]["body"].as_str().unwrap()).unwrap();
    let body = &body["body"];
    assert_eq!(body["content"]["channel"], "sms", "{body}");
    let key = LedgerKey {
        scope: body["scope"].as_str().unwrap().to_owned(),
        contact,
        channel: Channel::Sms,
        step: "text".into(),
    };
    // Its worker has ended without an answer.
    shop.world.advance(Duration::from_secs(200));
    (shop, key)
}

async fn deliver(shop: &Shop) {
    for _ in 0..5 {
        while shop.world.deliver("message-sender", true).await.is_some() {}
        shop.world.advance(Duration::from_secs(200));
    }
}

async fn state(shop: &Shop, key: &LedgerKey) -> Option<State> {
    let ledger = Ledger::over(&shop.world.resources());
    let row = ledger.get(shop.tenant, key).await.unwrap();
    row.map(|row| row.state())
}

#[tokio::test]
async fn a_form_leads_to_one_text_message() {
    let (shop, key) = waiting().await;
    deliver(&shop).await;
    let sent = shop.world.providers.esms().sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].content, "ACME: Da nhan Tu van size M");
    assert_eq!(
        (sent[0].phone.as_str(), sent[0].brandname.as_str()),
        ("84912345678", "ACME")
    );
    assert_eq!(sent[0].kind, "2");
    assert_eq!(state(&shop, &key).await, Some(State::Sent));
}

#[tokio::test]
async fn a_text_message_without_an_answer_is_asked_for_once_more_and_sent_once() {
    for (fault, times, sent, expected) in [
        (Fault::Lost, 1, 1, State::Sent),
        (Fault::Timeout, 1, 1, State::Sent),
        (Fault::Html, 1, 1, State::Sent),
        (Fault::Busy, 3, 1, State::Sent),
        (Fault::Refuse, 1, 1, State::Sent),
        (Fault::Lost, 2, 1, State::Unknown),
        (Fault::Timeout, 2, 0, State::Unknown),
    ] {
        let (shop, key) = waiting().await;
        shop.world.providers.esms().fail(fault, times);
        for _ in 0..8 {
            deliver(&shop).await;
        }
        let messages = shop.world.providers.esms().sent();
        assert_eq!(messages.len(), sent, "{fault:?} {times}");
        assert_eq!(
            state(&shop, &key).await,
            Some(expected),
            "{fault:?} {times}"
        );
    }
}

#[tokio::test]
async fn a_refused_number_is_final() {
    let (shop, key) = waiting().await;
    shop.world.providers.esms().refuse("84912345678", "146");
    deliver(&shop).await;
    assert_eq!(state(&shop, &key).await, Some(State::Failed));
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_step_needs_a_brandname_of_the_workspace_for_care() {
    let shop = Shop::new().await;
    let other = brandname(&shop, "advertising").await;
    for brandname in [other.as_str(), "brn_00000000009"] {
        let (status, answer) = shop
            .api("POST", "/v1/workflows", Some(draft(brandname)))
            .await;
        assert_eq!(status, 400, "{answer}");
        let text = answer.to_string();
        assert!(text.contains("/graph/nodes/text/brandname_id"), "{text}");
    }
    let mut wrong = draft(&other);
    wrong["graph"]["nodes"]["text"]["content"] = json!("{{ contact.secret }}");
    let (status, answer) = shop.api("POST", "/v1/workflows", Some(wrong)).await;
    assert_eq!(status, 400, "{answer}");
    let text = answer.to_string();
    assert!(text.contains("/graph/nodes/text/content"), "{text}");
}
