//! A welcome after the confirmation: a workflow on the event.

use serde_json::{Value, json};

use super::{BOTH, Shop};

#[tokio::test]
async fn a_workflow_on_the_confirmation_sends_one_welcome() {
    let shop = Shop::open().await;
    let id = shop.double().await;
    let sender = json!({ "from_name": "Áo dài Mai", "from_email": "chao@example.vn" });
    let mail = json!({ "type": "send_email", "sender": sender, "subject": "Chào", "text": "Chào mừng bạn" });
    let workflow = json!({
        "name": "Chào mừng", "trigger": { "type": "form.confirmed", "form_id": id },
        "graph": { "start": "thu", "nodes": { "thu": mail } },
    });
    let (status, made) = shop
        .call("api-workflows", "POST", "/v1/workflows", workflow)
        .await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/v1/workflows/{}/activate", made["id"].as_str().unwrap());
    let (status, active) = shop.call("api-workflows", "POST", &path, Value::Null).await;
    assert_eq!(status, 200, "{active}");
    shop.world.lead();
    shop.post(&id, &BOTH).await;
    shop.contact().await;
    let welcomes = || {
        let mails = shop.mails().into_iter();
        mails
            .filter(|(_, text)| text.contains("Chào mừng bạn"))
            .count()
    };
    assert_eq!(welcomes(), 0, "not before the confirmation");
    let link = shop.link();
    for _ in 0..2 {
        assert_eq!(shop.press(&link).await["statusCode"], 200);
    }
    assert_eq!(welcomes(), 1);
}
