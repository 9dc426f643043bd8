//! The numbers of contacts of tags and lists: counted when somebody reads, and after every kill.

use std::time::Duration;

use serde_json::{Value, json};

use super::shop::{Shop, email, person};
use crate::support::Kill;

async fn read(shop: &Shop, path: &str) -> Vec<(String, Value)> {
    let (status, page) = shop.api("GET", path, None).await;
    assert_eq!(status, 200, "{page}");
    let rows = page["data"].as_array().unwrap().iter();
    let row = |row: &Value| {
        let is_counted = row["counted_at"].is_string();
        assert_eq!(is_counted, row["contacts_count"].is_u64(), "{row}");
        (
            row["name"].as_str().unwrap().to_owned(),
            row["contacts_count"].clone(),
        )
    };
    rows.map(row).collect()
}

fn counted(rows: &[(&str, u64)]) -> Vec<(String, Value)> {
    let rows = rows.iter();
    rows.map(|(name, count)| ((*name).to_owned(), json!(count)))
        .collect()
}

/// Three contacts: two are VIP, one of these is archived; one is on the list; a tag that nobody has.
async fn made() -> Shop {
    let shop = Shop::new().await;
    let (_, list) = shop
        .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
        .await;
    let list = list["id"].as_str().unwrap();
    for n in 0..3 {
        let mut one = person("Khách", &[email(&format!("k{n}@n.example.vn"))]);
        if n < 2 {
            one.tags.push("VIP".into());
        }
        if n == 2 {
            one.tags.push("sỉ".into());
            one.lists.push(list.parse().unwrap());
        }
        let id = shop.upsert(one).await.contact;
        if n == 0 {
            shop.contacts().archive(shop.tenant, id).await.unwrap();
        }
    }
    let body = json!({ "name": "trống" });
    shop.api("POST", "/v1/tags", Some(&body)).await;
    shop
}

const TAGS: [(&str, u64); 3] = [("sỉ", 1), ("trống", 0), ("VIP", 1)];

#[tokio::test]
async fn a_reading_has_old_numbers_counted_again() {
    let shop = made().await;
    let first = read(&shop, "/v1/tags").await;
    assert!(first.iter().all(|(_, count)| count.is_null()), "{first:?}");
    shop.world.settle_twice().await;
    assert_eq!(read(&shop, "/v1/tags").await, counted(&TAGS));
    assert_eq!(read(&shop, "/v1/lists").await, counted(&[("Tết", 1)]));
    let mut one = person("Mới", &[email("moi@n.example.vn")]);
    one.tags.push("vip".into());
    shop.upsert(one).await;
    read(&shop, "/v1/tags").await;
    shop.world.settle().await;
    assert_eq!(
        read(&shop, "/v1/tags").await,
        counted(&TAGS),
        "within the hour"
    );
    shop.world.advance(Duration::from_secs(3_700));
    read(&shop, "/v1/lists").await;
    shop.world.settle().await;
    assert_eq!(read(&shop, "/v1/tags").await[2].1, 2);
    // A tag that was counted is the same tag.
    let body = json!({ "name": "Khách VIP" });
    let (status, _) = shop.api("POST", "/v1/tags/VIP/rename", Some(&body)).await;
    assert_eq!(status, 202);
}

#[tokio::test]
async fn a_count_may_be_killed_at_any_call_of_any_step() {
    for step in 0..3 {
        for call in 0.. {
            let mut finished = true;
            for kill in [Kill::Before(call), Kill::After(call)] {
                let shop = made().await;
                shop.world.settle().await;
                read(&shop, "/v1/tags").await;
                for _ in 0..step {
                    let delivered = shop.world.deliver("contact-bulk", false).await;
                    delivered.unwrap().unwrap();
                }
                let batch = shop.world.take("contact-bulk").unwrap();
                let event = batch.event.clone();
                let killed = shop.world.invoke_and_kill("contact-bulk", event, kill);
                finished &= killed.await.is_some();
                shop.world.release(&batch);
                shop.world.settle_twice().await;
                shop.world.run_for(400).await;
                assert!(shop.world.dead_letters().is_empty());
                assert_eq!(
                    read(&shop, "/v1/tags").await,
                    counted(&TAGS),
                    "{step} {kill:?}"
                );
                assert_eq!(read(&shop, "/v1/lists").await, counted(&[("Tết", 1)]));
            }
            if finished {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_pass_whose_message_was_lost_goes_on() {
    let shop = made().await;
    read(&shop, "/v1/tags").await;
    let batch = shop.world.take("contact-bulk").unwrap();
    let answer = Ok(json!({ "batchItemFailures": [] }));
    shop.world.acknowledge(&batch, &answer);
    shop.world.advance(Duration::from_mins(16));
    read(&shop, "/v1/tags").await;
    shop.world.settle().await;
    assert_eq!(read(&shop, "/v1/tags").await, counted(&TAGS));
}

/// Half a read unit a contact, some more for the pages of sixteen shards; a write for each row and each of three steps.
#[tokio::test]
async fn a_count_costs_half_a_read_unit_a_contact() {
    let shop = Shop::new().await;
    for n in 0..200 {
        let mut one = person("Khách", &[email(&format!("k{n}@n.example.vn"))]);
        one.tags.push(format!("t{}", n % 5));
        shop.upsert(one).await;
    }
    shop.world.settle().await;
    read(&shop, "/v1/tags").await;
    let before = shop.world.aws.meter().snapshot();
    shop.world.settle().await;
    let writes = shop.world.writes_since(&before, "Contacts");
    // Five rows of tags, and the pass three times.
    assert!(writes <= 10.0, "{writes}");
    assert_eq!(read(&shop, "/v1/tags").await[4].1, 40);
}
