//! Commands in each phase of a test: pause, resume, cancel, and a person's choice.

use std::time::Duration;

use channels::Variant;
use serde_json::{Value, json};

use super::{PERSON, Trial};
use crate::campaigns::shop::{Shop, number};
use crate::support::World;

/// Half of 220 contacts are a test.
const HALF: u32 = 50;
const PEOPLE: u32 = 220;

/// The phases in which something may be commanded.
const PHASES: [&str; 4] = ["counting", "testing", "awaiting_winner", "rest"];

/// Runs the campaign into the middle of a phase.
async fn reach(trial: &Trial<'_>, phase: &str) {
    let world = trial.world;
    if phase == "counting" {
        world.relay().await;
        world.deliver("campaign-planner", false).await;
        return;
    }
    if phase == "testing" {
        plan(world).await;
        world.deliver("campaign-sender-email", false).await;
        return;
    }
    world.settle().await;
    if phase == "rest" {
        world.advance(Duration::from_hours(4));
        world.invoke("due-timer", json!({})).await.unwrap();
        world.advance(Duration::from_mins(2));
        plan(world).await;
        world.deliver("campaign-sender-email", false).await;
    }
}

/// The planner does all that it is asked for; nothing is sent.
async fn plan(world: &World) {
    loop {
        let mut moved = world.relay().await;
        while world.deliver("campaign-planner", false).await.is_some() {
            moved += 1;
        }
        if moved == 0 {
            return;
        }
    }
}

fn shown(phase: &str) -> &str {
    match phase {
        "counting" => "testing",
        "rest" => "sending",
        phase => phase,
    }
}

#[tokio::test]
async fn a_pause_holds_in_each_phase_and_resuming_finishes() {
    for phase in PHASES {
        let world = World::new();
        let shop = Shop::open(&world, PEOPLE).await;
        let trial = Trial::sent(&world, &shop, json!({ "test_percent": HALF })).await;
        reach(&trial, phase).await;
        assert_eq!(trial.status().await, shown(phase));
        let sent = trial.mails().len();
        let (status, body) = trial.command("pause").await;
        assert_eq!(
            (status, &body["status"]),
            (200, &json!("paused")),
            "{phase}"
        );
        world.settle_twice().await;
        // The wait may end during the pause.
        trial.pass(5).await;
        assert_eq!(trial.mails().len(), sent, "{phase}");
        assert_eq!(trial.status().await, "paused");
        for _ in 0..2 {
            let (status, body) = trial.command("resume").await;
            assert_eq!(status, 200, "{phase}: {body}");
        }
        world.settle_twice().await;
        trial.pass(5).await;
        let report = trial.assert_sums().await;
        assert_eq!(report["status"], "sent", "{phase}: {report}");
        assert_eq!(report["ab"]["winner"]["reason"], "tie", "{phase}");
        assert_eq!(trial.mails().len() as u64, shop.eligible());
        let rest = trial.mails();
        let mut rest = rest.iter().filter(|mail| !trial.is_test(mail.contact));
        assert!(rest.all(|mail| mail.variant == Variant::A));
        assert!(world.dead_letters().is_empty());
    }
}

#[tokio::test]
async fn a_cancelled_test_stays_so_in_each_phase() {
    for phase in PHASES {
        let world = World::new();
        let shop = Shop::open(&world, PEOPLE).await;
        let trial = Trial::sent(&world, &shop, json!({ "test_percent": HALF })).await;
        reach(&trial, phase).await;
        let sent = trial.mails().len();
        let (status, body) = trial.command("cancel").await;
        assert_eq!(
            (status, &body["status"]),
            (200, &json!("cancelled")),
            "{phase}"
        );
        world.settle_twice().await;
        trial.pass(5).await;
        assert_eq!(trial.mails().len(), sent, "{phase}");
        assert_eq!(trial.status().await, "cancelled");
        assert_eq!(trial.choose("b").await.0, 409);
    }
}

#[tokio::test]
async fn a_person_may_choose_in_each_phase_until_there_is_a_winner() {
    for phase in PHASES {
        let world = World::new();
        let shop = Shop::open(&world, PEOPLE).await;
        let trial = Trial::draft(&world, &shop, json!({ "test_percent": HALF })).await;
        assert_eq!(trial.choose("b").await.0, 409, "it is a draft");
        trial.command("send").await;
        reach(&trial, phase).await;
        let before = trial.mails();
        let (status, body) = trial.choose("b").await;
        if phase == "rest" {
            assert_eq!(status, 409, "the rule has decided: {body}");
            continue;
        }
        assert_eq!(
            (status, &body["ab"]["winner"]["variant"]),
            (200, &json!("b")),
            "{body}"
        );
        assert_eq!(trial.choose("b").await.0, 200);
        assert_eq!(trial.choose("a").await.0, 409);
        world.settle_twice().await;
        trial.pass(5).await;
        let report = trial.assert_sums().await;
        assert_eq!(report["status"], "sent", "{phase}: {report}");
        let winner = &report["ab"]["winner"];
        assert_eq!(winner["reason"], "manual");
        assert!(winner["decided_by"].is_string(), "{winner}");
        // From the choice on, everybody gets the winner, also those of the test.
        let after = trial.mails().split_off(before.len());
        assert_eq!((before.len() + after.len()) as u64, shop.eligible());
        assert!(
            after.iter().all(|mail| mail.variant == Variant::B),
            "{phase}"
        );
    }
}

#[tokio::test]
async fn the_rule_manual_waits_for_a_person() {
    let world = World::new();
    let shop = Shop::open(&world, PEOPLE).await;
    let changes = json!({ "test_percent": HALF, "winner_rule": "manual", "wait_hours": 1 });
    let trial = Trial::sent(&world, &shop, changes).await;
    world.settle().await;
    world.advance(Duration::from_mins(2));
    for mail in trial.mails() {
        trial.visit(&mail, "/c/", PERSON).await;
    }
    trial.pass(100).await;
    assert_eq!(trial.status().await, "awaiting_winner");
    let other = Shop::open(&world, 0).await;
    let path = format!("/v1/campaigns/{}/winner", trial.id);
    let choice = json!({ "variant": "a" });
    let (status, _) = other.call(&world, "POST", &path, Some(&choice)).await;
    assert_eq!(status, 404, "another tenant finds nothing");
    assert_eq!(trial.choose("c").await.0, 400);
    assert_eq!(trial.choose("a").await.0, 200);
    world.settle().await;
    let report = trial.assert_sums().await;
    assert_eq!(report["status"], "sent", "{report}");
    let scores = &report["ab"]["winner"]["scores"];
    assert!(number(&scores["a"], "clicked") > 0, "{report}");

    let plain = shop.campaign(&world).await;
    shop.send(&world, &plain).await;
    let path = format!("/v1/campaigns/{plain}/winner");
    let (status, problem) = shop.call(&world, "POST", &path, Some(&choice)).await;
    assert_eq!(status, 409, "{problem}");
    assert_eq!(shop.report(&world, &plain).await["ab"], Value::Null);
}

#[tokio::test]
async fn contacts_that_leave_during_the_wait_are_skipped() {
    let world = World::new();
    let shop = Shop::open(&world, PEOPLE).await;
    let trial = Trial::sent(&world, &shop, json!({ "test_percent": HALF })).await;
    world.settle().await;
    let mut rest = shop.contacts.iter().enumerate().filter(|(n, contact)| {
        let is_first = n % 40 != 1;
        is_first && !trial.is_test(**contact)
    });
    let (_, gone) = rest.next().unwrap();
    let contacts = crate::campaigns::shop::contacts(&world);
    let way = contacts::consent::Method::MailLink;
    let decision = contacts::consent::Decision::Withdrawn;
    let leaves = contacts::Statement::new(way, decision, [contacts::Channel::Email]);
    let declared = contacts.declare(shop.tenant, *gone, &leaves, "test", None);
    declared.await.unwrap();
    trial.pass(5).await;
    let report = trial.assert_sums().await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(report["skipped"]["unsubscribed"], shop.unsubscribed + 1);
    assert!(trial.mails().iter().all(|mail| mail.contact != *gone));
}
