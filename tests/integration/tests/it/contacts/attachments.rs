//! Files of contacts: uploaded, judged, saved, read by a link that ends, and gone with the contact. Defaults of fields.

use bytes::Bytes;
use kernel::ContactId;
use mail_parser::MessageParser;
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use super::shop::{Shop, email, person};
use super::uploads::{host_of, shop};
use crate::support::{Kill, grant_of, http_event};

const PDF: &str = "%PDF-1.7 hợp đồng của An";

struct Scene {
    shop: Shop,
    contact: ContactId,
}

/// A shop with a field for files, and a contact.
async fn scene() -> Scene {
    let shop = shop().await;
    let grant = grant_of(shop.tenant.workspace(), "read write admin");
    for (key, kind) in [("hop_dong", "file"), ("hang", "text")] {
        let field = json!({ "key": key, "label": key, "type": kind });
        let event = http_event("POST", "/v1/fields", Some(&field), Some(&grant));
        let (status, made) = shop.world.ask("api-contacts", event).await;
        assert_eq!(status, 201, "{made}");
    }
    shop.world.forget();
    let contact = shop
        .upsert(person("An", &[email("an@tep.example.vn")]))
        .await
        .contact;
    shop.world.settle().await;
    Scene { shop, contact }
}

impl Scene {
    async fn ask(&self, method: &str, rest: &str, body: Option<Value>) -> (u64, Value) {
        let path = format!("/v1/contacts/{}{rest}", self.contact);
        self.shop.api(method, &path, body.as_ref()).await
    }

    /// Uploads a file; its id.
    async fn upload(&self, bytes: &str) -> Value {
        let body = json!({ "field": "hop_dong" });
        let (status, made) = self.ask("POST", "/files", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        let link = made["upload_url"].as_str().unwrap();
        let put = http::Request::put(link)
            .header("content-length", bytes.len())
            .header("host", host_of(link));
        let put = put.body(Bytes::from(bytes.to_owned())).unwrap();
        assert_eq!(self.shop.world.aws.handle(put).await.status(), 200);
        made["file_id"].clone()
    }

    async fn save(&self, file: &Value, name: &str) -> (u64, Value) {
        let body = json!({ "file_id": file, "name": name });
        self.ask("PUT", "/files/hop_dong", Some(body)).await
    }

    async fn get(&self, link: &Value) -> (u16, Vec<u8>) {
        let link = link.as_str().unwrap();
        let get = http::Request::get(link).header("host", host_of(link));
        let answer = self.shop.world.aws.handle(get.body(Bytes::new()).unwrap());
        let answer = answer.await;
        (answer.status().as_u16(), answer.into_body().to_vec())
    }

    /// Names of all saved files.
    async fn kept(&self) -> Vec<String> {
        let files = self.shop.world.resources().bucket("Files");
        files.list("").await.unwrap()
    }

    async fn erase(&self) {
        let mut grant = self.shop.grant();
        grant.role = Some(kernel::Role::AccountAdmin);
        let path = format!("/v1/contacts/{}", self.contact);
        let event = http_event("DELETE", &path, None, Some(&grant));
        assert_eq!(self.shop.world.ask("api-contacts", event).await.0, 204);
    }
}

#[tokio::test]
async fn a_file_is_uploaded_saved_read_replaced_and_cleared() {
    let scene = scene().await;
    let file = scene.upload(PDF).await;
    let (status, contact) = scene.save(&file, "hợp đồng.pdf").await;
    assert_eq!(status, 200, "{contact}");
    let key = format!("{}/{}", scene.contact, file.as_str().unwrap());
    let value =
        json!({ "key": key, "name": "hợp đồng.pdf", "size": PDF.len(), "type": "application/pdf" });
    assert_eq!(contact["custom"]["hop_dong"], value);
    assert_eq!(scene.save(&file, "hợp đồng.pdf").await.0, 200);
    let (status, shown) = scene.ask("GET", "/files/hop_dong", None).await;
    assert_eq!((status, &shown["size"]), (200, &value["size"]), "{shown}");
    assert_eq!(scene.get(&shown["url"]).await, (200, PDF.into()));
    // S3 ends the link.
    let url = shown["url"].as_str().unwrap();
    assert!(url.contains("X-Amz-Expires=600"), "{url}");

    let second = scene.upload("%PDF-1.7 bản hai").await;
    assert_eq!(scene.save(&second, "hai.pdf").await.0, 200);
    assert_eq!(scene.kept().await.len(), 1, "the former file is deleted");
    assert_eq!(scene.ask("DELETE", "/files/hop_dong", None).await.0, 204);
    assert_eq!(scene.ask("DELETE", "/files/hop_dong", None).await.0, 204);
    assert!(scene.kept().await.is_empty());
    assert_eq!(scene.ask("GET", "/files/hop_dong", None).await.0, 404);
}

#[tokio::test]
async fn a_file_of_another_type_size_or_door_is_refused() {
    let scene = scene().await;
    let html = scene.upload("<script>alert(1)</script>").await;
    for name in ["a.pdf", "a.html", "a"] {
        let (status, problem) = scene.save(&html, name).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (422, &json!("/name")),
            "{problem}"
        );
    }
    assert_eq!(scene.save(&html, "../a.pdf").await.0, 400);
    let large = scene
        .upload(&format!("%PDF-{}", "x".repeat(10 << 20)))
        .await;
    let absent = json!("fil_00000000009");
    for file in [&large, &absent] {
        let (status, problem) = scene.save(file, "a.pdf").await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (422, &json!("/file_id")),
            "{problem}"
        );
    }
    let (status, _) = scene
        .ask("POST", "/files", Some(json!({ "field": "hang" })))
        .await;
    assert_eq!(status, 400);
    // No other door takes a value.
    let forged = json!({ "key": "con_00000000001/fil_00000000001", "name": "a", "size": 1, "type": "image/png" });
    for value in [forged, json!("a.pdf"), json!(null)] {
        let body = json!({ "custom": { "hop_dong": value } });
        let (status, problem) = scene.ask("PATCH", "", Some(body)).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!("/custom/hop_dong")),
            "{problem}"
        );
    }
    let field = json!({ "key": "a", "label": "A", "type": "file", "default": "x" });
    let grant = grant_of(scene.shop.tenant.workspace(), "admin");
    let event = http_event("POST", "/v1/fields", Some(&field), Some(&grant));
    let (status, problem) = scene.shop.world.ask("api-contacts", event).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/default")),
        "{problem}"
    );
    assert!(scene.kept().await.is_empty());
}

#[tokio::test]
async fn files_go_with_the_contact_after_every_kill() {
    for call in 0.. {
        let mut finished = false;
        for kill in [Kill::Before(call), Kill::After(call)] {
            let scene = scene().await;
            let file = scene.upload(PDF).await;
            assert_eq!(scene.save(&file, "a.pdf").await.0, 200);
            let world = &scene.shop.world;
            world.settle().await;
            scene.erase().await;
            world.relay().await;
            let batch = world.take("contact-bulk").expect("a message");
            let event = batch.event.clone();
            finished = world
                .invoke_and_kill("contact-bulk", event, kill)
                .await
                .is_some();
            world.release(&batch);
            world.settle().await;
            assert!(scene.kept().await.is_empty(), "{kill:?}");
        }
        if finished {
            break;
        }
    }
}

#[tokio::test]
async fn a_template_prints_the_default_of_a_field_without_a_value() {
    let shop = Shop::new().await;
    let grant = grant_of(shop.tenant.workspace(), "read write admin");
    let ask = async |function: &str, path: &str, body: Value| {
        let event = http_event("POST", path, Some(&body), Some(&grant));
        let (status, answer) = shop.world.ask(function, event).await;
        assert!(status < 300, "{path}: {answer}");
        answer
    };
    let field = json!({ "key": "hang", "label": "Hạng", "type": "text", "default": "khách mới" });
    ask("api-contacts", "/v1/fields", field).await;
    shop.world.forget();
    let list = ask("api-contacts", "/v1/lists", json!({ "name": "Tết" })).await;
    for (name, custom) in [("an", json!({})), ("vip", json!({ "hang": "vàng" }))] {
        let body = json!({
            "email": format!("{name}@mac.example.vn"), "email_status": "subscribed", "custom": custom,
            "list_ids": [list["id"]],
        });
        let saved = ask("api-contacts", "/v1/contacts", body).await;
        // The default is no value of the contact.
        assert_eq!(saved["custom"], custom, "{saved}");
    }
    let draft = json!({
        "name": "Tết",
        "mail": {
            "sender": { "from_name": "Shop", "from_email": "chao@example.vn" },
            "subject": "Chào", "text": "Hạng: {{ contact.custom.hang }}.",
        },
        "audience": { "include": { "list_ids": [list["id"]] } },
    });
    let made = ask("api-campaigns", "/v1/campaigns", draft).await;
    let path = format!("/v1/campaigns/{}/send", made["id"].as_str().unwrap());
    ask("api-campaigns", &path, json!({})).await;
    shop.world.settle().await;
    let outbox = shop.world.aws.outbox();
    let texts = outbox.all(Kind::Mail).into_iter().map(|mail| {
        let raw = outbox.mime(mail.id).unwrap();
        let parsed = MessageParser::default().parse(&raw).unwrap();
        parsed.body_text(0).unwrap().into_owned()
    });
    let texts: Vec<String> = texts.collect();
    for words in ["Hạng: khách mới.", "Hạng: vàng."] {
        let found = texts.iter().filter(|text| text.contains(words)).count();
        assert_eq!(found, 1, "{words}: {texts:?}");
    }
}
