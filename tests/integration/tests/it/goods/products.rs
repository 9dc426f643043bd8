//! Products of sources and of staff.

use std::collections::BTreeSet;

use commerce::{IncomingProduct, Outcome, Products, Source, StockLevel};
use kernel::Money;
use serde_json::{Value, json};

use super::shop::Shop;
use crate::support::{Kill, grant_of, http_event};

const UPDATED: &str = "2026-03-02T01:12:11.500Z";

/// A product of Haravan, and of Sapo Web with its own names.
fn storefront(updated: &str, published: &str) -> Value {
    json!({
        "id": 1_031_110_022, "title": "Áo thun", "name": "Áo thun", "body_html": "<p>Vải cotton</p>", "vendor": "Gốm",
        "product_type": "Áo", "tags": "hè", updated: UPDATED, published: "2026-03-01T00:00:00Z",
        "images": [{ "id": 7, "src": "https://product.example.vn/ao.jpg" }],
        "variants": [{ "id": 1, "sku": "AO-TR-M", "price": 285_000, "inventory_quantity": 15, "option1": "Default Title" }],
    })
}

fn kiotviet() -> Value {
    json!({ "Notifications": [{ "Action": "product.update.500123", "Data": [{
        "Id": 501, "Code": "AO-TR-M", "Name": "Áo thun", "FullName": "Áo thun", "CategoryName": "Áo", "AllowsSale": true,
        "BasePrice": 285_000, "ModifiedDate": "2026-03-02T08:15:31.0000000+07:00",
        "Inventories": [{ "BranchId": 11, "OnHand": 12, "Cost": 120_000 }, { "BranchId": 12, "OnHand": 3, "Cost": 0 }],
    }] }] })
}

fn own() -> Value {
    json!({ "type": "product.updated", "timestamp": "2026-03-02T08:00:00+07:00", "data": {
        "id": "P-1", "sku": "AO-TR-M", "name": "Áo thun", "price": "285000", "stock": 15, "categories": ["Áo"],
    } })
}

impl Shop {
    async fn listed(&self, query: &str) -> Vec<Value> {
        let (status, page) = self.ask("GET", &format!("/v1/products{query}"), None).await;
        assert_eq!(status, 200, "{page}");
        page["data"].as_array().unwrap().clone()
    }

    async fn names(&self, query: &str) -> Vec<String> {
        let listed = self.listed(query).await.into_iter();
        listed
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn product(&self, id: &Value) -> Value {
        let path = format!("/v1/products/{}", id.as_str().unwrap());
        let (status, product) = self.ask("GET", &path, None).await;
        assert_eq!(status, 200, "{product}");
        product
    }

    fn products(&self) -> Products {
        Products::over(&self.world.resources())
    }
}

#[tokio::test]
async fn each_provider_tells_of_its_products_once() {
    for (provider, topic, body) in [
        (
            "haravan",
            "products/update",
            storefront("updated_at", "published_at"),
        ),
        (
            "sapo",
            "products/update",
            storefront("modified_on", "published_on"),
        ),
        ("kiotviet", "", kiotviet()),
        ("custom", "", own()),
    ] {
        let shop = Shop::open().await;
        let door = shop.door(provider, json!({})).await;
        shop.tell(&door, topic, &body).await;
        let listed = shop.listed("").await;
        let [one] = listed.as_slice() else {
            panic!("{provider}: {listed:?}");
        };
        assert_eq!(one["name"], "Áo thun", "{provider}");
        assert_eq!(one["price"], 285_000, "{provider}");
        let product = shop.product(&one["id"]).await;
        assert_eq!(product["code"], "AO-TR-M", "{product}");
        assert_eq!(product["stock"], 15, "{product}");
        assert_eq!(product["categories"], json!(["Áo"]), "{product}");
        let source = if provider == "custom" {
            "api"
        } else {
            provider
        };
        assert_eq!(product["source"], source);

        let before = shop.world.aws.meter().snapshot();
        for _ in 0..2 {
            shop.tell(&door, topic, &body).await;
        }
        let older = body.to_string().replace("2026-03-02T", "2026-03-01T");
        let older = older.replace("Áo thun", "Áo cũ");
        shop.tell(&door, topic, &serde_json::from_str(&older).unwrap())
            .await;
        let writes = shop.world.writes_since(&before, "Commerce");
        assert!(writes <= 0.0, "{provider}: {writes}");
        assert_eq!(shop.listed("").await, listed, "{provider}");
        assert_eq!(shop.names("?code=tr-m").await, ["Áo thun"], "{provider}");
    }
}

#[tokio::test]
async fn a_product_that_its_shop_deleted_is_archived() {
    let shop = Shop::open().await;
    let haravan = shop.door("haravan", json!({})).await;
    let body = storefront("updated_at", "published_at");
    shop.tell(&haravan, "products/create", &body).await;
    shop.tell(&haravan, "products/delete", &json!({ "id": 1_031_110_022 }))
        .await;
    assert!(shop.listed("").await.is_empty());
    assert_eq!(shop.names("?status=archived").await, ["Áo thun"]);
    // The last change before the deletion, late.
    let late = body.to_string().replace(UPDATED, "2026-03-02T02:00:00Z");
    shop.tell(
        &haravan,
        "products/update",
        &serde_json::from_str(&late).unwrap(),
    )
    .await;
    assert!(shop.listed("").await.is_empty());

    let kiotviet_door = shop.door("kiotviet", json!({})).await;
    shop.tell(&kiotviet_door, "", &kiotviet()).await;
    let gone = json!({ "Notifications": [{ "Action": "product.delete.500123", "Data": [501] }] });
    shop.tell(&kiotviet_door, "", &gone).await;
    let own_door = shop.door("custom", json!({})).await;
    shop.tell(&own_door, "", &own()).await;
    shop.say(
        &own_door,
        "product.deleted",
        "2026-03-02T08:10:00+07:00",
        json!({ "id": "P-1" }),
    )
    .await;
    assert!(shop.listed("").await.is_empty());
    assert_eq!(shop.listed("?status=archived").await.len(), 3);
}

#[tokio::test]
async fn the_stock_of_a_branch_is_the_newest_that_was_told() {
    let shop = Shop::open().await;
    let door = shop.door("kiotviet", json!({})).await;
    let stock = |branch: u32, count: i64| {
        json!({ "Notifications": [{ "Action": "stock.update.500123", "Data": [
            { "ProductId": 501, "BranchId": branch, "OnHand": count }] }] })
    };
    // Before the product is known.
    shop.tell(&door, "", &stock(12, 7)).await;
    shop.tell(&door, "", &kiotviet()).await;
    let id = shop.listed("").await[0]["id"].clone();
    assert_eq!(shop.product(&id).await["stock"], 19);
    shop.world.forget();
    let before = shop.world.aws.meter().snapshot();
    shop.tell(&door, "", &stock(11, 2)).await;
    assert_eq!(shop.product(&id).await["stock"], 9);
    assert!(shop.world.writes_since(&before, "Commerce") <= 1.0);
}

#[tokio::test]
async fn staff_enter_change_and_find_products() {
    let shop = Shop::open().await;
    let body = json!({ "code": "AO-TR", "name": "Áo thun trắng", "price": 285_000, "stock": 4, "staff_tags": ["hè"],
        "variants": [{ "name": "M", "sku": "AO-TR-M", "price": 285_000 }] });
    let (status, made) = shop.ask("POST", "/v1/products", Some(body.clone())).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        (&made["source"], &made["external_id"], &made["stock"]),
        (&json!("manual"), &Value::Null, &json!(4))
    );
    for code in ["AO-TR", "ao-tr", "ÁO-tr"] {
        let mut other = body.clone();
        other["code"] = code.into();
        other["name"] = "Áo khác".into();
        let (status, _) = shop.ask("POST", "/v1/products", Some(other)).await;
        assert_eq!(status, 409, "{code}");
    }
    let bat = json!({ "code": "BAT", "name": "Bát sứ", "price": 95_000 });
    assert_eq!(shop.ask("POST", "/v1/products", Some(bat)).await.0, 201);
    assert_eq!(shop.names("").await, ["Áo thun trắng", "Bát sứ"]);
    assert_eq!(shop.names("?query=ao").await, ["Áo thun trắng"]);
    assert_eq!(shop.names("?query=B%C3%81T").await, ["Bát sứ"]);
    assert_eq!(shop.names("?code=o-tr").await, ["Áo thun trắng"]);
    assert_eq!(shop.names("?limit=1").await.len(), 1);

    let path = format!("/v1/products/{}", made["id"].as_str().unwrap());
    let patch = json!({ "price": 295_000, "stock": null, "description": "Vải cotton" });
    let (status, product) = shop.ask("PATCH", &path, Some(patch)).await;
    assert_eq!((status, &product["price"]), (200, &json!(295_000)));
    assert_eq!(product["stock"], Value::Null);
    assert_eq!(shop.listed("?query=ao").await[0]["price"], 295_000);
    let before = shop.world.aws.meter().snapshot();
    let (_, same) = shop
        .ask("PATCH", &path, Some(json!({ "price": 295_000 })))
        .await;
    assert_eq!(same["updated_at"], product["updated_at"]);
    assert!(shop.world.writes_since(&before, "Commerce") <= 0.0);
    let archive = json!({ "status": "archived" });
    assert_eq!(shop.ask("PATCH", &path, Some(archive)).await.0, 200);
    assert_eq!(shop.names("").await, ["Bát sứ"]);
    assert_eq!(shop.names("?status=archived").await, ["Áo thun trắng"]);
}

#[tokio::test]
async fn a_product_of_a_shop_system_is_read_only_but_for_the_staff_s_tags() {
    let shop = Shop::open().await;
    let door = shop.door("haravan", json!({})).await;
    let body = storefront("updated_at", "published_at");
    shop.tell(&door, "products/create", &body).await;
    let id = shop.listed("").await[0]["id"].clone();
    let path = format!("/v1/products/{}", id.as_str().unwrap());
    let price = json!({ "price": 1 });
    assert_eq!(shop.ask("PATCH", &path, Some(price)).await.0, 409);
    let tags = json!({ "staff_tags": ["bán chạy"] });
    assert_eq!(shop.ask("PATCH", &path, Some(tags)).await.0, 200);
    let later = body
        .to_string()
        .replace(UPDATED, "2026-03-02T02:00:00Z")
        .replace("Áo thun", "Áo thun mới");
    shop.tell(
        &door,
        "products/update",
        &serde_json::from_str(&later).unwrap(),
    )
    .await;
    let product = shop.product(&id).await;
    assert_eq!(product["name"], "Áo thun mới");
    assert_eq!(product["staff_tags"], json!(["bán chạy"]));
}

#[tokio::test]
async fn one_answer_names_all_faults_of_a_product() {
    let shop = Shop::open().await;
    let body = json!({ "code": "", "name": " ", "price": -1, "stock": 2_000_000_000, "images": [""],
        "variants": [{ "name": "", "price": -1 }], "staff_tags": [""] });
    let (status, problem) = shop.ask("POST", "/v1/products", Some(body)).await;
    assert_eq!(status, 400);
    let errors = problem["errors"].as_array().unwrap().iter();
    let places: BTreeSet<&str> = errors.map(|one| one["pointer"].as_str().unwrap()).collect();
    for place in [
        "/code",
        "/name",
        "/price",
        "/stock",
        "/images",
        "/variants/0/name",
        "/variants/0/price",
    ] {
        assert!(places.contains(place), "{place}: {places:?}");
    }
    for query in ["?code=x", "?code=abc&query=a", "?query="] {
        let (status, _) = shop.ask("GET", &format!("/v1/products{query}"), None).await;
        assert_eq!(status, 400, "{query}");
    }
}

fn version(minute: u32, name: &str, stock: i64) -> IncomingProduct {
    let at = format!("2026-03-02T08:{minute:02}:00Z");
    IncomingProduct {
        source: Source::Haravan,
        shop: "ao-dai".into(),
        external_id: "1031110022".into(),
        source_at: at.parse().unwrap(),
        code: Some("AO-TR-M".into()),
        name: name.into(),
        description: Some("Vải cotton mát. ".repeat(60)),
        images: vec!["https://product.example.vn/ao.jpg".into()],
        price: Money::vnd(285_000),
        levels: [(String::new(), stock)].into(),
        ..IncomingProduct::default()
    }
}

#[tokio::test]
async fn versions_and_levels_in_any_order_end_alike_within_their_budget() {
    let versions = [
        version(1, "Áo thun", 4),
        version(2, "Áo thun", 3),
        version(4, "Áo thun trắng", 3),
    ];
    let level = StockLevel {
        source: Source::Haravan,
        shop: "ao-dai".into(),
        external_id: "1031110022".into(),
        place: String::new(),
        count: 9,
        at: "2026-03-02T08:03:00Z".parse().unwrap(),
    };
    let mut random = fastrand::Rng::with_seed(5);
    for round in 0..12 {
        let shop = Shop::open().await;
        let products = shop.products();
        let mut order = [0, 1, 2, 3, 0, 1, 2, 3];
        if round > 0 {
            random.shuffle(&mut order);
        }
        for n in order {
            let before = shop.world.aws.meter().snapshot();
            let outcome = match versions.get(n) {
                Some(version) => products.record(shop.tenant, version).await,
                None => products.stock(shop.tenant, &level).await,
            };
            let writes = shop.world.writes_since(&before, "Commerce");
            let most = match outcome.unwrap() {
                Outcome::Created => 5.0,
                Outcome::Changed if n == 3 => 2.0,
                Outcome::Changed => 4.0,
                Outcome::Older | Outcome::Same => 0.0,
            };
            assert!(writes <= most, "round {round}: {n} took {writes}");
        }
        let listed = shop.listed("").await;
        assert_eq!(listed.len(), 1, "round {round}");
        let product = shop.product(&listed[0]["id"]).await;
        assert_eq!(product["name"], "Áo thun trắng", "round {round}");
        assert_eq!(product["stock"], 3, "round {round}");
    }
}

#[tokio::test]
async fn a_new_product_killed_at_any_call_and_repeated_is_one() {
    for n in 0.. {
        let shop = Shop::open().await;
        let body = json!({ "code": "AO-TR", "name": "Áo thun trắng", "price": 285_000 });
        let mut event = shop.request("POST", "/v1/products", Some(&body));
        event["headers"]["idempotency-key"] = "ao-tr-1".into();
        let killed = shop
            .world
            .invoke_and_kill("api-commerce", event.clone(), Kill::After(n));
        let survived = killed.await.is_some();
        shop.world.advance(std::time::Duration::from_secs(61));
        let (status, made) = shop.world.ask("api-commerce", event).await;
        assert_eq!(status, 201, "killed after {n}: {made}");
        assert_eq!(shop.names("").await.len(), 1, "killed after {n}");
        assert_eq!(shop.names("?code=o-tr").await.len(), 1, "killed after {n}");
        if survived {
            assert!(n > 3, "only {n} calls");
            break;
        }
    }
}

#[tokio::test]
async fn a_product_has_the_fields_that_the_shop_defines() {
    let shop = Shop::open().await;
    let field = json!({ "target": "product", "key": "men", "label": "Men", "type": "text" });
    let grant = grant_of(shop.tenant.workspace(), "admin");
    let event = http_event("POST", "/v1/fields", Some(&field), Some(&grant));
    assert_eq!(shop.world.ask("api-contacts", event).await.0, 201);
    let new = json!({ "code": "BAT-9", "name": "Bát", "price": 90_000 });
    let (_, product) = shop.ask("POST", "/v1/products", Some(new)).await;
    let path = format!("/v1/products/{}", product["id"].as_str().unwrap());
    let wrong = json!({ "price": -1, "custom": { "la": "x" } });
    let (status, problem) = shop.ask("PATCH", &path, Some(wrong)).await;
    let places = problem["errors"].as_array().unwrap().iter();
    let places: Vec<&str> = places.map(|one| one["pointer"].as_str().unwrap()).collect();
    assert_eq!((status, &places[..]), (400, &["/custom/la", "/price"][..]));
    let value = json!({ "custom": { "men": " Men lam " } });
    let (status, product) = shop.ask("PATCH", &path, Some(value)).await;
    assert_eq!(
        (status, &product["custom"]),
        (200, &json!({ "men": "Men lam" }))
    );
}
