//! Outgoing webhooks from the event to the endpoint: the API, the relay, the dispatcher, the timers, over the templates' tables and
//! queues. The endpoint is the receiver of the local stack.

mod kills;

use std::net::IpAddr;
use std::time::Duration;

use contacts::{Contacts, Event};
use kernel::{ContactId, TenantKey};
use serde_json::{Value, json};
use tanigo_local::receiver::{Behaviour, Received};

use crate::support::{World, grant_of, http_event};

const URL: &str = "http://127.0.0.1:8787/_local/receiver/shop";
const HOUR: Duration = Duration::from_hours(1);

struct Shop {
    world: World,
    tenant: TenantKey,
    hook: String,
}

impl Shop {
    /// A shop whose receiver knows the secret of its webhook.
    async fn new() -> Self {
        Self::at(World::new(), URL).await
    }

    async fn at(world: World, url: &str) -> Self {
        let tenant = world.workspace().await;
        let mut shop = Self {
            world,
            tenant,
            hook: String::new(),
        };
        let new = json!({ "url": url, "events": ["contact.created", "contact.tagged", "contact.deleted", "contact.unsubscribed"] });
        let (status, made) = shop.api("POST", "/v1/webhooks", Some(new)).await;
        assert_eq!(status, 201, "{made}");
        assert_eq!(made["status"], "active");
        shop.hook = made["id"].as_str().unwrap().to_owned();
        shop.answer(Behaviour {
            secret: Some(made["secret"].as_str().unwrap().to_owned()),
            ..Behaviour::default()
        });
        shop.world.swept().await;
        shop.world.lead();
        shop
    }

    async fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        self.api_of(self.tenant, method, path, body).await
    }

    async fn api_of(
        &self,
        tenant: TenantKey,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u64, Value) {
        let grant = grant_of(tenant.workspace(), "admin");
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        self.world.ask("api-sources", event).await
    }

    fn own(&self, more: &str) -> String {
        format!("/v1/webhooks/{}{more}", self.hook)
    }

    fn answer(&self, behaviour: Behaviour) {
        self.world.providers.receiver().set("shop", behaviour);
    }

    fn answers(&self, status: u16, times: Option<u32>) {
        self.answer(Behaviour {
            answer: Some(status),
            times,
            ..Behaviour::default()
        });
    }

    fn received(&self) -> Vec<Received> {
        self.world.providers.receiver().received("shop")
    }

    fn contacts(&self) -> Contacts {
        Contacts::over(&self.world.resources())
    }

    async fn contact(&self, email: &str) -> ContactId {
        let body = json!({ "email": email });
        let grant = grant_of(self.tenant.workspace(), "admin");
        let event = http_event("POST", "/v1/contacts", Some(&body), Some(&grant));
        let (status, made) = self.world.ask("api-contacts", event).await;
        assert!(status < 300, "{made}");
        made["id"].as_str().unwrap().parse().unwrap()
    }

    /// Lets the time pass, a minute at a time near the timers, and does all work.
    async fn pass(&self, whole: Duration) {
        let step = Duration::from_secs(50);
        let mut left = whole;
        while !left.is_zero() {
            self.world.invoke("due-timer", json!({})).await.unwrap();
            self.world.settle().await;
            let by = left.min(step);
            self.world.advance(by);
            left -= by;
        }
        self.world.settle().await;
    }

    async fn show(&self) -> Value {
        self.api("GET", &self.own(""), None).await.1
    }

    async fn deliveries(&self, query: &str) -> Vec<Value> {
        let (status, page) = self
            .api("GET", &self.own(&format!("/deliveries{query}")), None)
            .await;
        assert_eq!(status, 200, "{page}");
        page["data"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn an_event_arrives_signed_once_with_the_same_id_at_each_redelivery() {
    let shop = Shop::new().await;
    let contact = shop.contact("lan@example.vn").await;
    shop.world.settle_twice().await;
    let received = shop.received();
    assert_eq!(received.len(), 1, "{received:?}");
    let [one] = &received[..] else { return };
    assert_eq!((one.verified, one.signatures), (Some(true), 1));
    assert_eq!(one.body["type"], "contact.created");
    assert_eq!(one.body["id"], one.id.as_str());
    assert_eq!(one.body["workspace_id"], json!(shop.tenant.workspace()));
    assert_eq!(one.body["data"]["contact_id"], json!(contact));
    assert!(!one.body.to_string().contains("lan@"), "names no person");

    let deliveries = shop.deliveries("").await;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0]["status"], "succeeded");
    assert_eq!(deliveries[0]["id"], one.id.as_str());
    assert!(shop.deliveries("?failed=true").await.is_empty());
    let path = shop.own(&format!("/deliveries/{}", one.id));
    let (_, shown) = shop.api("GET", &path, None).await;
    assert_eq!(shown["attempts"][0]["status"], 200);
    assert_eq!(shown["attempts"][0]["response"], "received");

    // The event's message once more, as SQS may bring it.
    let entry = Event {
        id: "x".into(),
        name: "page.viewed".into(),
        at: shop.world.now(),
        source: "api".into(),
        data: json!({}),
    };
    shop.contacts()
        .record(shop.tenant, contact, &entry)
        .await
        .unwrap();
    shop.world.settle().await;
    assert_eq!(shop.received().len(), 1, "nobody wants this event");

    // By hand it is sent again under the same id.
    let (status, _) = shop.api("POST", &format!("{path}/redeliver"), None).await;
    assert_eq!(status, 202);
    shop.pass(Duration::from_secs(10)).await;
    let ids: Vec<String> = shop.received().into_iter().map(|one| one.id).collect();
    assert_eq!(ids, [one.id.clone(), one.id.clone()]);
}

#[tokio::test]
async fn tags_decisions_and_erasures_are_told() {
    let shop = Shop::new().await;
    let contact = shop.contact("lan@example.vn").await;
    // A person erases contacts, never a key.
    let grant = kernel::Grant {
        actor: "usr_00000000001".to_owned(),
        role: Some(kernel::Role::AccountAdmin),
        ..grant_of(shop.tenant.workspace(), "")
    };
    let ask = async |method: &str, path: String, body: Option<Value>| {
        let event = http_event(method, &path, body.as_ref(), Some(&grant));
        let (status, answer) = shop.world.ask("api-contacts", event).await;
        assert!(status < 300, "{path}: {answer}");
    };
    let own = format!("/v1/contacts/{contact}");
    ask(
        "POST",
        format!("{own}/tags"),
        Some(json!({ "tags": ["VIP"] })),
    )
    .await;
    let decision = json!({ "decision": "withdrawn", "method": "phone", "channels": ["email"] });
    ask("POST", format!("{own}/consent"), Some(decision)).await;
    ask("DELETE", own.clone(), None).await;
    shop.world.settle().await;
    let told = shop.received();
    let mut types: Vec<&str> = told
        .iter()
        .filter_map(|one| one.body["type"].as_str())
        .collect();
    types.sort_unstable();
    let expected = [
        "contact.created",
        "contact.deleted",
        "contact.tagged",
        "contact.unsubscribed",
    ];
    assert_eq!(types, expected);
    let tagged = told.iter().find(|one| one.body["type"] == "contact.tagged");
    assert_eq!(tagged.unwrap().body["data"]["tags"], json!(["VIP"]));
}

#[tokio::test]
async fn a_failed_call_is_repeated_until_it_succeeds() {
    let shop = Shop::new().await;
    shop.answers(500, Some(3));
    shop.contact("lan@example.vn").await;
    shop.world.settle().await;
    assert_eq!(shop.received().len(), 1);
    let pending = shop.deliveries("").await;
    assert_eq!(pending[0]["status"], "pending");
    assert_ne!(pending[0]["next_attempt_at"], Value::Null);
    shop.pass(Duration::from_secs(10)).await;
    assert_eq!(shop.received().len(), 2);
    shop.pass(Duration::from_mins(6)).await;
    assert_eq!(shop.received().len(), 3);
    shop.pass(Duration::from_mins(36)).await;
    let received = shop.received();
    assert_eq!(received.len(), 4);
    assert!(received.iter().all(|one| one.id == received[0].id));
    assert!(received.iter().all(|one| one.verified == Some(true)));
    let done = shop.deliveries("").await;
    assert_eq!(done[0]["status"], "succeeded");
    assert_eq!(done[0]["attempts_count"], 4);
    shop.pass(3 * HOUR).await;
    assert_eq!(shop.received().len(), 4);
}

#[tokio::test]
async fn an_exhausted_delivery_stays_listed_and_is_delivered_again() {
    let shop = Shop::new().await;
    shop.answers(302, None);
    shop.contact("lan@example.vn").await;
    shop.pass(31 * HOUR).await;
    let failed = shop.deliveries("?failed=true").await;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["failure_reason"], "exhausted");
    assert_eq!(failed[0]["attempts_count"], 8);
    assert_eq!(failed[0]["last_status"], 302);
    assert_eq!(shop.show().await["status"], "active");
    shop.answers(200, None);
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    let (status, begun) = shop.api("POST", &shop.own("/redeliver"), Some(since)).await;
    assert_eq!((status, &begun["limit"]), (202, &json!(10_000)));
    // The circuit of the endpoint is open for up to a minute after its last failure.
    shop.pass(Duration::from_mins(8)).await;
    assert!(shop.deliveries("?failed=true").await.is_empty());
    assert_eq!(shop.deliveries("").await[0]["status"], "succeeded");
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_at_once_with_a_mail() {
    let shop = Shop::new().await;
    shop.answers(410, None);
    shop.contact("lan@example.vn").await;
    shop.pass(Duration::from_mins(3)).await;
    let shown = shop.show().await;
    assert_eq!(
        (&shown["status"], &shown["disabled_reason"]),
        (&json!("disabled"), &json!("gone"))
    );
    assert_eq!(shop.received().len(), 1);
    shop.world.lead();
    shop.contact("minh@example.vn").await;
    shop.world.settle().await;
    assert_eq!(shop.received().len(), 1);
    let failed = shop.deliveries("?failed=true").await;
    assert_eq!(failed[0]["failure_reason"], "webhook_disabled");
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_disabled() {
    let shop = Shop::new().await;
    shop.answer(Behaviour {
        timeout: true,
        ..Behaviour::default()
    });
    for day in 0..6 {
        shop.contact(&format!("khach{day}@example.vn")).await;
        shop.world.settle().await;
        shop.world.advance(24 * HOUR);
        shop.world.swept().await;
    }
    let shown = shop.show().await;
    assert_eq!(
        (&shown["status"], &shown["disabled_reason"]),
        (&json!("disabled"), &json!("failing"))
    );
}

#[tokio::test]
async fn a_new_secret_signs_beside_the_old_one_for_a_day() {
    let shop = Shop::new().await;
    let (status, rotated) = shop.api("POST", &shop.own("/secret"), None).await;
    assert_eq!(status, 200);
    assert_ne!(rotated["previous_until"], Value::Null);
    shop.world.forget();
    shop.contact("lan@example.vn").await;
    shop.world.settle().await;
    let first = shop.received();
    assert_eq!((first[0].verified, first[0].signatures), (Some(true), 2));
    shop.world.advance(24 * HOUR);
    shop.answer(Behaviour {
        secret: rotated["secret"].as_str().map(str::to_owned),
        ..Behaviour::default()
    });
    shop.contact("minh@example.vn").await;
    shop.world.settle().await;
    let second = shop.received();
    assert_eq!((second[1].verified, second[1].signatures), (Some(true), 1));
}

#[tokio::test]
async fn a_pause_holds_events_until_the_webhook_is_resumed() {
    let shop = Shop::new().await;
    let pause = json!({ "status": "paused" });
    assert_eq!(shop.api("PATCH", &shop.own(""), Some(pause)).await.0, 200);
    shop.world.forget();
    shop.contact("lan@example.vn").await;
    shop.world.settle().await;
    assert!(shop.received().is_empty());
    assert_eq!(shop.deliveries("?failed=true").await[0]["status"], "held");
    let (status, _) = shop.api("POST", &shop.own("/test"), None).await;
    assert_eq!(status, 409);
    let resume = json!({ "status": "active" });
    assert_eq!(shop.api("PATCH", &shop.own(""), Some(resume)).await.0, 200);
    shop.pass(Duration::from_mins(2)).await;
    assert_eq!(shop.received().len(), 1);
    let (status, test) = shop.api("POST", &shop.own("/test"), None).await;
    assert_eq!((status, &test["type"]), (202, &json!("webhook.test")));
    shop.world.settle().await;
    assert_eq!(shop.received()[1].body["type"], "webhook.test");
}

#[tokio::test]
async fn private_addresses_are_refused_when_saved_and_when_called() {
    let world = World::new();
    let public: IpAddr = "93.184.215.14".parse().unwrap();
    let private: IpAddr = "169.254.169.254".parse().unwrap();
    let receiver = world.providers.receiver();
    receiver.set_host("shop.example", vec![public]);
    receiver.set_host("inside.example", vec![private]);
    receiver.set_host("both.example", vec![public, private]);
    let shop = Shop::at(world, "https://shop.example/_local/receiver/shop").await;
    for url in [
        "https://169.254.169.254/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://2852039166/",
        "https://0251.0376.0251.0376/",
        "https://inside.example/",
        "https://both.example/",
        "https://nowhere.example/",
        "https://user:pass@shop.example/",
        "http://shop.example/",
        "file:///etc/passwd",
    ] {
        let new = json!({ "url": url, "events": ["contact.created"] });
        let (status, answer) = shop.api("POST", "/v1/webhooks", Some(new)).await;
        assert_eq!(status, 400, "{url}: {answer}");
        assert_eq!(answer["errors"][0]["pointer"], "/url", "{url}: {answer}");
        let change = json!({ "url": url });
        let (status, _) = shop.api("PATCH", &shop.own(""), Some(change)).await;
        assert_eq!(status, 400, "{url}");
    }
    shop.contact("lan@example.vn").await;
    shop.world.settle().await;
    assert_eq!(shop.received().len(), 1);
    // The name points elsewhere from now on.
    let receiver = shop.world.providers.receiver();
    receiver.set_host("shop.example", vec![private]);
    shop.world.advance(Duration::from_secs(1));
    shop.contact("minh@example.vn").await;
    shop.world.settle().await;
    assert_eq!(shop.received().len(), 1);
    let last = shop.deliveries("").await.remove(0);
    let path = shop.own(&format!("/deliveries/{}", last["id"].as_str().unwrap()));
    let (_, shown) = shop.api("GET", &path, None).await;
    assert_eq!(shown["attempts"][0]["error"], "address_not_public");
}

#[tokio::test]
async fn requests_of_one_instant_make_no_more_than_twenty_webhooks() {
    let shop = Shop::new().await;
    let new = json!({ "url": URL, "events": ["contact.created"] });
    for _ in 0..17 {
        let (status, made) = shop.api("POST", "/v1/webhooks", Some(new.clone())).await;
        assert_eq!(status, 201, "{made}");
    }
    let requests = (0..6).map(|_| shop.api("POST", "/v1/webhooks", Some(new.clone())));
    let answers = futures::future::join_all(requests).await;
    let of = |wanted: u64| answers.iter().filter(|one| one.0 == wanted).count();
    assert_eq!((of(201), of(409)), (2, 4), "{answers:?}");
    let (_, listed) = shop.api("GET", "/v1/webhooks?limit=100", None).await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 20);
    // A removed webhook leaves its place.
    assert_eq!(shop.api("DELETE", &shop.own(""), None).await.0, 204);
    let again = shop.api("POST", "/v1/webhooks", Some(new.clone())).await;
    assert_eq!(again.0, 201, "{}", again.1);
    let more = shop.api("POST", "/v1/webhooks", Some(new)).await;
    assert_eq!(more.0, 409, "{}", more.1);
    // A refused webhook hears nothing.
    let rows = shop.world.dump("Directory").await.into_iter();
    let hears = |row: &Value| row["pk"].as_str().is_some_and(|pk| pk.ends_with("#HOOKS"));
    assert_eq!(rows.filter(hears).count(), 20);
}

#[tokio::test]
async fn tenants_do_not_meet() {
    let shop = Shop::new().await;
    let other = shop.world.workspace().await;
    let (_, listed) = shop.api_of(other, "GET", "/v1/webhooks", None).await;
    assert_eq!(listed["data"], json!([]));
    for (method, more) in [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/deliveries"),
        ("POST", "/secret"),
        ("POST", "/test"),
    ] {
        let (status, _) = shop.api_of(other, method, &shop.own(more), None).await;
        assert_eq!(status, 404, "{method} {more}");
    }
    let contacts = shop.contacts();
    let stranger = Event {
        id: "s".into(),
        name: "contact.created".into(),
        at: shop.world.now(),
        source: "api".into(),
        data: json!({}),
    };
    let contact = "con_0000000000a".parse().unwrap();
    contacts.record(other, contact, &stranger).await.unwrap();
    shop.world.settle().await;
    assert!(shop.received().is_empty());
}

#[tokio::test]
async fn a_workspace_has_at_most_twenty_webhooks() {
    let shop = Shop::new().await;
    let new = json!({ "url": URL, "events": ["order.created"] });
    for _ in 1..20 {
        let (status, _) = shop.api("POST", "/v1/webhooks", Some(new.clone())).await;
        assert_eq!(status, 201);
        shop.world.advance(Duration::from_millis(5));
    }
    let (status, _) = shop.api("POST", "/v1/webhooks", Some(new)).await;
    assert_eq!(status, 409);
    assert_eq!(shop.api("DELETE", &shop.own(""), None).await.0, 204);
    assert_eq!(shop.api("GET", &shop.own(""), None).await.0, 404);
}

#[tokio::test]
async fn deliveries_are_paged_newest_first() {
    let shop = Shop::new().await;
    for n in 0..7 {
        shop.contact(&format!("khach{n}@example.vn")).await;
        shop.world.advance(Duration::from_millis(7));
    }
    shop.world.settle().await;
    let (mut read, mut next) = (Vec::new(), String::new());
    loop {
        let path = shop.own(&format!("/deliveries?limit=3{next}"));
        let (status, page) = shop.api("GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        let ids = page["data"].as_array().unwrap().iter();
        read.extend(ids.map(|one| one["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    let mut sorted = read.clone();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!((read.len(), &read), (7, &sorted));
    let path = shop.own("/deliveries?cursor=x");
    assert_eq!(shop.api("GET", &path, None).await.0, 400);
}
