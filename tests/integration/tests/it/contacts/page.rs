//! The page of a contact: orders, last activity, segments and workflows. And what it costs to read.

use contacts::Incoming;
use jiff::Timestamp;
use kernel::ContactId;
use serde_json::{Value, json};

use super::jobs::{segment, tagged};
use super::shop::{Shop, email, person};
use crate::support::{grant_of, http_event};

/// Asks as an administrator.
pub async fn ask(shop: &Shop, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
    let mut grant = grant_of(shop.tenant.workspace(), "");
    grant.role = Some(kernel::Role::AccountAdmin);
    grant.actor = "usr_00000000001".into();
    let function = match path {
        _ if path.starts_with("/v1/segments") => "api-segments",
        _ if path.starts_with("/v1/workflows") => "api-workflows",
        _ if path.starts_with("/v1/orders") => "api-commerce",
        _ => "api-contacts",
    };
    let event = http_event(method, path, body.as_ref(), Some(&grant));
    shop.world.ask(function, event).await
}

/// A workflow that waits a day, active.
pub async fn waiting(shop: &Shop, trigger: Value) -> String {
    let draft = json!({
        "name": "Chào khách",
        "entry": "every_time",
        "trigger": trigger,
        "graph": { "start": "wait", "nodes": { "wait": { "type": "wait_duration", "days": 1 } } },
    });
    let (status, made) = ask(shop, "POST", "/v1/workflows", Some(draft)).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/workflows/{id}/activate");
    let (status, active) = ask(shop, "POST", &path, None).await;
    assert_eq!(status, 200, "{active}");
    shop.world.lead();
    id
}

/// How many contacts entered the workflow.
pub async fn entered(shop: &Shop, id: &str) -> u64 {
    shop.world.settle().await;
    let path = format!("/v1/workflows/{id}/report");
    let (status, report) = ask(shop, "GET", &path, None).await;
    assert_eq!(status, 200, "{report}");
    report["entered"].as_u64().unwrap()
}

async fn completed_order(shop: &Shop, contact: ContactId, price: i64) {
    let body = json!({
        "contact_id": contact,
        "items": [{ "sku": "SP001", "name": "Áo thun", "quantity": 1, "price": price }],
    });
    let (status, order) = ask(shop, "POST", "/v1/orders", Some(body)).await;
    assert_eq!(status, 201, "{order}");
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    let change = json!({ "status": "completed", "payment_status": "paid" });
    let (status, order) = ask(shop, "PATCH", &path, Some(change)).await;
    assert_eq!(status, 200, "{order}");
}

#[tokio::test]
async fn the_page_shows_orders_and_the_last_activity() {
    let shop = Shop::new().await;
    let an = person("Trần Thị An", &[email("an@example.vn")]);
    let an = shop.upsert(an).await.contact;
    let path = format!("/v1/contacts/{an}");
    let (status, page) = ask(&shop, "GET", &path, None).await;
    assert_eq!((status, &page["full_name"]), (200, &json!("Trần Thị An")));
    let none =
        json!({ "count": 0, "total": 0, "average": null, "first_at": null, "last_at": null });
    assert_eq!(
        (&page["orders"], &page["last_activity_at"]),
        (&none, &Value::Null)
    );
    completed_order(&shop, an, 300_000).await;
    shop.world.advance(std::time::Duration::from_mins(1));
    completed_order(&shop, an, 100_001).await;
    shop.world.settle().await;
    let before = shop.world.aws.meter().snapshot();
    let (_, page) = ask(&shop, "GET", &path, None).await;
    let orders = &page["orders"];
    assert_eq!(
        (&orders["count"], &orders["total"], &orders["average"]),
        (&json!(2), &json!(400_001), &json!(200_000))
    );
    assert!(orders["first_at"].as_str() < orders["last_at"].as_str());
    let last: Timestamp = page["last_activity_at"].as_str().unwrap().parse().unwrap();
    let (_, timeline) = ask(&shop, "GET", &format!("{path}/timeline"), None).await;
    let newest = timeline["data"][0]["occurred_at"].as_str().unwrap();
    assert_eq!(last, newest.parse::<Timestamp>().unwrap());
    // The profile, the state and one row of the timeline.
    let (_, contacts) = shop.world.units("Contacts", &before);
    assert!(contacts <= 3.0, "{contacts}");
}

#[tokio::test]
async fn the_page_costs_three_read_units() {
    let shop = Shop::new().await;
    let an = person("Trần Thị An", &[email("an@example.vn")]);
    let an = shop.upsert(an).await.contact;
    completed_order(&shop, an, 300_000).await;
    shop.world.settle().await;
    let before = shop.world.aws.meter().snapshot();
    let (status, _) = ask(&shop, "GET", &format!("/v1/contacts/{an}"), None).await;
    assert_eq!(status, 200);
    let units: Vec<f64> = ["Contacts", "Timeline", "Commerce", "Flow", "Segments"]
        .map(|name| shop.world.units(name, &before).1)
        .into();
    eprintln!("units of the page: {units:?}");
    assert!(units.iter().sum::<f64>() <= 3.0, "{units:?}");
}

#[tokio::test]
async fn segments_and_workflows_of_a_contact_are_listed() {
    let shop = Shop::new().await;
    let trigger = json!({ "type": "contact.tag_added", "tag": "vip" });
    let workflow = waiting(&shop, trigger).await;
    let new = Incoming {
        tags: vec!["VIP".into()],
        ..person("Trần Thị An", &[email("an@example.vn")])
    };
    let an = shop.upsert(new).await.contact;
    shop.world.settle().await;
    // The builder finds the member; the state of the contact does not know the segment.
    let vip = segment(&shop, &tagged("vip")).await;
    let body = json!({ "name": "A", "kind": "static" });
    let (status, fixed) = ask(&shop, "POST", "/v1/segments", Some(body)).await;
    assert_eq!(status, 201, "{fixed}");
    let fixed = fixed["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/contacts/{an}/segments");
    let ids = async || {
        let (status, listed) = ask(&shop, "GET", &path, None).await;
        assert_eq!(status, 200, "{listed}");
        let data = listed["data"].as_array().unwrap().iter();
        let id = |one: &Value| one["segment_id"].as_str().unwrap().to_owned();
        data.map(id).collect::<Vec<_>>()
    };
    assert_eq!(ids().await, std::slice::from_ref(&vip));
    let members = format!("/v1/segments/{fixed}/members");
    let body = json!({ "add_contact_ids": [an] });
    assert_eq!(ask(&shop, "POST", &members, Some(body)).await.0, 202);
    shop.world.settle().await;
    assert_eq!(ids().await, [fixed.clone(), vip]);
    let gone = format!("/v1/contacts/{an}/tags/vip");
    assert_eq!(shop.api("DELETE", &gone, None).await.0, 204);
    shop.world.lead();
    shop.world.settle().await;
    assert_eq!(ids().await, [fixed]);

    let path = format!("/v1/contacts/{an}/enrollments");
    let before = shop.world.aws.meter().snapshot();
    let (status, listed) = ask(&shop, "GET", &path, None).await;
    assert_eq!(status, 200, "{listed}");
    let runs = listed["data"].as_array().unwrap();
    assert_eq!(runs.len(), 1, "{listed}");
    assert_eq!(runs[0]["workflow_id"], json!(workflow));
    assert_eq!(runs[0]["workflow_name"], "Chào khách");
    assert_eq!(runs[0]["status"], "waiting");
    assert!(runs[0]["wake_at"].is_string() && runs[0]["ended_at"].is_null());
    let (_, flow) = shop.world.units("Flow", &before);
    eprintln!("units of one enrollment: {flow}");
    assert!(flow <= 1.0, "{flow}");

    // The runs of a merged contact are the survivor's.
    let other = person("Trần An", &[email("an2@example.vn")]);
    let other = shop.upsert(other).await.contact;
    let path = format!("/v1/contacts/{other}/merge");
    let body = json!({ "contact_id": an });
    let (status, merged) = ask(&shop, "POST", &path, Some(body)).await;
    assert_eq!(status, 200, "{merged}");
    shop.world.settle().await;
    let path = format!("/v1/contacts/{other}/enrollments");
    let (_, listed) = ask(&shop, "GET", &path, None).await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed}");
}
