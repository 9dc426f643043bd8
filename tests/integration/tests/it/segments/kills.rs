//! The builder of segments, killed at each of its calls.

use std::time::Duration;

use serde_json::json;

use super::shop::{Shop, set, visited};
use crate::support::{Batch, Kill};

/// The messages of a build; the last is that of this shard.
fn builds(shop: &Shop, shard: u32) -> Vec<Batch> {
    let mut batches = Vec::new();
    while let Some(batch) = shop.world.take("segment-builder") {
        batches.push(batch);
    }
    let own = format!("\"shard\":{shard}}}");
    batches.sort_by_key(|batch| batch.event.to_string().replace('\\', "").contains(&own));
    batches
}

#[tokio::test]
async fn a_builder_that_is_killed_at_any_call_finds_the_same_members() {
    // After each call, which is the same as before the next one.
    for n in 0.. {
        let shop = Shop::new().await;
        let an = shop.contact("an@example.vn", &[]).await;
        shop.submitted(an, 1).await;
        // A second version, so that the last shard also clears the first one.
        let id = shop.segment("Vừa gửi", visited(2, 2)).await;
        shop.built().await;
        assert!(shop.members(&id).await.is_empty());
        let update = json!({ "conditions": visited(1, 2) });
        let path = format!("/v1/segments/{id}");
        assert_eq!(shop.ask("PATCH", &path, Some(update)).await.0, 200);
        shop.world.advance(Duration::from_secs(25));
        let mut batches = builds(&shop, contacts::shard(an));
        assert_eq!(batches.len(), 16);
        let last = batches.pop().unwrap();
        for batch in batches {
            let answer = shop.world.invoke("segment-builder", batch.event.clone());
            let answer = answer.await;
            shop.world.acknowledge(&batch, &answer);
        }
        let kill = Kill::After(n);
        let event = last.event.clone();
        let survived = shop.world.invoke_and_kill("segment-builder", event, kill);
        let survived = survived.await.is_some();
        shop.world.release(&last);
        shop.world.advance(Duration::from_mins(20));
        shop.world.settle().await;
        assert_eq!(shop.show(&id).await["status"], "ready", "{kill:?}");
        assert_eq!(shop.members(&id).await, set([an]), "{kill:?}");
        assert!(shop.world.dead_letters().is_empty(), "{kill:?}");
        // The timer was not lost: the days pass, and the contact leaves.
        shop.world.advance(Duration::from_hours(72));
        shop.tick().await;
        shop.tick().await;
        assert!(shop.members(&id).await.is_empty(), "{kill:?}");
        if survived {
            assert!(n > 10, "only {n} calls");
            break;
        }
    }
}
