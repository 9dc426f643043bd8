//! Definitions: made, replaced, paused, copied and removed; their faults, and the fields that they use.

use serde_json::{Value, json};

use super::{Shop, newsletter};
use crate::support::{grant_of, http_event};

#[tokio::test]
async fn a_form_is_made_replaced_paused_copied_and_removed() {
    let shop = Shop::open().await;
    let (status, made) = shop.ask("POST", "/v1/forms", Some(newsletter())).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/forms/{id}");
    assert_eq!(made["path"], format!("/f/{id}"));
    assert_eq!(
        shop.page(&format!("/f/{id}")).await["statusCode"],
        404,
        "a draft"
    );

    let mut changed = newsletter();
    changed["button"] = json!("Đăng ký");
    let (status, shown) = shop.ask("PUT", &path, Some(changed)).await;
    assert_eq!((status, &shown["version"]), (200, &json!(2)));
    assert_eq!(shop.ask("GET", &path, None).await.1, shown);
    assert_eq!(
        shop.ask("POST", &format!("{path}/publish"), None).await.0,
        200
    );
    shop.world.forget();
    let page = shop.page(&format!("/f/{id}")).await;
    assert!(page["body"].as_str().unwrap().contains(">Đăng ký</button>"));
    assert_eq!(
        shop.ask("POST", &format!("{path}/pause"), None).await.0,
        200
    );
    shop.world.forget();
    let closed = shop.post(id, &[("email", "an@example.vn")]).await;
    assert_eq!(closed["statusCode"], 404);

    let (status, copy) = shop.ask("POST", &format!("{path}/duplicate"), None).await;
    assert_eq!(
        (status, &copy["status"], &copy["button"]),
        (201, &json!("draft"), &json!("Đăng ký"))
    );
    let (_, first) = shop.ask("GET", "/v1/forms?limit=1", None).await;
    let next = format!(
        "/v1/forms?limit=1&cursor={}",
        first["next"].as_str().unwrap()
    );
    let (_, second) = shop.ask("GET", &next, None).await;
    assert_eq!(
        (&first["data"][0]["id"], &second["data"][0]["id"]),
        (&made["id"], &copy["id"])
    );
    assert_eq!(second["next"], Value::Null);

    let stranger = shop.world.workspace().await;
    for (method, body) in [("GET", None), ("PUT", Some(newsletter())), ("DELETE", None)] {
        assert_eq!(
            shop.ask_as(stranger, method, &path, body).await.0,
            404,
            "{method}"
        );
    }
    assert_eq!(shop.ask("DELETE", &path, None).await.0, 204);
    let (_, left) = shop.ask("GET", "/v1/forms", None).await;
    assert_eq!(left["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn all_faults_of_a_definition_are_named_at_once() {
    let shop = Shop::open().await;
    let bad = json!({
        "name": "", "fields": [{ "key": "zalo" }], "redirect_url": "javascript:alert(1)",
        "list_ids": ["lst_00000000009"],
    });
    let (status, problem) = shop.ask("POST", "/v1/forms", Some(bad)).await;
    let errors = problem["errors"].as_array().unwrap().iter();
    let pointers: Vec<&str> = errors.map(|one| one["pointer"].as_str().unwrap()).collect();
    let expected = [
        "/name",
        "/fields/0/key",
        "/fields",
        "/redirect_url",
        "/list_ids/0",
    ];
    assert_eq!((status, pointers), (400, expected.to_vec()));
}

#[tokio::test]
async fn a_field_that_a_form_asks_for_is_not_removed() {
    let shop = Shop::open().await;
    let grant = grant_of(shop.tenant.workspace(), "admin");
    let field = json!({ "key": "size", "label": "Cỡ", "type": "choice",
        "options": [{ "key": "m", "label": "M" }, { "key": "l", "label": "L" }] });
    let event = http_event("POST", "/v1/fields", Some(&field), Some(&grant));
    assert_eq!(shop.world.ask("api-contacts", event).await.0, 201);
    let mut settings = newsletter();
    settings["fields"][3] = json!({ "key": "custom.size", "required": true });
    let id = shop.form(settings).await;
    let event = http_event("DELETE", "/v1/fields/size", None, Some(&grant));
    assert_eq!(shop.world.ask("api-contacts", event).await.0, 409);
    let answers = [("email", "an@example.vn"), ("custom.size", "xxl")];
    assert_eq!(shop.post(&id, &answers).await["statusCode"], 422);
    let answers = [("email", "an@example.vn"), ("custom.size", "m")];
    assert_eq!(shop.post(&id, &answers).await["statusCode"], 200);
    let an = shop.contact().await;
    let contact = shop.contacts().get(shop.tenant, an).await.unwrap().unwrap();
    assert_eq!(contact.custom["size"], "m");
}
