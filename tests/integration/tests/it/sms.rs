//! Text messages through public doors: the account, brandnames, templates, previews, and the client against the provider.

use std::time::Duration;

use channels::Answer;
use channels::sms::{Call, Client, SmsSettings};
use cloud::Hosts;
use kernel::{Grant, Phone, TenantKey};
use serde_json::{Value, json};
use tanigo_local::providers::{Fault, SECRET};

use crate::support::{World, grant_of, http_event};

const WORKSPACE: &str = "ws_00000000001";
const NUMBER: &str = "84912345678";

struct Office {
    world: World,
    grant: Grant,
}

impl Office {
    fn new() -> Self {
        let grant = grant_of(WORKSPACE.parse().unwrap(), "admin");
        Self {
            world: World::new(),
            grant,
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        let path = format!("/v1/channels/sms{path}");
        let event = http_event(method, &path, body.as_ref(), Some(&self.grant));
        let answer = self.world.invoke("api-channels", event).await.unwrap();
        let body = answer["body"].as_str().unwrap_or_default();
        let status = answer["statusCode"].as_u64().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    async fn connect(&self) {
        let keys = json!({ "api_key": "shop", "secret_key": SECRET });
        let (status, shown) = self.ask("PUT", "", Some(keys)).await;
        assert_eq!(
            (status, &shown["is_connected"]),
            (200, &json!(true)),
            "{shown}"
        );
    }

    async fn brandname(&self, kind: &str, status: &str) -> String {
        let opt_out = (kind == "advertising").then_some("TC: soạn TC gửi 1551");
        let body = json!({ "name": "ACME", "kind": kind, "opt_out": opt_out,
            "carriers": [{ "carrier": "vinaphone", "status": status, "price_per_segment": 700,
                "expires_at": "2027-01-01T00:00:00Z" }] });
        // Ids follow from the time of the request.
        self.world.advance(Duration::from_secs(1));
        let (status, made) = self.ask("POST", "/brandnames", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn tenant(&self) -> TenantKey {
        TenantKey::authenticated(WORKSPACE.parse().unwrap())
    }

    /// The client as a sender has it.
    fn client(&self) -> Client {
        let function = self.world.model.functions.iter();
        let mut function = function.filter(|one| one.handler == "api-channels");
        let environment = &function.next().unwrap().environment;
        let (hosts, secret) = (
            &environment["PROVIDERS_URL"],
            &environment["SOURCES_SECRET"],
        );
        let resources = self.world.resources();
        let settings = SmsSettings::over(&resources, secret);
        Client::new(&resources, &Hosts::new(hosts), settings)
    }

    async fn send(&self, client: &Client, brandname: &str, text: &str, request: &str) -> Answer {
        let phone: Phone = NUMBER.parse().unwrap();
        let id = brandname.parse().unwrap();
        let found = client.settings().recent_brandname(self.tenant(), id).await;
        let found = found.unwrap().unwrap();
        let text = found.settings.compose(text);
        let call = Call {
            text: &text,
            request_id: request,
            report_to: None,
        };
        let answer = client.call(self.tenant(), &found, &phone, call);
        answer.await.unwrap()
    }
}

fn stopped(code: &str) -> Answer {
    Answer::Stopped { code: code.into() }
}

#[tokio::test]
async fn only_proven_keys_are_stored_and_none_is_shown() {
    let office = Office::new();
    let wrong = json!({ "api_key": "shop", "secret_key": "guess" });
    let (status, refused) = office.ask("PUT", "", Some(wrong)).await;
    assert_eq!((status, &refused["code"]), (400, &json!("invalid")));
    let (_, shown) = office.ask("GET", "", None).await;
    assert_eq!(
        shown,
        json!({ "provider": "esms", "is_connected": false, "connected_at": null })
    );
    let (status, _) = office.ask("GET", "/balance", None).await;
    assert_eq!(status, 409);
    for fault in [Fault::Html, Fault::Down, Fault::Timeout] {
        office.world.providers.esms().fail(fault, 1);
        let keys = json!({ "api_key": "shop", "secret_key": SECRET });
        assert_eq!(office.ask("PUT", "", Some(keys)).await.0, 503, "{fault:?}");
    }
    let bad = json!({ "api_key": "", "secret_key": "a b" });
    let (_, refused) = office.ask("PUT", "", Some(bad)).await;
    assert_eq!(refused["errors"].as_array().unwrap().len(), 2, "{refused}");

    office.connect().await;
    let (_, balance) = office.ask("GET", "/balance", None).await;
    assert_eq!(balance["balance"], 10_000_000);
    let rows = json!(office.world.dump("Directory").await).to_string();
    assert!(!rows.contains(SECRET) && rows.contains("SMS-ACCOUNT"));
    let (status, _) = office.ask("DELETE", "", None).await;
    assert_eq!(status, 204);
    assert_eq!(office.ask("DELETE", "", None).await.0, 204);
    let (_, shown) = office.ask("GET", "", None).await;
    assert_eq!(shown["is_connected"], false);
}

#[tokio::test]
async fn brandnames_and_templates_are_kept() {
    let office = Office::new();
    let id = office.brandname("advertising", "approved").await;
    let (_, shown) = office.ask("GET", &format!("/brandnames/{id}"), None).await;
    assert_eq!(
        (&shown["may_send"], &shown["kind"]),
        (&json!(true), &json!("advertising"))
    );
    office.world.advance(Duration::from_secs(1));
    let again = json!({ "name": "ACME", "kind": "advertising", "opt_out": "TC" });
    assert_eq!(office.ask("POST", "/brandnames", Some(again)).await.0, 400);
    let other_kind = json!({ "name": "ACME", "kind": "care" });
    let path = format!("/brandnames/{id}");
    let (status, refused) = office.ask("PUT", &path, Some(other_kind)).await;
    assert_eq!(
        (status, &refused["errors"][0]["pointer"]),
        (400, &json!("/kind"))
    );
    let changed = json!({ "name": "ACME", "kind": "advertising", "opt_out": "TC 1551" });
    let (status, changed) = office.ask("PUT", &path, Some(changed)).await;
    assert_eq!((status, &changed["may_send"]), (200, &json!(false)));

    let template =
        json!({ "name": "Tết", "brandname_id": id, "content": "Chào {{ contact.full_name }}" });
    let (status, made) = office
        .ask("POST", "/templates", Some(template.clone()))
        .await;
    assert_eq!(
        (status, &made["status"]),
        (201, &json!("pending")),
        "{made}"
    );
    let wrong = json!({ "name": "", "brandname_id": id, "content": "{{ contact.secret }}" });
    let (_, refused) = office.ask("POST", "/templates", Some(wrong)).await;
    assert_eq!(refused["errors"].as_array().unwrap().len(), 2, "{refused}");
    assert_eq!(office.ask("DELETE", &path, None).await.0, 409);
    let own = format!("/templates/{}", made["id"].as_str().unwrap());
    assert_eq!(office.ask("PUT", &own, Some(template)).await.0, 200);
    let (_, all) = office.ask("GET", "/templates", None).await;
    assert_eq!(all["data"].as_array().unwrap().len(), 1);
    assert_eq!(office.ask("DELETE", &own, None).await.0, 204);
    assert_eq!(office.ask("GET", &own, None).await.0, 404);
    assert_eq!(office.ask("DELETE", &path, None).await.0, 204);
    assert_eq!(office.ask("GET", &path, None).await.0, 404);
}

#[tokio::test]
async fn a_preview_is_the_text_that_is_sent() {
    let office = Office::new();
    office.connect().await;
    let id = office.brandname("advertising", "approved").await;
    let text = format!("Giảm {}", "á".repeat(100));
    let body = json!({ "text": text, "brandname_id": id });
    let (_, shown) = office.ask("POST", "/preview", Some(body)).await;
    assert_eq!(shown["encoding"], "gsm7");
    // VinaPhone bills advertising of more than 122 units as two segments.
    assert_eq!(
        shown["carriers"],
        json!([{ "carrier": "vinaphone", "segments": 2, "price": 1400 }])
    );
    office.world.providers.esms().set_least(1);
    let client = office.client();
    let answer = office.send(&client, &id, &text, "r1").await;
    assert!(matches!(answer, Answer::Accepted { .. }), "{answer:?}");
    let sent = office.world.providers.esms().sent();
    assert_eq!(json!(sent[0].content), shown["text"]);
    assert_eq!(
        (sent[0].kind.as_str(), sent[0].phone.as_str()),
        ("1", NUMBER)
    );
    let (_, plain) = office
        .ask("POST", "/preview", Some(json!({ "text": "Đơn hàng" })))
        .await;
    assert_eq!(
        (&plain["encoding"], &plain["units"]),
        (&json!("ucs2"), &json!(8))
    );
    assert_eq!(plain["carriers"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn each_answer_of_the_provider_has_its_outcome() {
    let office = Office::new();
    let (client, esms) = (office.client(), office.world.providers.esms().clone());
    let id = office.brandname("care", "approved").await;
    assert_eq!(
        office.send(&client, &id, "a", "r0").await,
        stopped("no_account")
    );
    office.connect().await;
    // The absence of an account is believed for ten seconds.
    office.world.advance(Duration::from_secs(11));
    for (fault, outcome) in [
        (Fault::Timeout, Answer::NoAnswer),
        (Fault::Html, Answer::NoAnswer),
        (Fault::Down, Answer::NoAnswer),
        (Fault::Busy, Answer::Throttled),
        (Fault::Refuse, stopped("101")),
    ] {
        esms.fail(fault, 1);
        assert_eq!(
            office.send(&client, &id, "Chào", "r1").await,
            outcome,
            "{fault:?}"
        );
    }
    assert_eq!(esms.sent().len(), 0);
    // The answer is lost after the work was done: a repetition of the request sends nothing.
    esms.fail(Fault::Lost, 1);
    assert_eq!(
        office.send(&client, &id, "Chào", "r2").await,
        Answer::NoAnswer
    );
    let repeated = office.send(&client, &id, "Chào", "r2").await;
    assert_eq!(repeated, Answer::Accepted { id: "r2".into() });
    assert_eq!(esms.sent().len(), 1);
    assert_eq!(esms.sent()[0].content, "Chao");

    esms.set_balance("shop", 0);
    assert_eq!(
        office.send(&client, &id, "Chào", "r4").await,
        stopped("103")
    );
    esms.set_balance("shop", 100_000);
    esms.refuse(NUMBER, "99");
    let refused = office.send(&client, &id, "Chào", "r3").await;
    assert!(
        matches!(&refused, Answer::Refused { code, .. } if code == "99"),
        "{refused:?}"
    );
    let long = office.send(&client, &id, &"a".repeat(460), "r5").await;
    assert!(matches!(&long, Answer::Refused { code, .. } if code == "too_long"));
    let advertising = office.brandname("advertising", "approved").await;
    assert_eq!(
        office.send(&client, &advertising, "Sale", "r6").await,
        stopped("107")
    );
    let draft = json!({ "name": "DRAFT", "kind": "care", "carriers": [{ "carrier": "viettel" }] });
    office.world.advance(Duration::from_secs(1));
    let (_, draft) = office.ask("POST", "/brandnames", Some(draft)).await;
    let draft = draft["id"].as_str().unwrap();
    assert_eq!(
        office.send(&client, draft, "a", "r7").await,
        stopped("not_approved")
    );
    // A registration ends at its time.
    office.world.advance(Duration::from_hours(24 * 366));
    assert_eq!(
        office.send(&client, &id, "a", "r8").await,
        stopped("not_approved")
    );
}
