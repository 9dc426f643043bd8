//! Two shops in one installation.

use std::sync::Arc;

use serde_json::{Value, json};

use super::shop::{DONE, SECOND, Shop, shown};
use crate::support::World;

#[tokio::test]
async fn another_tenants_conversation_does_not_exist() {
    let world = Arc::new(World::new());
    let mine = Shop::in_world(world.clone(), &[]).await;
    let other = Shop::in_world(world, &[]).await;
    let browser = mine.browser().await;
    mine.say(&browser, "c-1", "Shop ơi").await;
    mine.run(1).await;
    let conversation = mine.conversation().await;
    let path = format!("/v1/conversations/{conversation}");
    let status = json!({ "status": "resolved" });
    for (method, tail, body) in [
        ("GET", "", None),
        ("GET", "/messages", None),
        ("POST", "/messages", Some(json!({ "content": "x" }))),
        ("POST", "/status", Some(status)),
        ("POST", "/mute", Some(json!({ "muted": true }))),
    ] {
        let (code, problem) = other.api(method, &format!("{path}{tail}"), body).await;
        assert_eq!(
            (code, &problem["code"]),
            (404, &"not_found".into()),
            "{method} {tail}"
        );
    }
    assert_eq!(other.get("/v1/conversations").await["data"], json!([]));
    assert_eq!(mine.get(&path).await["status"], "open");
    // A session of one inbox is none in another.
    let body = json!({ "client_msg_id": "c-2", "content": "x" });
    assert_eq!(other.post(&browser, body).await.0, 401);
    let inboxes = other.get("/v1/inboxes").await;
    assert_eq!(inboxes["data"].as_array().unwrap().len(), 1);
    assert_eq!(inboxes["data"][0]["id"], other.inbox.to_string());
}

/// A batch of one tenant whose ids are all of another's.
fn as_tenant(event: &Value, from: &Shop, to: &Shop) -> Value {
    let (from, to) = (from.tenant.to_string(), to.tenant.to_string());
    // The envelope names the tenant; ids inside stay.
    serde_json::from_str(&event.to_string().replace(&from, &to)).unwrap()
}

#[tokio::test]
async fn a_worker_finds_nothing_of_another_tenant() {
    let world = Arc::new(World::new());
    let mine = Shop::in_world(world.clone(), &[]).await;
    let other = Shop::in_world(world.clone(), &[]).await;
    let browser = mine.browser().await;
    mine.say(&browser, "c-1", "Shop ơi").await;
    let incoming = world.take("chat-inbound").unwrap();
    mine.run(1).await;
    let answer = world.invoke("chat-inbound", incoming.event.clone()).await;
    world.acknowledge(&incoming, &answer);
    mine.run(1).await;
    let before = mine.stored(&browser).await;

    // The same visitor and message in another tenant are its own conversation.
    let event = as_tenant(&incoming.event, &mine, &other);
    assert_eq!(
        world
            .invoke("chat-inbound", event)
            .await
            .unwrap()
            .to_string(),
        DONE
    );
    other.run(1).await;
    assert_eq!(mine.stored(&browser).await, before);
    let page = other.get("/v1/conversations").await;
    assert_eq!(page["data"].as_array().unwrap().len(), 1);

    // An answer to a conversation of another tenant has no message: it is dead-lettered, and nothing is marked.
    world.advance(SECOND);
    mine.reply(&mine.conversation().await, json!({ "content": "Dạ" }))
        .await;
    world.relay().await;
    let outgoing = world.take("chat-outbound").unwrap();
    let rows = world.dump("Chat").await;
    let event = as_tenant(&outgoing.event, &mine, &other);
    assert_eq!(
        world
            .invoke("chat-outbound", event)
            .await
            .unwrap()
            .to_string(),
        DONE
    );
    assert_eq!(world.dump("Chat").await, rows);
    assert_eq!(world.dead_letters().len(), 1);
}

#[tokio::test]
async fn a_notice_reaches_the_rooms_of_its_tenant_only() {
    let world = Arc::new(World::new());
    let mine = Shop::in_world(world.clone(), &[]).await;
    let other = Shop::in_world(world.clone(), &[]).await;
    let browser = mine.browser().await;
    let sockets = world.aws.sockets();
    let mut receivers = Vec::new();
    for (name, shop) in [("mine", &mine), ("other", &other)] {
        receivers.push(sockets.register(name));
        let key = shop.agent_key(&[kernel::Scope::Read]).await;
        assert_eq!(shop.connect(name, &key).await, 200);
    }
    let mut visitor = sockets.register("visitor");
    assert_eq!(mine.connect("visitor", &browser.token).await, 200);
    mine.say(&browser, "c-1", "Shop ơi").await;
    let incoming = world.take("chat-inbound").unwrap();
    let answer = world.invoke("chat-inbound", incoming.event.clone()).await;
    world.acknowledge(&incoming, &answer);
    world.relay().await;
    let notice = world.take("chat-notifier").unwrap();
    let event = as_tenant(&notice.event, &mine, &other);
    assert_eq!(
        world
            .invoke("chat-notifier", event)
            .await
            .unwrap()
            .to_string(),
        DONE
    );
    // Only the agents of the other tenant receive the event; the visitor and the agents of this tenant do not.
    let counts: Vec<usize> = receivers.iter_mut().map(|one| shown(one).len()).collect();
    assert_eq!(counts, [0, 1]);
    assert!(shown(&mut visitor).is_empty());
}
