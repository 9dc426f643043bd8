//! FCM HTTP v1: a service account, its access token, one call for one token of an app.
//!
//! Sources: <https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode>,
//! <https://developers.google.com/identity/protocols/oauth2/service-account>. Nothing here claims a ledger row.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use cloud::{Hosts, Resources, Web, WebError};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use web_push_native::p256::pkcs8::{PrivateKeyInfo, SecretDocument};

use super::web::{Pushed, retry_after};

/// The host of tokens.
pub const TOKENS: &str = "oauth2.googleapis.com";
/// The host of messages.
pub const HOST: &str = "fcm.googleapis.com";
/// The right that a token is asked for.
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// Seconds for which a token is asked.
const VALID: i64 = 3600;
/// A token is used no longer than this before its end.
const MARGIN: SignedDuration = SignedDuration::from_secs(300);
/// Accounts whose tokens a process keeps.
const MOST: usize = 5_000;
/// A token of no app, for the proof of an account.
const NOBODY: &str = "tanigo-proof-of-account";
/// Longest parts of an account.
pub const LONGEST: usize = 4_096;

/// A service account of Google.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The project of Firebase.
    pub project_id: String,
    /// The account's address.
    pub client_email: String,
    /// The private key in PEM.
    pub private_key: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account(..)")
    }
}

/// Whether an account works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It may send to its project.
    Works,
    /// Its private key cannot be read.
    NoKey,
    /// Google refuses the account.
    Refused,
    /// Google gives a token, but the account may not send to the project.
    NotAllowed,
    /// Google gave no answer.
    NoAnswer,
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoToken {
    Key,
    Refused,
    NoAnswer,
}

/// Calls FCM; cheap to clone. Clones share the tokens.
#[derive(Clone)]
pub struct Fcm {
    web: Web,
    tokens_at: String,
    host: String,
    tokens: Arc<Mutex<HashMap<String, (String, Timestamp)>>>,
}

impl std::fmt::Debug for Fcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fcm")
    }
}

impl Fcm {
    /// Over the client for systems outside of AWS.
    pub fn new(resources: &Resources, hosts: &Hosts) -> Self {
        Self {
            web: resources.web(),
            tokens_at: format!("{}/token", hosts.at(TOKENS)),
            host: hosts.at(HOST),
            tokens: Arc::default(),
        }
    }

    /// Tries an account: asks for a token, and for a dry run of a message to nobody.
    pub async fn prove(&self, account: &Account, now: Timestamp) -> Proof {
        let token = match self.ask(account, now).await {
            Ok((token, _)) => token,
            Err(NoToken::Key) => return Proof::NoKey,
            Err(NoToken::Refused) => return Proof::Refused,
            Err(NoToken::NoAnswer) => return Proof::NoAnswer,
        };
        let message = json!({ "token": NOBODY, "notification": { "title": "Tanigo", "body": "" } });
        let body = json!({ "validate_only": true, "message": message });
        let Some(request) = self.request(account, &token, &body) else {
            return Proof::NotAllowed;
        };
        match self.web.send(request).await.map(|answer| answer.status()) {
            // Nobody has this token: the request got as far as the token.
            Ok(StatusCode::OK | StatusCode::BAD_REQUEST) => Proof::Works,
            Ok(status) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                Proof::NotAllowed
            }
            _ => Proof::NoAnswer,
        }
    }

    /// Sends one message of [`super::payload::app`].
    pub async fn send(&self, account: &Account, message: Value, now: Timestamp) -> Pushed {
        let token = match self.token(account, now).await {
            Ok(token) => token,
            Err(NoToken::Key | NoToken::Refused) => return Pushed::Stopped("fcm_account".into()),
            Err(NoToken::NoAnswer) => return Pushed::Later(None),
        };
        let body = json!({ "message": message });
        let Some(request) = self.request(account, &token, &body) else {
            return Pushed::Stopped("fcm_project".into());
        };
        let sent = self.web.send(request).await;
        if matches!(&sent, Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED) {
            self.lock().remove(&name(account));
        }
        answer(&sent)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, Timestamp)>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn token(&self, account: &Account, now: Timestamp) -> Result<String, NoToken> {
        let name = name(account);
        let known = self.lock().get(&name).cloned();
        if let Some((token, _)) = known.filter(|(_, until)| now < *until) {
            return Ok(token);
        }
        let (token, until) = self.ask(account, now).await?;
        let mut tokens = self.lock();
        if tokens.len() >= MOST {
            tokens.retain(|_, (_, until)| now < *until);
        }
        tokens.insert(name, (token.clone(), until));
        Ok(token)
    }

    /// Asks for a token, and tells until when it is used.
    async fn ask(&self, account: &Account, now: Timestamp) -> Result<(String, Timestamp), NoToken> {
        let assertion = assertion(account, now).ok_or(NoToken::Key)?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &assertion)
            .finish();
        let request = Request::post(&self.tokens_at)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form))
            .map_err(|_| NoToken::NoAnswer)?;
        let answer = self
            .web
            .send(request)
            .await
            .map_err(|_| NoToken::NoAnswer)?;
        let status = answer.status();
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            return Err(NoToken::Refused);
        }
        let granted: Granted =
            serde_json::from_slice(answer.body()).map_err(|_| NoToken::NoAnswer)?;
        let seconds = granted.expires_in.clamp(0, VALID);
        let until = now + SignedDuration::from_secs(seconds) - MARGIN;
        Ok((granted.access_token, until))
    }

    fn request(&self, account: &Account, token: &str, body: &Value) -> Option<Request<Bytes>> {
        let url = format!(
            "{}/v1/projects/{}/messages:send",
            self.host, account.project_id
        );
        Request::post(url)
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from(body.to_string()))
            .ok()
    }
}

/// The answer of the host of tokens.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: i64,
}

/// Names an account and its key in memory.
fn name(account: &Account) -> String {
    let parts = [
        &account.project_id,
        &account.client_email,
        &account.private_key,
    ];
    kernel::hash::name(&parts.map(String::as_str))
}

/// The signed statement that is exchanged for a token. `None`: the private key cannot be read.
fn assertion(account: &Account, now: Timestamp) -> Option<String> {
    let (_, document) = SecretDocument::from_pem(account.private_key.trim()).ok()?;
    let key = PrivateKeyInfo::try_from(document.as_bytes()).ok()?;
    let claims = json!({
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": format!("https://{TOKENS}/token"),
        "iat": now.as_second(),
        "exp": now.as_second() + VALID,
    });
    let key = EncodingKey::from_rsa_der(key.private_key);
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).ok()
}

/// The code of an error: FCM's own, or the status of the API.
fn code_of(body: &Value) -> String {
    let details = body.pointer("/error/details").and_then(Value::as_array);
    let own = details
        .into_iter()
        .flatten()
        .find_map(|one| one.get("errorCode").and_then(Value::as_str));
    let code = own.or_else(|| body.pointer("/error/status").and_then(Value::as_str));
    code.unwrap_or_default().to_owned()
}

/// The answer about one message.
fn answer(answer: &Result<Response<Bytes>, WebError>) -> Pushed {
    let Ok(answer) = answer else {
        return Pushed::NoAnswer;
    };
    let status = answer.status();
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    if status.is_success() {
        let name = body.get("name").and_then(Value::as_str);
        let id = name.and_then(|name| name.rsplit('/').next());
        return id.map_or(Pushed::NoAnswer, |id| Pushed::Accepted(id.to_owned()));
    }
    let code = code_of(&body);
    let about_token = || {
        let message = body.pointer("/error/message").and_then(Value::as_str);
        message.is_some_and(|message| message.contains("registration token"))
    };
    match (status.as_u16(), code.as_str()) {
        (404, "UNREGISTERED") | (403, "SENDER_ID_MISMATCH") => Pushed::Gone,
        (400, _) if about_token() => Pushed::Gone,
        (401, "THIRD_PARTY_AUTH_ERROR") => Pushed::Stopped("third_party_auth".into()),
        // The token has ended early: the next try asks for another.
        (401, _) => Pushed::Later(None),
        (403 | 404, _) => Pushed::Stopped(format!("fcm_{}", status.as_u16())),
        // FCM asks for a minute if it names no time.
        (429, _) => Pushed::Later(Some(retry_after(answer.headers()).unwrap_or(60))),
        (503, _) => Pushed::Later(retry_after(answer.headers())),
        (400..=499, _) => Pushed::Refused(if code.is_empty() {
            format!("http_{}", status.as_u16())
        } else {
            code.to_lowercase()
        }),
        _ => Pushed::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, code: &str, message: &str) -> Response<Bytes> {
        let detail = json!({
            "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
            "errorCode": code,
        });
        let body = json!({ "error": { "code": status, "message": message, "details": [detail] } });
        let mut reply = Response::new(Bytes::from(body.to_string()));
        *reply.status_mut() = StatusCode::from_u16(status).unwrap();
        reply
    }

    #[test]
    fn each_answer_has_its_meaning() {
        let of = |status, code, message| answer(&Ok(reply(status, code, message)));
        assert_eq!(of(404, "UNREGISTERED", ""), Pushed::Gone);
        assert_eq!(of(403, "SENDER_ID_MISMATCH", ""), Pushed::Gone);
        let wrong = "The registration token is not a valid FCM registration token";
        assert_eq!(of(400, "INVALID_ARGUMENT", wrong), Pushed::Gone);
        let refused = Pushed::Refused("invalid_argument".into());
        assert_eq!(of(400, "INVALID_ARGUMENT", "Invalid data"), refused);
        let stopped = Pushed::Stopped("third_party_auth".into());
        assert_eq!(of(401, "THIRD_PARTY_AUTH_ERROR", ""), stopped);
        assert_eq!(of(401, "", ""), Pushed::Later(None));
        assert_eq!(of(403, "", ""), Pushed::Stopped("fcm_403".into()));
        assert_eq!(of(429, "QUOTA_EXCEEDED", ""), Pushed::Later(Some(60)));
        assert_eq!(of(503, "UNAVAILABLE", ""), Pushed::Later(None));
        assert_eq!(of(500, "INTERNAL", ""), Pushed::NoAnswer);
        assert_eq!(answer(&Err(WebError::Timeout)), Pushed::NoAnswer);
    }
}
