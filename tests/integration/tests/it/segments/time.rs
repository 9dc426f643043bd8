//! Time alone moves a contact, at the exact second.

use std::time::Duration;

use serde_json::json;

use super::shop::{Shop, set};

const DAYS: u64 = 30;

#[tokio::test]
async fn a_condition_on_an_instant_changes_at_that_second() {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn", &[]).await;
    let conditions = json!({"all": [
        {"family": "profile", "field": "last_seen_at", "operator": "more_than_n_ago", "n": DAYS},
    ]});
    let id = shop.segment("Lâu không ghé", conditions).await;
    shop.built().await;
    shop.submitted(an, 1).await;
    shop.world.settle().await;
    let due = shop.world.now() + Duration::from_hours(24 * DAYS);
    assert!(shop.members(&id).await.is_empty());

    // A later visit moves the instant; the timer of the first one fires and finds nothing to do.
    shop.world.advance(Duration::from_hours(24));
    shop.submitted(an, 2).await;
    shop.world.settle().await;
    let later = due + Duration::from_hours(24);

    shop.world
        .advance(Duration::from_mins(24 * 60 * (DAYS - 1) - 3));
    shop.world.swept().await;
    watch(&shop, &id, due + Duration::from_secs(90)).await;
    assert!(shop.members(&id).await.is_empty());

    shop.world.advance(Duration::from_mins(24 * 60 - 3));
    shop.world.swept().await;
    watch(&shop, &id, later - Duration::from_secs(1)).await;
    assert_eq!(shop.world.now(), later, "the second itself");
    shop.world.settle().await;
    assert_eq!(shop.members(&id).await, set([an]));
    assert!(shop.world.dead_letters().is_empty());
}

/// Second by second, as long as it is not later than `until`: the contact stays outside.
async fn watch(shop: &Shop, id: &str, until: jiff::Timestamp) {
    while shop.world.now() <= until {
        if shop.world.now().as_second() % 60 == 0 {
            shop.world.invoke("due-timer", json!({})).await.unwrap();
        }
        shop.world.settle().await;
        if shop.world.now().as_second() % 10 == 9 {
            assert!(shop.members(id).await.is_empty(), "{}", shop.world.now());
        }
        shop.world.advance(Duration::from_secs(1));
    }
    assert!(shop.members(id).await.is_empty());
}
