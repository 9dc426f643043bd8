//! Sizes of items and write units, with usual content: a write is paid by the kilobyte.

use super::shop::{DAY, Shop, greeting};

#[tokio::test]
async fn an_event_that_a_workflow_hears_costs_two_write_units() {
    let shop = Shop::new().await;
    shop.active(greeting()).await;
    let contact = shop.contact("an@example.vn").await;
    let world = &shop.world;
    let before = world.aws.meter().snapshot();
    shop.form(contact, "f1").await;
    let event = world.writes_since(&before, "Timeline");
    let before = world.aws.meter().snapshot();
    world.relay().await;
    world.deliver("workflow-trigger", false).await;
    let enrolled = world.writes_since(&before, "Flow");
    let sizes = world.sizes("Flow").await;
    shop.run(1).await;
    world.advance(DAY);
    shop.tick().await;
    let before = world.aws.meter().snapshot();
    shop.run(1).await;
    let sent = world.writes_since(&before, "Flow");

    let (timeline, flow) = (world.sizes("Timeline").await, world.sizes("Flow").await);
    eprintln!("units: event {event}, enrolled {enrolled}, mail {sent}");
    eprintln!("sizes: {timeline:?}, {sizes:?}, {flow:?}");
    // The event and its entry in the index of unsent effects.
    assert!(event <= 2.0, "{event}");
    // The state and its entries in three indexes.
    assert!(enrolled <= 4.0, "{enrolled}");
    assert_eq!(shop.messages().len(), 1, "the mail is sent");
    for rows in [timeline, sizes, flow] {
        let large: Vec<_> = rows.iter().filter(|row| row.1 > 1_024).collect();
        assert!(!rows.is_empty() && large.is_empty(), "{large:?}");
    }
}
