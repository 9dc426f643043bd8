//! Tokens of an `OpenID Connect` issuer: a real key pair, a real key set over HTTP on loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use accounts::{NewUser, Oidc, Sessions, UserChange, UserStatus, Users};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::KeyPair as _;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kernel::{ChatRole, Role, Verdict};
use lambda::{Invocation, Setup, Vars};
use serde_json::{Value, json};
use tanigo_local::runtime::registry;

use super::office::{EMAIL, Office};

const AUDIENCE: &str = "tanigo";

/// An issuer with one key.
struct Issuer {
    url: String,
    key: EncodingKey,
    /// Requests that it got.
    asked: Arc<AtomicUsize>,
    is_down: Arc<AtomicBool>,
}

impl Issuer {
    #[expect(
        clippy::disallowed_methods,
        reason = "it answers as long as the test runs"
    )]
    async fn open() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let keys = json!({ "keys": [{
            "kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256",
            "n": number(&public.n), "e": number(&public.e),
        }] });
        // PKCS #8 is a wrapper of 26 bytes around the key of this size that jsonwebtoken reads (PKCS #1).
        let pkcs8 = pair.as_der().unwrap();
        let key = EncodingKey::from_rsa_der(&pkcs8.as_ref()[26..]);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(move || async move { Json(discovery) }),
            )
            .route("/keys", get(move || async move { Json(keys) }));
        let (asked, is_down) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, down) = (asked.clone(), is_down.clone());
        let router = router.layer(middleware::from_fn(move |request: Request, next: Next| {
            count.fetch_add(1, Ordering::SeqCst);
            let down = down.load(Ordering::SeqCst);
            async move {
                if down {
                    return StatusCode::SERVICE_UNAVAILABLE.into_response();
                }
                next.run(request).await
            }
        }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            key,
            asked,
            is_down,
        }
    }

    fn token(&self, claims: &Value, kid: &str) -> String {
        let header = Header {
            kid: Some(kid.to_owned()),
            ..Header::new(Algorithm::RS256)
        };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

#[tokio::test]
async fn an_issuer_signs_in_whom_it_vouches_for() {
    let office = Office::open().await;
    let issuer = Issuer::open().await;
    let clock = office.world.clock();
    let oidc = Oidc::new(&issuer.url, AUDIENCE, clock).unwrap();
    let sessions = Sessions::over(&office.world.resources()).with_issuer(Some(oidc));
    let now = office.world.now().as_second();
    let good = json!({
        "iss": issuer.url, "aud": AUDIENCE, "exp": now + 600, "email": EMAIL, "email_verified": true,
    });
    let granted = async |token: &str| {
        let verdict = sessions.verdict(token, Some(&office.workspace)).await;
        match verdict.unwrap() {
            Verdict::Granted(grant) => Some(grant),
            Verdict::Refused { .. } => None,
        }
    };
    let grant = granted(&issuer.token(&good, "one")).await.unwrap();
    assert!(grant.actor.starts_with("usr_") && grant.session.is_none());
    assert_eq!(grant.workspace.unwrap().to_string(), office.workspace);

    for (name, value) in [
        ("iss", json!("https://another.example.vn")),
        ("aud", json!("another")),
        ("exp", json!(now - 61)),
        ("nbf", json!(now + 61)),
        ("email", json!("khong-co@example.vn")),
        ("email_verified", json!(false)),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        assert!(
            granted(&issuer.token(&claims, "one")).await.is_none(),
            "{name}"
        );
    }
    assert!(granted(&issuer.token(&good, "two")).await.is_none());
    let stranger = Issuer::open().await;
    assert!(granted(&stranger.token(&good, "one")).await.is_none());
    let hmac = Header {
        kid: Some("one".into()),
        ..Header::new(Algorithm::HS256)
    };
    let forged =
        jsonwebtoken::encode(&hmac, &good, &EncodingKey::from_secret(b"public key")).unwrap();
    assert!(granted(&forged).await.is_none());
    let unsigned = issuer.token(&good, "one");
    let unsigned = unsigned.rsplit_once('.').unwrap().0;
    assert!(granted(&format!("{unsigned}.")).await.is_none());

    office.world.advance(Duration::from_mins(12));
    assert!(granted(&issuer.token(&good, "one")).await.is_none());
}

#[tokio::test]
async fn whom_the_issuer_vouches_for_may_listen_until_their_rights_change() {
    let office = Office::open().await;
    let issuer = Issuer::open().await;
    let world = &office.world;
    let account = office.account().await;
    let users = Users::over(&world.resources());
    let agent = NewUser {
        email: "nhanvien@example.vn".parse().unwrap(),
        name: "Nhân viên".into(),
        role: Role::Viewer,
        chat_role: Some(ChatRole::Agent),
        workspaces: vec![office.workspace.parse().unwrap()],
        password: "chưa từng dùng tới".into(),
    };
    let agent = users.create(account, agent).await.unwrap().unwrap();
    let token = issuer.token(
        &json!({
            "iss": issuer.url, "aud": AUDIENCE, "exp": world.now().as_second() + 600,
            "email": "nhanvien@example.vn", "email_verified": true,
        }),
        "one",
    );
    // The authorizer as the template builds it, with an issuer.
    let mut vars = world.spec("authorizer").environment.clone();
    vars.insert("OIDC_ISSUER".into(), issuer.url.clone());
    vars.insert("OIDC_AUDIENCE".into(), AUDIENCE.into());
    let setup = Setup::new(Vars::from_map(vars), world.cloud());
    let authorizer = registry::code("authorizer", &setup).unwrap();
    let invocation = Invocation {
        request_id: "request".into(),
        function_name: "authorizer".into(),
        deadline_ms: world.clock().now_ms() + 10_000,
        trace: None,
    };
    let mut event = json!({
        "methodArn": "arn:aws:execute-api:::local/live/$connect",
        "requestContext": { "connectionId": "agent", "eventType": "CONNECT" },
        "queryStringParameters": { "token": token, "workspace": office.workspace },
    });
    let policy = authorizer(event.clone(), invocation).await.unwrap();
    event["requestContext"]["authorizer"] = policy["context"].clone();
    let answer = world.invoke("chat-socket", event).await.unwrap();
    assert_eq!(answer["statusCode"], 200);

    let oidc = Oidc::new(&issuer.url, AUDIENCE, world.clock()).unwrap();
    let sessions = Sessions::over(&world.resources()).with_issuer(Some(oidc));
    let holder = sessions.holder(&token).await.unwrap().unwrap();
    let stands = async || {
        let workspace = office.workspace.parse().unwrap();
        let verdict = sessions.standing(&holder, workspace).await.unwrap();
        matches!(verdict, Verdict::Granted(_))
    };
    assert!(stands().await);
    let disabled = UserChange {
        status: Some(UserStatus::Disabled),
        ..UserChange::default()
    };
    users.change(account, agent, &disabled).await.unwrap();
    assert!(!stands().await);
}

#[tokio::test]
async fn an_issuer_is_asked_little_and_may_be_away() {
    let office = Office::open().await;
    let issuer = Issuer::open().await;
    let oidc = Oidc::new(&issuer.url, AUDIENCE, office.world.clock()).unwrap();
    let claims = |issuer: &Issuer| {
        let exp = office.world.now().as_second() + 600;
        json!({
            "iss": issuer.url, "aud": AUDIENCE, "exp": exp, "email": EMAIL, "email_verified": true,
        })
    };
    let asked = || issuer.asked.load(Ordering::SeqCst);
    // A token of another issuer, or with an algorithm that is not accepted: no request for the keys.
    let stranger = Issuer::open().await;
    let token = stranger.token(&claims(&stranger), "one");
    assert_eq!(oidc.address(&token).await.unwrap(), None);
    let hmac = Header {
        kid: Some("one".into()),
        ..Header::new(Algorithm::HS256)
    };
    let secret = EncodingKey::from_secret(b"public key");
    let forged = jsonwebtoken::encode(&hmac, &claims(&issuer), &secret).unwrap();
    assert_eq!(oidc.address(&forged).await.unwrap(), None);
    assert_eq!(asked(), 0);

    // The issuer is down from the start: each token is an error, with one request for all tokens.
    issuer.is_down.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let token = issuer.token(&claims(&issuer), "one");
        assert!(oidc.address(&token).await.is_err());
    }
    assert_eq!(asked(), 1);
    issuer.is_down.store(false, Ordering::SeqCst);
    office.world.advance(Duration::from_secs(10));
    let address = async || oidc.address(&issuer.token(&claims(&issuer), "one")).await;
    assert!(address().await.unwrap().is_some());

    // The issuer is down later: the known keys are used for one more day.
    issuer.is_down.store(true, Ordering::SeqCst);
    office.world.advance(Duration::from_hours(2));
    assert!(address().await.unwrap().is_some());
    office.world.advance(Duration::from_hours(22));
    assert!(address().await.is_err());
}

#[tokio::test]
async fn a_token_of_an_issuer_is_not_signed_out_here() {
    let office = Office::open().await;
    let account = office.account().await;
    let (_, me) = office
        .ask(&office.token().await, "GET", "/v1/me", None)
        .await;
    let grant = kernel::Grant {
        account,
        actor: me["user"]["id"].as_str().unwrap().into(),
        role: Some(kernel::Role::AccountAdmin),
        ..crate::support::grant_of(office.workspace.parse().unwrap(), "")
    };
    let event = crate::support::http_event("POST", "/v1/auth/logout", None, Some(&grant));
    let answer = office.world.invoke("api-accounts", event).await.unwrap();
    assert_eq!(answer["statusCode"], 409);
}

#[test]
fn an_issuer_needs_tls() {
    let clock = kernel::Clock::system();
    assert!(Oidc::new("https://login.example.vn", AUDIENCE, clock.clone()).is_some());
    for bad in [
        "http://login.example.vn",
        "login.example.vn",
        "file:///etc/passwd",
    ] {
        assert!(Oidc::new(bad, AUDIENCE, clock.clone()).is_none(), "{bad}");
    }
}
