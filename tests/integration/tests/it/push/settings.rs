//! The channel: keys that are proven and never shown, the question of the site.

use serde_json::{Value, json};
use tanigo_local::providers::{Fault, Fcm};

use super::{Shop, note};
use crate::support::http_event;

#[tokio::test]
async fn keys_are_made_once_proven_and_never_shown() {
    let shop = Shop::open().await;
    let (_, shown) = shop.channel("GET", "", None).await;
    assert_eq!(shown["web"]["contact_email"], "shop@example.vn");
    assert_eq!(shown["web"]["public_key"].as_str().unwrap().len(), 87);
    assert_eq!(shown["fcm"]["project_id"], "local-shop");
    let changed = json!({ "contact_email": "moi@example.vn",
        "prompt": { "delay_seconds": 0, "text": "Nhận tin?" } });
    let (status, again) = shop.channel("PUT", "/web", Some(&changed)).await;
    assert_eq!(
        (status, &again["web"]["public_key"]),
        (200, &shown["web"]["public_key"])
    );
    assert_eq!(again["web"]["contact_email"], "moi@example.vn");

    let secret = Fcm::service_account()["private_key"].as_str().unwrap()[40..80].to_owned();
    let rows = json!(shop.world.dump("Directory").await).to_string();
    assert!(!rows.contains(&secret) && rows.contains("PUSH-CHANNEL"));
    assert!(!shown.to_string().contains("private"), "{shown}");

    for path in ["/web", "/fcm", "/web"] {
        let (status, _) = shop.channel("DELETE", path, None).await;
        assert_eq!(status, 204);
    }
    let (_, gone) = shop.channel("GET", "", None).await;
    assert_eq!(gone, json!({ "web": null, "fcm": null }));
    let body = json!({ "name": "Tết", "audience": { "include": { "list_ids": [shop.list] } }, "push": note() });
    let (status, refused) = shop
        .ask("api-campaigns", "POST", "/v1/campaigns", Some(&body))
        .await;
    assert_eq!(status, 409, "{refused}");
    let (_, renewed) = shop.channel("PUT", "/web", Some(&changed)).await;
    assert_ne!(renewed["web"]["public_key"], shown["web"]["public_key"]);
}

#[tokio::test]
async fn an_account_that_google_refuses_is_not_stored() {
    let shop = Shop::open().await;
    shop.channel("DELETE", "/fcm", None).await;
    let with = |name: &str, value: &str| {
        let mut account = Fcm::service_account();
        account[name] = value.into();
        json!({ "service_account": account })
    };
    for (body, place) in [
        (with("client_email", "other@example.vn"), "/service_account"),
        (with("project_id", "other"), "/service_account/project_id"),
        (with("private_key", "x"), "/service_account/private_key"),
        (with("project_id", "a/b"), "/service_account/project_id"),
    ] {
        let (status, refused) = shop.channel("PUT", "/fcm", Some(&body)).await;
        assert_eq!(
            (status, &refused["errors"][0]["pointer"]),
            (400, &json!(place)),
            "{refused}"
        );
    }
    shop.world.providers.fcm().fail(Fault::Down, 1);
    let right = json!({ "service_account": Fcm::service_account() });
    assert_eq!(shop.channel("PUT", "/fcm", Some(&right)).await.0, 503);
    assert_eq!(shop.channel("GET", "", None).await.1["fcm"], Value::Null);
    assert_eq!(shop.channel("PUT", "/fcm", Some(&right)).await.0, 200);
}

#[tokio::test]
async fn a_bad_setting_or_notification_names_every_place() {
    let shop = Shop::open().await;
    let bad = json!({ "contact_email": "x", "prompt": { "delay_seconds": 3601, "text": " ", "only_on": ["products"] } });
    let (status, refused) = shop.channel("PUT", "/web", Some(&bad)).await;
    assert_eq!(
        (status, refused["errors"].as_array().unwrap().len()),
        (400, 4),
        "{refused}"
    );
    let mut wrong = note();
    wrong["title"] = "{{".into();
    wrong["link"] = "javascript:alert(1)".into();
    wrong["data"] = json!({ "from": "x" });
    wrong["ttl"] = 2_419_201.into();
    let body = json!({ "name": "Tết", "audience": { "include": { "list_ids": [shop.list] } }, "push": wrong });
    let (status, refused) = shop
        .ask("api-campaigns", "POST", "/v1/campaigns", Some(&body))
        .await;
    let places = refused["errors"].as_array().unwrap().iter();
    let places: Vec<&str> = places.map(|one| one["pointer"].as_str().unwrap()).collect();
    let expected = ["/push/title", "/push/link", "/push/ttl", "/push/data/from"];
    assert_eq!((status, places), (400, expected.to_vec()), "{refused}");
}

#[tokio::test]
async fn a_page_reads_the_key_and_the_question_by_its_public_key() {
    let shop = Shop::open().await;
    let key = shop.public_key().await;
    let get = async |path: &str| {
        let event = http_event("GET", path, None, None);
        shop.world.invoke("track-events", event).await.unwrap()
    };
    let answer = get(&format!("/s/push?key={key}")).await;
    let site: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let expected = json!({ "public_key": shop.key,
        "prompt": { "delay_seconds": 3, "text": "Nhận tin khuyến mãi?", "only_on": ["/products/"] } });
    assert_eq!((&answer["statusCode"], &site), (&json!(200), &expected));
    assert_eq!(get("/s/push?key=tngp_wrong").await["statusCode"], 404);
    let worker = get("/push-sw.js").await;
    assert_eq!(
        worker["headers"]["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert!(
        worker["body"]
            .as_str()
            .unwrap()
            .contains("showNotification")
    );
    shop.channel("DELETE", "/web", None).await;
    shop.world.lead();
    assert_eq!(get(&format!("/s/push?key={key}")).await["statusCode"], 404);
}
