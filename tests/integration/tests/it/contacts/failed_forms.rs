//! Forms that cannot be read: the lead is kept, and the request is listed and replayed.

use std::time::Duration;

use serde_json::{Value, json};

use super::forms::only_event;
use super::shop::{Page, Shop, survives};

#[tokio::test]
async fn a_form_with_a_mistyped_address_keeps_its_lead() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["landing"]).await;
    let typed = json!({ "name": "An", "phone": "02838221234" });
    page.post(&shop, &typed).await;
    page.post(&shop, &typed).await;
    shop.world.settle_twice().await;
    assert!(
        shop.world.dead_letters().is_empty(),
        "no work for an operator"
    );
    let (_, list) = shop.api("GET", "/v1/contacts", None).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let contact = &list["data"][0];
    assert_eq!(
        (&contact["full_name"], &contact["tags"]),
        (&json!("An"), &json!(["landing"]))
    );
    assert_eq!(
        (&contact["phone"], &contact["email"]),
        (&Value::Null, &Value::Null)
    );
    let data = only_event(&shop).await["data"].clone();
    assert_eq!(
        (&data["phone"], &data["_unusable"]),
        (&json!("02838221234"), &json!(["phone"]))
    );
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_listed_at_its_source_and_replayed_by_a_repaired_mapping() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    page.post(&shop, &json!({ "name": "An", "Liên hệ": "0912345678" }))
        .await;
    page.post(&shop, &json!({ "name": "Bình", "message": "Tư vấn" }))
        .await;
    shop.world.settle_twice().await;
    assert!(
        shop.world.dead_letters().is_empty(),
        "no work for an operator"
    );
    assert!(shop.found("an").await.is_empty());

    let path = format!("/v1/sources/{}", page.source);
    let grant = crate::support::grant_of(shop.tenant.workspace(), "admin");
    let ask = async |method: &str, path: &str, body: Option<&Value>| {
        let event = crate::support::http_event(method, path, body, Some(&grant));
        shop.world.ask("api-sources", event).await
    };
    let failed =
        async || ask("GET", &format!("{path}/failed-requests"), None).await.1["data"].clone();
    let list = failed().await;
    let reasons: Vec<&Value> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["reason"])
        .collect();
    assert_eq!(reasons.len(), 2);
    assert!(
        reasons.contains(&&json!("unmapped_address")) && reasons.contains(&&json!("no_address"))
    );
    assert!(
        !list.to_string().contains("0912345678"),
        "a list shows nothing that a person typed"
    );
    let wanted = list
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["reason"] == "unmapped_address");
    let one = format!(
        "{path}/failed-requests/{}",
        wanted.unwrap()["id"].as_str().unwrap()
    );
    let (status, shown) = ask("GET", &one, None).await;
    assert_eq!(status, 200);
    assert!(shown["body"].as_str().unwrap().contains("0912345678"));

    // Before the mapping is repaired, a replay leaves the request where it is.
    let (_, first) = ask("GET", &format!("{path}/failed-requests?limit=1"), None).await;
    let next = first["next"].as_str().unwrap();
    let (_, second) = ask(
        "GET",
        &format!("{path}/failed-requests?cursor={next}"),
        None,
    )
    .await;
    assert_eq!(json!([first["data"][0], second["data"][0]]), list);
    assert_eq!(second["next"], Value::Null);
    let replay = format!("{path}/failed-requests/replay");
    let (status, answer) = ask("POST", &replay, None).await;
    assert_eq!(
        (status, answer),
        (202, json!({ "replayed": 2, "has_more": false }))
    );
    shop.world.settle_twice().await;
    assert_eq!(failed().await.as_array().unwrap().len(), 2);

    let mapping = json!({ "mapping": { "Liên hệ": "phone" } });
    assert_eq!(ask("PATCH", &path, Some(&mapping)).await.0, 200);
    shop.world.forget();
    for _ in 0..2 {
        assert_eq!(ask("POST", &format!("{one}/replay"), None).await.0, 202);
    }
    shop.world.settle_twice().await;
    assert_eq!(shop.found("an").await, ["An"]);
    only_event(&shop).await;
    let left = failed().await;
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(left[0]["reason"], "no_address");
    let last = format!("{path}/failed-requests/{}", left[0]["id"].as_str().unwrap());
    assert_eq!(ask("DELETE", &last, None).await.0, 204);
    assert_eq!(ask("GET", &last, None).await.0, 404);
    assert_eq!(ask("POST", &format!("{last}/replay"), None).await.0, 404);
    assert_eq!(failed().await, json!([]));
}

#[tokio::test]
async fn a_source_with_many_failed_requests_is_told_to_the_operator() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    for n in 0..=sources::FAILED_AN_HOUR {
        shop.world.advance(Duration::from_millis(40));
        page.post(&shop, &json!({ "message": n })).await;
    }
    shop.world.settle().await;
    assert_eq!(
        shop.world.dead_letters().len(),
        1,
        "the surplus is not lost"
    );
}

#[tokio::test]
async fn ingest_may_be_killed_at_any_call_when_it_cannot_read() {
    survives("ingest", &["Directory", "Contacts"], 3, async |shop| {
        let page = Page::of(shop, &[]).await;
        page.post(shop, &json!({ "name": "An" })).await;
    })
    .await;
}
