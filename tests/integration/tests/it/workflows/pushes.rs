//! Steps that send push notifications: from the event to the browser.

use contacts::{BrowserKeys, NamedDevice, Trust};
use serde_json::{Value, json};

use super::shop::{Shop, incoming};
use crate::support::{grant_of, http_event};

fn draft() -> Value {
    json!({
        "name": "Xác nhận",
        "trigger": { "type": "form.submitted", "form_id": "FORM8" },
        "graph": { "start": "push", "nodes": {
            "push": {
                "type": "send_push", "class": "transactional", "reason": "order", "title": "Đã nhận",
                "body": "{{ trigger.message }}", "link": "https://shop.example/don",
            },
        }},
    })
}

#[tokio::test]
async fn a_form_leads_to_one_notification() {
    let shop = Shop::new().await;
    let grant = grant_of(shop.tenant.workspace(), "read write admin");
    let web = json!({ "contact_email": "shop@example.vn", "prompt": { "delay_seconds": 0, "text": "Nhận tin?" } });
    let event = http_event("PUT", "/v1/channels/push/web", Some(&web), Some(&grant));
    let (status, shown) = shop.world.ask("api-channels", event).await;
    assert_eq!(status, 200, "{shown}");
    let key = shown["web"]["public_key"].as_str().unwrap();
    shop.active(draft()).await;
    let upserted = shop
        .contacts()
        .upsert(shop.tenant, &incoming("an@example.vn"))
        .await;
    let contact = upserted.unwrap().contact;
    let made = shop.world.providers.browsers().subscribe("an", key, None);
    let device = NamedDevice {
        token: made.endpoint,
        platform: "web".into(),
        keys: Some(BrowserKeys {
            p256dh: made.p256dh,
            auth: made.auth,
        }),
    };
    let contacts = shop.contacts();
    let noted = contacts.note_device(shop.tenant, contact, &device, Trust::Shop);
    assert!(noted.await.unwrap());
    shop.form(contact, "f1").await;
    shop.world.settle_twice().await;
    let shown = shop.world.providers.browsers().shown();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].payload["body"], "Tư vấn size M");
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_step_names_its_flaws() {
    let shop = Shop::new().await;
    let mut wrong = draft();
    let step = &mut wrong["graph"]["nodes"]["push"];
    step["title"] = json!("{{ contact.secret }}");
    step["icon"] = json!("http://shop.example/icon.png");
    step["class"] = json!("marketing");
    let (status, answer) = shop.api("POST", "/v1/workflows", Some(wrong)).await;
    assert_eq!(status, 400, "{answer}");
    let text = answer.to_string();
    for place in ["title", "icon", "reason"] {
        assert!(
            text.contains(&format!("/graph/nodes/push/{place}")),
            "{text}"
        );
    }
}
