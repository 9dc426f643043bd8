//! Files of contacts for people.

use serde_json::{Value, json};

use super::jobs;
use super::shop::{Shop, email, person};
use super::uploads::got;
use crate::support::{Kill, grant_of, http_event};

/// A shop whose owner asks, with `count` contacts and a list of the first.
async fn shop_with(count: usize) -> (Shop, String) {
    let shop = super::uploads::shop().await;
    let (_, list) = shop
        .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
        .await;
    let list = list["id"].as_str().unwrap().to_owned();
    for n in 0..count {
        let mut one = person(
            &format!("=Tên {n}"),
            &[email(&format!("n{n}@ex.example.vn"))],
        );
        one.custom.insert("size".into(), json!("M"));
        if n == 0 {
            one.lists.push(list.parse().unwrap());
            one.custom.insert("điểm".into(), json!(7));
        }
        shop.upsert(one).await;
    }
    (shop, list)
}

async fn ask(shop: &Shop, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
    let mut grant = grant_of(shop.tenant.workspace(), "");
    grant.role = Some(kernel::Role::AccountAdmin);
    grant.actor = "usr_00000000001".into();
    shop.world
        .ask("api-contacts", http_event(method, path, body, Some(&grant)))
        .await
}

async fn rows(shop: &Shop, export: &Value) -> Vec<csv::StringRecord> {
    let text = got(shop, &export["url"]).await;
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    assert!(
        ["email", "custom.size", "other_fields"]
            .iter()
            .all(|name| names.iter().any(|one| one == name))
    );
    reader.records().map(Result::unwrap).collect()
}

#[tokio::test]
async fn all_contacts_or_a_list_are_exported_without_formulas() {
    let (shop, list) = shop_with(5).await;
    for (body, count) in [(json!({}), 5), (json!({ "list_id": list }), 1)] {
        let (status, export) = ask(&shop, "POST", "/v1/exports", Some(&body)).await;
        assert_eq!(
            (status, &export["url"], &export["requested_by"]),
            (202, &Value::Null, &json!("usr_00000000001")),
            "{export}"
        );
        shop.world.settle_twice().await;
        let path = format!("/v1/exports/{}", export["id"].as_str().unwrap());
        let (_, export) = ask(&shop, "GET", &path, None).await;
        assert_eq!(
            (&export["status"], &export["rows"]),
            (&json!("completed"), &json!(count)),
            "{export}"
        );
        let rows = rows(&shop, &export).await;
        assert_eq!(rows.len(), count);
        assert!(
            rows.iter().all(|row| row[14].starts_with("'=Tên")),
            "{rows:?}"
        );
        shop.world
            .advance(std::time::Duration::from_hours(7 * 24 + 1));
        assert_eq!(ask(&shop, "GET", &path, None).await.1["url"], Value::Null);
    }
    let (_, page) = ask(&shop, "GET", "/v1/exports", None).await;
    assert_eq!(page["data"].as_array().unwrap().len(), 2);
    assert_eq!(
        page["data"][0]["request"]["list_id"],
        json!(list),
        "the newest is first"
    );
}

#[tokio::test]
async fn a_segment_or_conditions_choose_the_rows() {
    let (shop, _) = shop_with(2).await;
    let mut vip = person("Khách VIP", &[email("vip@ex.example.vn")]);
    vip.tags.push("VIP".into());
    vip.custom.insert("size".into(), json!("M"));
    shop.upsert(vip).await;
    let segment = jobs::segment(&shop, &jobs::tagged("vip")).await;
    let conditions = jobs::tagged("vip");
    for (body, detail) in [
        (
            json!({ "segment_id": segment }),
            format!("segment {segment}"),
        ),
        (
            json!({ "conditions": conditions }),
            format!("conditions {conditions}"),
        ),
    ] {
        let (status, export) = ask(&shop, "POST", "/v1/exports", Some(&body)).await;
        assert_eq!(status, 202, "{export}");
        shop.world.settle_twice().await;
        let path = format!("/v1/exports/{}", export["id"].as_str().unwrap());
        let (_, export) = ask(&shop, "GET", &path, None).await;
        let rows = rows(&shop, &export).await;
        assert_eq!((rows.len(), &rows[0][2]), (1, "vip@ex.example.vn"));
        let (name, value) = body.as_object().unwrap().iter().next().unwrap();
        assert_eq!(&export["request"][name], value);
        let account = grant_of(shop.tenant.workspace(), "").account;
        let audit = accounts::Audit::over(&shop.world.resources());
        let log = audit.page(account, kernel::Limit::default(), None).await;
        let log = log.unwrap().data;
        let entry = log.iter().find(|one| json!(one.object_id) == export["id"]);
        assert_eq!(entry.unwrap().detail.as_ref(), Some(&detail));
    }
    // The pin ends with the export.
    let path = format!("/v1/segments/{segment}");
    assert_eq!(jobs::admin(&shop, "DELETE", &path, None).await.0, 204);
    let both = json!({ "segment_id": segment, "conditions": conditions });
    let (status, problem) = ask(&shop, "POST", "/v1/exports", Some(&both)).await;
    let pointers: Vec<&Value> = problem["errors"].as_array().unwrap().iter().collect();
    assert_eq!((status, pointers.len()), (400, 2), "{problem}");
}

#[tokio::test]
async fn who_exported_is_in_the_audit_log_and_managers_may_not() {
    let (shop, _) = shop_with(0).await;
    let (_, export) = ask(&shop, "POST", "/v1/exports", Some(&json!({}))).await;
    let account = grant_of(shop.tenant.workspace(), "").account;
    let audit = accounts::Audit::over(&shop.world.resources());
    let log = audit
        .page(account, kernel::Limit::default(), None)
        .await
        .unwrap();
    assert!(
        log.data
            .iter()
            .any(|entry| json!(entry.object_id) == export["id"])
    );
    for role in [kernel::Role::AccountManager, kernel::Role::Contributor] {
        let mut grant = grant_of(shop.tenant.workspace(), "");
        grant.role = Some(role);
        let event = http_event("POST", "/v1/exports", Some(&json!({})), Some(&grant));
        assert_eq!(shop.world.ask("api-contacts", event).await.0, 403);
    }
}

#[tokio::test]
async fn an_export_may_be_killed_at_any_call_of_any_step() {
    for step in 0..2 {
        for call in 0.. {
            let mut finished = false;
            for kill in [Kill::Before(call), Kill::After(call)] {
                let (shop, _) = shop_with(2).await;
                let (_, export) = ask(&shop, "POST", "/v1/exports", Some(&json!({}))).await;
                for _ in 0..step {
                    shop.world
                        .deliver("contact-export", false)
                        .await
                        .unwrap()
                        .unwrap();
                }
                let batch = shop.world.take("contact-export").unwrap();
                finished = shop
                    .world
                    .invoke_and_kill("contact-export", batch.event.clone(), kill)
                    .await
                    .is_some();
                shop.world.release(&batch);
                shop.world.settle().await;
                let path = format!("/v1/exports/{}", export["id"].as_str().unwrap());
                let (_, export) = ask(&shop, "GET", &path, None).await;
                assert_eq!(rows(&shop, &export).await.len(), 2, "step {step} {kill:?}");
            }
            if finished {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_fifth_export_is_refused_until_one_has_ended() {
    let (shop, _) = shop_with(1).await;
    for _ in 0..contacts::export::MAX_RUNNING {
        let (status, export) = ask(&shop, "POST", "/v1/exports", Some(&json!({}))).await;
        assert_eq!(status, 202, "{export}");
        shop.world.advance(std::time::Duration::from_secs(1));
    }
    let (status, problem) = ask(&shop, "POST", "/v1/exports", Some(&json!({}))).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("conflict")),
        "{problem}"
    );
    let (_, page) = ask(&shop, "GET", "/v1/exports", None).await;
    assert_eq!(
        page["data"].as_array().unwrap().len(),
        4,
        "nothing is left of it"
    );
    shop.world.settle_twice().await;
    shop.world.advance(std::time::Duration::from_secs(1));
    let (status, export) = ask(&shop, "POST", "/v1/exports", Some(&json!({}))).await;
    assert_eq!(status, 202, "{export}");
}
