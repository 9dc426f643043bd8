//! Rules of windows by device, visitor and date, and the sender of the lists of a form.

use serde_json::json;

use super::{BOTH, Shop, newsletter};

#[tokio::test]
async fn faults_of_a_window_are_named_at_once() {
    let shop = Shop::open().await;
    let mut settings = newsletter();
    settings["kind"] = json!("popup");
    settings["popup"] = json!({
        "frequency": "once", "from": "2026-03-02T00:00:00Z", "until": "2026-03-02T00:00:00Z",
        "devices": ["phone", "phone", "phone", "phone"],
    });
    let (status, problem) = shop.ask("POST", "/v1/forms", Some(settings)).await;
    let errors = problem["errors"].as_array().unwrap().iter();
    let mut pointers: Vec<&str> = errors.map(|one| one["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(status, 400, "{problem}");
    let expected = ["/popup/devices", "/popup/until"];
    assert_eq!(pointers, expected);
}

#[tokio::test]
async fn the_script_holds_the_rules_of_the_window() {
    let shop = Shop::open().await;
    let mut settings = newsletter();
    settings["kind"] = json!("popup");
    settings["popup"] = json!({
        "frequency": "once", "devices": ["phone"], "visitors": "returning", "on_click": true,
        "from": "2026-03-02T00:00:00Z",
    });
    let id = shop.form(settings).await;
    let script = shop.page(&format!("/f/{id}/embed.js")).await;
    let script = script["body"].as_str().unwrap();
    for rule in [
        r#""devices":["phone"]"#,
        r#""visitors":"returning""#,
        r#""on_click":true"#,
        r#""from":"2026-03-02T00:00:00.000Z""#,
        r#""until":null"#,
    ] {
        assert!(script.contains(rule), "{rule}: {script}");
    }
}

#[tokio::test]
async fn the_sender_of_the_first_list_that_has_one_asks() {
    let shop = Shop::open().await;
    let mut lists = Vec::new();
    for (name, asks) in [("Không gửi", false), ("Mai", false), ("Lan", true)] {
        let body = json!({ "name": name });
        let (_, list) = shop.call("api-contacts", "POST", "/v1/lists", body).await;
        let id = list["id"].as_str().unwrap().to_owned();
        if name != "Không gửi" {
            let sender = json!({ "from_name": name, "from_email": "chao@example.vn" });
            let change = json!({ "default_sender": sender, "double_opt_in": asks });
            let path = format!("/v1/lists/{id}");
            let (status, changed) = shop.call("api-contacts", "PATCH", &path, change).await;
            assert_eq!(status, 200, "{changed}");
        }
        lists.push(id);
    }
    let mut settings = newsletter();
    settings["list_ids"] = json!(lists);
    let id = shop.form(settings).await;
    shop.post(&id, &BOTH).await;
    shop.contact().await;
    let mails = shop.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].1.contains("email của Mai"), "{}", mails[0].1);
}
