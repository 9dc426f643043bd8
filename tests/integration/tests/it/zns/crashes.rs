//! Campaigns whose sender is killed at any call, with text messages in place of refused ones.

use std::time::Duration;

use super::shop::{Shop, number, settled};
use crate::support::Kill;

#[tokio::test]
async fn a_kill_at_any_call_sends_nobody_a_second_message_of_any_kind() {
    let shop = Shop::open(5).await;
    for n in [1, 3] {
        shop.world.providers.zalo().refuse(&number(n), -118);
    }
    let mut kills = 0;
    for after in [false, true] {
        for call in 0.. {
            let from = (
                shop.world.providers.zalo().sent().len(),
                shop.world.providers.esms().sent().len(),
            );
            let campaign = shop.begin(true).await;
            while shop.world.relay().await > 0 {
                while shop
                    .world
                    .deliver("campaign-planner", false)
                    .await
                    .is_some()
                {}
            }
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let batch = shop.world.take("campaign-sender-zns").expect("a chunk");
            let survived =
                shop.world
                    .invoke_and_kill("campaign-sender-zns", batch.event.clone(), kill);
            let survived = survived.await;
            if let Some(answer) = &survived {
                shop.world.acknowledge(&batch, answer);
            }
            shop.world.advance(Duration::from_secs(400));
            shop.world.settle().await;
            shop.world.advance(Duration::from_secs(100));
            shop.world.settle().await;

            let (zns, sms) = shop.got(from);
            assert!(
                zns.values().chain(sms.values()).all(|n| *n == 1),
                "{kill:?}"
            );
            let report = shop.report(&campaign).await;
            assert_eq!(report["status"], "sent", "{kill:?}: {report}");
            assert_eq!(settled(&report), shop.people, "{kill:?}: {report}");
            let unknown = report["unknown"].as_u64().unwrap();
            let refused = report["failed"]["-118"].as_u64().unwrap_or(0);
            let sent = report["sent"].as_u64().unwrap();
            assert!(
                sent <= zns.len() as u64 && zns.len() as u64 <= sent + unknown,
                "{kill:?}: {report}"
            );
            // Each refused person has an outcome of the text message.
            let fallback = report["fallback_sms"].as_object().unwrap();
            let texts: u64 = fallback.values().map(|n| n.as_u64().unwrap()).sum();
            assert_eq!(texts, refused, "{kill:?}: {report}");
            let lost = fallback.get("unknown").map_or(0, |n| n.as_u64().unwrap());
            assert!(
                sms.len() as u64 <= refused && refused <= sms.len() as u64 + lost,
                "{kill:?}: {report}"
            );
            if survived.is_some() {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills >= 20, "only {kills} kill points");
}
