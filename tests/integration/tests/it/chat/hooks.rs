//! Webhooks of conversations, from the change to the endpoint.

use serde_json::{Value, json};
use tanigo_local::receiver::Behaviour;

use super::shop::{SECOND, Shop};
use crate::support::{grant_of, http_event};

const URL: &str = "http://127.0.0.1:8787/_local/receiver/talk";

/// Makes a webhook that wants these events.
async fn hook(shop: &Shop, events: &[&str]) {
    let grant = grant_of(shop.tenant.workspace(), "admin");
    let new = json!({ "url": URL, "events": events });
    let event = http_event("POST", "/v1/webhooks", Some(&new), Some(&grant));
    let (status, made) = shop.world.ask("api-sources", event).await;
    assert_eq!(status, 201, "{made}");
    let receiver = shop.world.providers.receiver();
    receiver.set("talk", Behaviour::default());
    shop.world.swept().await;
    shop.world.lead();
}

/// Type, status and author of each change that has arrived, by time.
fn told(shop: &Shop) -> Vec<Value> {
    let mut received = shop.world.providers.receiver().received("talk");
    received.sort_by_key(|one| one.body["timestamp"].to_string());
    let brief = |one: tanigo_local::receiver::Received| {
        let data = &one.body["data"];
        json!([one.body["type"], data["status"], data["by"]])
    };
    received.into_iter().map(brief).collect()
}

#[tokio::test]
async fn each_change_of_a_status_is_told_once() {
    let shop = Shop::new().await;
    let events = ["conversation.updated", "conversation.resolved"];
    hook(&shop, &events).await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    shop.world.settle().await;
    let conversation = shop.conversation().await;
    assert_eq!(told(&shop), Vec::<Value>::new(), "a beginning is no change");

    shop.world.advance(SECOND);
    shop.set_status(&conversation, "pending").await;
    shop.world.advance(SECOND);
    shop.set_status(&conversation, "resolved").await;
    // The state that it has is no change.
    shop.set_status(&conversation, "resolved").await;
    let path = format!("/v1/conversations/{conversation}/mute");
    let mute = shop
        .api("POST", &path, Some(json!({ "muted": true })))
        .await;
    assert_eq!(mute.0, 200, "{}", mute.1);
    let unmute = shop
        .api("POST", &path, Some(json!({ "muted": false })))
        .await;
    assert_eq!(unmute.0, 200, "{}", unmute.1);
    shop.world.advance(SECOND);
    shop.say(&browser, "c-2", "Còn hàng không?").await;
    shop.run(2).await;
    shop.world.settle_twice().await;
    let expected = [
        json!(["conversation.updated", "pending", "agent"]),
        json!(["conversation.resolved", "resolved", "agent"]),
        json!(["conversation.updated", "open", "contact"]),
    ];
    assert_eq!(told(&shop), expected);
    let received = shop.world.providers.receiver().received("talk");
    let data = &received[0].body["data"];
    assert_eq!(data["conversation_id"], conversation.as_str());
    assert_eq!(data["inbox_id"], json!(shop.inbox));
    assert!(data["contact_id"].is_string(), "{data}");
    assert_eq!(shop.world.dead_letters(), Vec::<String>::new());
}

#[tokio::test]
async fn a_change_that_no_webhook_wants_is_not_told() {
    let shop = Shop::new().await;
    hook(&shop, &["conversation.resolved"]).await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = shop.conversation().await;
    shop.set_status(&conversation, "pending").await;
    shop.world.settle().await;
    assert_eq!(told(&shop), Vec::<Value>::new());
    let rows = shop.world.dump("Chat").await;
    assert!(rows.iter().all(|row| row["told"].is_null()));
}
