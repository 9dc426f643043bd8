//! Sign-in by another system (`OpenID Connect`): a token of the issuer names a user by a verified address.
//!
//! Only signatures by RS256 and ES256 are valid. The key comes from the issuer's key set, which is cached for an
//! hour. An unknown key makes us fetch the set again, at most once a minute. If the fetch fails, the old keys are
//! used for a day. Only a token that names the issuer can cause a fetch.

use std::sync::Arc;
use std::time::Duration;

use cloud::{Error, Place};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use kernel::{Clock, EmailAddress};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

const KEEP: SignedDuration = SignedDuration::from_hours(1);
const AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// Pause before the next call to an issuer that did not answer.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// How long keys are used while the issuer does not answer.
const AT_MOST: SignedDuration = SignedDuration::from_hours(24);
const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];
/// Time-out of one call to the issuer; the authorizer has 5 s in all.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Largest key set, in bytes. Key sets are a few kilobytes.
const MAX_BYTES: usize = 256 * 1024;
/// Seconds by which clocks may differ.
const LEEWAY: i64 = 60;

/// The issuer whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct Oidc {
    issuer: String,
    audience: String,
    http: reqwest::Client,
    clock: Clock,
    cache: Arc<Mutex<Cache>>,
}

#[derive(Debug, Default)]
struct Cache {
    keys: Option<Keys>,
    failed_at: Option<Timestamp>,
}

/// The setting is neither `none` nor an https URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoIssuer;

#[derive(Debug)]
struct Keys {
    set: JwkSet,
    fetched_at: Timestamp,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The issuer that a token names, before the token is checked.
#[derive(Deserialize)]
struct Claimed {
    iss: String,
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    email: Option<EmailAddress>,
    #[serde(default)]
    email_verified: bool,
}

impl Oidc {
    /// Accepts tokens of `issuer` (an https URL; http on loopback) that are made for `audience`. `None`: it is not
    /// such a URL.
    pub fn new(issuer: &str, audience: &str, clock: Clock) -> Option<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        is_safe(issuer).then_some(Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            http: http.ok()?,
            clock,
            cache: Arc::default(),
        })
    }

    /// The issuer in the environment; the template's value for no issuer is `none`. `Err`: the value is not an
    /// issuer.
    pub fn configured(
        issuer: &str,
        audience: &str,
        clock: Clock,
    ) -> Result<Option<Self>, NoIssuer> {
        if issuer == "none" {
            return Ok(None);
        }
        Self::new(issuer, audience, clock).map(Some).ok_or(NoIssuer)
    }

    /// Whether a bearer token looks like one of an issuer: three parts.
    pub fn is_token(token: &str) -> bool {
        token.bytes().filter(|&byte| byte == b'.').count() == 2
    }

    /// The verified address in a live token of the issuer; `None` for any other token. An error means that the
    /// issuer's keys could not be fetched.
    pub async fn address(&self, token: &str) -> Result<Option<EmailAddress>, Error> {
        let Ok(header) = jsonwebtoken::decode_header(token) else {
            return Ok(None);
        };
        // Not trusted yet. But a token of another issuer must not cause a fetch.
        let claimed = jsonwebtoken::dangerous::insecure_decode_claims::<Claimed>(token);
        let is_ours = claimed.is_ok_and(|claimed| claimed.iss == self.issuer);
        let id = header
            .kid
            .filter(|_| is_ours && ALGORITHMS.contains(&header.alg));
        let Some(id) = id else {
            return Ok(None);
        };
        let Some(key) = self.key(&id).await? else {
            return Ok(None);
        };
        Ok(self
            .claims(token, header.alg, &key)
            .and_then(|claims| claims.email))
    }

    /// The claims of a currently valid token.
    fn claims(&self, token: &str, algorithm: Algorithm, key: &DecodingKey) -> Option<Claims> {
        let mut rules = Validation::new(algorithm);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[&self.audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        // Times are checked below, by the product's own clock.
        rules.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Claims>(token, key, &rules);
        let claims = decoded.ok()?.claims;
        let now = self.clock.now().as_second();
        let live = claims.exp + LEEWAY > now && claims.nbf.is_none_or(|nbf| nbf <= now + LEEWAY);
        (live && claims.email_verified).then_some(claims)
    }

    async fn key(&self, id: &str) -> Result<Option<DecodingKey>, Error> {
        let mut cache = self.cache.lock().await;
        let now = self.clock.now();
        let younger = |at: Timestamp, age| now.duration_since(at) < age;
        let is_fresh = cache.keys.as_ref().is_some_and(|keys| {
            let age = keys.set.find(id).map_or(AGAIN, |_| KEEP);
            younger(keys.fetched_at, age)
        });
        let is_down = cache.failed_at.is_some_and(|at| younger(at, PAUSE));
        if !is_fresh && !is_down {
            match self.fetch().await {
                Ok(set) => {
                    let keys = Keys {
                        set,
                        fetched_at: now,
                    };
                    *cache = Cache {
                        keys: Some(keys),
                        failed_at: None,
                    };
                }
                Err(error) => {
                    tracing::warn!(%error, "the issuer's keys could not be fetched");
                    cache.failed_at = Some(now);
                }
            }
        }
        let keys = cache.keys.as_ref();
        let keys = keys.filter(|keys| younger(keys.fetched_at, AT_MOST));
        let keys = keys.ok_or_else(|| Error::Unknown {
            place: self.place(),
            detail: "the issuer's keys could not be had".into(),
        })?;
        let found = keys.set.find(id);
        Ok(found.and_then(|jwk| DecodingKey::from_jwk(jwk).ok()))
    }

    fn place(&self) -> Place {
        Place::new("oidc", "GetKeys", &self.issuer)
    }

    async fn fetch(&self) -> Result<JwkSet, Error> {
        let base = self.issuer.trim_end_matches('/');
        let discovery = format!("{base}/.well-known/openid-configuration");
        let discovery: Discovery = self.json(&discovery).await?;
        if discovery.issuer != self.issuer {
            return Err(Error::Shape("the issuer names another issuer".into()));
        }
        self.json(&discovery.jwks_uri).await
    }

    async fn json<T: DeserializeOwned>(&self, url: &str) -> Result<T, Error> {
        let unknown = |detail: String| Error::Unknown {
            place: self.place(),
            detail,
        };
        if !is_safe(url) {
            return Err(Error::Shape(
                "the issuer names an address without TLS".into(),
            ));
        }
        let answer = self.http.get(url).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let mut answer = answer.map_err(|error| unknown(error.to_string()))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|error| unknown(error.to_string()))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return Err(unknown("the answer is too long".into()));
            }
        }
        serde_json::from_slice(&body).map_err(|error| unknown(error.to_string()))
    }
}

/// TLS, or this machine.
fn is_safe(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| {
        let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
        url.scheme() == "https" || (url.scheme() == "http" && is_local)
    })
}
