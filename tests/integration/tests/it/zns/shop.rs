//! A shop with a Zalo Official Account, a brandname, and a list of people with phone numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use contacts::{Channel, ChannelStatus, Contacts, Identity, Incoming, Lists, Statement};
use http::Request;
use kernel::{ListId, TenantKey};
use serde_json::{Value, json};
use tanigo_local::providers::{SECRET, zalo};

use crate::support::{World, grant_of, http_event};

/// The template of orders.
pub const TEMPLATE: &str = zalo::TEMPLATE;

/// A request of an administrator of the workspace.
pub async fn ask(
    world: &World,
    tenant: TenantKey,
    function: &str,
    (method, path): (&str, &str),
    body: Option<&Value>,
) -> (u64, Value) {
    let grant = grant_of(tenant.workspace(), "admin");
    world.forget();
    let event = http_event(method, path, body, Some(&grant));
    world.ask(function, event).await
}

/// Asks for a consent, and opens Zalo's page: the request that the browser makes then.
pub async fn agree(world: &World, tenant: TenantKey) -> Value {
    let path = ("POST", "/v1/channels/zalo/authorize");
    let (status, asked) = ask(world, tenant, "api-channels", path, None).await;
    assert_eq!(status, 200, "{asked}");
    let url: http::Uri = asked["url"].as_str().unwrap().parse().unwrap();
    assert_eq!(url.host(), Some("oauth.zaloapp.com"));
    let request = Request::get(url.clone()).body(Bytes::new()).unwrap();
    let host = url.host().unwrap();
    let answer = world.providers.answer(host, url.path(), &request).unwrap();
    let to = answer.headers()["location"].to_str().unwrap().to_owned();
    let to: http::Uri = to.parse().unwrap();
    assert_eq!(to.host(), Some("shop.example.vn"));
    http_event("GET", &to.path_and_query().unwrap().to_string(), None, None)
}

/// Connects the account of the provider, and reads its templates.
pub async fn connect(world: &World, tenant: TenantKey) -> String {
    let event = agree(world, tenant).await;
    let answer = world.invoke("api-channels", event).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let path = format!("/v1/channels/zalo/{}/sync", zalo::OA);
    let (status, read) = ask(world, tenant, "api-channels", ("POST", &path), None).await;
    assert_eq!(status, 200, "{read}");
    zalo::OA.to_owned()
}

pub struct Shop {
    pub world: World,
    pub tenant: TenantKey,
    pub list: ListId,
    pub people: u64,
    brandname: String,
}

impl Shop {
    /// A shop that is ready to send to `people` numbers, `84912000000` and the following.
    pub async fn open(people: u32) -> Self {
        let world = World::new();
        let tenant = world.workspace().await;
        connect(&world, tenant).await;
        let lists = Lists::over(&world.resources());
        let list = ListId::new(&world.clock(), &world.entropy);
        let made = lists.create(tenant, list, world.now(), "Khách hàng", None);
        made.await.unwrap();
        let contacts = Contacts::over(&world.resources());
        for n in 0..people {
            let incoming = Incoming {
                identities: vec![Identity::Phone(number(n).parse().unwrap())],
                person: contacts::Person {
                    full_name: Some(format!("Trần Thị An {n}")),
                    ..contacts::Person::default()
                },
                consent: [Channel::Zalo, Channel::Sms]
                    .into_iter()
                    .filter_map(|channel| {
                        Statement::from_status(channel, ChannelStatus::Subscribed)
                    })
                    .collect(),
                lists: vec![list],
                ..Incoming::default()
            };
            contacts.upsert(tenant, &incoming).await.unwrap();
        }
        let mut shop = Self {
            world,
            tenant,
            list,
            people: u64::from(people),
            brandname: String::new(),
        };
        shop.brandname = shop.text_messages().await;
        shop
    }

    /// Connects eSMS; a brandname of customer care.
    async fn text_messages(&self) -> String {
        let keys = json!({ "api_key": "shop", "secret_key": SECRET });
        let path = "/v1/channels/sms";
        assert_eq!(self.channels("PUT", path, Some(&keys)).await.0, 200);
        self.world.advance(Duration::from_secs(1));
        let body = json!({ "name": "ACME", "kind": "care", "carriers": [{ "carrier": "vinaphone", "status": "approved",
            "price_per_segment": 700, "expires_at": "2027-01-01T00:00:00Z" }] });
        let path = "/v1/channels/sms/brandnames";
        let (status, made) = self.channels("POST", path, Some(&body)).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    pub async fn channels(&self, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
        ask(
            &self.world,
            self.tenant,
            "api-channels",
            (method, path),
            body,
        )
        .await
    }

    pub async fn campaigns(&self, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
        ask(
            &self.world,
            self.tenant,
            "api-campaigns",
            (method, path),
            body,
        )
        .await
    }

    /// The account.
    pub async fn oa(&self) -> Value {
        let path = format!("/v1/channels/zalo/{}", zalo::OA);
        let (status, oa) = self.channels("GET", &path, None).await;
        assert_eq!(status, 200, "{oa}");
        oa
    }

    /// The body of a campaign, with a text message for those whom Zalo cannot reach.
    pub fn letter(&self, with_fallback: bool) -> Value {
        let mut body = json!({ "name": "Đơn hàng", "audience": { "include": { "list_ids": [self.list] } },
            "zns": { "oa_id": zalo::OA, "template_id": TEMPLATE,
                "params": { "customer_name": "{{ contact.full_name }}", "order_code": "DH000123" } } });
        if with_fallback {
            body["zns"]["fallback"] = json!({ "brandname_id": self.brandname,
                "text": "ACME: Don hang DH000123 cua {{ contact.full_name }}" });
        }
        body
    }

    /// A new campaign that is being sent.
    pub async fn begin(&self, with_fallback: bool) -> String {
        self.world.advance(Duration::from_secs(1));
        let body = self.letter(with_fallback);
        let (status, made) = self.campaigns("POST", "/v1/campaigns", Some(&body)).await;
        assert_eq!((status, &made["kind"]), (201, &json!("zns")), "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/campaigns/{id}/send");
        let (status, sent) = self.campaigns("POST", &path, None).await;
        assert_eq!(status, 202, "{sent}");
        id
    }

    pub async fn report(&self, campaign: &str) -> Value {
        let path = format!("/v1/campaigns/{campaign}/report");
        let (status, report) = self.campaigns("GET", &path, None).await;
        assert_eq!(status, 200, "{report}");
        report
    }

    pub async fn shown(&self, campaign: &str) -> Value {
        let path = format!("/v1/campaigns/{campaign}");
        self.campaigns("GET", &path, None).await.1
    }

    /// How often each number got a Zalo message of the campaign, and a text message with its step.
    pub fn got(&self, from: (usize, usize)) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
        let count = |phones: Vec<String>| {
            let mut counts = BTreeMap::new();
            for phone in phones {
                *counts.entry(phone).or_default() += 1;
            }
            counts
        };
        let zns = self.world.providers.zalo().sent();
        let sms = self.world.providers.esms().sent();
        (
            count(zns[from.0..].iter().map(|one| one.phone.clone()).collect()),
            count(sms[from.1..].iter().map(|one| one.phone.clone()).collect()),
        )
    }
}

/// The number of a person.
pub fn number(n: u32) -> String {
    format!("84912{n:06}")
}

/// The recipients of a report that have an outcome.
pub fn settled(report: &Value) -> u64 {
    let sum = |name: &str| -> u64 {
        let reasons = report[name].as_object().unwrap();
        reasons.values().map(|n| n.as_u64().unwrap()).sum()
    };
    report["sent"].as_u64().unwrap()
        + sum("skipped")
        + sum("failed")
        + report["unknown"].as_u64().unwrap()
}
