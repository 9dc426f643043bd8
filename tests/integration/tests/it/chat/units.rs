//! Sizes of items and write units, with usual content: a write is paid by the kilobyte.

use serde_json::json;

use super::shop::Shop;

const QUESTION: &str = "Chào shop, áo này còn size M màu xanh không ạ?";
const ANSWER: &str = "Dạ shop còn size M màu xanh, mình đặt hôm nay thì mai giao ạ.";

#[tokio::test]
async fn a_message_and_each_step_of_its_delivery_cost_four_write_units() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "3f0c5a52-2c59-4f4e-9b6e-0d5f4f3a7c11", "Shop ơi")
        .await;
    shop.run(1).await;

    let world = &shop.world;
    world.advance(super::shop::SECOND);
    let before = world.aws.meter().snapshot();
    shop.say(&browser, "3f0c5a52-2c59-4f4e-9b6e-0d5f4f3a7c12", QUESTION)
        .await;
    shop.run(1).await;
    let question = world.writes_since(&before, "Chat");

    let conversation = shop.conversation().await;
    world.advance(super::shop::SECOND);
    let before = world.aws.meter().snapshot();
    let body =
        json!({ "content": ANSWER, "client_msg_id": "3f0c5a52-2c59-4f4e-9b6e-0d5f4f3a7c13" });
    shop.reply(&conversation, body).await;
    let answer = world.writes_since(&before, "Chat");
    let written = world.sizes("Chat").await;
    let before = world.aws.meter().snapshot();
    shop.run(1).await;
    let delivery = world.writes_since(&before, "Chat");

    eprintln!("chat units: question {question}, answer {answer}, delivery {delivery}");
    eprintln!("chat sizes: {written:?}");
    // The acknowledgement of the answer (2), the note and its entry in the index (2), and its acknowledgement (2).
    assert!(delivery <= 6.0, "{delivery}");
    let messages = written.iter().filter(|row| row.0.starts_with("M#"));
    assert_eq!(messages.count(), 3);
    for rows in [written, world.sizes("Chat").await] {
        let large: Vec<_> = rows.iter().filter(|row| row.1 > 1_024).collect();
        assert!(large.is_empty(), "{large:?}");
    }
}
