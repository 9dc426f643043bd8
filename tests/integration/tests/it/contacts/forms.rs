//! Forms from the webhook to the timeline.

use std::sync::Arc;
use std::time::Duration;

use accounts::{WorkspaceStatus, Workspaces};
use serde_json::{Value, json};

use super::shop::{HEADER, Page, Shop, email, form, person, survives, survives_any_kill};
use crate::support::Kill;

#[tokio::test]
async fn a_form_becomes_a_contact_with_an_event() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["ladipage"]).await;
    page.post(&shop, &form()).await;
    shop.world.settle().await;
    for query in ["tran", "AN", "thị an", "an.tran@", "0912345", "+84 912"] {
        assert_eq!(shop.found(query).await, ["Trần Thị An"], "{query}");
    }
    assert!(shop.found("binh").await.is_empty());
    let (_, list) = shop.api("GET", "/v1/contacts?query=an.tran", None).await;
    let contact = &list["data"][0];
    assert_eq!(contact["email"], "an.tran@example.vn");
    assert_eq!(contact["phone"], "+84912345678");
    assert_eq!(contact["first_name"], "An");
    assert_eq!(contact["tags"], json!(["ladipage"]));
    // A form that asks for no consent books none.
    assert_eq!(contact["email_status"], "none");
    let path = format!("/v1/contacts/{}/timeline", contact["id"].as_str().unwrap());
    let (status, timeline) = shop.api("GET", &path, None).await;
    assert_eq!((status, timeline["next"].is_null()), (200, true));
    let event = &timeline["data"][0];
    assert_eq!(event["name"], "form.submitted");
    assert_eq!(event["occurred_at"], "2026-03-02T01:15:30.000Z");
    assert_eq!(event["data"]["message"], "Tư vấn size M");
}

#[tokio::test]
async fn a_repeated_form_changes_nothing() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    page.post(&shop, &form()).await;
    shop.world.settle_twice().await;
    let (contacts, timeline) = (
        shop.world.dump("Contacts").await,
        shop.world.dump("Timeline").await,
    );
    page.post(&shop, &form()).await;
    shop.world.settle_twice().await;
    assert_eq!(shop.world.dump("Contacts").await, contacts);
    assert_eq!(shop.world.dump("Timeline").await, timeline);
}

#[tokio::test]
async fn an_event_of_a_known_contact_costs_three_write_units_at_most() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["ladipage"]).await;
    page.post(&shop, &form()).await;
    shop.world.settle().await;
    let before = shop.world.aws.meter().snapshot();
    let mut second = form();
    second["message_time"] = "02/03/2026 09:00:00".into();
    page.post(&shop, &second).await;
    let queued = shop.world.aws.meter().since(&before);
    assert!(queued.write_units() < 0.5, "the webhook writes nothing");
    let requests: u64 = queued.queues.values().map(|queue| queue.requests).sum();
    assert_eq!(requests, 1);
    shop.world.settle().await;
    let spent = shop.world.aws.meter().since(&before).write_units();
    assert!(spent <= 3.0, "{spent}");
}

#[tokio::test]
async fn full_batches_cost_five_quarters_of_an_sqs_request_an_event() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["ladipage"]).await;
    let before = shop.world.aws.meter().snapshot();
    for second in 0..20 {
        let mut form = form();
        form["message_time"] = format!("02/03/2026 09:00:{second:02}").into();
        page.post(&shop, &form).await;
    }
    for _ in 0..2 {
        let answer = shop.world.deliver("ingest", false).await;
        assert!(answer.is_some_and(|answer| answer.is_ok()));
    }
    let used = shop.world.aws.meter().since(&before);
    let queues = used.queues.iter();
    let ingest: Vec<_> = queues.filter(|(name, _)| name.contains("ingest")).collect();
    assert_eq!(ingest.len(), 1, "nothing is parked: {ingest:?}");
    let (name, queue) = ingest[0];
    let left = shop.world.aws.sqs().depth(name).total();
    assert_eq!(left, 0);
    assert!(queue.requests <= 25, "{} for 20 events", queue.requests);
}

#[tokio::test]
async fn strangers_are_refused_and_nothing_is_queued() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    let body = form().to_string();
    let mut wrong_token = page.event(&body);
    wrong_token["headers"][HEADER] = "tngs_0".into();
    let mut without = page.event(&body);
    without["headers"].as_object_mut().unwrap().remove(HEADER);
    let mut unknown = page.event(&body);
    unknown["rawPath"] = "/w/ladipage/src_00000000000".into();
    let mut not_utf8 = page.event("//79/A==");
    not_utf8["isBase64Encoded"] = true.into();
    let mut no_source = page.event(&body);
    no_source["rawPath"] = "/w/ladipage/x".into();
    let as_type = |content_type: &str, body: &str| {
        let mut event = page.event(body);
        event["headers"]["content-type"] = content_type.into();
        event
    };
    let many: String = (0..300).map(|n| format!("f{n}=1&")).collect();
    for (event, expected) in [
        (wrong_token, 401),
        (without, 401),
        (unknown, 401),
        (page.event(&"x".repeat(256 * 1024 + 1)), 413),
        (not_utf8, 400),
        (page.event(""), 400),
        (no_source, 404),
        (as_type("image/png", "x"), 415),
        (as_type("application/xml", "<form/>"), 415),
        (as_type("application/json", "{not json"), 400),
        (as_type("multipart/form-data", "x"), 400),
        (as_type("application/x-www-form-urlencoded", &many), 400),
    ] {
        let answer = shop.world.invoke("webhook-ladipage", event).await.unwrap();
        assert_eq!(answer["statusCode"], expected, "{answer}");
        // The page must be able to read this answer to show it to the visitor.
        assert_eq!(
            answer["headers"]["access-control-allow-origin"], "*",
            "{answer}"
        );
    }
    assert!(shop.world.take("ingest").is_none());
}

#[tokio::test]
async fn a_form_with_a_mistyped_address_keeps_its_lead() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["landing"]).await;
    let typed = json!({ "name": "An", "phone": "02838221234" });
    page.post(&shop, &typed).await;
    page.post(&shop, &typed).await;
    shop.world.settle_twice().await;
    assert!(
        shop.world.dead_letters().is_empty(),
        "no work for an operator"
    );
    let (_, list) = shop.api("GET", "/v1/contacts", None).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let contact = &list["data"][0];
    assert_eq!(
        (&contact["full_name"], &contact["tags"]),
        (&json!("An"), &json!(["landing"]))
    );
    assert_eq!(
        (&contact["phone"], &contact["email"]),
        (&Value::Null, &Value::Null)
    );
    let data = only_event(&shop).await["data"].clone();
    assert_eq!(
        (&data["phone"], &data["_unusable"]),
        (&json!("02838221234"), &json!(["phone"]))
    );
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_listed_at_its_source_and_replayed_by_a_repaired_mapping() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    page.post(&shop, &json!({ "name": "An", "Liên hệ": "0912345678" }))
        .await;
    page.post(&shop, &json!({ "name": "Bình", "message": "Tư vấn" }))
        .await;
    shop.world.settle_twice().await;
    assert!(
        shop.world.dead_letters().is_empty(),
        "no work for an operator"
    );
    assert!(shop.found("an").await.is_empty());

    let path = format!("/v1/sources/{}", page.source);
    let grant = crate::support::grant_of(shop.tenant.workspace(), "admin");
    let ask = async |method: &str, path: &str, body: Option<&Value>| {
        let event = crate::support::http_event(method, path, body, Some(&grant));
        shop.world.ask("api-sources", event).await
    };
    let failed =
        async || ask("GET", &format!("{path}/failed-requests"), None).await.1["data"].clone();
    let list = failed().await;
    let reasons: Vec<&Value> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["reason"])
        .collect();
    assert_eq!(reasons.len(), 2);
    assert!(
        reasons.contains(&&json!("unmapped_address")) && reasons.contains(&&json!("no_address"))
    );
    assert!(
        !list.to_string().contains("0912345678"),
        "a list shows nothing that a person typed"
    );
    let wanted = list
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["reason"] == "unmapped_address");
    let one = format!(
        "{path}/failed-requests/{}",
        wanted.unwrap()["id"].as_str().unwrap()
    );
    let (status, shown) = ask("GET", &one, None).await;
    assert_eq!(status, 200);
    assert!(shown["body"].as_str().unwrap().contains("0912345678"));

    // Before the mapping is repaired, a replay leaves the request where it is.
    let (_, first) = ask("GET", &format!("{path}/failed-requests?limit=1"), None).await;
    let next = first["next"].as_str().unwrap();
    let (_, second) = ask(
        "GET",
        &format!("{path}/failed-requests?cursor={next}"),
        None,
    )
    .await;
    assert_eq!(json!([first["data"][0], second["data"][0]]), list);
    assert_eq!(second["next"], Value::Null);
    let replay = format!("{path}/failed-requests/replay");
    let (status, answer) = ask("POST", &replay, None).await;
    assert_eq!(
        (status, answer),
        (202, json!({ "replayed": 2, "has_more": false }))
    );
    shop.world.settle_twice().await;
    assert_eq!(failed().await.as_array().unwrap().len(), 2);

    let mapping = json!({ "mapping": { "Liên hệ": "phone" } });
    assert_eq!(ask("PATCH", &path, Some(&mapping)).await.0, 200);
    shop.world.forget();
    for _ in 0..2 {
        assert_eq!(ask("POST", &format!("{one}/replay"), None).await.0, 202);
    }
    shop.world.settle_twice().await;
    assert_eq!(shop.found("an").await, ["An"]);
    only_event(&shop).await;
    let left = failed().await;
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(left[0]["reason"], "no_address");
    let last = format!("{path}/failed-requests/{}", left[0]["id"].as_str().unwrap());
    assert_eq!(ask("DELETE", &last, None).await.0, 204);
    assert_eq!(ask("GET", &last, None).await.0, 404);
    assert_eq!(ask("POST", &format!("{last}/replay"), None).await.0, 404);
    assert_eq!(failed().await, json!([]));
}

#[tokio::test]
async fn a_source_with_many_failed_requests_is_told_to_the_operator() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    for n in 0..=sources::FAILED_AN_HOUR {
        shop.world.advance(Duration::from_millis(40));
        page.post(&shop, &json!({ "message": n })).await;
    }
    shop.world.settle().await;
    assert_eq!(
        shop.world.dead_letters().len(),
        1,
        "the surplus is not lost"
    );
}

#[tokio::test]
async fn ingest_may_be_killed_at_any_call_when_it_cannot_read() {
    survives("ingest", &["Directory", "Contacts"], 3, async |shop| {
        let page = Page::of(shop, &[]).await;
        page.post(shop, &json!({ "name": "An" })).await;
    })
    .await;
}

#[tokio::test]
async fn a_lost_queue_answers_503() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    shop.world
        .aws
        .set_fault_hook(Some(Arc::new(|call| match call.service {
            "sqs" => tanigo_local::aws::Fault::Throttle,
            _ => tanigo_local::aws::Fault::None,
        })));
    let (status, problem) = shop
        .world
        .ask("webhook-ladipage", page.event(&form().to_string()))
        .await;
    shop.world.aws.set_fault_hook(None);
    assert_eq!(
        (status, problem["code"].as_str()),
        (503, Some("unavailable"))
    );
}

#[tokio::test]
async fn ingest_may_be_killed_at_any_call() {
    survives_any_kill("ingest", async |shop: &Shop| {
        Page::of(shop, &["ladipage"])
            .await
            .post(shop, &form())
            .await;
    })
    .await;
}

#[tokio::test]
async fn ingest_may_be_killed_at_any_call_for_a_known_contact() {
    survives_any_kill("ingest", async |shop: &Shop| {
        shop.upsert(person("Trần An", &[email("an.tran@example.vn")]))
            .await;
        Page::of(shop, &["ladipage"])
            .await
            .post(shop, &form())
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_preflight_admits_the_token() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    let mut event = page.event("");
    event["requestContext"]["http"]["method"] = "OPTIONS".into();
    let answer = shop.world.invoke("webhook-ladipage", event).await.unwrap();
    assert_eq!(answer["statusCode"], 204);
    assert_eq!(
        answer["headers"]["access-control-allow-headers"],
        "*, Authorization"
    );
}

#[tokio::test]
async fn the_form_of_an_archived_workspace_is_not_there() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    let workspaces = Workspaces::over(&shop.world.resources());
    for (status, expected) in [
        (WorkspaceStatus::Archived, 404),
        (WorkspaceStatus::Active, 200),
    ] {
        let workspace = workspaces.get(shop.tenant).await.unwrap().unwrap();
        let settings = workspace.settings.clone();
        workspaces
            .change(workspace, settings, status)
            .await
            .unwrap();
        shop.world.forget();
        let event = page.event(&form().to_string());
        assert_eq!(shop.world.ask("webhook-ladipage", event).await.0, expected);
        assert_eq!(shop.world.take("ingest").is_some(), expected == 200);
    }
}

/// The only event on the only contact's timeline.
async fn only_event(shop: &Shop) -> Value {
    let (_, list) = shop.api("GET", "/v1/contacts", None).await;
    let path = format!(
        "/v1/contacts/{}/timeline",
        list["data"][0]["id"].as_str().unwrap()
    );
    let (_, timeline) = shop.api("GET", &path, None).await;
    assert_eq!(timeline["data"].as_array().unwrap().len(), 1);
    timeline["data"][0].clone()
}

#[tokio::test]
async fn a_form_of_250_kilobytes_is_kept_within_bounds_and_says_what_is_missing() {
    let shop = Shop::new().await;
    // A workflow subscribes to the event: the entry then holds the form twice.
    contacts::Listeners::over(&shop.world.resources())
        .listen(
            shop.tenant,
            "form.submitted",
            "wfl_00000000001",
            &contacts::Filter::default(),
        )
        .await
        .unwrap();
    let page = Page::of(&shop, &[]).await;
    let mut big = form();
    big["Họ và tên"] = "Trần ".repeat(10_000).into();
    big["message"] = "\u{1}".repeat(10_000).into();
    for n in 0..90 {
        big[format!("field {n}")] = "\"".repeat(600 + n).into();
    }
    assert!(
        (240_000..256 * 1024).contains(&big.to_string().len()),
        "{}",
        big.to_string().len()
    );
    page.post(&shop, &big).await;
    shop.world.settle_twice().await;
    assert!(shop.world.dead_letters().is_empty());
    let event = only_event(&shop).await;
    let data = event["data"].as_object().unwrap();
    // The short ones are whole, the rest is named.
    assert_eq!(data["form_id"], "FORM8");
    assert_eq!(data["field_0"], "\"".repeat(600));
    let missing: Vec<&str> = data["_shortened"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(
        missing.contains(&"message") && missing.contains(&"field_89"),
        "{missing:?}"
    );
    assert!(!missing.contains(&"field_0"));
    let (_, list) = shop.api("GET", "/v1/contacts", None).await;
    let name = list["data"][0]["full_name"].as_str().unwrap();
    assert!(name.starts_with("Trần Trần") && name.chars().count() <= 1_000);
}

#[tokio::test]
async fn a_webhook_that_was_killed_may_be_posted_again() {
    for kill in [Kill::Before, Kill::After] {
        for n in 0.. {
            let shop = Shop::new().await;
            let page = Page::of(&shop, &["ladipage"]).await;
            let event = page.event(&form().to_string());
            let world = &shop.world;
            let killed = world
                .invoke_and_kill("webhook-ladipage", event, kill(n))
                .await
                .is_none();
            page.post(&shop, &form()).await;
            shop.world.settle().await;
            assert_eq!(
                only_event(&shop).await["name"],
                "form.submitted",
                "{:?}",
                kill(n)
            );
            assert_eq!(shop.found("tran").await.len(), 1, "{:?}", kill(n));
            if !killed {
                assert!(n > 1, "too few calls: {n}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_source_that_floods_is_slowed_down_alone_and_before_anything_is_read() {
    let shop = Shop::new().await;
    let (flooded, other) = (Page::of(&shop, &[]).await, Page::of(&shop, &[]).await);
    let next = std::cell::Cell::new(0_u32);
    let post = async |page: &Page| {
        let mut event = page.event(&form().to_string());
        // Each from another client, so that only the source's limit counts.
        next.set(next.get() + 1);
        let ip = format!("198.{}.{}.1", next.get() / 256, next.get() % 256);
        event["requestContext"]["http"]["sourceIp"] = ip.into();
        shop.world.invoke("webhook-ladipage", event).await.unwrap()
    };
    for n in 0..100 {
        assert_eq!(post(&flooded).await["statusCode"], 200, "form {n}");
    }
    let before = shop.world.aws.meter().snapshot();
    for _ in 0..700 {
        let answer = post(&flooded).await;
        assert_eq!(answer["statusCode"], 429);
        assert_eq!(answer["headers"]["retry-after"], "1");
        assert_eq!(answer["headers"]["access-control-allow-origin"], "*");
    }
    let spent = shop.world.aws.meter().since(&before);
    assert_eq!((spent.read_units(), spent.write_units()), (0.0, 0.0));
    assert!(spent.queues.values().all(|queue| queue.requests == 0));
    assert_eq!(post(&other).await["statusCode"], 200);
    shop.world.advance(Duration::from_secs(1));
    for n in 0..51 {
        let expected = if n < 50 { 200 } else { 429 };
        assert_eq!(post(&flooded).await["statusCode"], expected, "form {n}");
    }
}

#[tokio::test]
async fn one_client_leaves_room_for_the_others_of_its_source() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    let post = async |ip: &str| {
        let mut event = page.event(&form().to_string());
        event["requestContext"]["http"]["sourceIp"] = ip.into();
        shop.world.ask("webhook-ladipage", event).await.0
    };
    for n in 0..50 {
        let ip = format!("2001:db8:1:2::{n}");
        assert_eq!(post(&ip).await, 200, "form {n} of one network");
    }
    for _ in 0..500 {
        assert_eq!(post("2001:db8:1:2:ffff::1").await, 429);
    }
    for n in 0..50 {
        let ip = format!("203.0.113.{n}");
        assert_eq!(post(&ip).await, 200, "another client, form {n}");
    }
    assert_eq!(post("203.0.113.99").await, 429, "the source's limit");
}

#[tokio::test]
async fn a_name_carries_no_link_into_the_shop_s_mails() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    let mut spam = form();
    spam["Họ và tên"] = "bạn trúng 5 triệu, nhận tại https://evil.example/nhan-qua".into();
    page.post(&shop, &spam).await;
    shop.world.settle().await;
    let stored = format!(
        "{:?}{:?}",
        shop.world.dump("Contacts").await,
        shop.world.dump("Timeline").await
    );
    assert!(stored.contains("bạn trúng 5 triệu, nhận tại"));
    assert!(!stored.contains("evil.example"), "{stored}");
}
