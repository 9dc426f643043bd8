//! The door: the bodies of real SDKs, keys, packed bodies, limits and answers.

use serde_json::{Value, json};

use super::{Shop, basic, key, packed, page, read, track};
use crate::support::{World, http_event};
use contacts::Identity;
use kernel::Scope;

/// The bodies of the SDKs: @segment/analytics-node 2, @segment/analytics-next, segment-analytics-python 2.
#[tokio::test]
async fn the_bodies_of_real_sdks_reach_the_timeline() {
    let shop = Shop::open().await;
    let now = shop.world.now();
    let node = json!({
        "batch": [{
            "messageId": "node-next-1772438399-5d7c", "timestamp": "2026-03-02T07:59:59.000Z",
            "type": "track", "userId": "42", "event": "Order Completed",
            "properties": { "order_id": "DH1", "total": 250_000 },
            "context": { "library": { "name": "@segment/analytics-node", "version": "2.2.0" } },
            "integrations": {}, "_metadata": { "nodeVersion": "20.11.0" },
        }],
        "writeKey": shop.secret, "sentAt": now,
    });
    let mut event = http_event("POST", "/v1/batch", Some(&node), None);
    event["headers"]["authorization"] = basic(&shop.secret).into();
    event["headers"]["x-retry-count"] = "1".into();
    assert_eq!(
        read(&shop.world.invoke("track-events", event).await.unwrap()).0,
        200
    );
    let python = json!({
        "batch": [{
            "integrations": {}, "anonymousId": null, "timestamp": "2026-03-02T07:59:59.123456+00:00",
            "context": { "library": { "name": "analytics-python", "version": "2.3.2" } },
            "type": "identify", "userId": 42, "messageId": "1b4c-py", "traits": { "email": "an@example.vn", "name": "Nguyễn An" },
        }],
        "sentAt": "2026-03-02T08:00:00.000001+00:00", "writeKey": shop.secret,
    });
    // With `gzip=True` the body is packed.
    let mut event = http_event("POST", "/v1/batch", None, None);
    event["headers"]["authorization"] = basic(&shop.secret).into();
    event["headers"]["content-encoding"] = "gzip".into();
    event["body"] = packed(&python.to_string()).into();
    event["isBase64Encoded"] = true.into();
    assert_eq!(
        read(&shop.world.invoke("track-events", event).await.unwrap()).0,
        200
    );
    let browser = json!({
        "timestamp": "2026-03-02T07:59:58.000Z", "integrations": { "Segment.io": true }, "type": "page",
        "anonymousId": "6a1f", "userId": "42", "properties": { "path": "/ao-dai", "referrer": "",
            "search": "", "title": "Áo dài", "url": "https://shop.vn/ao-dai" },
        "context": { "page": { "path": "/ao-dai", "url": "https://shop.vn/ao-dai" }, "userAgent": "Mozilla/5.0",
            "locale": "vi-VN", "library": { "name": "analytics.js", "version": "next-1.70.0" } },
        "messageId": "ajs-next-1772438398000-6a1f", "writeKey": shop.public, "sentAt": now,
        "_metadata": { "bundled": ["Segment.io"], "unbundled": [], "bundledIds": [] },
    });
    let mut event = http_event("POST", "/s/p", Some(&browser), None);
    event["headers"]["content-type"] = "text/plain".into();
    event["headers"]["origin"] = "https://shop.vn".into();
    let answer = shop.world.invoke("track-events", event).await.unwrap();
    assert_eq!(read(&answer).0, 200, "{answer}");
    assert_eq!(answer["headers"]["access-control-allow-origin"], "*");
    shop.world.settle().await;
    let contact = shop.user("42").await;
    assert_eq!(contact.email.as_ref().unwrap().as_str(), "an@example.vn");
    assert_eq!(contact.person.full_name.as_deref(), Some("Nguyễn An"));
    let events = shop.events(contact.id).await;
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["page.viewed", "Order Completed"]);
    assert_eq!(events[0].data["url"], "https://shop.vn/ao-dai");
    assert_eq!(events[1].data["total"], 250_000);
    assert!(events[0].source.starts_with("key_"));
    assert_eq!(events[1].at, "2026-03-02T07:59:59Z".parse().unwrap());
    let text = serde_json::to_string(&shop.world.dump("Timeline").await).unwrap();
    assert!(!text.contains("Mozilla"), "what nobody reads is not kept");
}

#[tokio::test]
async fn a_key_is_a_user_name_a_bearer_token_or_in_the_body() {
    let shop = Shop::open().await;
    let mut call = track("m1", "42", "A");
    let path = "/v1/track";
    let answer = shop.post(&shop.public, path, &call).await;
    assert_eq!(read(&answer).0, 200);
    let mut event = http_event("POST", path, Some(&call), None);
    event["headers"]["authorization"] = format!("Bearer {}", shop.secret).into();
    assert_eq!(shop.world.ask("track-events", event).await.0, 200);
    call["writeKey"] = shop.public.as_str().into();
    let event = http_event("POST", path, Some(&call), None);
    assert_eq!(shop.world.ask("track-events", event).await.0, 200);

    let read_only = key(&shop.world, shop.tenant, &[Scope::Read]).await;
    let unknown = format!("tngp_{}", "0".repeat(64));
    for wrong in [read_only.as_str(), &unknown, "x", ""] {
        let answer = shop.post(wrong, path, &track("m2", "42", "A")).await;
        let (status, body) = read(&answer);
        assert_eq!(
            (status, &body["code"]),
            (401, &json!("unauthenticated")),
            "{wrong}"
        );
        assert!(body["message"].is_string());
    }
}

#[tokio::test]
async fn a_public_key_opens_nothing_else_and_ends_when_it_is_revoked() {
    let shop = Shop::open().await;
    for (method, path) in [
        ("GET", "/v1/contacts"),
        ("POST", "/v1/contacts"),
        ("GET", "/v1/me"),
        ("POST", "/v1/orders"),
    ] {
        let mut event = http_event(method, path, Some(&json!({})), None);
        event["headers"]["authorization"] = format!("Bearer {}", shop.public).into();
        let event = shop.world.authorized(event).await;
        let function = match path {
            "/v1/me" => "api-accounts",
            "/v1/orders" => "api-commerce",
            _ => "api-contacts",
        };
        let status = shop.world.ask(function, event).await.0;
        assert!([401, 403].contains(&status), "{method} {path}: {status}");
    }
    let keys = accounts::ApiKeys::over(&shop.world.resources());
    let page = keys.page(shop.tenant, kernel::Limit::default(), None);
    for key in page.await.unwrap().data {
        assert_eq!(key.public, key.scopes == [Scope::Track]);
        keys.revoke(shop.tenant, key.id).await.unwrap();
    }
    shop.world.forget();
    let answer = shop
        .post(&shop.public, "/v1/track", &track("m1", "42", "A"))
        .await;
    assert_eq!(read(&answer).0, 401);
}

#[tokio::test]
async fn a_bad_call_is_refused_alone_and_a_bad_body_as_a_whole() {
    let shop = Shop::open().await;
    let body = json!({ "batch": [
        track("m1", "42", "A"),
        track("m2", "42", "order.paid"),
        { "type": "group", "userId": "42", "groupId": "g" },
        { "type": "track", "userId": "42", "event": "B", "properties": { "x": "x".repeat(33_000) } },
        { "type": "track", "event": "B" },
    ]});
    let answer = shop.post(&shop.secret, "/v1/batch", &body).await;
    let (status, body) = read(&answer);
    assert_eq!((status, &body["success"]), (200, &json!(true)));
    assert_eq!(
        (&body["accepted"], &body["refused"]),
        (&json!(1), &json!(4))
    );
    let errors = body["errors"].as_array().unwrap().iter();
    let errors: Vec<_> = errors
        .map(|one| {
            (
                one["pointer"].as_str().unwrap(),
                one["code"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("/batch/1/event", "reserved_name"),
        ("/batch/2/type", "group_not_supported"),
        ("/batch/3", "too_large"),
        ("/batch/4", "no_person"),
    ];
    assert_eq!(errors, expected);
    // The owner sees the numbers by reason.
    shop.world.settle().await;
    let counted = tracking::Counted::over(&shop.world.resources());
    let now = shop.world.now();
    let hours = counted.hours(shop.tenant, now, now).await.unwrap();
    let counts = &hours.values().next().unwrap().counts;
    assert_eq!((counts["events"], counts["refused"]), (1, 4));
    assert_eq!(counts["refused_reserved_name"], 1);

    let whole = |text: &str| {
        let mut event = http_event("POST", "/v1/batch", None, None);
        event["headers"]["authorization"] = basic(&shop.secret).into();
        event["body"] = text.into();
        event
    };
    let many: Vec<Value> = (0..501).map(|n| track(&n.to_string(), "42", "A")).collect();
    for text in [
        "{".to_owned(),
        "[]".to_owned(),
        json!({ "batch": 7 }).to_string(),
        json!({ "batch": [{ "x": "x".repeat(600_000) }] }).to_string(),
        "x".repeat(1_500_000),
        json!({ "batch": many }).to_string(),
    ] {
        let (status, body) = shop.world.ask("track-events", whole(&text)).await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("malformed")),
            "{body}"
        );
        assert!(body["message"].is_string());
    }
    let large = json!({ "userId": "42", "event": "B", "properties": { "x": "x".repeat(33_000) } });
    let answer = shop.post(&shop.secret, "/v1/track", &large).await;
    assert_eq!(read(&answer).0, 400, "one call that is too large");
}

#[tokio::test]
async fn a_flood_is_slowed_down_and_an_archived_workspace_takes_nothing() {
    let shop = Shop::open().await;
    let body = json!({ "batch": [track("m1", "42", "A")] });
    let mut statuses = std::collections::BTreeMap::new();
    for _ in 0..402 {
        let answer = shop.post(&shop.secret, "/v1/batch", &body).await;
        let (status, _) = read(&answer);
        *statuses.entry(status).or_insert(0) += 1;
        if status == 429 {
            let wait: u64 = answer["headers"]["retry-after"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!((1..=300).contains(&wait), "{wait}");
        }
    }
    assert_eq!(statuses, [(200, 400), (429, 2)].into());
    let other = Shop::in_world(World::new()).await;
    other
        .world
        .change_workspace(other.tenant, accounts::WorkspaceStatus::Archived, |_| {})
        .await;
    other.world.forget();
    let answer = other
        .post(&other.secret, "/v1/page", &page("m", "v", "https://a.vn"))
        .await;
    assert_eq!(read(&answer).0, 404);
}

#[tokio::test]
async fn a_workspace_sees_only_its_own_events() {
    let shop = Shop::open().await;
    let neighbour = shop.world.workspace().await;
    let other = key(&shop.world, neighbour, &[Scope::Track, Scope::Write]).await;
    shop.take(&shop.secret, json!([track("m1", "42", "A")]))
        .await;
    shop.take(&other, json!([track("m1", "42", "B")])).await;
    let contact = shop.user("42").await;
    assert_eq!(shop.names(contact.id).await, ["A"]);
    let contacts = shop.contacts();
    let user = Identity::own("42");
    let owner = contacts.find_identity(neighbour, &user);
    let theirs = owner.await.unwrap().expect("a contact of its own");
    assert_ne!(theirs, contact.id);
}

#[tokio::test]
async fn the_script_is_small_and_served() {
    let shop = Shop::open().await;
    let event = http_event("GET", "/t.js", None, None);
    let answer = shop.world.invoke("track-events", event).await.unwrap();
    assert_eq!(answer["statusCode"], 200);
    let script = answer["body"].as_str().unwrap();
    let bytes = packed(script).len() * 3 / 4;
    assert!(bytes < 6 * 1024, "{bytes}");
}
