//! The units of tracked events, as AWS would bill them.

use serde_json::{Value, json};

use super::Shop;

/// A request of a hundred events of fifteen known customers.
fn events(day: u32) -> Value {
    let calls = (0..100).map(|n| {
        json!({ "type": "track", "userId": format!("KH-{}", n % 15), "event": "Viewed Product List",
            "messageId": format!("m-{day}-{n}"), "timestamp": "2026-03-02T07:59:00Z",
            "properties": { "list_id": "ao-dai", "category": "Áo dài lụa tơ tằm" } })
    });
    calls.collect()
}

#[tokio::test]
async fn an_unheard_event_costs_one_write_unit() {
    let shop = Shop::open().await;
    shop.take(&shop.secret, events(1)).await;
    let meter = shop.world.aws.meter();
    let before = meter.snapshot();
    for day in 2..12 {
        shop.take(&shop.secret, events(day)).await;
    }
    let used = meter.since(&before);
    let (writes, reads) = (used.write_units() / 1000.0, used.read_units() / 1000.0);
    assert!(writes <= 1.03, "{writes} write units an event");
    assert!(reads <= 0.3, "{reads} read units an event");
    let (timeline, _) = shop.world.units("Timeline", &before);
    assert!((timeline - 1000.0).abs() < 0.5, "{timeline}");
    let (contacts, _) = shop.world.units("Contacts", &before);
    assert!(contacts < 0.5, "{contacts}: a known contact is not written");
}
