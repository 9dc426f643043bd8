//! Approvals of campaigns: who may ask, who decides, and what an approval is worth.

use std::time::Duration;

use accounts::workspaces::CampaignApprovalRule;
use accounts::{NewUser, Users, WorkspaceStatus};
use jiff::SignedDuration;
use kernel::{Grant, Role};
use serde_json::{Value, json};

use super::life::pass;
use super::shop::Shop;
use crate::support::{ACCOUNT, Kill, World, grant_of, http_event};

/// A person of the shop.
async fn person(world: &World, shop: &Shop, name: &str, role: Role) -> Grant {
    let new = NewUser {
        email: format!("{name}@example.vn").parse().unwrap(),
        name: name.into(),
        role,
        chat_role: None,
        workspaces: vec![shop.tenant.workspace()],
        password: "bốn từ chẳng liên quan".into(),
    };
    let account = ACCOUNT.parse().unwrap();
    let users = Users::over(&world.resources());
    // Ids of one millisecond may be equal.
    world.advance(Duration::from_millis(1));
    let user = users.create(account, new).await.unwrap().unwrap();
    Grant {
        actor: user.to_string(),
        role: Some(role),
        ..grant_of(shop.tenant.workspace(), "")
    }
}

async fn ask(
    world: &World,
    who: &Grant,
    (method, path): (&str, &str),
    body: Value,
) -> (u64, Value) {
    let path = format!("/v1/campaigns/{path}");
    let body = Some(&body).filter(|body| !body.is_null());
    let event = http_event(method, &path, body, Some(who));
    world.ask("api-campaigns", event).await
}

/// A shop with an author and two managers, and a draft.
struct Office {
    world: World,
    shop: Shop,
    author: Grant,
    first: Grant,
    second: Grant,
    campaign: String,
}

impl Office {
    async fn open() -> Self {
        let world = World::new();
        let shop = Shop::open(&world, 4).await;
        let author = person(&world, &shop, "tacgia", Role::Contributor).await;
        let first = person(&world, &shop, "mot", Role::AccountManager).await;
        let second = person(&world, &shop, "hai", Role::AccountManager).await;
        let campaign = shop.campaign(&world).await;
        Self {
            world,
            shop,
            author,
            first,
            second,
            campaign,
        }
    }

    async fn post(&self, who: &Grant, command: &str, body: Value) -> (u64, Value) {
        let path = format!("{}/{command}", self.campaign);
        ask(&self.world, who, ("POST", &path), body).await
    }

    async fn shown(&self) -> Value {
        ask(
            &self.world,
            &self.first,
            ("GET", &self.campaign),
            Value::Null,
        )
        .await
        .1
    }

    /// The author asks; gives the snapshot.
    async fn request(&self, body: Value) -> Value {
        let (status, asked) = self.post(&self.author, "approval", body).await;
        assert_eq!(
            (status, &asked["status"]),
            (200, &json!("pending_approval")),
            "{asked}"
        );
        json!({ "snapshot": asked["approval"]["snapshot"] })
    }
}

#[tokio::test]
async fn an_author_asks_and_a_manager_sends() {
    let office = Office::open().await;
    let (status, _) = office.post(&office.author, "send", Value::Null).await;
    assert_eq!(status, 403, "a contributor sends nothing");
    let snapshot = office.request(json!({ "note": "Xem giúp em" })).await;
    // Locked.
    let edit = ("PATCH", office.campaign.as_str());
    let (status, _) = ask(&office.world, &office.author, edit, json!({ "name": "x" })).await;
    assert_eq!(status, 409);
    let (status, _) = office.post(&office.first, "send", Value::Null).await;
    assert_eq!(status, 409);
    let (status, _) = office
        .post(&office.author, "approve", snapshot.clone())
        .await;
    assert_eq!(status, 403);
    let other = json!({ "snapshot": "another" });
    let (status, _) = office.post(&office.first, "approve", other).await;
    assert_eq!(status, 409, "not what was read");
    for _ in 0..2 {
        let (status, sent) = office
            .post(&office.first, "approve", snapshot.clone())
            .await;
        assert_eq!(status, 200, "{sent}");
        assert_eq!(sent["approval"]["decision"], "approved");
        assert_eq!(sent["approval"]["decided_by"], json!(office.first.actor));
    }
    office.world.settle_twice().await;
    let report = office.shop.report(&office.world, &office.campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    let mails = office.shop.mails(&office.world, &office.campaign);
    assert_eq!(mails.len() as u64, office.shop.eligible());
    // The log has each step.
    let log = office.world.dump("Directory").await;
    let actions: Vec<_> = log
        .iter()
        .filter_map(|row| row["action"].as_str())
        .collect();
    for action in ["requestCampaignApproval", "approveCampaign"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
}

#[tokio::test]
async fn a_rejected_campaign_goes_back_with_its_reason() {
    let office = Office::open().await;
    let snapshot = office.request(json!({})).await;
    let (status, _) = office
        .post(&office.first, "reject", json!({ "reason": " " }))
        .await;
    assert_eq!(status, 400);
    let reason = json!({ "reason": "Sai giá" });
    let (status, rejected) = office.post(&office.first, "reject", reason).await;
    assert_eq!(
        (status, &rejected["status"]),
        (200, &json!("rejected")),
        "{rejected}"
    );
    assert_eq!(rejected["approval"]["reason"], "Sai giá");
    let (status, _) = office
        .post(&office.second, "approve", snapshot.clone())
        .await;
    assert_eq!(status, 409);
    let edit = ("PATCH", office.campaign.as_str());
    let name = json!({ "name": "Giá đúng" });
    let (status, edited) = ask(&office.world, &office.author, edit, name).await;
    assert_eq!(
        (status, &edited["status"]),
        (200, &json!("draft")),
        "{edited}"
    );
    assert_eq!(edited["approval"], Value::Null, "an edit voids it");
    let again = office.request(json!({})).await;
    assert_ne!(again, snapshot);
    let (status, _) = office.post(&office.second, "approve", snapshot).await;
    assert_eq!(status, 409, "the approval of the first content");
    let path = format!("{}/approval", office.campaign);
    let withdraw = ("DELETE", path.as_str());
    for _ in 0..2 {
        let (status, back) = ask(&office.world, &office.author, withdraw, Value::Null).await;
        assert_eq!((status, &back["status"]), (200, &json!("draft")), "{back}");
    }
    let (status, _) = office.post(&office.second, "approve", again).await;
    assert_eq!(status, 409, "withdrawn");
}

#[tokio::test]
async fn only_the_named_decide_and_nobody_about_an_own_request_unless_alone() {
    let office = Office::open().await;
    let wrong = json!({ "approver_ids": [office.author.actor] });
    let (status, problem) = office.post(&office.author, "approval", wrong).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/approver_ids/0"))
    );
    let named = json!({ "approver_ids": [office.second.actor] });
    let snapshot = office.request(named).await;
    let (status, _) = office
        .post(&office.first, "approve", snapshot.clone())
        .await;
    assert_eq!(status, 403);
    let (status, _) = office.post(&office.second, "approve", snapshot).await;
    assert_eq!(status, 200);

    let office = Office::open().await;
    let (status, asked) = office.post(&office.first, "approval", json!({})).await;
    assert_eq!(status, 200);
    let snapshot = json!({ "snapshot": asked["approval"]["snapshot"] });
    let (status, _) = office
        .post(&office.first, "approve", snapshot.clone())
        .await;
    assert_eq!(status, 403, "another manager is there");
    let (status, _) = office.post(&office.second, "approve", snapshot).await;
    assert_eq!(status, 200);

    let world = World::new();
    let shop = Shop::open(&world, 2).await;
    let alone = person(&world, &shop, "minh", Role::AccountManager).await;
    let campaign = shop.campaign(&world).await;
    let path = format!("{campaign}/approval");
    let (status, asked) = ask(&world, &alone, ("POST", &path), json!({})).await;
    assert_eq!(status, 200, "{asked}");
    let snapshot = json!({ "snapshot": asked["approval"]["snapshot"] });
    let path = format!("{campaign}/approve");
    let (status, sent) = ask(&world, &alone, ("POST", &path), snapshot).await;
    assert_eq!(
        (status, &sent["status"]),
        (200, &json!("sending")),
        "{sent}"
    );
}

#[tokio::test]
async fn an_approved_time_is_kept_and_a_time_that_passed_asks_anew() {
    let office = Office::open().await;
    let at = office.world.now() + SignedDuration::from_mins(10);
    let snapshot = office.request(json!({ "at": at })).await;
    let (status, set) = office.post(&office.first, "approve", snapshot).await;
    assert_eq!(
        (status, &set["status"]),
        (200, &json!("scheduled")),
        "{set}"
    );
    pass(&office.world, 13).await;
    assert_eq!(office.shown().await["status"], "sent");

    let office = Office::open().await;
    let at = office.world.now() + SignedDuration::from_mins(10);
    let snapshot = office.request(json!({ "at": at })).await;
    pass(&office.world, 12).await;
    assert_eq!(
        office.shown().await["status"],
        "pending_approval",
        "it does not send"
    );
    let (status, late) = office.post(&office.first, "approve", snapshot).await;
    assert_eq!(status, 409, "{late}");
    let now = office.shown().await;
    assert_eq!(
        (&now["status"], &now["approval"]["decision"]),
        (&json!("draft"), &json!("expired"))
    );
    pass(&office.world, 5).await;
    assert!(
        office
            .shop
            .mails(&office.world, &office.campaign)
            .is_empty()
    );
}

#[tokio::test]
async fn a_workspace_asks_for_an_approval_of_every_campaign_or_of_large_ones() {
    for (above, expected) in [(None, 409), (Some(3), 409), (Some(4), 202)] {
        let office = Office::open().await;
        let rule = CampaignApprovalRule { above };
        let set = |settings: &mut accounts::WorkspaceSettings| {
            settings.campaign_approval = Some(rule);
        };
        let tenant = office.shop.tenant;
        office
            .world
            .change_workspace(tenant, WorkspaceStatus::Active, set)
            .await;
        let (status, answer) = office.post(&office.first, "send", Value::Null).await;
        assert_eq!(status, expected, "{above:?}: {answer}");
        if expected == 409 {
            let snapshot = office.request(json!({})).await;
            let (status, _) = office.post(&office.first, "approve", snapshot).await;
            assert_eq!(status, 200);
        }
    }
}

#[tokio::test]
async fn an_approval_that_is_killed_at_any_call_sends_once_when_it_is_repeated() {
    for after in [false, true] {
        for call in 0.. {
            let office = Office::open().await;
            let at = office.world.now() + SignedDuration::from_mins(5);
            let asked = if call % 2 == 0 {
                json!({ "at": at })
            } else {
                json!({})
            };
            let snapshot = office.request(asked).await;
            let path = format!("/v1/campaigns/{}/approve", office.campaign);
            let event = http_event("POST", &path, Some(&snapshot), Some(&office.first));
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let ended = office
                .world
                .invoke_and_kill("api-campaigns", event, kill)
                .await;
            let (status, answer) = office.post(&office.first, "approve", snapshot).await;
            assert_eq!(status, 200, "{kill:?}: {answer}");
            pass(&office.world, 9).await;
            let report = office.shop.report(&office.world, &office.campaign).await;
            assert_eq!(report["status"], "sent", "{kill:?}: {report}");
            let mails = office.shop.mails(&office.world, &office.campaign);
            assert_eq!(mails.len() as u64, office.shop.eligible(), "{kill:?}");
            if ended.is_some() && call % 2 == 1 {
                assert!(call >= 6, "{call} calls");
                break;
            }
        }
    }
}
