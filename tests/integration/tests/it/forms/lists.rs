//! Settings of a list: its sender, its double opt-in and its permission reminder.

use contacts::{Channel, ChannelStatus};
use serde_json::{Value, json};

use super::{Shop, newsletter};
use crate::support::{grant_of, http_event};

const REMINDER: &str = "Bạn nhận email này vì đã đăng ký bản tin Áo dài Mai.";

impl Shop {
    pub async fn call(
        &self,
        function: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> (u64, Value) {
        let grant = grant_of(self.tenant.workspace(), "read write");
        let body = Some(body).filter(|body| !body.is_null());
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        self.world.ask(function, event).await
    }

    async fn list(&self) -> String {
        let name = json!({ "name": "Bản tin" });
        let (status, list) = self.call("api-contacts", "POST", "/v1/lists", name).await;
        assert_eq!(status, 201, "{list}");
        list["id"].as_str().unwrap().to_owned()
    }

    async fn change(&self, list: &str, change: Value) -> (u64, Value) {
        let path = format!("/v1/lists/{list}");
        self.call("api-contacts", "PATCH", &path, change).await
    }
}

#[tokio::test]
async fn flaws_of_the_settings_of_a_list_are_named_at_once() {
    let shop = Shop::open().await;
    let list = shop.list().await;
    let bad = json!({
        "double_opt_in": true, "permission_reminder": "ngắn",
    });
    let (status, problem) = shop.change(&list, bad).await;
    let errors = problem["errors"].as_array().unwrap().iter();
    let pointers: Vec<&Value> = errors.map(|one| &one["pointer"]).collect();
    assert_eq!(status, 400);
    assert_eq!(pointers, ["/double_opt_in", "/permission_reminder"]);
    let stranger = json!({
        "default_sender": { "from_name": " ", "from_email": "la@khac.example.com" },
    });
    let (status, problem) = shop.change(&list, stranger).await;
    let errors = problem["errors"].as_array().unwrap().iter();
    let pointers: Vec<&Value> = errors.map(|one| &one["pointer"]).collect();
    assert_eq!(status, 400);
    assert_eq!(
        pointers,
        ["/default_sender/from_name", "/default_sender/from_email"]
    );
}

#[tokio::test]
async fn a_list_with_double_opt_in_makes_its_forms_ask_by_mail() {
    let shop = Shop::open().await;
    let list = shop.list().await;
    let sender = json!({ "from_name": "Áo dài Mai", "from_email": "chao@example.vn" });
    let change = json!({ "default_sender": sender, "double_opt_in": true });
    let (status, changed) = shop.change(&list, change).await;
    assert_eq!(
        (status, &changed["double_opt_in"]),
        (200, &json!(true)),
        "{changed}"
    );
    let mut settings = newsletter();
    settings["list_ids"] = json!([list]);
    let id = shop.form(settings).await;
    // Without a tick there is nothing to confirm.
    shop.post(&id, &[("email", "binh@example.vn")]).await;
    shop.world.settle().await;
    assert!(shop.mails().is_empty());
    let sent = shop
        .post(
            &id,
            &[("email", "binh@example.vn"), ("consent.email", "yes")],
        )
        .await;
    assert!(
        sent["body"].as_str().unwrap().contains("bấm xác nhận"),
        "{sent}"
    );
    let contact = shop.contact().await;
    let email = async || shop.status(contact, Channel::Email).await;
    assert_eq!(email().await, ChannelStatus::Pending);
    assert_eq!(shop.mails().len(), 1);
    let answer = shop.press(&shop.link()).await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(email().await, ChannelStatus::Subscribed);
}

#[tokio::test]
async fn a_campaign_to_one_list_has_its_sender_and_its_reminder() {
    let shop = Shop::open().await;
    let list = shop.list().await;
    let change = json!({
        "default_sender": { "from_name": "Áo dài Mai", "from_email": "chao@example.vn" },
        "permission_reminder": REMINDER,
    });
    assert_eq!(shop.change(&list, change).await.0, 200);
    let person = json!({
        "email": "an@example.vn", "email_status": "subscribed", "list_ids": [list],
    });
    let (status, made) = shop
        .call("api-contacts", "POST", "/v1/contacts", person)
        .await;
    assert!(status < 300, "{made}");
    let draft = json!({
        "name": "Tết", "mail": { "subject": "Chào", "text": "Chào bạn" },
        "audience": { "include": { "list_ids": [list] } },
    });
    let (status, campaign) = shop
        .call("api-campaigns", "POST", "/v1/campaigns", draft)
        .await;
    assert_eq!(status, 201, "{campaign}");
    assert_eq!(campaign["mail"]["sender"]["from_email"], "chao@example.vn");
    let path = format!("/v1/campaigns/{}/send", campaign["id"].as_str().unwrap());
    let (status, sent) = shop.call("api-campaigns", "POST", &path, Value::Null).await;
    assert_eq!(status, 202, "{sent}");
    // A change after the start is for the next campaign.
    let later = json!({ "permission_reminder": "Một lời nhắc khác, dài hơn hai mươi ký tự." });
    shop.change(&list, later).await;
    shop.world.settle_twice().await;
    let mails = shop.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].1.contains(REMINDER), "{}", mails[0].1);
}
