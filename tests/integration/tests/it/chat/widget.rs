//! Answers of the widget to visitors and strangers.

use std::sync::Arc;
use std::time::Duration;

use contacts::Identity;
use kernel::Scope;
use serde_json::{Value, json};

use super::shop::{Browser, SECOND, Shop, said};
use crate::support::World;

/// After the first visitor's, no message, session or reading costs a read of the table Directory.
#[tokio::test]
async fn a_message_of_the_widget_reads_nothing_of_the_directory() {
    let shop = Shop::new().await;
    let known = shop.browser().await;
    shop.say(&known, "c-0", "Shop ơi").await;
    shop.run(1).await;
    let warm = shop.world.aws.meter().snapshot();
    for n in 1..=20 {
        shop.say(&known, &format!("c-{n}"), "Alo").await;
        shop.reads(&known, "").await;
    }
    let visitor = shop.browser().await;
    shop.say(&visitor, "c-1", "Chào shop").await;
    shop.run(1).await;
    let reads = shop.world.directory_reads(&warm);
    assert!(reads == 0.0, "{reads}");
    shop.world.forget();
    shop.reads(&known, "").await;
    assert!(shop.world.directory_reads(&warm) > 0.0);
}

#[tokio::test]
async fn a_private_note_never_reaches_a_visitor() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = shop.conversation().await;
    for n in 0..7 {
        shop.world.advance(SECOND);
        shop.reply(
            &conversation,
            json!({ "content": format!("ghi chú {n}"), "private": true }),
        )
        .await;
    }
    shop.world.advance(SECOND);
    shop.reply(&conversation, json!({ "content": "Dạ" })).await;
    shop.run(1).await;
    // A page is filled across notes, however small it is.
    let (first, next) = shop.reads(&browser, "?limit=1").await;
    let query = format!("?limit=1&after={}", next.as_str().unwrap());
    let (second, _) = shop.reads(&browser, &query).await;
    assert_eq!(
        [first, second].concat(),
        said(&[("visitor", "Shop ơi"), ("agent", "Dạ")])
    );
    assert_eq!(shop.talk(&conversation).await.len(), 9);
}

#[tokio::test]
async fn bad_and_ended_sessions_are_refused() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let body = json!({ "client_msg_id": "c-1", "content": "x" });
    let (status, problem, _) = shop
        .widget("POST", "/messages", &[], Some(body.clone()))
        .await;
    assert_eq!((status, &problem["code"]), (401, &"unauthenticated".into()));
    let forged = Browser {
        token: format!("{}A", browser.token),
        ..browser.clone()
    };
    assert_eq!(shop.post(&forged, body.clone()).await.0, 401);
    assert_eq!(shop.connect("c", &forged.token).await, 401);
    assert_eq!(shop.connect("c", "").await, 401);
    assert_eq!(
        shop.connect("c", &shop.agent_key(&[Scope::Track]).await)
            .await,
        401
    );
    shop.world.advance(Duration::from_hours(25));
    assert_eq!(shop.post(&browser, body.clone()).await.0, 401);
    assert_eq!(shop.connect("c", &browser.token).await, 401);
    // With its visitor id, the browser returns to its conversation.
    let again = json!({ "visitor_id": browser.visitor });
    let (status, session, _) = shop.widget("POST", "/sessions", &[], Some(again)).await;
    assert_eq!(
        (status, &session["visitor_id"]),
        (201, &browser.visitor.as_str().into())
    );
    let (status, _, _) = shop
        .widget("POST", "/sessions", &[], Some(json!({ "visitor_id": "x" })))
        .await;
    assert_eq!(status, 400);
    assert!(shop.world.dump("Realtime").await.is_empty());
}

#[tokio::test]
async fn only_allowed_pages_may_talk() {
    let world = Arc::new(World::new());
    let origin = "https://cuahang.example.vn";
    let shop = Shop::in_world(world, &[origin]).await;
    let open = |origin| {
        let shop = &shop;
        async move {
            shop.widget("POST", "/sessions", &[("origin", origin)], Some(json!({})))
                .await
        }
    };
    let (status, _, headers) = open(origin).await;
    assert_eq!(
        (status, &headers["access-control-allow-origin"]),
        (201, &origin.into())
    );
    assert_eq!(open("https://evil.example.com").await.0, 403);
    let preflight = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
    ];
    let (status, _, headers) = shop.widget("OPTIONS", "/messages", &preflight, None).await;
    assert_eq!(status, 204);
    assert_eq!(
        headers["access-control-allow-headers"],
        "authorization, content-type"
    );
    let (status, page, headers) = shop.widget("GET", "", &[], None).await;
    assert_eq!(status, 200);
    let policy = headers["content-security-policy"].as_str().unwrap();
    assert!(
        policy.contains(&format!("frame-ancestors 'self' {origin}")),
        "{policy}"
    );
    assert!(page.as_str().unwrap().contains("<html lang=\"vi\">"));
}

#[tokio::test]
async fn a_typed_address_never_reaches_another_contact() {
    let shop = Shop::new().await;
    let victim = contacts::Incoming {
        identities: vec![Identity::Email("chu@example.vn".parse().unwrap())],
        ..contacts::Incoming::default()
    };
    let victim = shop
        .contacts()
        .upsert(shop.tenant, &victim)
        .await
        .unwrap()
        .contact;
    let before = shop.contacts().get(shop.tenant, victim).await.unwrap();
    let browser = shop.browser().await;
    let message = json!({
        "client_msg_id": "c-1", "content": "Tôi là chủ", "name": "Kẻ Mạo Danh", "email": "chu@example.vn",
    });
    assert_eq!(shop.post(&browser, message).await.0, 202);
    shop.run(1).await;
    assert_eq!(
        shop.contacts().get(shop.tenant, victim).await.unwrap(),
        before
    );
    let page = shop.get("/v1/conversations").await;
    assert_ne!(page["data"][0]["contact_id"], victim.to_string());
    // A later message does not change fields that are already filled.
    let later = json!({ "client_msg_id": "c-2", "content": "Alo", "name": "Tên Khác" });
    assert_eq!(shop.post(&browser, later).await.0, 202);
    shop.run(1).await;
    assert_eq!(shop.stored(&browser).await["name"], "Kẻ Mạo Danh");
}

#[tokio::test]
async fn a_body_holds_the_longest_text_and_little_more() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let longest = json!({ "client_msg_id": "c-1", "content": "😀".repeat(20_000) });
    assert_eq!(shop.post(&browser, longest).await.0, 202);
    let longer = json!({ "client_msg_id": "c-2", "content": "x".repeat(100 * 1024) });
    let bearer = format!("Bearer {}", browser.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("origin", "https://shop.example.vn"),
    ];
    let (status, problem, headers) = shop
        .widget("POST", "/messages", &headers, Some(longer))
        .await;
    assert_eq!((status, &problem["code"]), (413, &"too_large".into()));
    assert_eq!(
        headers["access-control-allow-origin"],
        "https://shop.example.vn"
    );
}

#[tokio::test]
async fn a_visitor_who_floods_is_slowed_down_alone() {
    let shop = Shop::new().await;
    let (browser, other) = (shop.browser().await, shop.browser().await);
    for n in 0..30 {
        shop.say(&browser, &format!("c-{n}"), "Alo").await;
    }
    let more = json!({ "client_msg_id": "c-30", "content": "Alo" });
    let bearer = format!("Bearer {}", browser.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("origin", "https://shop.example.vn"),
    ];
    let (status, problem, headers) = shop
        .widget("POST", "/messages", &headers, Some(more.clone()))
        .await;
    assert_eq!((status, &problem["code"]), (429, &"rate_limited".into()));
    assert_eq!(headers["retry-after"], "60");
    assert_eq!(
        headers["access-control-allow-origin"],
        "https://shop.example.vn"
    );
    shop.say(&other, "c-1", "Alo").await;
    // The next minute takes it.
    shop.world.advance(Duration::from_mins(1));
    assert_eq!(shop.post(&browser, more).await.0, 202);
}

#[tokio::test]
async fn an_address_that_floods_is_slowed_down_and_may_still_read() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let open = async || shop.widget("POST", "/sessions", &[], Some(json!({}))).await;
    for _ in 1..240 {
        assert_eq!(open().await.0, 201);
    }
    let (status, _, headers) = open().await;
    assert_eq!((status, &headers["retry-after"]), (429, &"60".into()));
    assert!(shop.reads(&browser, "").await.0.is_empty());
    shop.world.advance(Duration::from_mins(1));
    assert_eq!(open().await.0, 201);
}

#[tokio::test]
async fn shops_behind_one_address_do_not_share_its_limit() {
    let world = Arc::new(World::new());
    let flooded = Shop::in_world(world.clone(), &[]).await;
    let other = Shop::in_world(world, &[]).await;
    let second = Shop::of_tenant(flooded.world.clone(), flooded.tenant, &[]).await;
    let open = async |shop: &Shop| {
        let answer = shop.widget("POST", "/sessions", &[], Some(json!({}))).await;
        answer.0
    };
    while open(&flooded).await == 201 {}
    assert_eq!(open(&other).await, 201, "another shop");
    assert_eq!(open(&second).await, 201, "another inbox of the shop");
}

/// Status and body of a visitor's read.
async fn read(shop: &Shop, browser: &Browser, query: &str) -> (u64, Value) {
    let bearer = format!("Bearer {}", browser.token);
    let headers = [("authorization", bearer.as_str())];
    let path = format!("/messages{query}");
    let (status, body, _) = shop.widget("GET", &path, &headers, None).await;
    (status, body)
}

#[tokio::test]
async fn reading_is_limited_and_costs_a_tenth_of_a_write() {
    let shop = Shop::new().await;
    let (browser, other) = (shop.browser().await, shop.browser().await);
    let before = shop.world.aws.meter().snapshot();
    for n in 0..119 {
        assert_eq!(read(&shop, &browser, "").await.0, 200, "read {n}");
    }
    let (writes, _) = shop.world.units("Limits", &before);
    assert!(writes <= 2.0 * 11.0, "{writes} write units for 119 reads");
    assert_eq!(read(&shop, &browser, "").await.0, 200);
    let (status, problem) = read(&shop, &browser, "").await;
    assert_eq!((status, &problem["code"]), (429, &"rate_limited".into()));
    assert_eq!(read(&shop, &other, "").await.0, 200, "another visitor");
    // Visitors are free, an address is not: many of them share it.
    let mut reads = 122;
    let refused = 'all: loop {
        let one = shop.browser().await;
        for _ in 0..100 {
            reads += 1;
            if read(&shop, &one, "").await.0 == 429 {
                break 'all reads;
            }
        }
    };
    assert_eq!(refused, 1_201);
    assert_eq!(read(&shop, &other, "").await.0, 429);
    shop.world.advance(Duration::from_mins(1));
    assert_eq!(read(&shop, &other, "").await.0, 200, "the next minute");
    // Occasional reads do not count against the limit: they cost no write.
    let before = shop.world.aws.meter().snapshot();
    for _ in 0..60 {
        shop.world.advance(Duration::from_mins(1));
        assert_eq!(read(&shop, &browser, "").await.0, 200);
    }
    let (writes, _) = shop.world.units("Limits", &before);
    assert!(writes <= 0.0, "{writes} write units");
}

#[tokio::test]
async fn a_page_of_long_messages_is_cut_by_its_bytes_and_none_is_lost() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let text = |n: u32| format!("{n:03}{}", "ặ".repeat(19_000));
    for n in 0..24 {
        shop.say(&browser, &format!("c-{n}"), &text(n)).await;
        shop.run(1).await;
        shop.world.advance(Duration::from_secs(20));
    }
    let (mut place, mut found, mut pages) = (String::new(), Vec::new(), 0);
    while found.len() < 24 {
        let before = shop.world.aws.meter().snapshot();
        let (status, body) = read(&shop, &browser, &format!("?limit=100{place}")).await;
        assert_eq!(status, 200);
        let (_, reads) = shop.world.units("Chat", &before);
        assert!(reads <= 121.0, "{reads} read units");
        let data = body["data"].as_array().unwrap();
        assert!(!data.is_empty() && data.len() < 6, "{}", data.len());
        let numbers = data.iter().map(|one| one["content"].as_str().unwrap());
        found.extend(numbers.map(|text| text[..3].parse::<u32>().unwrap()));
        let place_of = |name: &str| body[name].as_str().map(|place| format!("&after={place}"));
        assert_eq!(body["next"].is_null(), found.len() == 24, "{body}");
        place = place_of("next").or(place_of("sync")).unwrap();
        pages += 1;
    }
    assert_eq!(found, (0..24).collect::<Vec<_>>());
    assert!(pages > 4, "{pages} pages");
}
