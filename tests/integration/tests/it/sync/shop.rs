//! A source whose provider is the one of the local stack, with the owner's doors.

use bytes::Bytes;
use http::{Request, Response};
use kernel::TenantKey;
use serde_json::{Value, json};
use tanigo_local::providers;
use tanigo_local::providers::Kind;

use crate::support::{World, grant_of, http_event};

/// The secret of every provider's shop, and of its webhooks.
pub const SECRET: &str = providers::SECRET;
const KEPT: [&str; 3] = ["Contacts", "Commerce", "Timeline"];

pub struct Shop {
    pub world: World,
    pub tenant: TenantKey,
    pub provider: &'static str,
    source: Value,
}

/// The credentials of a provider that need no person, or of its app.
pub fn credentials(provider: &str) -> Value {
    match provider {
        "kiotviet" => {
            json!({ "shop": "gom-bat-trang", "client_id": "app-1", "client_secret": SECRET })
        }
        "getfly" => json!({ "shop": "acme", "api_key": SECRET }),
        "haravan" => json!({ "access_token": SECRET }),
        "sapo" => json!({ "shop": "ao-dai", "access_token": SECRET }),
        _ => json!({ "client_id": "2001234", "client_secret": SECRET }),
    }
}

impl Shop {
    /// A source that is not connected.
    pub async fn of(provider: &'static str) -> Self {
        let world = World::new();
        let tenant = world.workspace().await;
        world.swept().await;
        let mut shop = Self {
            world,
            tenant,
            provider,
            source: Value::Null,
        };
        let new = json!({ "name": "Cửa hàng", "provider": provider, "secret": SECRET });
        let (status, source) = shop.api("POST", "/v1/sources", Some(&new)).await;
        assert_eq!(status, 201, "{source}");
        shop.source = source;
        shop
    }

    /// A source that is connected.
    pub async fn connected(provider: &'static str) -> Self {
        let shop = Self::of(provider).await;
        shop.connect(&credentials(provider)).await;
        assert_eq!(shop.sync().await["status"], "connected");
        shop.world.forget();
        shop
    }

    pub async fn api(&self, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
        let grant = grant_of(self.tenant.workspace(), "admin");
        let event = http_event(method, path, body, Some(&grant));
        self.world.ask("api-sources", event).await
    }

    pub fn path(&self) -> &str {
        self.source["path"].as_str().unwrap()
    }

    pub fn at(&self, more: &str) -> String {
        format!("/v1/sources/{}{more}", self.source["id"].as_str().unwrap())
    }

    /// Looks at the shop at the provider, or changes it.
    pub fn own<T>(&self, act: impl FnOnce(&mut providers::Shop) -> T) -> T {
        self.world.providers.with(self.provider, act).unwrap()
    }

    /// Enters credentials, gives the consent that these need, and lets the check run.
    pub async fn connect(&self, credentials: &Value) {
        let (status, saved) = self
            .api("PUT", &self.at("/credentials"), Some(credentials))
            .await;
        assert_eq!(status, 200, "{saved}");
        assert!(!saved.to_string().contains(SECRET), "{saved}");
        let (status, asked) = self.api("POST", &self.at("/authorize"), None).await;
        if status == 200 {
            let (status, page) = self.consent(asked["url"].as_str().unwrap()).await;
            assert_eq!(status, 200, "{page}");
        }
        self.world.settle().await;
    }

    /// Opens the provider's page, agrees, and comes back.
    pub async fn consent(&self, url: &str) -> (u64, String) {
        self.back(self.agree(url)).await
    }

    /// Opens the provider's page and agrees: the request that the browser makes then.
    pub fn agree(&self, url: &str) -> Value {
        let url: http::Uri = url.parse().unwrap();
        let request = Request::get(url.clone()).body(Bytes::new()).unwrap();
        let (host, path) = (url.host().unwrap(), url.path());
        let answer = self.world.providers.answer(host, path, &request).unwrap();
        match answer.headers().get("location") {
            Some(to) => {
                let to: http::Uri = to.to_str().unwrap().parse().unwrap();
                assert_eq!(to.host(), Some("shop.example.vn"));
                http_event("GET", &to.path_and_query().unwrap().to_string(), None, None)
            }
            None => posted(&answer),
        }
    }

    pub async fn back(&self, event: Value) -> (u64, String) {
        let answer = self.world.invoke("api-sources", event).await.unwrap();
        let body = answer["body"].as_str().unwrap_or_default().to_owned();
        (answer["statusCode"].as_u64().unwrap(), body)
    }

    pub async fn sync(&self) -> Value {
        let (status, sync) = self.api("GET", &self.at("/sync"), None).await;
        assert_eq!(status, 200, "{sync}");
        sync
    }

    pub async fn begin(&self, history: &str) -> Value {
        let new = json!({ "history": history });
        let (status, sync) = self.api("POST", &self.at("/sync"), Some(&new)).await;
        assert_eq!(status, 202, "{sync}");
        sync
    }

    /// Lets these minutes pass; more than ten go by in steps of an hour. All that is due is done.
    pub async fn minutes(&self, minutes: u64) {
        let step = if minutes > 10 { 3600 } else { 2 };
        for _ in 0..(minutes * 60).div_ceil(step) {
            self.world.settle().await;
            self.world.advance(std::time::Duration::from_secs(step));
        }
        self.world.settle().await;
    }

    /// Lets a day pass, and the daily check run.
    pub async fn next_check(&self) {
        self.minutes(60 * 48).await;
        self.world.invoke("due-timer", json!({})).await.unwrap();
        self.minutes(10).await;
    }

    /// The webhook of a change that happens now.
    pub async fn push(&self, kind: Kind, id: u64) -> u64 {
        let now = self.world.now().as_second();
        self.push_of(kind, id, now).await
    }

    /// The webhook of a change that happened before.
    pub async fn push_again(&self, kind: Kind, id: u64) -> u64 {
        let at = self.own(|own| own.of(kind).iter().find(|one| one.id == id).unwrap().at);
        self.push_of(kind, id, at).await
    }

    async fn push_of(&self, kind: Kind, id: u64, at: i64) -> u64 {
        let url = format!("https://shop.example.vn{}", self.path());
        let push = self.own(|own| own.push(kind, id, at, SECRET, &url));
        let mut event = http_event("POST", self.path(), None, None);
        event["pathParameters"] = json!({ "source": self.source["id"] });
        for (name, value) in &push.headers {
            event["headers"][*name] = json!(value);
        }
        event["body"] = push.body.into();
        let function = format!("webhook-{}", self.provider);
        self.world.ask(&function, event).await.0
    }

    pub async fn contacts(&self) -> Vec<Value> {
        self.stored("Contacts", "PROFILE").await
    }

    async fn stored(&self, table: &str, sk: &str) -> Vec<Value> {
        let rows = self.world.dump(table).await.into_iter();
        rows.filter(|row| row["sk"] == sk).collect()
    }

    /// Orders and products.
    pub async fn counts(&self) -> (u64, u64) {
        let orders = self.stored("Commerce", "ORDER").await.len();
        let products = self.stored("Commerce", "PRODUCT").await.len();
        (orders as u64, products as u64)
    }

    /// All that came from the shop.
    pub async fn rows(&self) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        for table in KEPT {
            rows.push(self.world.dump(table).await);
        }
        rows
    }

    pub async fn failed(&self) -> Value {
        let answer = self.api("GET", &self.at("/failed-requests"), None).await;
        answer.1["data"].clone()
    }
}

/// The form that Haravan's page posts.
fn posted(answer: &Response<Bytes>) -> Value {
    let page = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(
        page.contains("action=\"https://shop.example.vn/w/connect\""),
        "{page}"
    );
    let fields = page.split("name=").skip(1).map(|part| {
        let (name, rest) = part.split_once(" value=\"").unwrap();
        (name.to_owned(), rest.split_once('"').unwrap().0.to_owned())
    });
    let fields: Vec<(String, String)> = fields.collect();
    let mut event = http_event("POST", "/w/connect", None, None);
    event["headers"]["content-type"] = json!("application/x-www-form-urlencoded");
    let body = fields.iter().map(|(name, text)| format!("{name}={text}"));
    event["body"] = body.collect::<Vec<_>>().join("&").into();
    event
}
