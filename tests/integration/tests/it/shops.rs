//! Webhooks of shops, through the real intake: signed requests become contacts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::TenantKey;
use serde_json::{Value, json};

use crate::support::{World, fixture, grant_of, hmac_of, http_event};

struct Shop {
    world: World,
    tenant: TenantKey,
    provider: &'static str,
    source: Value,
}

impl Shop {
    async fn with(provider: &'static str, new: Value) -> Self {
        let world = World::new();
        let tenant = world.workspace().await;
        let mut shop = Self {
            world,
            tenant,
            provider,
            source: Value::Null,
        };
        let (status, source) = shop.api("POST", "/v1/sources", Some(new)).await;
        assert_eq!(status, 201, "{source}");
        shop.source = source;
        shop
    }

    async fn of(provider: &'static str, secret: &str) -> Self {
        let new = json!({ "name": "Cửa hàng", "provider": provider, "secret": secret, "tags": ["shop"],
            "consent": { "email": { "field": "accepts_marketing", "yes": ["true"] } } });
        Self::with(provider, new).await
    }

    async fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        let grant = grant_of(self.tenant.workspace(), "admin");
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        self.world.ask("api-sources", event).await
    }

    fn path(&self) -> &str {
        self.source["path"].as_str().unwrap()
    }

    fn own(&self) -> String {
        format!("/v1/sources/{}", self.source["id"].as_str().unwrap())
    }

    async fn send(
        &self,
        method: &str,
        headers: &[(&str, String)],
        body: &str,
        query: &str,
    ) -> Value {
        let mut event = http_event(method, &format!("{}{query}", self.path()), None, None);
        event["pathParameters"] = json!({ "source": self.source["id"] });
        for (name, value) in headers {
            event["headers"][*name] = json!(value);
        }
        event["body"] = body.into();
        let function = format!("webhook-{}", self.provider);
        self.world.invoke(&function, event).await.unwrap()
    }

    async fn post(&self, headers: &[(&str, String)], body: &str) -> u64 {
        let answer = self.send("POST", headers, body, "").await;
        answer["statusCode"].as_u64().unwrap()
    }

    /// A topic of Haravan, signed with this key.
    async fn haravan(&self, key: &str, topic: &str, body: &str) -> u64 {
        let signature = STANDARD.encode(hmac_of(key.as_bytes(), body));
        let headers = [
            ("x-haravan-topic", topic.to_owned()),
            ("x-haravan-org-id", "1000101234".to_owned()),
            ("x-haravan-hmacsha256", signature),
        ];
        self.post(&headers, body).await
    }

    async fn contacts(&self) -> Vec<Value> {
        self.world.settle().await;
        let rows = self.world.dump("Contacts").await.into_iter();
        rows.filter(|row| row["sk"] == "PROFILE").collect()
    }

    async fn failed(&self) -> Value {
        self.world.settle().await;
        let path = format!("{}/failed-requests", self.own());
        self.api("GET", &path, None).await.1["data"].clone()
    }
}

fn body_of(file: &str) -> String {
    fixture(file)["body"].as_str().unwrap().to_owned()
}

const KEY: &str = "hrv-test-client-secret";

#[tokio::test]
async fn a_customer_of_haravan_is_a_contact_once_whatever_is_repeated_or_late() {
    let shop = Shop::of("haravan", KEY).await;
    let body = body_of("webhook-haravan/ok.json");
    assert_eq!(shop.haravan(KEY, "customers/update", &body).await, 200);
    let contacts = shop.contacts().await;
    let [contact] = contacts.as_slice() else {
        panic!("{contacts:?}");
    };
    assert_eq!(contact["full_name"], "Trần Thị An");
    assert_eq!(contact["ward"], "Phường Bến Nghé");
    assert_eq!(contact["tags"], json!(["hcm", "shop", "vip"]));
    assert_eq!(contact["source"], "haravan");

    let before = shop.world.aws.meter().snapshot();
    for _ in 0..3 {
        assert_eq!(shop.haravan(KEY, "customers/update", &body).await, 200);
    }
    // An older state of the same customer, delivered late.
    let older = body
        .replace("2026-03-02T01:12:11.500Z", "2026-03-01T01:12:11.500Z")
        .replace("12 Lê Lợi", "99 Đường Cũ");
    assert_eq!(shop.haravan(KEY, "customers/update", &older).await, 200);
    assert_eq!(shop.contacts().await, contacts);
    assert!(shop.world.writes_since(&before, "Contacts") < 0.5);
}

#[tokio::test]
async fn the_order_of_a_walk_in_makes_nobody() {
    let shop = Shop::of("haravan", KEY).await;
    let order = json!({ "id": 1, "name": "#1", "customer": null, "email": "", "updated_at": "2026-03-02T01:12:11.500Z" });
    assert_eq!(
        shop.haravan(KEY, "orders/create", &order.to_string()).await,
        200
    );
    assert!(shop.contacts().await.is_empty());
    assert_eq!(shop.failed().await, json!([]));
}

/// The headers of a request with this body.
type Headers<'a> = &'a dyn Fn(&str) -> Vec<(&'static str, String)>;

#[tokio::test]
async fn every_provider_reaches_its_contact() {
    let kiotviet = |body: &str| {
        vec![(
            "x-hub-signature",
            hex::encode(hmac_of(b"a3Ytc2VjcmV0LTAx", body)),
        )]
    };
    let sapo = |body: &str| {
        let signature = STANDARD.encode(hmac_of(b"sapo-test-secret", body));
        vec![
            ("x-sapo-topic", "orders/update".to_owned()),
            ("x-sapo-tenant-domain", "ao-dai.mysapogo.com".to_owned()),
            ("x-sapo-hmac-sha256", signature),
        ]
    };
    let getfly = |_: &str| {
        vec![(
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        )]
    };
    let cases: [(&str, &str, &str, Headers<'_>); 3] = [
        ("kiotviet", "a3Ytc2VjcmV0LTAx", "ok", &kiotviet),
        ("sapo", "sapo-test-secret", "omni", &sapo),
        ("getfly", "getfly-test-secret", "ok", &getfly),
    ];
    for (provider, secret, file, headers) in cases {
        let shop = Shop::of(provider, secret).await;
        let body = body_of(&format!("webhook-{provider}/{file}.json"));
        assert_eq!(shop.post(&headers(&body), &body).await, 200, "{provider}");
        let contacts = shop.contacts().await;
        assert_eq!(contacts.len(), 1, "{provider}: {contacts:?}");
        let rows = serde_json::to_string(&shop.world.dump("Contacts").await).unwrap();
        assert!(rows.contains("84912345678"), "{provider}: {rows}");
        // A secret that travels in the body goes no further.
        assert!(!rows.contains("getfly-test-secret"));
        assert_eq!(shop.failed().await, json!([]), "{provider}");
    }
}

#[tokio::test]
async fn the_shop_says_whether_its_customer_consented() {
    let shop = Shop::of("haravan", KEY).await;
    let body = body_of("webhook-haravan/ok.json");
    assert_eq!(shop.haravan(KEY, "customers/create", &body).await, 200);
    let granted = "c.email.marketing.granted";
    assert!(shop.contacts().await[0].get(granted).is_none());
    let yes = body
        .replace(
            "\"accepts_marketing\": false",
            "\"accepts_marketing\": true",
        )
        .replace("2026-03-02T01:12:11.500Z", "2026-03-02T02:12:11.500Z");
    assert_eq!(shop.haravan(KEY, "customers/update", &yes).await, 200);
    assert!(shop.contacts().await[0].get(granted).is_some());
}

/// Bodies of over 48 KiB are in a file, also while they wait as failed requests.
#[tokio::test]
async fn a_large_request_is_read_from_its_file() {
    let shop = Shop::of("haravan", KEY).await;
    let mut customer: Value = serde_json::from_str(&body_of("webhook-haravan/ok.json")).unwrap();
    customer["note"] = "x".repeat(2_000_000).into();
    let body = customer.to_string();
    assert_eq!(shop.haravan(KEY, "customers/update", &body).await, 200);
    assert_eq!(shop.contacts().await.len(), 1);

    assert_eq!(shop.haravan(KEY, "moons/create", &body).await, 200);
    let failed = shop.failed().await;
    let path = format!(
        "{}/failed-requests/{}",
        shop.own(),
        failed[0]["id"].as_str().unwrap()
    );
    let (status, shown) = shop.api("GET", &path, None).await;
    assert_eq!((status, shown["body"].as_str()), (200, Some(body.as_str())));
    let (status, _) = shop.api("POST", &format!("{path}/replay"), None).await;
    assert_eq!(status, 202);
    assert_eq!(shop.failed().await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_order_of_each_shop_is_an_order_of_its_buyer() {
    let shop = Shop::of("haravan", KEY).await;
    let body = body_of("webhook-haravan/order.json");
    for _ in 0..3 {
        assert_eq!(shop.haravan(KEY, "orders/create", &body).await, 200);
    }
    shop.world.run_for(600).await;
    let paid = body
        .replace(
            "\"financial_status\":\"pending\"",
            "\"financial_status\":\"paid\"",
        )
        .replace(
            "\"updated_at\":\"2026-03-02T01:12:11.500Z\",\"cancelled_at\"",
            "\"updated_at\":\"2026-03-02T01:20:00.000Z\",\"cancelled_at\"",
        );
    assert_eq!(shop.haravan(KEY, "orders/paid", &paid).await, 200);
    shop.world.run_for(600).await;
    // The first version again, late.
    assert_eq!(shop.haravan(KEY, "orders/create", &body).await, 200);
    shop.world.run_for(600).await;
    assert_eq!(shop.contacts().await.len(), 1);
    let grant = grant_of(shop.tenant.workspace(), "admin");
    let event = http_event("GET", "/v1/orders", None, Some(&grant));
    let (_, orders) = shop.world.ask("api-commerce", event).await;
    let [order] = orders["data"].as_array().unwrap().as_slice() else {
        panic!("{orders}");
    };
    assert_eq!(
        (&order["code"], &order["source"]),
        (&json!("#104512"), &json!("haravan"))
    );
    assert_eq!(
        (&order["payment_status"], &order["total"]),
        (&json!("paid"), &json!(580_000)),
        "{order}"
    );
    let rows = shop.world.dump("Timeline").await.into_iter();
    let made = rows.filter(|row| row["name"] == "order.created");
    assert_eq!(made.count(), 1);
}

#[tokio::test]
async fn haravans_handshake_needs_the_token() {
    let shop = Shop::of("haravan", KEY).await;
    let ask = async |token: &str| {
        let query =
            format!("?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444");
        shop.send("GET", &[], "", &query).await
    };
    let answer = ask(shop.source["token"].as_str().unwrap()).await;
    assert_eq!(
        (&answer["statusCode"], &answer["body"]),
        (&json!(200), &json!("1158201444"))
    );
    assert_eq!(ask("tngs_0").await["statusCode"], 401);
}

#[tokio::test]
async fn a_source_waits_for_its_secret_and_keeps_two_while_it_changes() {
    let new = json!({ "name": "Haravan", "provider": "haravan" });
    let shop = Shop::with("haravan", new).await;
    assert_eq!(shop.source["status"], "waiting");
    let body = body_of("webhook-haravan/ok.json");
    assert_eq!(
        shop.haravan("key one", "customers/create", &body).await,
        429
    );
    let path = format!("{}/secret", shop.own());
    let (status, problem) = shop.api("PUT", &path, Some(json!({}))).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/secret"))
    );
    for key in ["key-number-one", "key-number-two"] {
        let (status, answer) = shop.api("PUT", &path, Some(json!({ "secret": key }))).await;
        assert_eq!((status, &answer["secret"]), (200, &Value::Null), "{answer}");
    }
    shop.world.forget();
    let (_, shown) = shop.api("GET", &shop.own(), None).await;
    assert_eq!(shown["status"], "active");
    let rows = serde_json::to_string(&shop.world.dump("Directory").await).unwrap();
    assert!(!rows.contains("key-number"), "sealed");
    for key in ["key-number-one", "key-number-two"] {
        assert_eq!(
            shop.haravan(key, "customers/create", &body).await,
            200,
            "{key}"
        );
    }
    shop.world.advance(sources::BOTH_KEYS.unsigned_abs());
    assert_eq!(
        shop.haravan("key-number-one", "customers/create", &body)
            .await,
        401
    );
    assert_eq!(
        shop.haravan("key-number-two", "customers/create", &body)
            .await,
        200
    );
}

#[tokio::test]
async fn a_paused_source_asks_its_provider_to_try_again() {
    let shop = Shop::of("haravan", KEY).await;
    let body = body_of("webhook-haravan/ok.json");
    for (paused, status) in [(true, 429), (false, 200)] {
        let (_, shown) = shop
            .api("PATCH", &shop.own(), Some(json!({ "paused": paused })))
            .await;
        assert_eq!(shown["status"], if paused { "paused" } else { "active" });
        shop.world.forget();
        assert_eq!(shop.haravan(KEY, "customers/create", &body).await, status);
    }
}

#[tokio::test]
async fn kiotviet_never_gets_an_answer_that_switches_it_off() {
    let shop = Shop::of("kiotviet", "a3Ytc2VjcmV0LTAx").await;
    let forged = [("x-hub-signature", "00".repeat(32))];
    assert_eq!(shop.post(&forged, "{}").await, 429);
    assert_eq!(shop.post(&[], "{}").await, 429);
    assert_eq!(shop.post(&forged, &"x".repeat(600 * 1024)).await, 429);
    let (status, _) = shop.api("DELETE", &shop.own(), None).await;
    assert_eq!(status, 204);
    shop.world.forget();
    assert_eq!(shop.post(&forged, "{}").await, 429);
}

#[tokio::test]
async fn shopees_answer_is_empty() {
    let shop = Shop::of("shopee", "shopee-test-push-partner-key").await;
    let body = body_of("webhook-shopee/ok.json");
    let url = format!("https://shop.example.vn{}|{body}", shop.path());
    let good = hex::encode(hmac_of(b"shopee-test-push-partner-key", &url));
    for headers in [vec![("authorization", good)], Vec::new()] {
        let answer = shop.send("POST", &headers, &body, "").await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        assert_eq!(answer["body"].as_str().unwrap_or_default(), "");
    }
    assert_eq!(
        shop.post(&[("authorization", "00".repeat(32))], &body)
            .await,
        401
    );
}

#[tokio::test]
async fn an_unknown_topic_waits_at_its_source() {
    let shop = Shop::of("haravan", KEY).await;
    assert_eq!(shop.haravan(KEY, "moons/create", "{}").await, 200);
    assert_eq!(shop.haravan(KEY, "shop/update", "{}").await, 200);
    assert_eq!(
        shop.haravan(KEY, "customers/create", "{not json").await,
        200
    );
    let failed = shop.failed().await;
    let mut reasons: Vec<&str> = failed
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["reason"].as_str())
        .collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["syntax", "unknown_topic"], "{failed}");
}

#[tokio::test]
async fn an_own_system_signs_or_has_a_token() {
    let new = json!({ "name": "Hệ thống riêng", "provider": "custom",
        "consent": { "sms": { "field": "consents.sms", "yes": ["true"] } } });
    let shop = Shop::with("custom", new).await;
    let secret = shop.source["secret"].as_str().unwrap();
    let key = STANDARD
        .decode(secret.trim_start_matches("whsec_"))
        .unwrap();
    let body = body_of("webhook-custom/ok.json");
    let time = shop.world.now().as_second().to_string();
    let signature = STANDARD.encode(hmac_of(&key, &format!("msg_1.{time}.{body}")));
    let headers = [
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", time),
        ("webhook-signature", format!("v1,{signature}")),
    ];
    assert_eq!(shop.post(&headers, &body).await, 200);
    let contacts = shop.contacts().await;
    assert_eq!(contacts[0]["full_name"], "Trần Thị An");
    let granted = contacts[0].get("c.sms.marketing.granted");
    assert!(granted.is_some(), "{contacts:?}");
    shop.world.advance(std::time::Duration::from_secs(301));
    assert_eq!(shop.post(&headers, &body).await, 401);

    let form = json!({ "type": "form.submitted", "timestamp": "2026-03-02T08:15:30+07:00",
        "data": { "sdt": "0987654321", "loi_nhan": "Tư vấn" } });
    let bearer = format!("Bearer {}", shop.source["token"].as_str().unwrap());
    let headers = [
        ("authorization", bearer),
        ("idempotency-key", "form-1".to_owned()),
    ];
    for _ in 0..2 {
        assert_eq!(shop.post(&headers, &form.to_string()).await, 200);
    }
    assert_eq!(shop.contacts().await.len(), 2);
    let rows = shop.world.dump("Timeline").await.into_iter();
    let forms = rows.filter(|row| row["name"] == "form.submitted");
    assert_eq!(forms.count(), 1);
}

#[tokio::test]
async fn the_activity_of_a_source_tells_what_came_and_what_was_refused() {
    let shop = Shop::of("haravan", KEY).await;
    let path = format!("{}/activity", shop.own());
    let (_, before) = shop.api("GET", &path, None).await;
    assert_eq!(before["requests"], 0, "{before}");
    for name in ["last_event_at", "last_refused_at", "last_failed"] {
        assert_eq!(before[name], Value::Null, "{name}");
    }
    let body = body_of("webhook-haravan/ok.json");
    assert_eq!(shop.haravan(KEY, "customers/update", &body).await, 200);
    let order = json!({ "id": 1, "name": "#1", "updated_at": "2026-03-02T01:12:11.500Z" });
    let order = order.to_string();
    assert_eq!(shop.haravan(KEY, "orders/create", &order).await, 200);
    assert_eq!(shop.haravan(KEY, "orders/create", "[]").await, 200);
    let meter = shop.world.aws.meter().snapshot();
    for _ in 0..20 {
        assert_eq!(shop.haravan("another", "orders/create", &order).await, 401);
    }
    let refusals = shop.world.writes_since(&meter, "Reports");
    assert!(
        refusals <= 1.0,
        "a flood of forged requests writes once: {refusals}"
    );
    assert_eq!(shop.failed().await.as_array().unwrap().len(), 1);
    let (_, after) = shop.api("GET", &format!("{path}?days=1"), None).await;
    for (name, count) in [
        ("requests", 3),
        ("failed", 1),
        ("customers", 1),
        ("orders", 1),
        ("forms", 0),
    ] {
        assert_eq!(after[name], count, "{name}: {after}");
    }
    for name in ["last_event_at", "last_refused_at"] {
        assert!(after[name].is_string(), "{name}: {after}");
    }
    assert_eq!(after["last_failed"]["id"], shop.failed().await[0]["id"]);
    let (status, problem) = shop.api("GET", &format!("{path}?days=99"), None).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/days"))
    );
}
