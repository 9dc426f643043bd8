//! Official Accounts: the consent, the tokens, the templates.

use std::time::Duration;

use serde_json::{Value, json};
use tanigo_local::providers::{Fault, zalo};

use super::shop::{agree, ask, connect};
use crate::support::{Kill, World};

const SYNC: &str = "/v1/channels/zalo/3400000000000000001/sync";
/// The access token lives four hours more, and is renewed now.
const LATE: Duration = Duration::from_hours(21);

async fn list(world: &World, tenant: kernel::TenantKey) -> Value {
    let path = ("GET", "/v1/channels/zalo");
    let (status, all) = ask(world, tenant, "api-channels", path, None).await;
    assert_eq!(status, 200, "{all}");
    all["data"].clone()
}

#[tokio::test]
async fn accounts_are_connected_by_consent_and_shown_without_tokens() {
    let world = World::new();
    let tenant = world.workspace().await;
    let event = agree(&world, tenant).await;
    let mut forged = event.clone();
    let query = forged["rawQueryString"].as_str().unwrap();
    forged["rawQueryString"] = query.replace("code=", "code=x").into();
    let late = agree(&world, tenant).await;
    let answer = world.invoke("api-channels", event.clone()).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    // The state is valid once, with the code of its own consent, for a quarter of an hour.
    for event in [event, forged] {
        let answer = world.invoke("api-channels", event).await.unwrap();
        assert_eq!(answer["statusCode"], 400, "{answer}");
    }
    world.advance(Duration::from_mins(16));
    let answer = world.invoke("api-channels", late).await.unwrap();
    assert_eq!(answer["statusCode"], 400, "{answer}");

    let all = list(&world, tenant).await;
    assert_eq!(all[0]["oa_id"], zalo::OA);
    assert_eq!(
        (&all[0]["status"], &all[0]["api_rate_per_minute"]),
        (&json!("active"), &json!(100))
    );
    let path = format!("/v1/channels/zalo/{}", zalo::OA);
    let slow = json!({ "api_rate_per_minute": 2_000 });
    let changed = ask(&world, tenant, "api-channels", ("PUT", &path), Some(&slow)).await;
    assert_eq!(changed.0, 200, "{}", changed.1);
    let none = json!({ "api_rate_per_minute": 0 });
    let refused = ask(&world, tenant, "api-channels", ("PUT", &path), Some(&none)).await;
    assert_eq!(refused.0, 400);

    // The same account again: one row with its settings. Another account: a second row.
    connect(&world, tenant).await;
    let all = list(&world, tenant).await;
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(all[0]["api_rate_per_minute"], 2_000);
    world.providers.zalo().next_account("3400000000000000002");
    let event = agree(&world, tenant).await;
    let answer = world.invoke("api-channels", event).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(list(&world, tenant).await.as_array().unwrap().len(), 2);
    let rows = json!(world.dump("Directory").await).to_string();
    assert!(
        rows.contains("ZALO-OA#")
            && !rows.contains("zalo-access")
            && !rows.contains("zalo-refresh")
    );
    // Another workspace does not see them.
    let other = world.workspace().await;
    assert_eq!(list(&world, other).await, json!([]));
    let shown = ask(&world, other, "api-channels", ("GET", &path), None).await;
    assert_eq!(shown.0, 404);

    let (status, _) = ask(&world, tenant, "api-channels", ("DELETE", &path), None).await;
    assert_eq!(status, 204);
    assert_eq!(list(&world, tenant).await.as_array().unwrap().len(), 1);
    let rows = json!(world.dump("Directory").await).to_string();
    assert!(!rows.contains("ZALO-TEMPLATE#"));
}

#[tokio::test]
async fn templates_are_read_in_pages_within_the_rate() {
    let world = World::new();
    let tenant = world.workspace().await;
    world.providers.zalo().set_templates(120);
    connect(&world, tenant).await;
    let mut left = usize::MAX;
    for _ in 0..20 {
        let (status, read) = ask(&world, tenant, "api-channels", ("POST", SYNC), None).await;
        if status == 200 {
            assert_eq!(read["templates"], 121);
            left = read["without_details"].as_u64().unwrap() as usize;
            if left == 0 {
                break;
            }
        } else {
            assert_eq!(status, 429, "{read}");
        }
        world.advance(Duration::from_secs(20));
    }
    assert_eq!(left, 0);
    let path = ("GET", "/v1/channels/zalo/3400000000000000001/templates");
    let (_, all) = ask(&world, tenant, "api-channels", path, None).await;
    let all = all["data"].as_array().unwrap();
    assert_eq!(all.len(), 121);
    assert!(
        all.iter()
            .all(|one| one["is_usable"] == true && one["price"] == 300)
    );
    let path = (
        "GET",
        "/v1/channels/zalo/3400000000000000001/templates/207320",
    );
    let (_, one) = ask(&world, tenant, "api-channels", path, None).await;
    assert_eq!(one["params"][0]["name"], "customer_name", "{one}");
    assert_eq!(one["tag"], "customer_care");
    // Templates that Zalo does not list any more are gone.
    world.providers.zalo().set_templates(0);
    world.advance(Duration::from_mins(2));
    let (status, read) = ask(&world, tenant, "api-channels", ("POST", SYNC), None).await;
    assert_eq!((status, &read["templates"]), (200, &json!(1)), "{read}");
    assert_eq!(read["oa"]["daily_quota"], 5_000);
    // Too many calls: the rate is halved.
    world.advance(Duration::from_mins(2));
    world.providers.zalo().fail(Fault::Busy, 1);
    let (status, _) = ask(&world, tenant, "api-channels", ("POST", SYNC), None).await;
    assert_eq!(status, 429);
    let path = ("GET", "/v1/channels/zalo/3400000000000000001");
    let (_, oa) = ask(&world, tenant, "api-channels", path, None).await;
    assert_eq!(oa["api_rate_per_minute"], 50, "{oa}");
}

#[tokio::test]
async fn tokens_are_renewed_by_one_worker() {
    let mut places = 0;
    for at in 0.. {
        let world = World::new();
        let tenant = world.workspace().await;
        connect(&world, tenant).await;
        world.advance(LATE);
        world.forget();
        let run = || ask(&world, tenant, "api-channels", ("POST", SYNC), None);
        let (first, second, calls) = world.interleave(at, run(), run()).await;
        assert_eq!(
            (first.0, second.0),
            (200, 200),
            "{at}: {} {}",
            first.1,
            second.1
        );
        let zalo = world.providers.zalo();
        let renewals = zalo.calls();
        let renewals = renewals.iter().filter(|call| call.contains("access_token"));
        // One for the consent, one for the renewal.
        assert_eq!((renewals.count(), zalo.reused()), (2, 0), "{at}");
        if calls.is_none() {
            break;
        }
        places += 1;
    }
    assert!(places > 5, "{places}");
}

/// A worker that is killed between Zalo's answer and our write loses the pair. The old access token works for hours, and the account
/// shows that a person must connect it again.
#[tokio::test]
async fn a_kill_at_any_call_of_a_renewal_stops_no_call() {
    let mut lost = 0;
    for n in 0.. {
        let mut was_killed = false;
        for kill in [Kill::Before(n), Kill::After(n)] {
            let world = World::new();
            let tenant = world.workspace().await;
            connect(&world, tenant).await;
            world.advance(LATE);
            world.forget();
            let grant = crate::support::grant_of(tenant.workspace(), "admin");
            let event = crate::support::http_event("POST", SYNC, None, Some(&grant));
            was_killed |= world
                .invoke_and_kill("api-channels", event, kill)
                .await
                .is_none();
            world.advance(Duration::from_mins(3));
            let (status, read) = ask(&world, tenant, "api-channels", ("POST", SYNC), None).await;
            assert_eq!(status, 200, "{kill:?}: {read}");
            if read["oa"]["problem"] == "refresh_refused" || world.providers.zalo().reused() > 0 {
                lost += 1;
                world.advance(Duration::from_hours(6));
                let (status, _) = ask(&world, tenant, "api-channels", ("POST", SYNC), None).await;
                assert_eq!(status, 409, "{kill:?}");
                assert_eq!(list(&world, tenant).await[0]["status"], "expired");
                connect(&world, tenant).await;
                assert_eq!(list(&world, tenant).await[0]["status"], "active");
            }
        }
        if !was_killed {
            break;
        }
    }
    // Only one write stands between the answer of Zalo and the stored pair.
    assert_eq!(lost, 1);
}
