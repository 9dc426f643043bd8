//! Functions that are killed at any call: a repeated run ends as an undisturbed run does.

use std::time::Duration;

use serde_json::{Value, json};

use super::shop::{Browser, SECOND, Shop, shown, socket_event, texts};
use crate::support::{Kill, World, grant_of, http_event};

/// Kills `worker` before and after each of its calls while it handles the messages from `prepare`. The batch is
/// then redelivered. The end state must be that of an undisturbed run.
async fn survives_every_kill(worker: &str, prepare: impl AsyncFn(&Shop) -> Browser) {
    let shop = Shop::new().await;
    let browser = prepare(&shop).await;
    shop.run(1).await;
    let expected = shop.stored(&browser).await;
    for kill in [Kill::Before, Kill::After] {
        for n in 0.. {
            shop.world.advance(SECOND);
            let browser = prepare(&shop).await;
            let batch = shop.world.take(worker).unwrap();
            let killed = shop
                .world
                .invoke_and_kill(worker, batch.event.clone(), kill(n))
                .await
                .is_none();
            shop.world.release(&batch);
            shop.run(1).await;
            assert_eq!(shop.stored(&browser).await, expected, "{:?}", kill(n));
            if !killed {
                assert!(n > 0, "no calls");
                break;
            }
        }
    }
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_kill_at_any_call_of_a_first_message_changes_nothing() {
    survives_every_kill("chat-inbound", async |shop: &Shop| {
        let browser = shop.browser().await;
        let message = json!({
            "client_msg_id": "c-1", "content": "Shop ơi",
            "name": "Khách Thử", "email": "khach@example.vn",
        });
        assert_eq!(shop.post(&browser, message).await.0, 202);
        browser
    })
    .await;
}

#[tokio::test]
async fn a_kill_at_any_call_of_a_reopening_changes_nothing() {
    survives_every_kill("chat-inbound", async |shop: &Shop| {
        let browser = shop.browser().await;
        shop.say(&browser, "c-1", "Shop ơi").await;
        shop.run(1).await;
        let page = shop.get("/v1/conversations").await;
        let conversation = page["data"][0]["id"].as_str().unwrap().to_owned();
        shop.world.advance(SECOND);
        shop.set_status(&conversation, "resolved").await;
        shop.run(1).await;
        shop.world.advance(SECOND);
        let message =
            json!({ "client_msg_id": "c-2", "content": "Còn nữa ạ", "phone": "0912345678" });
        assert_eq!(shop.post(&browser, message).await.0, 202);
        browser
    })
    .await;
}

#[tokio::test]
async fn a_kill_at_any_call_of_an_answer_changes_nothing() {
    survives_every_kill("chat-outbound", async |shop: &Shop| {
        let browser = shop.browser().await;
        shop.say(&browser, "c-1", "Shop ơi").await;
        shop.run(1).await;
        let page = shop.get("/v1/conversations").await;
        let conversation = page["data"][0]["id"].as_str().unwrap().to_owned();
        shop.world.advance(SECOND);
        shop.reply(&conversation, json!({ "content": "Dạ" })).await;
        shop.world.relay().await;
        browser
    })
    .await;
}

/// Kills a function at each of its calls while it handles the event from `event`. Then sends the same event again,
/// as the client or API Gateway would. The result of `end` must be that of an undisturbed run.
async fn ends_the_same<T: PartialEq + std::fmt::Debug>(
    function: &str,
    event: impl AsyncFn(&Shop) -> Value,
    end: impl AsyncFn(&Shop) -> T,
) {
    let run = async |kill: Option<Kill>| {
        let shop = Shop::new().await;
        let event = event(&shop).await;
        let mut killed = false;
        if let Some(kill) = kill {
            let answer = shop.world.invoke_and_kill(function, event.clone(), kill);
            killed = answer.await.is_none();
        }
        shop.world.invoke(function, event).await.unwrap();
        shop.run(1).await;
        (end(&shop).await, killed)
    };
    let (expected, _) = run(None).await;
    for kill in [Kill::Before, Kill::After] {
        for n in 0.. {
            let (ended, killed) = run(Some(kill(n))).await;
            assert_eq!(ended, expected, "{function} {:?}", kill(n));
            if !killed {
                assert!(n > 0, "{function} makes no calls");
                break;
            }
        }
    }
}

/// The only conversation as staff sees it: its status and its messages.
async fn seen(shop: &Shop) -> Value {
    for status in ["open", "resolved", "snoozed"] {
        let page = shop
            .get(&format!("/v1/conversations?status={status}"))
            .await;
        if let Some(id) = page["data"][0]["id"].as_str() {
            let muted = page["data"][0]["muted_until"].is_string();
            return json!([status, muted, shop.talk(id).await]);
        }
    }
    json!([])
}

/// A visitor who has written.
async fn begun(shop: &Shop) -> Browser {
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    shop.world.advance(SECOND);
    browser
}

/// The request that a conversation's staff makes.
async fn request(shop: &Shop, tail: &str, body: &Value) -> Value {
    let path = format!("/v1/conversations/{}/{tail}", shop.conversation().await);
    let grant = grant_of(shop.tenant.workspace(), "read write");
    http_event("POST", &path, Some(body), Some(&grant))
}

#[tokio::test]
async fn staff_may_ask_again_after_a_kill_at_any_call() {
    for (tail, body) in [
        (
            "messages",
            json!({ "content": "Dạ", "client_msg_id": "a-1" }),
        ),
        ("status", json!({ "status": "resolved" })),
        (
            "status",
            json!({ "status": "snoozed", "snoozed_until": "2026-03-03T08:00:00Z" }),
        ),
        ("mute", json!({ "muted": true })),
    ] {
        let event = async |shop: &Shop| {
            begun(shop).await;
            request(shop, tail, &body).await
        };
        ends_the_same("api-chat", event, seen).await;
    }
}

#[tokio::test]
async fn a_line_that_a_kill_left_out_is_written_before_the_next_change() {
    for next in ["a colleague", "the customer", "the timer"] {
        for n in 0.. {
            let shop = Shop::new().await;
            let until = shop.world.now() + jiff::SignedDuration::from_hours(1);
            let body = json!({ "status": "snoozed", "snoozed_until": until });
            let browser = begun(&shop).await;
            let event = request(&shop, "status", &body).await;
            let conversation = shop.conversation().await;
            let path = format!("/v1/conversations/{conversation}");
            let kill = Kill::After(n);
            let killed = shop.world.invoke_and_kill("api-chat", event, kill);
            let killed = killed.await.is_none();
            let is_snoozed = shop.get(&path).await["status"] == "snoozed";
            shop.world.relay().await;
            shop.world.advance(Duration::from_hours(2));
            match next {
                "a colleague" => shop.set_status(&conversation, "resolved").await,
                "the customer" => shop.say(&browser, "c-2", "Alo").await,
                _ => drop(shop.world.invoke("due-timer", json!({})).await.unwrap()),
            }
            shop.run(1).await;
            let talk = shop.talk(&conversation).await;
            let told = talk
                .iter()
                .filter(|(_, text)| text == "Cuộc trò chuyện sẽ được nhắc lại");
            assert_eq!(
                told.count(),
                usize::from(is_snoozed),
                "{next} after {n}: {talk:?}"
            );
            if !killed {
                assert!(is_snoozed);
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_inbox_may_be_asked_for_again_after_a_kill_at_any_call() {
    let event = async |shop: &Shop| {
        let grant = grant_of(shop.tenant.workspace(), "admin");
        let body = json!({ "name": "Cửa hàng", "allowed_origins": [] });
        http_event("POST", "/v1/inboxes", Some(&body), Some(&grant))
    };
    // The first attempt may already have made an inbox; the widget can use each listed inbox.
    let end = async |shop: &Shop| {
        let inboxes = shop.get("/v1/inboxes").await["data"].clone();
        for inbox in inboxes.as_array().unwrap() {
            let path = format!("/chat/{}", inbox["id"].as_str().unwrap());
            let page = shop
                .world
                .invoke("chat-widget", http_event("GET", &path, None, None));
            assert_eq!(page.await.unwrap()["statusCode"], 200);
        }
    };
    ends_the_same("api-chat", event, end).await;
}

#[tokio::test]
async fn a_visitor_may_write_again_after_a_kill_at_any_call() {
    let event = async |shop: &Shop| {
        let browser = shop.browser().await;
        let body = json!({ "client_msg_id": "c-1", "content": "Shop ơi" });
        let path = format!("/chat/{}/messages", shop.inbox);
        let mut event = http_event("POST", &path, Some(&body), None);
        event["headers"]["authorization"] = format!("Bearer {}", browser.token).into();
        event
    };
    ends_the_same("chat-widget", event, seen).await;
}

#[tokio::test]
async fn a_socket_may_connect_and_end_through_a_kill_at_any_call() {
    let rows = async |shop: &Shop| {
        let rows = shop.world.dump("Realtime").await;
        let places = rows
            .iter()
            .map(|row| json!([row["pk"], row["sk"]]).to_string());
        places
            .map(|place| place.replace(&shop.tenant.to_string(), ""))
            .collect::<Vec<_>>()
    };
    let connect = async |shop: &Shop| {
        let key = shop.agent_key(&[kernel::Scope::Read]).await;
        let event = socket_event("CONNECT", "agent", Some(&key));
        shop.world.authorized(event).await
    };
    ends_the_same("chat-socket", connect, rows).await;
    let end = async |shop: &Shop| {
        let key = shop.agent_key(&[kernel::Scope::Read]).await;
        assert_eq!(shop.connect("agent", &key).await, 200);
        socket_event("DISCONNECT", "agent", None)
    };
    ends_the_same("chat-socket", end, rows).await;
}

#[tokio::test]
async fn a_notifier_that_was_killed_tells_everybody_when_it_comes_again() {
    for kill in [Kill::Before, Kill::After] {
        for n in 0.. {
            let shop = Shop::new().await;
            let browser = shop.browser().await;
            let world: &World = &shop.world;
            let mut agent = world.aws.sockets().register("agent");
            let mut visitor = world.aws.sockets().register("visitor");
            drop(world.aws.sockets().register("gone"));
            let key = shop.agent_key(&[kernel::Scope::Read]).await;
            assert_eq!(shop.connect("agent", &key).await, 200);
            assert_eq!(shop.connect("gone", &key).await, 200);
            world.advance(Duration::from_secs(30));
            assert_eq!(shop.connect("visitor", &browser.token).await, 200);
            shop.say(&browser, "c-1", "Shop ơi").await;
            world.deliver("chat-inbound", false).await.unwrap().unwrap();
            world.relay().await;
            let batch = world.take("chat-notifier").unwrap();
            let event = batch.event.clone();
            let killed = world
                .invoke_and_kill("chat-notifier", event, kill(n))
                .await
                .is_none();
            world.release(&batch);
            shop.run(1).await;
            // A push event may be delivered twice.
            for receiver in [&mut agent, &mut visitor] {
                let shown = shown(receiver);
                assert_eq!(texts(&shown)[0], "Shop ơi", "{:?}", kill(n));
            }
            // The closed connection has no row in the room; its own row may stay until it expires.
            let room = format!("{}#agents", shop.tenant);
            let rows = world.dump("Realtime").await;
            let members: Vec<_> = rows.iter().filter(|row| row["pk"] == room).collect();
            assert!(
                members.len() == 1 && members[0]["sk"] == "agent",
                "{:?}",
                kill(n)
            );
            if !killed {
                assert!(n > 3, "too few calls: {n}");
                break;
            }
        }
    }
}
