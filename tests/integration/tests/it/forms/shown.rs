//! Reports, designs, QR codes and the archive of forms.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Shop, newsletter, text};
use crate::support::{grant_of, http_event};

#[tokio::test]
async fn a_report_counts_views_submissions_and_days() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let before = shop.world.aws.meter().snapshot();
    assert_eq!(shop.page(&format!("/f/{id}")).await["statusCode"], 200);
    let used = shop.world.aws.meter().since(&before);
    assert!(
        (used.write_units() - 1.0).abs() < 0.01,
        "{}",
        used.write_units()
    );
    shop.world.advance(Duration::from_hours(24));
    shop.page(&format!("/f/{id}")).await;
    shop.post(&id, &[("email", "an@example.vn")]).await;
    shop.post(&id, &[("email", "khong")]).await;
    let report = async |query: &str| {
        let path = format!("/v1/forms/{id}/report{query}");
        shop.ask("GET", &path, None).await
    };
    let (status, shown) = report("?days=3").await;
    assert_eq!(
        (status, &shown["views"], &shown["submissions"]),
        (200, &json!(2), &json!(1))
    );
    assert_eq!(shown["conversion_rate"], 0.5);
    let days = shown["days"].as_array().unwrap();
    let views: Vec<&Value> = days.iter().map(|day| &day["views"]).collect();
    assert_eq!(views, [&json!(0), &json!(1), &json!(1)], "{shown}");
    assert_eq!(days[2]["date"], "2026-03-03");
    assert_eq!(report("?days=1").await.1["views"], 1);
    for bad in ["?days=0", "?days=93"] {
        let (status, problem) = report(bad).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!("/days"))
        );
    }
    let other = shop.form(newsletter()).await;
    let (_, empty) = shop
        .ask("GET", &format!("/v1/forms/{other}/report"), None)
        .await;
    assert_eq!(
        (&empty["views"], &empty["conversion_rate"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn a_flood_of_one_network_is_not_counted_as_views() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    for _ in 0..30 {
        assert_eq!(shop.page(&format!("/f/{id}")).await["statusCode"], 200);
    }
    let (_, report) = shop
        .ask("GET", &format!("/v1/forms/{id}/report"), None)
        .await;
    assert_eq!(report["views"], 20);
}

#[tokio::test]
async fn a_design_changes_the_page_and_keeps_its_policy() {
    let shop = Shop::open().await;
    let mut settings = newsletter();
    settings["design"] = json!({
        "background_color": "#101010", "text_color": "#eeeeee", "button_color": "#ffd54f",
        "font": "georgia", "logo_url": "https://cdn.example.vn/logo.png?a=1&b=2",
    });
    let id = shop.form(settings).await;
    let page = shop.page(&format!("/f/{id}")).await;
    let (html, policy) = (
        page["body"].as_str().unwrap(),
        text(&page, "content-security-policy"),
    );
    assert!(html.contains("background:#101010") && html.contains("font-family:Georgia"));
    assert!(html.contains("src=\"https://cdn.example.vn/logo.png?a=1&amp;b=2\""));
    assert!(policy.contains("img-src https://cdn.example.vn;") && !policy.contains("unsafe"));
}

#[tokio::test]
async fn an_archived_form_is_closed_until_it_is_published() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let (status, view) = shop
        .ask("POST", &format!("/v1/forms/{id}/archive"), None)
        .await;
    assert_eq!((status, &view["status"]), (200, &json!("archived")));
    shop.world.forget();
    assert_eq!(shop.page(&format!("/f/{id}")).await["statusCode"], 404);
    let (_, report) = shop
        .ask("GET", &format!("/v1/forms/{id}/report"), None)
        .await;
    assert_eq!(report["form_id"], json!(id));
    shop.ask("POST", &format!("/v1/forms/{id}/publish"), None)
        .await;
    shop.world.forget();
    assert_eq!(shop.page(&format!("/f/{id}")).await["statusCode"], 200);
}

#[tokio::test]
async fn a_qr_code_holds_the_address_of_the_page() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let grant = grant_of(shop.tenant.workspace(), "read");
    let event = http_event("GET", &format!("/v1/forms/{id}/qr"), None, Some(&grant));
    let answer = shop.world.invoke("api-forms", event).await.unwrap();
    assert_eq!(
        (&answer["statusCode"], text(&answer, "content-type")),
        (&json!(200), "image/svg+xml")
    );
    let svg = answer["body"].as_str().unwrap();
    assert!(svg.contains(&format!("<title>https://shop.example.vn/f/{id}</title>")));
}
