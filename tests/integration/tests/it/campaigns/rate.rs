//! An account with a low send rate: every send has a slot, every campaign makes progress, and waiting is cheap.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use campaigns::CHUNK;
use channels::Class;
use cloud::Key;
use kernel::ContactId;
use serde_json::json;
use tanigo_local::aws::{Fault, Kind};

use super::messages::enqueue;
use super::shop::{Shop, number};
use crate::support::{Kill, World};

/// Send rate of a new SES account, per second.
const RATE: u32 = 14;

/// When each mail of this scope was sent, in milliseconds.
fn times(world: &World, scope: &str) -> Vec<i64> {
    let tag = ("scope".to_owned(), scope.to_owned());
    let mails = world.aws.outbox().all(Kind::Mail).into_iter();
    mails
        .filter(|mail| mail.tags.contains(&tag))
        .map(|mail| mail.at)
        .collect()
}

#[tokio::test]
async fn campaigns_leave_room_for_single_mails() {
    let world = World::with_rate(RATE);
    let shop = Shop::open(&world, 120).await;
    let mut campaigns = Vec::new();
    for _ in 0..5 {
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        campaigns.push(campaign);
    }
    world.run_for(5).await;
    let asked = world.now().as_millisecond();
    enqueue(&world, &shop, "enr_order", Class::Transactional).await;
    enqueue(&world, &shop, "enr_news", Class::Marketing).await;
    world.run_for(5).await;
    let sent = times(&world, "enr_order");
    assert_eq!(sent.len(), 1, "an order's mail waits for no campaign");
    world.run_for(110).await;

    let news = times(&world, "enr_news");
    assert_eq!(news.len(), 1);
    assert!(news[0] - asked > 5_000, "it had to wait for its slot");
    assert!(world.dead_letters().is_empty());
    let mut all: Vec<i64> = Vec::new();
    for campaign in &campaigns {
        let report = shop.report(&world, campaign).await;
        assert_eq!(report["status"], "sent", "{report}");
        shop.assert_identity(&report);
        all.extend(times(&world, campaign));
    }
    assert_eq!(all.len() as u64, 5 * shop.eligible() - 4 * shop.bouncing);
    all.sort_unstable();
    let window = Duration::from_secs(10);
    for (n, first) in all.iter().enumerate() {
        let end = first + window.as_millis() as i64;
        let inside = all[n..].iter().take_while(|at| **at < end).count();
        // A window may begin at the end of one second's batch and end at the start of another's.
        assert!(inside <= 12 * RATE as usize, "{inside} mails in {window:?}");
    }
}

#[tokio::test]
async fn a_chunk_that_waits_costs_nothing_until_its_slot() {
    let world = World::with_rate(RATE);
    let shop = Shop::open(&world, 320).await;
    let mut campaigns = Vec::new();
    for _ in 0..5 {
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        campaigns.push(campaign);
    }
    while world.relay().await > 0 {
        while world.deliver("campaign-planner", false).await.is_some() {}
    }
    let before = world.aws.meter().snapshot();
    for _ in 0..200 {
        shop.work(&world).await;
        world.advance(Duration::from_secs(1));
    }
    let used = world.aws.meter().since(&before);
    for campaign in &campaigns {
        assert_eq!(shop.report(&world, campaign).await["status"], "sent");
    }
    let mut shards = vec![0u32; contacts::SHARDS as usize];
    for contact in &shop.contacts {
        shards[contacts::shard(*contact) as usize] += 1;
    }
    let batches: u32 = shards.iter().map(|people| people.div_ceil(RATE)).sum();
    let batches = f64::from(batches * campaigns.len() as u32);
    let of = |part: &str| used.tables.iter().find(|(name, _)| name.contains(part));
    let (_, limits) = of("limits").unwrap();
    // One write for each reservation, and a second where the bucket was idle.
    assert!(
        limits.writes <= 1.1 * batches + 5.0,
        "{} writes for {batches} sub-batches",
        limits.writes
    );
    let mails: usize = campaigns.iter().map(|id| times(&world, id).len()).sum();
    let units = used.write_units() / mails as f64;
    // Chunks hold 20 people here, two sub-batches; a full one has 36 for 500.
    assert!(units <= 2.5, "{units} write units a recipient");
    let (_, queue) = used
        .queues
        .iter()
        .find(|(name, _)| name.contains("campaign-email") && !name.contains("dlq"))
        .unwrap();
    // Send, receive and delete for the wait of each sub-batch; the rest are polls of an empty queue.
    let looks = 2.0 * 200.0 + 50.0;
    assert!(
        queue.requests as f64 <= 5.0 * batches + looks,
        "{} requests for {batches} sub-batches",
        queue.requests
    );
}

#[tokio::test]
async fn a_full_lane_is_waited_for_and_costs_no_receives() {
    let world = World::with_rate(RATE);
    let shop = Shop::open(&world, 3).await;
    // Twenty minutes of transactional mail are already reserved. The limiter gives no slot that far ahead.
    let (lane, share) = ("ses#transactional", 0.25 * f64::from(RATE));
    let limiter = cloud::Limiter::over(&world.resources());
    let booked = 20.0 * 60.0 * share;
    limiter.reserve(lane, booked as u32, share).await.unwrap();
    let free = world.now() + jiff::SignedDuration::from_mins(20);
    enqueue(&world, &shop, "enr_order", Class::Transactional).await;
    for _ in 0..240 {
        world.settle().await;
        world.advance(Duration::from_secs(10));
    }
    let sent = times(&world, "enr_order");
    assert_eq!(sent.len(), 1);
    // The sender sleeps until a slot that is near; the clock of this test does not move.
    assert!(
        sent[0] >= free.as_millisecond() - 2_000,
        "sent before its slot"
    );
    assert!(world.dead_letters().is_empty());
}

/// A list of contacts who have since unsubscribed, all in one shard: sends cost nothing, chunks are full.
async fn crowd(world: &World, shop: &Shop, people: usize) {
    // A millisecond holds too few ids.
    let drawn = (0..).map(|n| {
        let at = world.now() + jiff::SignedDuration::from_millis(n);
        ContactId::new(&kernel::Clock::from_fn(move || at), &world.entropy)
    });
    let mut members = BTreeSet::new();
    for contact in drawn.filter(|contact| contacts::shard(*contact) == 0) {
        members.insert(contact);
        if members.len() == people {
            break;
        }
    }
    let row = |contact: ContactId| {
        let key = Key::new(
            format!("{}#{contact}", shop.tenant),
            format!("LIST#{}", shop.list),
        );
        let row = json!({
            "tenant": shop.tenant.to_string(), "member_of": shop.list,
            "list_shard": 0, "contact": contact,
        });
        (key, row)
    };
    let rows: Vec<_> = members.into_iter().map(row).collect();
    world.table("Contacts").put_many(&rows).await.unwrap();
}

#[tokio::test]
async fn a_shard_s_chunks_follow_one_another_whatever_dies_between_them() {
    let people = 2 * CHUNK as usize + 50;
    // Calls at the end of a chunk: its last progress, the shard's row read and written.
    for (from_end, after) in [
        (0, false),
        (0, true),
        (1, false),
        (1, true),
        (2, false),
        (2, true),
        (3, true),
    ] {
        let world = World::new();
        let shop = Shop::open(&world, 0).await;
        crowd(&world, &shop, people).await;
        let campaign = shop.campaign(&world).await;
        shop.send(&world, &campaign).await;
        while world.relay().await > 0 {
            while world.deliver("campaign-planner", false).await.is_some() {}
        }
        let calls = {
            // A chunk makes the same calls each time; a run without a kill counts them.
            let world = World::new();
            let shop = Shop::open(&world, 0).await;
            crowd(&world, &shop, people).await;
            let campaign = shop.campaign(&world).await;
            shop.send(&world, &campaign).await;
            while world.relay().await > 0 {
                while world.deliver("campaign-planner", false).await.is_some() {}
            }
            let batch = world
                .take("campaign-sender-email")
                .expect("the first chunk");
            assert!(
                world.take("campaign-sender-email").is_none(),
                "one at a time"
            );
            calls_of(&world, "campaign-sender-email", batch.event.clone()).await
        };
        let at = calls - 1 - from_end;
        let kill = if after {
            Kill::After(at)
        } else {
            Kill::Before(at)
        };
        let batch = world
            .take("campaign-sender-email")
            .expect("the first chunk");
        let result = world.invoke_and_kill("campaign-sender-email", batch.event.clone(), kill);
        assert!(result.await.is_none(), "{kill:?} of {calls}");
        world.relay().await;
        world.release(&batch);
        world.settle_twice().await;
        let report = shop.report(&world, &campaign).await;
        assert_eq!(report["status"], "sent", "{kill:?}: {report}");
        assert_eq!(number(&report, "audience"), people as u64);
        assert_eq!(report["skipped"], json!({ "gone": people }), "{kill:?}");
        assert!(world.dead_letters().is_empty());
    }
}

/// How many AWS calls an invocation makes.
async fn calls_of(world: &World, handler: &str, event: serde_json::Value) -> u64 {
    let calls = Arc::new(AtomicU64::new(0));
    let counter = calls.clone();
    world.aws.set_fault_hook(Some(Arc::new(move |_: &_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Fault::None
    })));
    world.invoke(handler, event).await.unwrap();
    world.aws.set_fault_hook(None);
    calls.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_pause_in_the_middle_of_a_shard_resumes_where_it_stood() {
    let world = World::new();
    let shop = Shop::open(&world, 0).await;
    crowd(&world, &shop, 2 * CHUNK as usize + 50).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    while world.relay().await > 0 {
        while world.deliver("campaign-planner", false).await.is_some() {}
    }
    world.deliver("campaign-sender-email", false).await;
    let (status, _) = shop.command(&world, &campaign, "pause").await;
    assert_eq!(status, 200);
    world.settle().await;
    assert_eq!(
        shop.report(&world, &campaign).await["skipped"]["gone"],
        CHUNK
    );
    let (status, _) = shop.command(&world, &campaign, "resume").await;
    assert_eq!(status, 200);
    world.settle_twice().await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(report["skipped"]["gone"], 2 * CHUNK + 50);
}

#[tokio::test]
async fn a_slot_from_before_a_stall_is_reserved_anew() {
    let world = World::with_rate(RATE);
    let rate =
        channels::rate::SendRate::of::<channels::EmailChannel>(&world.resources(), f64::from(RATE));
    let tenant = world.workspace().await;
    // The lane is reserved for the next minutes.
    let share = 0.7 * f64::from(RATE);
    let limiter = cloud::Limiter::over(&world.resources());
    limiter
        .reserve("ses#marketing", (120.0 * share) as u32, share)
        .await
        .unwrap();
    let ago = |seconds| Some(world.now() - jiff::SignedDuration::from_secs(seconds));
    for (seconds, goes) in [(2, true), (9, true), (11, false), (280, false)] {
        let turn = rate
            .turn(tenant, Class::Marketing, 1, ago(seconds))
            .await
            .unwrap();
        assert_eq!(turn == channels::rate::Turn::Now, goes, "{seconds} s");
    }
}
