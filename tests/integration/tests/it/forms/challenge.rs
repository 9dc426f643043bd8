//! Turnstile before a form: real HTTP on loopback, with Cloudflare's wire format and test keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use contacts::{Channel, ChannelStatus};
use lambda::{Invocation, Setup, Vars};
use serde_json::{Value, json};
use tanigo_local::runtime::functions::Code;
use tanigo_local::runtime::registry;
use tanigo_local::turnstile::Verifier;

use super::{Shop, newsletter, posted, text};
use crate::support::{grant_of, http_event};

const SITE: &str = "0x4AAAAAAAsite";
const SECRET: &str = "0x4AAAAAAAsecret";

/// A shop whose functions ask a verifier on loopback.
struct Guarded {
    shop: Shop,
    api: Code,
    door: Code,
    url: String,
    asked: Arc<AtomicUsize>,
    is_down: Arc<AtomicBool>,
}

impl Guarded {
    #[expect(
        clippy::disallowed_methods,
        reason = "it answers as long as the test runs"
    )]
    async fn open() -> Self {
        let shop = Shop::open().await;
        let (asked, is_down) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, down, clock) = (asked.clone(), is_down.clone(), shop.world.clock());
        let verifier = Arc::new(Verifier::default());
        let answer = move |Json(body): Json<Value>| {
            count.fetch_add(1, Ordering::SeqCst);
            let (status, answer) = verifier.answer(&body, clock.now());
            let status = if down.load(Ordering::SeqCst) {
                503
            } else {
                status
            };
            async move { (StatusCode::from_u16(status).unwrap(), Json(answer)) }
        };
        let router = Router::new().route("/turnstile/v0/siteverify", post(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        // The functions as the template builds them, with another verifier.
        let code = |name: &str| {
            let mut vars = shop.world.spec(name).environment.clone();
            vars.insert("TURNSTILE_URL".into(), format!("{url}/turnstile/v0"));
            let setup = Setup::new(Vars::from_map(vars), shop.world.cloud());
            registry::code(name, &setup).unwrap()
        };
        let (api, door) = (code("api-forms"), code("form-submit"));
        Self {
            shop,
            api,
            door,
            url,
            asked,
            is_down,
        }
    }

    async fn run(&self, code: &Code, name: &str, event: Value) -> Value {
        let invocation = Invocation {
            request_id: "request".into(),
            function_name: name.into(),
            deadline_ms: self.shop.world.clock().now_ms() + 10_000,
            trace: None,
        };
        code(event, invocation).await.unwrap()
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        let grant = grant_of(self.shop.tenant.workspace(), "read write");
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        let answer = self.run(&self.api, "api-forms", event).await;
        let body = answer["body"].as_str().unwrap_or("null");
        let body = serde_json::from_str(body).unwrap_or_default();
        (answer["statusCode"].as_u64().unwrap(), body)
    }

    /// A published form with keys.
    async fn form(&self, settings: Value) -> String {
        let id = self.shop.form(settings).await;
        let keys = json!({ "site_key": SITE, "secret_key": SECRET });
        let path = format!("/v1/forms/{id}/turnstile");
        let (status, view) = self.ask("PUT", &path, Some(keys)).await;
        assert_eq!(
            (status, &view["turnstile_site_key"]),
            (200, &json!(SITE)),
            "{view}"
        );
        assert!(!view.to_string().contains("secret"), "{view}");
        id
    }

    async fn page(&self, id: &str) -> Value {
        let event = http_event("GET", &format!("/f/{id}"), None, None);
        self.run(&self.door, "form-submit", event).await
    }

    async fn post(&self, id: &str, email: &str, token: Option<&str>) -> Value {
        let mut pairs = vec![
            ("_submission", "one-page"),
            ("email", email),
            ("consent.email", "yes"),
        ];
        pairs.extend(token.map(|token| ("cf-turnstile-response", token)));
        self.run(&self.door, "form-submit", posted(id, &pairs))
            .await
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_token_is_good_for_one_submission() {
    let guarded = Guarded::open().await;
    let id = guarded.form(newsletter()).await;
    let page = guarded.page(&id).await;
    let policy = text(&page, "content-security-policy");
    let (script, frame) = (
        format!("script-src {};", guarded.url),
        format!("frame-src {};", guarded.url),
    );
    assert!(
        policy.contains(&script) && policy.contains(&frame),
        "{policy}"
    );
    let html = page["body"].as_str().unwrap();
    assert!(html.contains(&format!("data-sitekey=\"{SITE}\"")) && html.contains("<noscript>"));
    assert!(!html.contains(SECRET));

    let before = guarded.asked();
    let none = guarded.post(&id, "an@example.vn", None).await;
    assert_eq!(
        (&none["statusCode"], guarded.asked()),
        (&json!(422), before)
    );
    let html = none["body"].as_str().unwrap();
    assert!(html.contains("href=\"#f-cf-turnstile-response\"") && html.contains("an@example.vn"));

    // A second press of the same page is the same submission.
    for _ in 0..2 {
        let sent = guarded.post(&id, "an@example.vn", Some("local.one")).await;
        assert_eq!(sent["statusCode"], 200, "{sent}");
    }
    let other = guarded
        .post(&id, "binh@example.vn", Some("local.one"))
        .await;
    assert_eq!(other["statusCode"], 422, "used for another submission");
    let forged = guarded.post(&id, "binh@example.vn", Some("forged")).await;
    assert_eq!(forged["statusCode"], 422);
    let long = "a".repeat(3_000);
    let before = guarded.asked();
    let long = guarded.post(&id, "binh@example.vn", Some(&long)).await;
    assert_eq!(
        (&long["statusCode"], guarded.asked()),
        (&json!(422), before)
    );

    let contact = guarded.shop.contact().await;
    let status = guarded.shop.status(contact, Channel::Email).await;
    assert_eq!(status, ChannelStatus::Subscribed);
    let events = guarded.shop.events(contact).await;
    assert_eq!(events.len(), 1);
    let data = events[0].data.to_string();
    assert!(
        !data.contains("turnstile") && !data.contains("_unverified"),
        "{data}"
    );
}

#[tokio::test]
async fn an_outage_of_the_verifier_loses_no_lead_and_confirms_nobody() {
    let guarded = Guarded::open().await;
    let id = guarded.form(newsletter()).await;
    guarded.is_down.store(true, Ordering::SeqCst);
    let before = guarded.asked();
    for _ in 0..2 {
        let sent = guarded.post(&id, "an@example.vn", Some("local.one")).await;
        assert_eq!(sent["statusCode"], 200, "{sent}");
    }
    assert_eq!(
        guarded.asked(),
        before + 1,
        "the verifier rests for ten seconds"
    );
    let contact = guarded.shop.contact().await;
    let status = guarded.shop.status(contact, Channel::Email).await;
    assert_eq!(status, ChannelStatus::None);
    let events = guarded.shop.events(contact).await;
    assert_eq!(
        (events.len(), &events[0].data["_unverified"]),
        (1, &json!(true))
    );
    assert_eq!(events[0].data["consent"]["email"], "ticked");
    let (_, report) = guarded
        .ask("GET", &format!("/v1/forms/{id}/report"), None)
        .await;
    assert_eq!(report["unverified"], 2, "{report}");

    guarded.is_down.store(false, Ordering::SeqCst);
    guarded.shop.world.advance(Duration::from_secs(11));
    let forged = guarded.post(&id, "an@example.vn", Some("forged")).await;
    assert_eq!(forged["statusCode"], 422);
}

#[tokio::test]
async fn keys_are_tried_sealed_copied_and_taken_away() {
    let guarded = Guarded::open().await;
    let id = guarded.shop.form(newsletter()).await;
    let path = format!("/v1/forms/{id}/turnstile");
    for (site, secret, pointers) in [
        (SITE, "khong-co", vec!["/secret_key"]),
        ("", "a b", vec!["/site_key", "/secret_key"]),
    ] {
        let keys = json!({ "site_key": site, "secret_key": secret });
        let (status, problem) = guarded.ask("PUT", &path, Some(keys)).await;
        let errors = problem["errors"].as_array().unwrap().iter();
        let found: Vec<&str> = errors.map(|one| one["pointer"].as_str().unwrap()).collect();
        assert_eq!((status, found), (400, pointers), "{problem}");
    }
    let id = guarded.form(newsletter()).await;
    let stored = guarded.shop.world.dump("Directory").await;
    assert!(!format!("{stored:?}").contains(SECRET));
    let copy = format!("/v1/forms/{id}/duplicate");
    let (status, copy) = guarded.ask("POST", &copy, None).await;
    assert_eq!((status, &copy["turnstile_site_key"]), (201, &json!(SITE)));
    let path = format!("/v1/forms/{id}/turnstile");
    let (status, view) = guarded.ask("DELETE", &path, None).await;
    assert_eq!((status, &view["turnstile_site_key"]), (200, &Value::Null));
    let page = guarded.page(&id).await;
    assert!(!page["body"].as_str().unwrap().contains("cf-turnstile"));
    let sent = guarded.post(&id, "an@example.vn", None).await;
    assert_eq!(sent["statusCode"], 200);
}
