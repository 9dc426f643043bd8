//! A campaign before its send: edit, copy, delete, schedule; the start by its timer, exactly once.

use std::time::Duration;

use accounts::WorkspaceStatus;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::shop::{self, Shop, letter, number};
use crate::support::{Kill, World};

/// The time of a schedule, an hour from now, and the answer to it.
pub async fn schedule(world: &World, shop: &Shop, campaign: &str, minutes: i64) -> (u16, Value) {
    let at = world.now() + SignedDuration::from_mins(minutes);
    let path = format!("/v1/campaigns/{campaign}/send");
    let body = json!({ "at": at });
    shop.call(world, "POST", &path, Some(&body)).await
}

/// Lets minutes pass as the schedule of `due-timer` sees them.
pub async fn pass(world: &World, minutes: u32) {
    for _ in 0..minutes {
        world.invoke("due-timer", json!({})).await.unwrap();
        world.settle().await;
        world.advance(Duration::from_mins(1));
        world.settle().await;
    }
}

async fn shown(world: &World, shop: &Shop, campaign: &str) -> Value {
    let path = format!("/v1/campaigns/{campaign}");
    let (status, shown) = shop.call(world, "GET", &path, None).await;
    assert_eq!(status, 200, "{shown}");
    shown
}

#[tokio::test]
async fn a_draft_is_changed_in_parts_and_a_sent_campaign_is_not() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let campaign = shop.campaign(&world).await;
    let path = format!("/v1/campaigns/{campaign}");
    let edit = async |body: Value| shop.call(&world, "PATCH", &path, Some(&body)).await;
    let (status, edited) = edit(json!({ "name": "Tết 2027" })).await;
    assert_eq!(
        (status, &edited["name"]),
        (200, &json!("Tết 2027")),
        "{edited}"
    );
    assert_eq!(edited["mail"]["html"], letter(shop.list)["mail"]["html"]);
    let mail = json!({
        "sender": { "from_name": "Cửa hàng", "from_email": "tin@example.vn" },
        "subject": "Mới", "text": "Chào",
    });
    let (status, edited) = edit(json!({ "mail": mail })).await;
    assert_eq!(
        (status, &edited["summary"]),
        (200, &json!("Mới")),
        "{edited}"
    );
    assert_eq!(edited["mail"]["html"], Value::Null);
    assert_eq!(edited["name"], "Tết 2027");
    // One answer names all flaws, and changes nothing.
    let wrong =
        json!({ "name": " ", "audience": { "include": {} }, "mail": { "subject": "{{ x" } });
    let (status, problem) = edit(wrong).await;
    let places = problem["errors"].as_array().unwrap().iter();
    let places: Vec<_> = places.map(|one| one["pointer"].as_str().unwrap()).collect();
    assert_eq!(status, 400, "{problem}");
    for place in ["/name", "/audience/include", "/mail/sender"] {
        assert!(places.contains(&place), "{problem}");
    }
    shop.send(&world, &campaign).await;
    world.settle().await;
    let (status, problem) = edit(json!({ "name": "Khác" })).await;
    assert_eq!(status, 409, "{problem}");
    let mails = world.aws.outbox().all(tanigo_local::aws::Kind::Mail);
    assert!(
        mails.iter().all(|mail| mail.subject == "[QC] Mới"),
        "{mails:?}"
    );
}

#[tokio::test]
async fn a_copy_is_a_draft_of_its_own() {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    world.settle().await;
    let (status, copy) = shop.command(&world, &campaign, "copy").await;
    assert_eq!((status, &copy["status"]), (201, &json!("draft")), "{copy}");
    assert_eq!(copy["name"], "Tết Copy");
    let id = copy["id"].as_str().unwrap();
    assert_ne!(id, campaign);
    assert_eq!(shown(&world, &shop, id).await["mail"], copy["mail"]);
    shop.send(&world, id).await;
    world.settle().await;
    assert_eq!(shop.report(&world, id).await["status"], "sent");
}

#[tokio::test]
async fn a_deleted_campaign_leaves_no_row_and_one_that_runs_stays() {
    let world = World::new();
    let shop = Shop::open(&world, 30).await;
    let rows = world.dump("Campaigns").await.len();
    let campaign = shop.campaign(&world).await;
    let path = format!("/v1/campaigns/{campaign}");
    shop.send(&world, &campaign).await;
    let (status, _) = shop.call(&world, "DELETE", &path, None).await;
    assert_eq!(status, 409, "it is being sent");
    world.settle().await;
    let (status, _) = shop.call(&world, "DELETE", &path, None).await;
    assert_eq!(status, 204);
    let (status, _) = shop.call(&world, "GET", &path, None).await;
    assert_eq!(status, 404);
    let (_, list) = shop.call(&world, "GET", "/v1/campaigns", None).await;
    assert_eq!(list["data"], json!([]));
    world.settle_twice().await;
    assert_eq!(world.dump("Campaigns").await.len(), rows);
    assert!(world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_list_is_filtered_by_status_and_kind() {
    let world = World::new();
    let shop = Shop::open(&world, 2).await;
    let sent = shop.campaign(&world).await;
    shop.send(&world, &sent).await;
    world.settle().await;
    let draft = shop.campaign(&world).await;
    let list = async |query: &str| {
        let grant = crate::support::grant_of(shop.tenant.workspace(), "read");
        let path = format!("/v1/campaigns?{query}");
        let event = crate::support::http_event("GET", &path, None, Some(&grant));
        let (status, page) = world.ask("api-campaigns", event).await;
        assert_eq!(status, 200, "{page}");
        let data = page["data"].as_array().unwrap().iter();
        data.map(|one| one["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(list("status=draft").await, std::slice::from_ref(&draft));
    assert_eq!(
        list("status=sent&limit=1").await,
        std::slice::from_ref(&sent)
    );
    assert_eq!(list("kind=email").await.len(), 2);
    assert!(list("kind=sms").await.is_empty());
    assert!(list("status=deleted").await.is_empty());
}

#[tokio::test]
async fn a_scheduled_campaign_starts_at_its_time_and_once() {
    let world = World::new();
    let shop = Shop::open(&world, 20).await;
    let campaign = shop.campaign(&world).await;
    let (status, body) = schedule(&world, &shop, &campaign, 10).await;
    assert_eq!(
        (status, &body["status"]),
        (202, &json!("scheduled")),
        "{body}"
    );
    assert!(body["scheduled_at"].is_string());
    pass(&world, 9).await;
    assert_eq!(shown(&world, &shop, &campaign).await["status"], "scheduled");
    assert!(shop.mails(&world, &campaign).is_empty());
    pass(&world, 4).await;
    world.settle_twice().await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(number(&report, "sent"), shop.eligible());
    assert_eq!(shop.mails(&world, &campaign).len() as u64, shop.eligible());
    shop.assert_identity(&report);
    assert!(world.dead_letters().is_empty());
}

#[tokio::test]
async fn the_timer_of_another_time_starts_nothing() {
    let world = World::new();
    let shop = Shop::open(&world, 4).await;
    let unscheduled = shop.campaign(&world).await;
    let moved = shop.campaign(&world).await;
    let cancelled = shop.campaign(&world).await;
    for campaign in [&unscheduled, &moved, &cancelled] {
        let (status, body) = schedule(&world, &shop, campaign, 5).await;
        assert_eq!(status, 202, "{body}");
    }
    for _ in 0..2 {
        let (status, body) = shop.command(&world, &unscheduled, "unschedule").await;
        assert_eq!((status, &body["status"]), (200, &json!("draft")));
    }
    let (status, body) = schedule(&world, &shop, &moved, 20).await;
    assert_eq!(
        (status, &body["status"]),
        (202, &json!("scheduled")),
        "{body}"
    );
    let (status, _) = shop.command(&world, &cancelled, "cancel").await;
    assert_eq!(status, 200);
    pass(&world, 10).await;
    assert_eq!(shown(&world, &shop, &unscheduled).await["status"], "draft");
    assert_eq!(shown(&world, &shop, &moved).await["status"], "scheduled");
    assert_eq!(
        shown(&world, &shop, &cancelled).await["status"],
        "cancelled"
    );
    assert!(
        world
            .aws
            .outbox()
            .all(tanigo_local::aws::Kind::Mail)
            .is_empty()
    );
    pass(&world, 14).await;
    assert_eq!(shown(&world, &shop, &moved).await["status"], "sent");
    assert!(shop.mails(&world, &unscheduled).is_empty());
    assert!(shop.mails(&world, &cancelled).is_empty());
}

#[tokio::test]
async fn a_time_must_be_ahead_and_within_90_days() {
    let world = World::new();
    let shop = Shop::open(&world, 1).await;
    let campaign = shop.campaign(&world).await;
    for minutes in [-1, 0, 90 * 24 * 60 + 1] {
        let (status, problem) = schedule(&world, &shop, &campaign, minutes).await;
        assert_eq!(status, 400, "{minutes}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/at");
    }
}

#[tokio::test]
async fn a_start_that_fails_at_its_time_says_why() {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    let campaign = shop.campaign(&world).await;
    let (status, _) = schedule(&world, &shop, &campaign, 5).await;
    assert_eq!(status, 202);
    let clear = |settings: &mut accounts::WorkspaceSettings| settings.postal_address = " ".into();
    world
        .change_workspace(shop.tenant, WorkspaceStatus::Active, clear)
        .await;
    pass(&world, 8).await;
    let now = shown(&world, &shop, &campaign).await;
    assert_eq!(
        (&now["status"], &now["problem"]),
        (&json!("failed"), &json!("settings_missing"))
    );
    assert!(shop.mails(&world, &campaign).is_empty());
}

#[tokio::test]
async fn a_schedule_that_is_killed_at_any_call_sends_once_when_it_is_repeated() {
    for after in [false, true] {
        for call in 0.. {
            let world = World::new();
            let shop = Shop::open(&world, 3).await;
            let campaign = shop.campaign(&world).await;
            let at = world.now() + SignedDuration::from_mins(5);
            let body = json!({ "at": at });
            let path = format!("/v1/campaigns/{campaign}/send");
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let event = shop::http("POST", &path, Some(&body), Some(shop.tenant), "test");
            let ended = world.invoke_and_kill("api-campaigns", event, kill).await;
            let (status, again) = shop.call(&world, "POST", &path, Some(&body)).await;
            assert_eq!(
                (status, &again["status"]),
                (202, &json!("scheduled")),
                "{kill:?}"
            );
            pass(&world, 9).await;
            let report = shop.report(&world, &campaign).await;
            assert_eq!(report["status"], "sent", "{kill:?}: {report}");
            assert_eq!(shop.mails(&world, &campaign).len() as u64, shop.eligible());
            if ended.is_some() {
                assert!(call >= 6, "{call} calls");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_start_that_is_killed_at_any_call_sends_once() {
    for after in [false, true] {
        for call in 0.. {
            let world = World::new();
            let shop = Shop::open(&world, 6).await;
            let campaign = shop.campaign(&world).await;
            schedule(&world, &shop, &campaign, 5).await;
            world.advance(Duration::from_mins(5));
            world.invoke("due-timer", json!({})).await.unwrap();
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let batch = world.take("campaign-planner").expect("the timer's message");
            let event = batch.event.clone();
            let ended = world.invoke_and_kill("campaign-planner", event, kill).await;
            if let Some(answer) = &ended {
                world.acknowledge(&batch, answer);
            }
            world.advance(Duration::from_secs(400));
            world.settle_twice().await;
            let report = shop.report(&world, &campaign).await;
            assert_eq!(report["status"], "sent", "{kill:?}: {report}");
            assert_eq!(shop.mails(&world, &campaign).len() as u64, shop.eligible());
            shop.assert_identity(&report);
            if ended.is_some() {
                assert!(call >= 5, "{call} calls");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_start_races_with_unschedule_and_one_of_them_wins() {
    let mut outcomes = std::collections::BTreeSet::new();
    for at in 0.. {
        let world = World::new();
        let shop = Shop::open(&world, 2).await;
        let campaign = shop.campaign(&world).await;
        schedule(&world, &shop, &campaign, 5).await;
        world.advance(Duration::from_mins(5));
        world.invoke("due-timer", json!({})).await.unwrap();
        let batch = world.take("campaign-planner").expect("the timer's message");
        let start = world.invoke("campaign-planner", batch.event.clone());
        let take_back = shop.command(&world, &campaign, "unschedule");
        let (started, (status, _), made) = world.interleave(at, start, take_back).await;
        world.acknowledge(&batch, &started);
        world.settle().await;
        let state = shown(&world, &shop, &campaign).await["status"].clone();
        let mails = shop.mails(&world, &campaign).len() as u64;
        if status == 200 {
            assert_eq!((&state, mails), (&json!("draft"), 0), "at {at}");
        } else {
            assert_eq!(
                (&state, mails),
                (&json!("sent"), shop.eligible()),
                "at {at}"
            );
        }
        outcomes.insert(status);
        if made.is_none() {
            break;
        }
    }
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
}

#[tokio::test]
async fn another_tenant_changes_nothing() {
    let world = World::new();
    let shop = Shop::open(&world, 2).await;
    let other = Shop::open(&world, 0).await;
    let campaign = shop.campaign(&world).await;
    let at = json!({ "at": world.now() + SignedDuration::from_mins(9) });
    let before = world.dump("Campaigns").await;
    for (method, path, body) in [
        ("PATCH", "", Some(json!({ "name": "Trộm" }))),
        ("DELETE", "", None),
        ("POST", "/copy", None),
        ("POST", "/send", Some(at)),
        ("POST", "/unschedule", None),
        ("GET", "/estimate", None),
        ("POST", "/check", None),
        ("POST", "/preview", None),
        (
            "POST",
            "/test",
            Some(json!({ "emails": ["a@example.com"] })),
        ),
        ("POST", "/approval", Some(json!({}))),
        ("DELETE", "/approval", None),
    ] {
        let path = format!("/v1/campaigns/{campaign}{path}");
        let (status, answer) = other.call(&world, method, &path, body.as_ref()).await;
        assert_eq!(status, 404, "{method} {path}: {answer}");
    }
    assert_eq!(world.dump("Campaigns").await, before);
    // A contact of another tenant is no contact.
    let path = format!("/v1/campaigns/{}/preview", other.campaign(&world).await);
    let body = json!({ "contact_id": shop.contacts[0] });
    let (status, problem) = other.call(&world, "POST", &path, Some(&body)).await;
    assert_eq!(status, 400, "{problem}");
}
