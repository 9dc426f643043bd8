//! The units of keeping a segment current. They do not depend on the number of contacts (scale.rs checks partitions).

use std::time::Duration;

use kernel::ContactId;
use tanigo_local::aws::MeterSnapshot;

use super::shop::{Shop, set, tagged, visited};

/// Write and read units of all tables since the snapshot; Directory is read every ten seconds only.
fn units(shop: &Shop, before: &MeterSnapshot) -> (f64, f64) {
    let names = ["Contacts", "Segments", "Timeline", "Timers"];
    let reads = names.iter().map(|name| shop.world.units(name, before).1);
    let writes = names
        .iter()
        .map(|name| shop.world.writes_since(before, name));
    (writes.sum(), reads.sum())
}

/// The units of `segment-updater` for the messages that wait.
async fn updated(shop: &Shop) -> (f64, f64) {
    shop.world.relay().await;
    let before = shop.world.aws.meter().snapshot();
    let mut runs = 0;
    while let Some(answer) = shop.world.deliver("segment-updater", false).await {
        answer.unwrap();
        runs += 1;
    }
    assert!(runs > 0, "no message for the updater");
    units(shop, &before)
}

/// A shop with so many contacts besides the one that changes.
async fn crowd(others: usize) -> (Shop, ContactId) {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn", &[]).await;
    for n in 0..others {
        shop.contact(&format!("khach{n}@example.vn"), &["vip"])
            .await;
    }
    (shop, an)
}

/// Changes that cost, each with its units: no transition, the first transition, the second, an event, a flip.
async fn measured(others: usize) -> Vec<(&'static str, f64, f64)> {
    let (shop, an) = crowd(others).await;
    let vip = shop.segment("VIP", tagged("vip")).await;
    let other = shop.segment("Khác", tagged("khác")).await;
    let seen = shop.segment("Vừa gửi", visited(1, 2)).await;
    shop.built().await;
    shop.world.advance(Duration::from_mins(2));
    // Every process knows the segments.
    shop.tag(an, "khác", true).await;
    shop.world.settle().await;
    assert_eq!(shop.members(&other).await, set([an]));

    let mut all = Vec::new();
    let mut note = |name, (writes, reads)| all.push((name, writes, reads));
    shop.tag(an, "vip", true).await;
    note("first transition", updated(&shop).await);
    shop.tag(an, "vip", false).await;
    note("later transition", updated(&shop).await);
    assert!(!shop.members(&vip).await.contains(&an));
    let body = contacts::Incoming {
        identities: vec![contacts::Identity::Email("an@example.vn".parse().unwrap())],
        tags: vec!["vip".into(), "thêm".into()],
        ..contacts::Incoming::default()
    };
    shop.contacts().upsert(shop.tenant, &body).await.unwrap();
    shop.tag(an, "vip", false).await;
    note("no transition", updated(&shop).await);
    shop.submitted(an, 1).await;
    note("first event", updated(&shop).await);
    assert_eq!(shop.members(&seen).await, set([an]));
    shop.world.advance(Duration::from_mins(1));
    shop.submitted(an, 2).await;
    note("later event", updated(&shop).await);

    // The timer: its row was written with the event; its deletion is the sweep's.
    shop.world.advance(Duration::from_hours(72));
    let before = shop.world.aws.meter().snapshot();
    shop.world
        .invoke("due-timer", serde_json::json!({}))
        .await
        .unwrap();
    note(
        "flip, deletion",
        (shop.world.writes_since(&before, "Timers"), 0.0),
    );
    note("flip", updated(&shop).await);
    assert!(shop.members(&seen).await.is_empty());
    all
}

#[tokio::test]
async fn a_change_costs_the_same_among_few_contacts_and_among_many() {
    let few = measured(1).await;
    let many = measured(60).await;
    eprintln!("units: {many:?}");
    assert_eq!(few, many);
    for (name, writes, reads) in many {
        let (most_writes, most_reads) = match name {
            "no transition" => (1.0, 1.0),
            "first transition" => (2.0, 1.5),
            // The state and the member.
            "later transition" | "flip" => (2.0, 1.0),
            // The state, the member, the timer with the mark of its minute; the entries of the day.
            "first event" => (4.0, 2.5),
            "later event" => (1.0, 2.0),
            // The row, and the checkpoint of the sweep.
            "flip, deletion" => (2.0, 0.0),
            other => panic!("{other} has no budget"),
        };
        assert!(writes <= most_writes, "{name}: {writes} write units");
        assert!(reads <= most_reads, "{name}: {reads} read units");
    }
}

#[tokio::test]
async fn a_build_costs_a_write_unit_for_each_member_and_about_a_read_unit_for_each_contact() {
    let build = async |others: usize| {
        let (shop, _) = crowd(others).await;
        shop.segment("VIP", tagged("vip")).await;
        let before = shop.world.aws.meter().snapshot();
        shop.built().await;
        units(&shop, &before)
    };
    let (few, many) = (build(20).await, build(220).await);
    let (writes, reads) = ((many.0 - few.0) / 200.0, (many.1 - few.1) / 200.0);
    eprintln!("units of a build: {writes} write, {reads} read for each member");
    assert!(writes <= 1.0, "{writes}");
    assert!(reads <= 1.1, "{reads}");
}
