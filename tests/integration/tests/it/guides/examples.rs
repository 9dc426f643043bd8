//! The examples, tried.

use std::collections::{BTreeMap, BTreeSet};

use chat::body::Event;
use content::template::{Scope, Template};
use serde_json::{Value, json};
use sources::api::Credentials;
use sources::{Fact, Provider, RawRequest, Settings};
use workflows::Trigger;

use super::{block, blocks, json as example};
use crate::chat::shop::{Browser, Shop as Chat};
use crate::contacts::shop::{Page, Shop};
use crate::support::{World, grant_of, http_event};
use crate::sync::shop::Shop as Connected;

/// The contact of the templates' examples.
pub fn contact() -> Value {
    json!({
        "id": "con_06znxajf0pz", "external_id": null, "email": "an.tran@example.vn", "phone": "+84912345678",
        "full_name": "Trần Thị An", "first_name": "An", "last_name": "Trần Thị", "tags": ["VIP", "sỉ"],
        "birthday": "1990-03-02", "list_ids": [], "custom": { "hang": "vàng" }, "email_status": "subscribed",
        "sms_status": "subscribed", "zalo_status": "none", "push_status": "none", "source": "api",
        "created_at": "2026-03-02T08:00:00Z", "updated_at": "2026-03-02T08:00:00Z",
    })
}

fn names(value: &Value) -> BTreeSet<&String> {
    value.as_object().unwrap().keys().collect()
}

#[test]
fn the_credentials_of_the_examples_are_complete() {
    for provider in [Provider::Kiotviet, Provider::Shopee] {
        let shown = example("sources", &format!("credentials-{}", provider.name()));
        let credentials: Credentials = serde_json::from_value(shown).unwrap();
        let flaws = credentials.flaws(provider);
        assert!(flaws.is_empty(), "{}: {flaws:?}", provider.name());
    }
}

#[tokio::test]
async fn the_back_fill_of_the_example_is_accepted() {
    let shop = Connected::connected("kiotviet").await;
    let new = example("sources", "sync-request");
    let (status, begun) = shop.api("POST", &shop.at("/sync"), Some(&new)).await;
    assert_eq!(
        (status, &begun["history"]),
        (202, &new["history"]),
        "{begun}"
    );
    assert_eq!(begun["objects"].as_object().unwrap().len(), 2);
}

#[test]
fn a_frame_is_what_is_posted() {
    let frame = example("websocket", "frame");
    assert_eq!(frame["v"], 1);
    let events: Vec<Event> = serde_json::from_value(frame["events"].clone()).unwrap();
    assert_eq!(serde_json::to_value(&events).unwrap(), frame["events"]);
    assert!(events.len() == 2 && events.is_sorted());
}

#[tokio::test]
async fn a_real_event_has_the_fields_of_the_example() {
    let shop = Chat::new().await;
    let browser = shop.browser().await;
    let mut socket = shop.world.aws.sockets().register("visitor");
    assert_eq!(shop.connect("visitor", &browser.token).await, 200);
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let frame: Value = serde_json::from_slice(&socket.try_recv().unwrap()).unwrap();
    let shown = example("websocket", "frame");
    assert_eq!(names(&frame), names(&shown));
    assert_eq!(names(&frame["events"][0]), names(&shown["events"][0]));
}

#[tokio::test]
async fn the_widgets_examples_work() {
    let shop = Chat::new().await;
    let again = example("widget", "session-request");
    let (status, opened, _) = shop.widget("POST", "/sessions", &[], Some(again)).await;
    assert_eq!(status, 201, "{opened}");
    assert_eq!(names(&opened), names(&example("widget", "session-answer")));
    let browser = Browser {
        token: opened["token"].as_str().unwrap().to_owned(),
        visitor: opened["visitor_id"].as_str().unwrap().to_owned(),
    };
    let message = example("widget", "message-request");
    let (status, taken) = shop.post(&browser, message.clone()).await;
    assert_eq!((status, taken), (202, example("widget", "message-answer")));
    shop.run(1).await;
    let bearer = format!("Bearer {}", browser.token);
    let headers = [("authorization", bearer.as_str())];
    let (status, page, _) = shop.widget("GET", "/messages", &headers, None).await;
    let shown = example("widget", "messages-answer");
    assert_eq!((status, names(&page)), (200, names(&shown)));
    let (real, shown) = (&page["data"][0], &shown["data"][0]);
    assert_eq!(names(real), names(shown));
    for field in ["client_msg_id", "author", "content"] {
        assert_eq!(real[field], shown[field], "{field}");
    }
}

#[tokio::test]
async fn the_forms_example_becomes_its_event() {
    let shop = Shop::new().await;
    let source = example("forms", "source-request");
    let consent = serde_json::from_value(source["consent"].clone()).unwrap();
    let page = Page::asking(&shop, &[], consent).await;
    page.post(&shop, &example("forms", "form-request")).await;
    let answer = example("forms", "form-answer");
    assert_eq!(answer, json!({ "accepted": true }), "what `post` expects");
    shop.world.settle().await;
    let (_, found) = shop.api("GET", "/v1/contacts?query=0912345678", None).await;
    let contact = &found["data"][0];
    assert_eq!(contact["email_status"], "subscribed");
    assert_eq!(contact["sms_status"], "none");
    let path = format!("/v1/contacts/{}/timeline", contact["id"].as_str().unwrap());
    let (_, timeline) = shop.api("GET", &path, None).await;
    assert_eq!(timeline["data"][0]["data"], example("forms", "event-data"));
    assert_eq!(
        timeline["data"][0]["occurred_at"],
        "2026-03-02T01:15:30.000Z"
    );
}

/// The facts of an event of an own system.
fn facts_of(event: &Value) -> Vec<Fact> {
    let request = RawRequest {
        source: "src_0123456789a".parse().unwrap(),
        provider: Provider::Custom,
        received_at: jiff::Timestamp::UNIX_EPOCH,
        headers: BTreeMap::new(),
        body: event.to_string(),
        file: None,
        replay_of: None,
        settings: Settings::default(),
    };
    Provider::Custom.parse(&request).unwrap()
}

#[test]
fn the_cart_of_the_page_is_read() {
    let facts = facts_of(&example("products", "cart"));
    let [
        Fact::Cart {
            buyer: Some(buyer),
            cart,
        },
    ] = facts.as_slice()
    else {
        panic!("{facts:?}");
    };
    assert_eq!(buyer.id.as_deref(), Some("U-77"));
    assert_eq!(
        (cart.total.amount(), cart.is_abandoned, cart.items.len()),
        (570_000, false, 1)
    );
}

#[tokio::test]
async fn the_product_of_the_page_is_made() {
    let world = World::new();
    let tenant = world.workspace().await;
    let grant = grant_of(tenant.workspace(), "admin");
    let new = example("products", "product");
    let event = http_event("POST", "/v1/products", Some(&new), Some(&grant));
    let (status, made) = world.ask("api-commerce", event).await;
    assert_eq!((status, &made["stock"]), (201, &Value::from(4)), "{made}");
}

/// An event of an own system, as docs/sources.md shows it, at the source that the page makes.
#[test]
fn the_events_example_is_read() {
    let facts = facts_of(&example("sources", "custom-event"));
    let [
        Fact::Order {
            buyer: Some(buyer),
            order,
        },
    ] = facts.as_slice()
    else {
        panic!("{facts:?}");
    };
    assert_eq!(buyer.id.as_deref(), Some("U-77"));
    assert_eq!(
        (order.code.as_str(), order.amounts.total.amount()),
        ("#1042", 350_000)
    );
    assert_eq!(order.items.len(), 1);
}

#[tokio::test]
async fn the_source_of_the_page_is_made() {
    let world = World::new();
    let tenant = world.workspace().await;
    let grant = grant_of(tenant.workspace(), "admin");
    let new = example("sources", "source-request");
    let event = http_event("POST", "/v1/sources", Some(&new), Some(&grant));
    let (status, made) = world.ask("api-sources", event).await;
    assert_eq!(
        (status, &made["status"]),
        (201, &Value::from("active")),
        "{made}"
    );
}

#[test]
fn the_triggers_are_accepted() {
    let mut count = 0;
    for (kind, text) in blocks("triggers") {
        if kind == "json trigger" {
            let trigger: Trigger = serde_json::from_str(&text).unwrap();
            let mut flaws = Vec::new();
            trigger.check(&mut flaws);
            assert!(flaws.is_empty(), "{text}: {flaws:?}");
            count += 1;
        }
    }
    assert!(count >= 3);
    let page = super::text("triggers");
    for (kind, _) in workflows::trigger::KINDS {
        assert_eq!(page.matches(&format!("| `{kind}` | ")).count(), 2, "{kind}");
    }
}

#[test]
fn the_templates_print_what_the_page_says() {
    let contact: contacts::Contact = serde_json::from_value(contact()).unwrap();
    let blocks = blocks("templates");
    let mut count = 0;
    for pair in blocks.windows(2) {
        let [(kind, source), (next, printed)] = pair else {
            continue;
        };
        if kind == "liquid example" {
            assert_eq!(next, "text output");
            let template = Template::parse(source).unwrap();
            let data = contact.merge_data();
            let now = "2026-03-02T08:00:00+07:00[+07:00]".parse().unwrap();
            let scope = Scope {
                data: &data,
                reserved: &[],
                now: &now,
            };
            assert_eq!(template.render(&scope).unwrap(), *printed);
            count += 1;
        }
    }
    assert!(count >= 3);
}

#[tokio::test]
async fn the_example_file_is_taken_in() {
    let shop = Shop::new().await;
    let import = shop
        .upload(
            &format!("/v1/imports?{}", crate::contacts::files::STATEMENT),
            &block("import", "csv good"),
        )
        .await;
    shop.world.settle().await;
    let job = shop.job(&import).await;
    assert_eq!(
        (&job["created"], &job["failed"]),
        (&2.into(), &0.into()),
        "{job}"
    );
    let (_, found) = shop
        .api("GET", "/v1/contacts?query=an.tran@example.vn", None)
        .await;
    let contact = &found["data"][0];
    assert_eq!(contact["tags"], json!(["VIP", "sỉ"]));
    assert_eq!(
        (&contact["birthday"], &contact["province"]),
        (&"1990-03-02".into(), &"Hà Nội".into())
    );
    assert_eq!(contact["email_status"], "subscribed");
}

/// Each event of a webhook has its example, with the fields that the code sends.
#[test]
fn each_event_of_a_webhook_has_its_example() {
    for kind in webhooks::EventType::ALL {
        let example = super::json("webhooks", kind.name());
        assert_eq!(example["type"], kind.name());
        let event = contacts::Event {
            id: "e".to_owned(),
            name: kind.name().to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
            source: "api".to_owned(),
            data: serde_json::json!({}),
        };
        let contact = kernel::ContactId::derived(event.at, &["a"]);
        let data = kind.data(contact, &event);
        let names = |value: &Value| -> Vec<String> {
            let fields = value.as_object().into_iter().flatten();
            let mut names: Vec<String> = fields.map(|(name, _)| name.clone()).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(&example["data"]), names(&data), "{}", kind.name());
    }
}
