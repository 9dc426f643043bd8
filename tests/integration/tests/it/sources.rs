//! Sources: made and changed over the API; they accept forms until they are removed.

use std::collections::BTreeSet;
use std::time::Duration;

use cloud::recent::BELIEVED;
use kernel::{Grant, TenantKey};
use serde_json::{Value, json};

use crate::support::{World, grant_of, http_event};

struct Shop {
    world: World,
    tenant: TenantKey,
}

impl Shop {
    async fn open() -> Self {
        let world = World::new();
        let tenant = world.workspace().await;
        Self { world, tenant }
    }

    fn grant(&self) -> Grant {
        grant_of(self.tenant.workspace(), "admin")
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        self.ask_as(&self.grant(), method, path, body).await
    }

    async fn ask_as(
        &self,
        grant: &Grant,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u64, Value) {
        let event = http_event(method, path, body.as_ref(), Some(grant));
        self.world.ask("api-sources", event).await
    }

    /// Posts a form to the source; gives the status.
    async fn post(&self, source: &Value, phone: &str) -> u64 {
        let form = json!({ "form_id": "FORM8", "So Zalo": phone, "message_time": phone });
        let path = source["path"].as_str().unwrap();
        let mut event = http_event("POST", path, Some(&form), None);
        let id = source["id"].as_str().unwrap();
        event["pathParameters"] = json!({ "source": id });
        let header = source["header"].as_str().unwrap();
        event["headers"][header] = source["token"].clone();
        self.world.ask("webhook-ladipage", event).await.0
    }

    async fn contacts(&self) -> Vec<Value> {
        self.world.settle().await;
        let rows = self.world.dump("Contacts").await.into_iter();
        rows.filter(|row| row["sk"] == "PROFILE").collect()
    }
}

fn landing() -> Value {
    json!({
        "name": "Landing Tết", "provider": "ladipage", "tags": ["landing"],
        "mapping": { "so_zalo": "phone" },
    })
}

#[tokio::test]
async fn a_source_takes_forms_from_its_making_to_its_removal() {
    let shop = Shop::open().await;
    let (status, made) = shop.ask("POST", "/v1/sources", Some(landing())).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(shop.post(&made, "0912345678").await, 200);
    let mut wrong = made.clone();
    wrong["token"] = "tngs_0".into();
    assert_eq!(shop.post(&wrong, "0912345679").await, 401);

    let path = format!("/v1/sources/{}", made["id"].as_str().unwrap());
    let (_, shown) = shop.ask("GET", &path, None).await;
    assert!(shown.get("token").is_none());
    assert_eq!(shown["mapping"], json!({ "so_zalo": "phone" }));
    let (_, list) = shop.ask("GET", "/v1/sources", None).await;
    assert_eq!(list["data"], json!([shown]));

    let change = json!({ "tags": ["landing 2"] });
    let (status, changed) = shop.ask("PATCH", &path, Some(change)).await;
    assert_eq!((status, &changed["name"]), (200, &json!("Landing Tết")));
    shop.world.forget();
    assert_eq!(shop.post(&made, "0987654321").await, 200);
    let contacts = shop.contacts().await;
    let tags: BTreeSet<&str> = contacts
        .iter()
        .filter_map(|row| row["tags"][0].as_str())
        .collect();
    assert_eq!(
        tags,
        BTreeSet::from(["landing", "landing 2"]),
        "{contacts:?}"
    );

    assert_eq!(shop.ask("DELETE", &path, None).await.0, 204);
    // In force within ten seconds: the intake may still know it.
    let moment = Duration::from_millis(1);
    let nearly = BELIEVED.unsigned_abs().checked_sub(moment).unwrap();
    shop.world.advance(nearly);
    assert_eq!(shop.post(&made, "0911222333").await, 200);
    shop.world.advance(moment);
    assert_eq!(shop.post(&made, "0911222333").await, 401);
    assert_eq!(shop.ask("DELETE", &path, None).await.0, 404);
    let (_, list) = shop.ask("GET", "/v1/sources", None).await;
    assert_eq!(list["data"], json!([]));
}

#[tokio::test]
async fn another_workspace_finds_changes_and_removes_nothing() {
    let shop = Shop::open().await;
    let (_, made) = shop.ask("POST", "/v1/sources", Some(landing())).await;
    let stranger = grant_of(shop.world.workspace().await.workspace(), "admin");
    let path = format!("/v1/sources/{}", made["id"].as_str().unwrap());
    for (method, body) in [
        ("GET", None),
        ("PATCH", Some(json!({ "tags": ["theirs"] }))),
        ("DELETE", None),
    ] {
        let (status, _) = shop.ask_as(&stranger, method, &path, body).await;
        assert_eq!(status, 404, "{method}");
    }
    let (_, list) = shop.ask_as(&stranger, "GET", "/v1/sources", None).await;
    assert_eq!(list["data"], json!([]));
    let (status, shown) = shop.ask("GET", &path, None).await;
    assert_eq!((status, &shown["tags"]), (200, &json!(["landing"])));
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_made() {
    let shop = Shop::open().await;
    let with = |name: &str, value: Value| {
        let mut source = landing();
        source[name] = value;
        source
    };
    for (source, pointer) in [
        (with("name", json!(" ")), "/name"),
        (with("tags", json!([""])), "/tags"),
        (with("mapping", json!({ "so_zalo": "" })), "/mapping"),
        (with("list_ids", json!(["lst_00000000009"])), "/list_ids/0"),
    ] {
        let (status, problem) = shop.ask("POST", "/v1/sources", Some(source)).await;
        assert_eq!(status, 400, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let mut short = with("provider", json!("sapo"));
    short["secret"] = json!("short");
    let (status, problem) = shop.ask("POST", "/v1/sources", Some(short)).await;
    let pointer = &problem["errors"][0]["pointer"];
    assert_eq!((status, pointer), (400, &json!("/secret")));
    let unread = with("provider", json!("lazada"));
    assert_eq!(shop.ask("POST", "/v1/sources", Some(unread)).await.0, 400);
    let (_, list) = shop.ask("GET", "/v1/sources", None).await;
    assert_eq!(list["data"], json!([]));
}
