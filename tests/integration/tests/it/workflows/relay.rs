//! The relay between the outbox of a row and the queues.

use serde_json::{Value, json};

use super::shop::Shop;
use crate::support::fixture;

#[tokio::test]
async fn the_relay_parks_what_it_cannot_send_and_goes_on() {
    let shop = Shop::new().await;
    let mut event = fixture("change-relay/mixed.json");
    let records = event["Records"].as_array_mut().unwrap();
    records.rotate_right(1);
    let nowhere = records[0]["dynamodb"]["NewImage"].clone();
    for _ in 0..2 {
        let answer = shop
            .world
            .invoke("change-relay", event.clone())
            .await
            .unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }
    let parked: Vec<Value> = shop
        .world
        .dead_letters()
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    assert_eq!(parked, [nowhere.clone(), nowhere]);
    let steps = shop
        .world
        .aws
        .sqs()
        .receive(&shop.world.queue_of("workflow-step"), 10, None);
    assert_eq!(steps.len(), 2, "a standard queue has it twice");
    let chats = shop
        .world
        .aws
        .sqs()
        .receive(&shop.world.queue_of("chat-outbound"), 10, None);
    let order: Vec<bool> = chats
        .iter()
        .map(|m| m.body.contains("msg_00f2n4kw9e1"))
        .collect();
    assert_eq!(order, [true, false], "a FIFO queue has each once, in order");
}
