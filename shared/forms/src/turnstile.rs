//! Cloudflare Turnstile: the check that a person filled in a form.
//!
//! The widget on the page gives a token, and `siteverify` judges the token once. An outage of the verifier loses no
//! lead: the submission is taken as unverified ([`Verdict::Unavailable`]). The secret key of a form is sealed for its
//! workspace, and is never shown. The visitor's address is not sent to Cloudflare.
//!
//! <https://developers.cloudflare.com/turnstile/get-started/server-side-validation/>

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloud::Error;
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, Entropy, Seal, TenantKey};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::model::Guard;

/// The field of the widget's token.
pub const RESPONSE: &str = "cf-turnstile-response";
/// Longest token of the widget.
const MAX_TOKEN: usize = 2_048;
/// Longest key of a site.
const MAX_KEY: usize = 100;
/// Time-out of one call; the visitor waits for the answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Pause before the next call to a verifier that gave no answer.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// Codes that are about the token. `bad-request` is one too: the token is the only part that a visitor chooses.
const TOKEN_CODES: [&str; 4] = [
    "missing-input-response",
    "invalid-input-response",
    "timeout-or-duplicate",
    "bad-request",
];

/// The answer of the verifier about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A person, as far as Cloudflare can tell.
    Passed,
    /// The token is wrong, too old, or was used for another submission.
    Failed,
    /// No usable answer, or an answer that is about the keys of the form.
    Unavailable,
}

/// The answer of `siteverify`.
#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(rename = "error-codes", default)]
    error_codes: Vec<String>,
}

impl Answer {
    fn has(&self, code: &str) -> bool {
        self.error_codes.iter().any(|one| one == code)
    }
}

/// The verifier; cheap to clone.
#[derive(Clone, Debug)]
pub struct Turnstile {
    url: Arc<str>,
    /// Absent if the system has no certificates: then nothing is verified.
    http: Option<reqwest::Client>,
    seal: Seal,
    clock: Clock,
    failed_at: Arc<Mutex<Option<Timestamp>>>,
}

impl Turnstile {
    /// `url` is the address under which `api.js` and `siteverify` are, see [`Turnstile::is_address`]; `secret` seals the
    /// keys.
    pub fn new(url: &str, secret: &str, clock: &Clock) -> Self {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        if let Err(error) = &http {
            tracing::error!(%error, "there is no client for Turnstile");
        }
        Self {
            url: url.trim_end_matches('/').into(),
            http: http.ok(),
            seal: Seal::new("forms", secret),
            clock: clock.clone(),
            failed_at: Arc::default(),
        }
    }

    /// Whether a text is an address with TLS, or of this machine.
    pub fn is_address(text: &str) -> bool {
        url::Url::parse(text).is_ok_and(|url| {
            let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
            url.scheme() == "https" || (url.scheme() == "http" && is_local)
        })
    }

    /// The address under which `api.js` is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether a text may be a site key or a secret key.
    pub fn is_key(text: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (1..=MAX_KEY).contains(&text.len()) && text.chars().all(is_plain)
    }

    /// The keys of a form, with the secret key sealed for the workspace.
    pub fn guard(
        &self,
        entropy: &Entropy,
        tenant: TenantKey,
        site_key: &str,
        secret_key: &str,
    ) -> Result<Guard, Error> {
        let owner = tenant.to_string();
        let sealed = self.seal.close(entropy, &owner, secret_key.as_bytes());
        Ok(Guard {
            site_key: site_key.to_owned(),
            sealed_secret: sealed.ok_or_else(|| Error::Shape("the key was not sealed".into()))?,
        })
    }

    /// Whether Cloudflare knows the secret key; `None` without an answer.
    pub async fn knows(&self, secret_key: &str) -> Option<bool> {
        let answer = self.ask(secret_key, "check", None).await?;
        Some(!answer.has("invalid-input-secret") && !answer.has("missing-input-secret"))
    }

    /// Judges a token. `submission` names the submission: its repetition gets the same answer, and another submission
    /// cannot use the token again.
    pub async fn verify(
        &self,
        tenant: TenantKey,
        guard: &Guard,
        token: &str,
        submission: &str,
    ) -> Verdict {
        if token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Verdict::Failed;
        }
        let secret = self.seal.open(&tenant.to_string(), &guard.sealed_secret);
        let Some(secret) = secret.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            tracing::error!("the Turnstile key of a form cannot be unsealed");
            return Verdict::Unavailable;
        };
        if self.is_paused() {
            return Verdict::Unavailable;
        }
        let name = uuid(&[&tenant.to_string(), submission, token]);
        let Some(answer) = self.ask(&secret, token, Some(&name)).await else {
            return Verdict::Unavailable;
        };
        if answer.success {
            return Verdict::Passed;
        }
        if TOKEN_CODES.iter().any(|code| answer.has(code)) && !answer.has("invalid-input-secret") {
            return Verdict::Failed;
        }
        tracing::warn!(codes = ?answer.error_codes, "Turnstile judged no token");
        Verdict::Unavailable
    }

    fn is_paused(&self) -> bool {
        let failed_at = self
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        failed_at.is_some_and(|at| now.duration_since(at) < PAUSE)
    }

    async fn ask(&self, secret: &str, token: &str, name: Option<&str>) -> Option<Answer> {
        let mut body = json!({ "secret": secret, "response": token });
        if let Some(name) = name {
            body["idempotency_key"] = name.into();
        }
        let url = format!("{}/siteverify", self.url);
        let sent = self.http.as_ref()?.post(url).json(&body);
        let read = async {
            let answer = sent.send().await?;
            // A refusal has a body too; an error of the server has none that means something.
            let is_broken = answer.status().is_server_error() || answer.status() == 429;
            let answer = if is_broken {
                answer.error_for_status()?
            } else {
                answer
            };
            answer.json::<Answer>().await
        };
        let outcome = read.await;
        let mut failed_at = self
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(answer) => {
                *failed_at = None;
                Some(answer)
            }
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "Turnstile gave no answer");
                *failed_at = Some(self.clock.now());
                None
            }
        }
    }
}

/// A UUID that follows from the parts (version 8, RFC 9562).
fn uuid(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("\0"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &hex[part]);
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_uuid_that_follows_from_its_parts() {
        let name = uuid(&["ws_1", "a", "b"]);
        assert_eq!(name, uuid(&["ws_1", "a", "b"]));
        assert_ne!(name, uuid(&["ws_1", "ab", ""]));
        let lengths: Vec<usize> = name.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&name[14..15], "8");
    }

    #[test]
    fn only_an_address_with_tls_or_of_this_machine_is_called() {
        for (url, fine) in [
            ("https://challenges.cloudflare.com/turnstile/v0", true),
            ("http://127.0.0.1:8787/_local/turnstile/v0", true),
            ("http://challenges.cloudflare.com/turnstile/v0", false),
            ("none", false),
        ] {
            assert_eq!(Turnstile::is_address(url), fine, "{url}");
        }
    }
}
