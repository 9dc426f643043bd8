//! The pause for review: bad figures stop a campaign, a person confirms, and the second pause is final.

use serde_json::{Value, json};

use super::shop::{Shop, number};
use crate::support::{World, grant_of, http_event};

/// Enough for two pauses, each after 500 mails that ended.
const PEOPLE: u32 = 1_450;
/// Every tenth address bounces.
const BOUNCES: u32 = 10;

/// The answer to an account admin.
async fn confirm(world: &World, shop: &Shop, campaign: &str, role: kernel::Role) -> (u64, Value) {
    let mut grant = grant_of(shop.tenant.workspace(), "");
    grant.role = Some(role);
    let path = format!("/v1/campaigns/{campaign}/confirm");
    let event = http_event("POST", &path, None, Some(&grant));
    world.ask("api-campaigns", event).await
}

async fn problem(world: &World, shop: &Shop, campaign: &str) -> Value {
    let path = format!("/v1/campaigns/{campaign}");
    let (status, shown) = shop.call(world, "GET", &path, None).await;
    assert_eq!(status, 200, "{shown}");
    shown["problem"].clone()
}

/// Lets the campaign run until the campaign stands still.
async fn run(world: &World, shop: &Shop, campaign: &str) -> Value {
    for _ in 0..40 {
        world.run_for(5).await;
        let report = shop.report(world, campaign).await;
        if report["status"] != "sending" {
            return report;
        }
    }
    panic!("the campaign does not end");
}

#[tokio::test]
async fn bad_figures_pause_a_campaign_until_an_admin_confirms_and_then_for_good() {
    // The figures may be ten seconds old: a slow account is judged soon.
    let world = World::with_rate(14);
    let shop = Shop::with_bounces(&world, PEOPLE, BOUNCES).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;

    let report = run(&world, &shop, &campaign).await;
    let first = number(&report, "sent");
    assert_eq!(report["status"], "paused", "{report}");
    assert!((500..900).contains(&first), "{report}");
    let why = problem(&world, &shop, &campaign).await;
    assert_eq!(why, "review_bounces");

    let (status, _) = shop.command(&world, &campaign, "resume").await;
    assert_eq!(status, 409, "a manager's key does not resume");
    let refused = confirm(&world, &shop, &campaign, kernel::Role::AccountManager).await;
    assert_eq!(refused.0, 403, "{refused:?}");
    let (status, shown) = confirm(&world, &shop, &campaign, kernel::Role::AccountAdmin).await;
    assert_eq!((status, &shown["status"]), (200, &json!("sending")));

    let report = run(&world, &shop, &campaign).await;
    assert_eq!(report["status"], "paused", "{report}");
    assert!(number(&report, "sent") >= first + 400, "{report}");
    let (status, shown) = confirm(&world, &shop, &campaign, kernel::Role::AccountAdmin).await;
    assert_eq!(status, 409, "{shown}");
    assert!(world.dead_letters().is_empty());
}

#[tokio::test]
async fn usual_figures_pause_nothing() {
    let world = World::with_rate(50);
    let shop = Shop::open(&world, 700).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    let report = run(&world, &shop, &campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    shop.assert_identity(&report);
}
