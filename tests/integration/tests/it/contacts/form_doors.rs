//! The door of forms: strangers, floods, kills, and closed workspaces.

use std::sync::Arc;
use std::time::Duration;

use accounts::{WorkspaceStatus, Workspaces};

use super::forms::only_event;
use super::shop::{HEADER, Page, Shop, form};
use crate::support::Kill;

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
