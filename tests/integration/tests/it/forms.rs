//! Signup forms: made and published over the API, filled in by visitors, written once as contact, consent and event. Here
//! is the shop of these tests.

mod challenge;
mod definitions;
mod doors;
mod double;
mod lists;
mod shown;
mod submitted;
mod welcome;
mod windows;

use contacts::{Channel, ChannelStatus, Contacts, Purpose};
use kernel::{ContactId, Limit, TenantKey};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

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

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        self.ask_as(self.tenant, method, path, body).await
    }

    async fn ask_as(
        &self,
        tenant: TenantKey,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u64, Value) {
        let grant = grant_of(tenant.workspace(), "read write");
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        self.world.ask("api-forms", event).await
    }

    /// A published form; gives its id.
    async fn form(&self, settings: Value) -> String {
        let (status, made) = self.ask("POST", "/v1/forms", Some(settings)).await;
        assert_eq!((status, &made["status"]), (201, &json!("draft")), "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/forms/{id}/publish");
        assert_eq!(self.ask("POST", &path, None).await.0, 200);
        self.world.forget();
        id
    }

    async fn page(&self, path: &str) -> Value {
        let event = http_event("GET", path, None, None);
        self.world.invoke("form-submit", event).await.unwrap()
    }

    /// Posts the form as a browser does.
    async fn post(&self, id: &str, pairs: &[(&str, &str)]) -> Value {
        let event = posted(id, pairs);
        self.world.invoke("form-submit", event).await.unwrap()
    }

    fn contacts(&self) -> Contacts {
        Contacts::over(&self.world.resources())
    }

    /// The only contact.
    async fn contact(&self) -> ContactId {
        self.world.settle().await;
        let rows = self.world.dump("Contacts").await;
        let rows: Vec<&Value> = rows
            .iter()
            .filter(|row| row["sk"] == "PROFILE" && row["created_at"].is_string())
            .collect();
        assert_eq!(rows.len(), 1, "{rows:?}");
        let pk = rows[0]["pk"].as_str().unwrap();
        pk.split('#').nth(1).unwrap().parse().unwrap()
    }

    async fn status(&self, id: ContactId, channel: Channel) -> ChannelStatus {
        let consents = self.contacts().consents(self.tenant, id).await.unwrap();
        consents.unwrap().state(channel, Purpose::Marketing).status
    }

    async fn events(&self, id: ContactId) -> Vec<contacts::Event> {
        let contacts = self.contacts();
        let page = contacts.timeline(self.tenant, id, Limit::default(), None);
        let all = page.await.unwrap().data.into_iter();
        all.filter(|event| event.name == "form.submitted").collect()
    }
}

fn posted(id: &str, pairs: &[(&str, &str)]) -> Value {
    let body: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let mut event = http_event("POST", &format!("/f/{id}"), None, None);
    event["headers"]["content-type"] = "application/x-www-form-urlencoded".into();
    event["body"] = body.join("&").into();
    event
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn newsletter() -> Value {
    json!({
        "name": "Bản tin", "title": "Nhận bản tin", "tags": ["ban-tin"],
        "fields": [
            { "key": "email", "required": true }, { "key": "full_name" },
            { "key": "phone" }, { "key": "birthday" },
        ],
        "consent": {
            "email": { "text": "Tôi đồng ý nhận email ưu đãi mỗi tuần một lần." },
            "sms": { "text": "Tôi đồng ý nhận SMS." },
        },
    })
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer["headers"][name].as_str().unwrap_or_default()
}

fn double() -> Value {
    let mut settings = newsletter();
    settings["fields"] = json!([{ "key": "phone", "required": true }, { "key": "email" }]);
    settings["double_opt_in"] = json!({
        "from_name": "Áo dài {{ Mai }}", "from_email": "chao@example.vn", "reminder": true,
    });
    settings
}

const BOTH: [(&str, &str); 3] = [
    ("phone", "0904400001"),
    ("email", "con@fam.example.vn"),
    ("consent.email", "yes"),
];

impl Shop {
    /// A published form that asks by mail.
    async fn double(&self) -> String {
        self.form(double()).await
    }

    /// The mails so far: receiver and text.
    fn mails(&self) -> Vec<(String, String)> {
        let outbox = self.world.aws.outbox();
        let mails = outbox.all(Kind::Mail).into_iter();
        mails
            .map(|mail| {
                let raw = outbox.mime(mail.id).unwrap();
                let parsed = MessageParser::default().parse(&raw).unwrap();
                let text = parsed.body_text(0).unwrap().into_owned();
                (mail.to[0].clone(), text)
            })
            .collect()
    }

    /// The path of the link of the last mail.
    fn link(&self) -> String {
        let (_, text) = self.mails().pop().unwrap();
        let start = text.find("/f/frm_").unwrap();
        text[start..].split_whitespace().next().unwrap().to_owned()
    }

    async fn press(&self, path: &str) -> Value {
        let event = http_event("POST", path, None, None);
        let answer = self.world.invoke("form-submit", event).await.unwrap();
        self.world.settle_twice().await;
        answer
    }
}
