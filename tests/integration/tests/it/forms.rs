//! Signup forms: made and published over the API, filled in by visitors, written once as contact, consent and event.

mod challenge;
mod lists;
mod shown;
mod welcome;
mod windows;

use std::time::Duration;

use contacts::{Channel, ChannelStatus, Contacts, Identity, Incoming, Purpose};
use kernel::{ContactId, Limit, TenantKey};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use crate::support::{Kill, World, grant_of, http_event};

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

#[tokio::test]
async fn a_form_is_made_replaced_paused_copied_and_removed() {
    let shop = Shop::open().await;
    let (status, made) = shop.ask("POST", "/v1/forms", Some(newsletter())).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/forms/{id}");
    assert_eq!(made["path"], format!("/f/{id}"));
    assert_eq!(
        shop.page(&format!("/f/{id}")).await["statusCode"],
        404,
        "a draft"
    );

    let mut changed = newsletter();
    changed["button"] = json!("Đăng ký");
    let (status, shown) = shop.ask("PUT", &path, Some(changed)).await;
    assert_eq!((status, &shown["version"]), (200, &json!(2)));
    assert_eq!(shop.ask("GET", &path, None).await.1, shown);
    assert_eq!(
        shop.ask("POST", &format!("{path}/publish"), None).await.0,
        200
    );
    shop.world.forget();
    let page = shop.page(&format!("/f/{id}")).await;
    assert!(page["body"].as_str().unwrap().contains(">Đăng ký</button>"));
    assert_eq!(
        shop.ask("POST", &format!("{path}/pause"), None).await.0,
        200
    );
    shop.world.forget();
    let closed = shop.post(id, &[("email", "an@example.vn")]).await;
    assert_eq!(closed["statusCode"], 404);

    let (status, copy) = shop.ask("POST", &format!("{path}/duplicate"), None).await;
    assert_eq!(
        (status, &copy["status"], &copy["button"]),
        (201, &json!("draft"), &json!("Đăng ký"))
    );
    let (_, first) = shop.ask("GET", "/v1/forms?limit=1", None).await;
    let next = format!(
        "/v1/forms?limit=1&cursor={}",
        first["next"].as_str().unwrap()
    );
    let (_, second) = shop.ask("GET", &next, None).await;
    assert_eq!(
        (&first["data"][0]["id"], &second["data"][0]["id"]),
        (&made["id"], &copy["id"])
    );
    assert_eq!(second["next"], Value::Null);

    let stranger = shop.world.workspace().await;
    for (method, body) in [("GET", None), ("PUT", Some(newsletter())), ("DELETE", None)] {
        assert_eq!(
            shop.ask_as(stranger, method, &path, body).await.0,
            404,
            "{method}"
        );
    }
    assert_eq!(shop.ask("DELETE", &path, None).await.0, 204);
    let (_, left) = shop.ask("GET", "/v1/forms", None).await;
    assert_eq!(left["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn all_faults_of_a_definition_are_named_at_once() {
    let shop = Shop::open().await;
    let bad = json!({
        "name": "", "fields": [{ "key": "zalo" }], "redirect_url": "javascript:alert(1)",
        "list_ids": ["lst_00000000009"],
    });
    let (status, problem) = shop.ask("POST", "/v1/forms", Some(bad)).await;
    let errors = problem["errors"].as_array().unwrap().iter();
    let pointers: Vec<&str> = errors.map(|one| one["pointer"].as_str().unwrap()).collect();
    let expected = [
        "/name",
        "/fields/0/key",
        "/fields",
        "/redirect_url",
        "/list_ids/0",
    ];
    assert_eq!((status, pointers), (400, expected.to_vec()));
}

#[tokio::test]
async fn a_submission_is_one_contact_one_event_and_a_proof_of_consent() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let page = shop.page(&format!("/f/{id}")).await;
    assert_eq!(page["statusCode"], 200);
    let policy = text(&page, "content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let html = page["body"].as_str().unwrap();
    assert!(html.contains("<html lang=\"vi\">") && !html.contains(" checked"));
    let token = html.split("name=\"_submission\" value=\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();
    let answers = [
        ("_submission", token),
        ("email", "An@Example.vn"),
        ("full_name", "Trần An"),
        ("birthday", "hôm qua"),
        ("consent.email", "yes"),
    ];
    for _ in 0..2 {
        let sent = shop.post(&id, &answers).await;
        assert_eq!(sent["statusCode"], 200, "{sent}");
        shop.world.settle_twice().await;
        shop.world.advance(Duration::from_hours(1));
    }
    let contact = shop.contact().await;
    let events = shop.events(contact).await;
    assert_eq!(events.len(), 1, "a second press changes nothing");
    let data = &events[0].data;
    let said = json!({ "email": "ticked", "sms": "left_empty", "zalo": "not_asked" });
    assert_eq!((&data["consent"], &data["form_id"]), (&said, &json!(id)));
    assert_eq!(data["_not_read"], json!(["birthday"]));
    assert_eq!(
        data["birthday"], "hôm qua",
        "what was mistyped stays in the event"
    );
    assert_eq!(
        shop.status(contact, Channel::Email).await,
        ChannelStatus::Subscribed
    );
    assert_eq!(
        shop.status(contact, Channel::Sms).await,
        ChannelStatus::None
    );
    let history = shop.contacts();
    let history = history.consent_history(shop.tenant, contact, Limit::default(), None);
    let records = serde_json::to_value(history.await.unwrap().data).unwrap();
    assert_eq!(records.as_array().unwrap().len(), 1, "{records}");
    assert_eq!(records[0]["evidence"]["form"], format!("{id}#1"));
    assert_eq!(records[0]["text"], newsletter()["consent"]["email"]["text"]);
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_wrong_answer_shows_the_form_again_with_what_was_typed() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let answers = [
        ("email", "an@"),
        ("full_name", "<b>An"),
        ("consent.sms", "yes"),
    ];
    let again = shop.post(&id, &answers).await;
    assert_eq!(again["statusCode"], 422);
    let html = again["body"].as_str().unwrap();
    assert!(html.contains("value=\"an@\"") && html.contains("value=\"&lt;b&gt;An\""));
    assert!(html.contains("id=\"e-email\"") && html.contains("role=\"alert\""));
    assert!(html.contains("name=\"consent.sms\" value=\"yes\" checked"));
    assert!(!html.contains("name=\"consent.email\" value=\"yes\" checked"));
    let path = format!("/f/{id}?lang=en");
    let event = http_event("POST", &path, Some(&json!({ "full_name": "An" })), None);
    let (status, problem) = shop.world.ask("form-submit", event).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/email"))
    );
    let trapped = shop
        .post(
            &id,
            &[("email", "an@example.vn"), ("_homepage", "http://x")],
        )
        .await;
    assert_eq!(trapped["statusCode"], 422, "a person may empty the box");
    shop.world.settle().await;
    assert!(shop.world.dump("Contacts").await.is_empty());
}

#[tokio::test]
async fn a_public_form_takes_no_address_of_a_known_contact() {
    let shop = Shop::open().await;
    let incoming = Incoming {
        identities: vec![Identity::Phone("0904400001".parse().unwrap())],
        ..Incoming::default()
    };
    let me = shop
        .contacts()
        .upsert(shop.tenant, &incoming)
        .await
        .unwrap()
        .contact;
    let id = shop.form(newsletter()).await;
    let answers = [
        ("phone", "0904400001"),
        ("email", "con@fam.example.vn"),
        ("consent.email", "yes"),
    ];
    assert_eq!(shop.post(&id, &answers).await["statusCode"], 200);
    assert_eq!(shop.contact().await, me);
    let contact = shop.contacts().get(shop.tenant, me).await.unwrap().unwrap();
    assert_eq!((contact.email, contact.unconfirmed_emails.len()), (None, 1));
    assert_eq!(shop.status(me, Channel::Email).await, ChannelStatus::None);
    let events = shop.events(me).await;
    assert_eq!(events[0].data["_not_taken"][0]["reason"], "unconfirmed");
}

#[tokio::test]
async fn a_plain_form_subscribes_nobody_who_left() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let answers = [("email", "an@example.vn"), ("consent.email", "yes")];
    shop.post(&id, &answers).await;
    let an = shop.contact().await;
    let left = contacts::Statement::from_status(Channel::Email, ChannelStatus::Unsubscribed);
    let left = left.unwrap();
    shop.contacts()
        .declare(shop.tenant, an, &left, "left", None)
        .await
        .unwrap();
    shop.world.advance(Duration::from_hours(1));
    assert_eq!(shop.post(&id, &answers).await["statusCode"], 200);
    assert_eq!(shop.contact().await, an);
    assert_eq!(
        shop.status(an, Channel::Email).await,
        ChannelStatus::Unsubscribed
    );
}

#[tokio::test]
async fn only_listed_hosts_hold_and_post_the_form() {
    let shop = Shop::open().await;
    let mut settings = newsletter();
    settings["kind"] = json!("popup");
    settings["allowed_hosts"] = json!(["ao-dai.example.com"]);
    settings["popup"] = json!({ "delay_seconds": 5, "frequency": "session" });
    settings["redirect_url"] = json!("https://ao-dai.example.com/cam-on");
    let id = shop.form(settings).await;
    let page = shop.page(&format!("/f/{id}?frame=1")).await;
    let policy = text(&page, "content-security-policy");
    assert!(
        policy.ends_with("frame-ancestors ao-dai.example.com"),
        "{policy}"
    );
    let script = shop.page(&format!("/f/{id}/embed.js")).await;
    assert!(
        script["body"]
            .as_str()
            .unwrap()
            .contains("\"delay_seconds\":5")
    );
    for (origin, status) in [
        ("https://ao-dai.example.com", 303),
        ("https://shop.example.vn", 303),
        ("https://evil.example.com", 403),
        ("null", 403),
    ] {
        let mut event = posted(&id, &[("email", "an@example.vn")]);
        event["headers"]["origin"] = json!(origin);
        let answer = shop.world.invoke("form-submit", event).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{origin}");
    }
    let (_, code) = shop.ask("GET", &format!("/v1/forms/{id}/code"), None).await;
    assert_eq!(code["url"], format!("https://shop.example.vn/f/{id}"));
    assert!(
        code["script"]
            .as_str()
            .unwrap()
            .contains(&format!("/f/{id}/embed.js"))
    );
    assert!(code["html"].as_str().unwrap().contains("name=\"email\""));
}

#[tokio::test]
async fn the_parameters_of_advertisers_are_passed_over() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let page = shop
        .page(&format!("/f/{id}?utm_source=facebook&fbclid=x"))
        .await;
    assert_eq!(page["statusCode"], 200, "{page}");
}

#[tokio::test]
async fn a_flood_of_one_network_is_slowed_down() {
    let shop = Shop::open().await;
    let id = shop.form(newsletter()).await;
    let mut refused = 0;
    for _ in 0..30 {
        let answer = shop.post(&id, &[("email", "an@example.vn")]).await;
        if answer["statusCode"] == 429 {
            assert_eq!(text(&answer, "retry-after"), "1");
            assert!(text(&answer, "content-type").starts_with("text/html"));
            refused += 1;
        }
    }
    assert_eq!(refused, 10);
    shop.world.advance(Duration::from_secs(1));
    let answer = shop.post(&id, &[("email", "an@example.vn")]).await;
    assert_eq!(answer["statusCode"], 200);
}

#[tokio::test]
async fn a_field_that_a_form_asks_for_is_not_removed() {
    let shop = Shop::open().await;
    let grant = grant_of(shop.tenant.workspace(), "admin");
    let field = json!({ "key": "size", "label": "Cỡ", "type": "choice",
        "options": [{ "key": "m", "label": "M" }, { "key": "l", "label": "L" }] });
    let event = http_event("POST", "/v1/fields", Some(&field), Some(&grant));
    assert_eq!(shop.world.ask("api-contacts", event).await.0, 201);
    let mut settings = newsletter();
    settings["fields"][3] = json!({ "key": "custom.size", "required": true });
    let id = shop.form(settings).await;
    let event = http_event("DELETE", "/v1/fields/size", None, Some(&grant));
    assert_eq!(shop.world.ask("api-contacts", event).await.0, 409);
    let answers = [("email", "an@example.vn"), ("custom.size", "xxl")];
    assert_eq!(shop.post(&id, &answers).await["statusCode"], 422);
    let answers = [("email", "an@example.vn"), ("custom.size", "m")];
    assert_eq!(shop.post(&id, &answers).await["statusCode"], 200);
    let an = shop.contact().await;
    let contact = shop.contacts().get(shop.tenant, an).await.unwrap().unwrap();
    assert_eq!(contact.custom["size"], "m");
}

#[tokio::test]
async fn a_submission_survives_a_kill_at_each_call() {
    for kill in [Kill::Before, Kill::After] {
        for n in 0..60 {
            let shop = Shop::open().await;
            let id = shop.form(newsletter()).await;
            let answers = [
                ("email", "an@example.vn"),
                ("full_name", "Trần An"),
                ("consent.email", "yes"),
            ];
            assert_eq!(shop.post(&id, &answers).await["statusCode"], 200);
            let batch = shop.world.take("ingest").unwrap();
            let run = shop
                .world
                .invoke_and_kill("ingest", batch.event.clone(), kill(n));
            let was_killed = run.await.is_none();
            shop.world.release(&batch);
            shop.world.advance(Duration::from_mins(20));
            let contact = shop.contact().await;
            assert_eq!(shop.events(contact).await.len(), 1, "{:?}", kill(n));
            assert_eq!(
                shop.status(contact, Channel::Email).await,
                ChannelStatus::Subscribed
            );
            if !was_killed {
                assert!(n > 3, "too few calls: {n}");
                break;
            }
            assert!(n < 59, "a run makes fewer calls");
        }
    }
}

/// The first submission makes the contact. A later one of the same person writes its first arrival and its event.
#[tokio::test]
async fn a_known_visitor_costs_two_write_units_and_the_door_one() {
    let shop = Shop::open().await;
    let mut settings = newsletter();
    settings["consent"] = json!({});
    let id = shop.form(settings).await;
    let first = [("email", "an@example.vn"), ("full_name", "Trần An")];
    shop.post(&id, &first).await;
    shop.contact().await;
    shop.world.advance(Duration::from_hours(1));
    let before = shop.world.aws.meter().snapshot();
    assert_eq!(shop.post(&id, &first).await["statusCode"], 200);
    let door = shop.world.aws.meter().since(&before);
    let counted = door.write_units();
    assert!((counted - 1.0).abs() < 0.01, "{counted}");
    let before = shop.world.aws.meter().snapshot();
    shop.world.deliver("ingest", false).await.unwrap().unwrap();
    let used = shop.world.aws.meter().since(&before);
    assert!(
        (used.write_units() - 2.0).abs() < 0.01,
        "{}",
        used.write_units()
    );
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

#[tokio::test]
async fn a_confirmed_address_becomes_the_contacts_own_and_is_subscribed_again() {
    let shop = Shop::open().await;
    let incoming = Incoming {
        identities: vec![Identity::Phone("0904400001".parse().unwrap())],
        ..Incoming::default()
    };
    let contacts = shop.contacts();
    let me = contacts
        .upsert(shop.tenant, &incoming)
        .await
        .unwrap()
        .contact;
    let left = contacts::Statement::from_status(Channel::Email, ChannelStatus::Unsubscribed);
    let left = left.unwrap();
    contacts
        .declare(shop.tenant, me, &left, "left", None)
        .await
        .unwrap();
    shop.world.advance(Duration::from_mins(1));
    let id = shop.double().await;
    let page = shop.post(&id, &BOTH).await;
    assert!(page["body"].as_str().unwrap().contains("hãy mở thư"));
    shop.world.settle_twice().await;
    assert_eq!(shop.contact().await, me);
    assert_eq!(
        shop.status(me, Channel::Email).await,
        ChannelStatus::Unsubscribed
    );
    let mails = shop.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].0, "con@fam.example.vn");
    assert!(mails[0].1.contains("Áo dài {{ Mai }}"), "{}", mails[0].1);
    assert!(mails[0].1.contains("mỗi tuần một lần"), "{}", mails[0].1);

    let link = shop.link();
    let asked = shop.page(&link).await;
    assert_eq!(asked["statusCode"], 200);
    shop.world.settle().await;
    let contact = contacts.get(shop.tenant, me).await.unwrap().unwrap();
    assert_eq!(
        (contact.email, contact.unconfirmed_emails.len()),
        (None, 1),
        "a GET confirms nothing"
    );
    let forged = link.replace("/confirm/", "/confirm/A");
    assert_eq!(shop.press(&forged).await["statusCode"], 404);
    for _ in 0..2 {
        assert_eq!(shop.press(&link).await["statusCode"], 200);
        shop.world.advance(Duration::from_mins(1));
    }
    let contact = contacts.get(shop.tenant, me).await.unwrap().unwrap();
    assert_eq!(contact.email.unwrap().as_str(), "con@fam.example.vn");
    assert!(contact.unconfirmed_emails.is_empty());
    assert_eq!(
        shop.status(me, Channel::Email).await,
        ChannelStatus::Subscribed
    );
    let history = contacts.consent_history(shop.tenant, me, Limit::default(), None);
    let records = serde_json::to_value(history.await.unwrap().data).unwrap();
    let given = &records[0];
    assert_eq!(
        (&given["method"], &given["decision"]),
        (&json!("double_opt_in"), &json!("granted"))
    );
    assert_eq!(given["evidence"]["ip"], "203.0.113.9");
    assert_eq!(given["evidence"]["form"], format!("{id}#1"));
    assert_eq!(
        records.as_array().unwrap().len(),
        3,
        "a second press is the same act: {records}"
    );
    shop.world.advance(Duration::from_hours(25));
    shop.world.run_for(2).await;
    tick(&shop.world).await;
    assert_eq!(shop.mails().len(), 1, "no reminder after the answer");
    assert!(
        shop.world.dead_letters().is_empty(),
        "{:?}",
        shop.world.dead_letters()
    );
}

/// Lets the timers that are due be sent.
async fn tick(world: &World) {
    world.invoke("due-timer", json!({})).await.unwrap();
    world.settle().await;
}

#[tokio::test]
async fn one_reminder_follows_and_the_link_ends_after_a_week() {
    let shop = Shop::open().await;
    let id = shop.double().await;
    shop.post(&id, &BOTH).await;
    shop.world.settle().await;
    let an = shop.contact().await;
    assert_eq!(
        shop.status(an, Channel::Email).await,
        ChannelStatus::Pending
    );
    shop.world.advance(Duration::from_hours(25));
    for _ in 0..2 {
        tick(&shop.world).await;
        shop.world.advance(Duration::from_mins(2));
    }
    let mails = shop.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    let link = shop.link();
    shop.world.advance(Duration::from_hours(6 * 24));
    assert_eq!(shop.page(&link).await["statusCode"], 404);
    assert_eq!(shop.press(&link).await["statusCode"], 404);
    assert_eq!(
        shop.status(an, Channel::Email).await,
        ChannelStatus::Pending
    );
}

#[tokio::test]
async fn a_stranger_cannot_flood_an_address_with_confirmations() {
    let shop = Shop::open().await;
    let id = shop.double().await;
    for n in 0..5 {
        let name = format!("{n}");
        let answers = [BOTH[0], BOTH[1], BOTH[2], ("utm_term", name.as_str())];
        shop.post(&id, &answers).await;
        shop.world.settle().await;
        shop.world.advance(Duration::from_mins(1));
    }
    assert_eq!(shop.mails().len(), 2);
}

#[tokio::test]
async fn a_sender_that_is_not_proven_is_refused() {
    let shop = Shop::open().await;
    let mut settings = double();
    settings["double_opt_in"]["from_email"] = json!("khac@example.vn");
    let (status, problem) = shop.ask("POST", "/v1/forms", Some(settings)).await;
    let pointer = &problem["errors"][0]["pointer"];
    assert_eq!(
        (status, pointer),
        (400, &json!("/double_opt_in/from_email"))
    );
}

#[tokio::test]
async fn a_request_and_its_confirmation_survive_a_kill_at_each_call() {
    let (mut step, mut n) = (0, 0);
    while step < 2 {
        let shop = Shop::open().await;
        let id = shop.double().await;
        shop.post(&id, &BOTH).await;
        if step == 1 {
            shop.world.settle().await;
            let event = http_event("POST", &shop.link(), None, None);
            shop.world.invoke("form-submit", event).await.unwrap();
        }
        let Some(batch) = shop.world.take("ingest") else {
            panic!("no message")
        };
        let run = shop
            .world
            .invoke_and_kill("ingest", batch.event.clone(), Kill::After(n));
        let answer = run.await;
        if let Some(answer) = &answer {
            shop.world.acknowledge(&batch, answer);
        } else {
            shop.world.release(&batch);
            shop.world.advance(Duration::from_mins(20));
        }
        shop.world.settle().await;
        assert_eq!(shop.mails().len(), 1, "{step} {n}");
        let an = shop.contact().await;
        let wanted = [ChannelStatus::Pending, ChannelStatus::Subscribed][step];
        assert_eq!(shop.status(an, Channel::Email).await, wanted, "{step} {n}");
        n += 1;
        if answer.is_some() {
            assert!(n > 4, "too few calls: {n}");
            (step, n) = (step + 1, 0);
        }
    }
}
