//! The door of signup forms: hosts, parameters of addresses, and floods.

use std::time::Duration;

use serde_json::json;

use super::{Shop, newsletter, posted, text};

#[tokio::test]
async fn only_listed_hosts_hold_and_post_the_form() {
    let shop = Shop::open().await;
    let mut settings = newsletter();
    settings["kind"] = json!("popup");
    settings["allowed_hosts"] = json!(["ao-dai.example.com"]);
    settings["popup"] = json!({ "delay_seconds": 5, "frequency": "session" });
    settings["redirect_url"] = json!("https://ao-dai.example.com/cam-on");
    let id = shop.form(settings).await;
    let page = shop.page(&format!("/f/{id}?frame=1")).await;
    let policy = text(&page, "content-security-policy");
    assert!(
        policy.ends_with("frame-ancestors ao-dai.example.com"),
        "{policy}"
    );
    let script = shop.page(&format!("/f/{id}/embed.js")).await;
    assert!(
        script["body"]
            .as_str()
            .unwrap()
            .contains("\"delay_seconds\":5")
    );
    for (origin, status) in [
        ("https://ao-dai.example.com", 303),
        ("https://shop.example.vn", 303),
        ("https://evil.example.com", 403),
        ("null", 403),
    ] {
        let mut event = posted(&id, &[("email", "an@example.vn")]);
        event["headers"]["origin"] = json!(origin);
        let answer = shop.world.invoke("form-submit", event).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{origin}");
    }
    let (_, code) = shop.ask("GET", &format!("/v1/forms/{id}/code"), None).await;
    assert_eq!(code["url"], format!("https://shop.example.vn/f/{id}"));
    assert!(
        code["script"]
            .as_str()
            .unwrap()
            .contains(&format!("/f/{id}/embed.js"))
    );
    assert!(code["html"].as_str().unwrap().contains("name=\"email\""));
}

#[tokio::test]
async fn the_parameters_of_advertisers_are_passed_over() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let page = shop
        .page(&format!("/f/{id}?utm_source=facebook&fbclid=x"))
        .await;
    assert_eq!(page["statusCode"], 200, "{page}");
}

#[tokio::test]
async fn a_flood_of_one_network_is_slowed_down() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let mut refused = 0;
    for _ in 0..30 {
        let answer = shop.post(&id, &[("email", "an@example.vn")]).await;
        if answer["statusCode"] == 429 {
            assert_eq!(text(&answer, "retry-after"), "1");
            assert!(text(&answer, "content-type").starts_with("text/html"));
            refused += 1;
        }
    }
    assert_eq!(refused, 10);
    shop.world.advance(Duration::from_secs(1));
    let answer = shop.post(&id, &[("email", "an@example.vn")]).await;
    assert_eq!(answer["statusCode"], 200);
}
