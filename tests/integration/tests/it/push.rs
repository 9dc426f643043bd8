//! Push notifications through public doors: the channel, devices of browsers and apps, campaigns, crashes. Here is the shop of
//! these tests.

mod devices;
mod sends;
mod settings;

use accounts::ApiKeys;
use contacts::{
    BrowserKeys, Channel, ChannelStatus, Contacts, Identity, Incoming, Lists, NamedDevice,
    Statement, Trust,
};
use kernel::{ContactId, ListId, Scope, TenantKey};
use serde_json::{Value, json};
use tanigo_local::providers::Fcm;
use tanigo_local::providers::browsers::Subscription;

use crate::support::{World, grant_of, http_event};

struct Shop {
    world: World,
    tenant: TenantKey,
    list: ListId,
    /// The public VAPID key.
    key: String,
}

fn note() -> Value {
    json!({
        "title": "Chào {{ contact.first_name | default: 'bạn' }}",
        "body": "Giảm 50%",
        "icon": "https://shop.example/icon.png",
        "link": "https://shop.example/sale?a=1",
        "actions": [{ "title": "Xem", "link": "https://shop.example/xem" }],
        "ttl": 3600,
        "data": { "sale": "tet" },
    })
}

impl Shop {
    /// A shop with web push and FCM.
    async fn open() -> Self {
        let world = World::new();
        let tenant = world.workspace().await;
        let list = ListId::new(&world.clock(), &world.entropy);
        let lists = Lists::over(&world.resources());
        let made = lists.create(tenant, list, world.now(), "Khách hàng", None);
        made.await.unwrap();
        let mut shop = Self {
            world,
            tenant,
            list,
            key: String::new(),
        };
        let web = json!({ "contact_email": "shop@example.vn",
            "prompt": { "delay_seconds": 3, "text": "Nhận tin khuyến mãi?", "only_on": ["/products/"] } });
        let (status, shown) = shop.channel("PUT", "/web", Some(&web)).await;
        assert_eq!(status, 200, "{shown}");
        let account = json!({ "service_account": Fcm::service_account() });
        let (status, shown) = shop.channel("PUT", "/fcm", Some(&account)).await;
        assert_eq!(status, 200, "{shown}");
        shown["web"]["public_key"]
            .as_str()
            .unwrap()
            .clone_into(&mut shop.key);
        shop
    }

    async fn ask(
        &self,
        function: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u64, Value) {
        let grant = grant_of(self.tenant.workspace(), "read write admin");
        let event = http_event(method, path, body, Some(&grant));
        let answer = self.world.invoke(function, event).await.unwrap();
        let body = answer["body"].as_str().unwrap_or_default();
        let status = answer["statusCode"].as_u64().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    async fn channel(&self, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
        let path = format!("/v1/channels/push{path}");
        self.ask("api-channels", method, &path, body).await
    }

    fn contacts(&self) -> Contacts {
        Contacts::over(&self.world.resources())
    }

    /// A contact of the list who takes push notifications.
    async fn person(&self, n: u32, status: ChannelStatus) -> ContactId {
        let incoming = Incoming {
            identities: vec![Identity::own(format!("KH-{n}"))],
            person: contacts::Person {
                first_name: Some(format!("An{n}")),
                ..contacts::Person::default()
            },
            lists: vec![self.list],
            consent: Statement::from_status(Channel::Push, status)
                .into_iter()
                .collect(),
            ..Incoming::default()
        };
        let upserted = self.contacts().upsert(self.tenant, &incoming).await;
        upserted.unwrap().contact
    }

    async fn add_device(&self, contact: ContactId, device: &NamedDevice) {
        let contacts = self.contacts();
        let noted = contacts.note_device(self.tenant, contact, device, Trust::Shop);
        assert!(noted.await.unwrap());
    }

    /// The browser of this name, as the shop's own system names it.
    async fn browser(&self, contact: ContactId, name: &str) {
        let made = self
            .world
            .providers
            .browsers()
            .subscribe(name, &self.key, None);
        self.add_device(contact, &browser(made)).await;
    }

    async fn app(&self, contact: ContactId, token: &str) {
        let device = NamedDevice {
            token: token.to_owned(),
            platform: "android".into(),
            keys: None,
        };
        self.add_device(contact, &device).await;
    }

    async fn devices(&self, contact: ContactId) -> usize {
        let devices = self.contacts().devices(self.tenant, contact).await;
        devices.unwrap().len()
    }

    /// A new campaign to the list.
    async fn campaign(&self, note: &Value) -> String {
        self.world.advance(std::time::Duration::from_secs(1));
        let body = json!({ "name": "Tết", "audience": { "include": { "list_ids": [self.list] } }, "push": note });
        let (status, made) = self
            .ask("api-campaigns", "POST", "/v1/campaigns", Some(&body))
            .await;
        assert_eq!((status, &made["kind"]), (201, &json!("push")), "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    async fn launch(&self, campaign: &str) {
        let path = format!("/v1/campaigns/{campaign}/send");
        let (status, body) = self.ask("api-campaigns", "POST", &path, None).await;
        assert_eq!(status, 202, "{body}");
    }

    async fn report(&self, campaign: &str) -> Value {
        let path = format!("/v1/campaigns/{campaign}/report");
        let (status, report) = self.ask("api-campaigns", "GET", &path, None).await;
        assert_eq!(status, 200, "{report}");
        report
    }

    /// Names of the browsers that showed a notification, sorted.
    fn shown(&self) -> Vec<String> {
        let shown = self.world.providers.browsers().shown();
        let mut names: Vec<String> = shown.into_iter().map(|one| one.browser).collect();
        names.sort();
        names
    }

    async fn public_key(&self) -> String {
        let keys = ApiKeys::over(&self.world.resources());
        let account = tests_world::ACCOUNT.parse().unwrap();
        let made = keys
            .create(account, self.tenant, "site", &[Scope::Track])
            .await;
        made.unwrap().token
    }
}

fn browser(made: Subscription) -> NamedDevice {
    NamedDevice {
        token: made.endpoint,
        platform: "web".into(),
        keys: Some(BrowserKeys {
            p256dh: made.p256dh,
            auth: made.auth,
        }),
    }
}

/// Contacts of a report that ended, by any outcome.
fn ended(report: &Value) -> u64 {
    let sum = |name: &str| -> u64 {
        let reasons = report[name].as_object().unwrap().values();
        reasons.map(|n| n.as_u64().unwrap()).sum()
    };
    report["sent"].as_u64().unwrap()
        + sum("skipped")
        + sum("failed")
        + report["unknown"].as_u64().unwrap()
}
