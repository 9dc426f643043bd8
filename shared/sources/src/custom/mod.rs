//! A system of the shop's own: requests signed by Standard Webhooks, or with a bearer token.
//!
//! The signature is base64 of HMAC-SHA-256 over `id.timestamp.body`, with the bytes behind the secret `whsec_…`. Its time
//! may differ from ours by five minutes (standardwebhooks.com). The crate `standardwebhooks` checks the time with the
//! system's clock, so the check is here. docs/sources.md tells the events.

mod event;
mod order;
mod product;

use jiff::{SignedDuration, Timestamp};
use kernel::Entropy;

use crate::auth::Auth;
use crate::fact::Fact;
use crate::inbound::RawRequest;
use crate::provider::Call;
use crate::signature;
use crate::submission::ParseError;

pub use event::TYPES;

/// Names the request; a repetition has the same.
pub const ID: &str = "webhook-id";
/// Seconds since the epoch.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// Signatures with their version, with spaces between.
pub const SIGNATURE: &str = "webhook-signature";
/// Names the request of a sender that cannot sign.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Headers that the parser reads.
pub const HEADERS: &[&str] = &[ID, IDEMPOTENCY_KEY];
const PREFIX: &str = "whsec_";
const VERSION: &str = "v1,";
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// Bytes of a key.
const KEY: std::ops::RangeInclusive<usize> = 24..=64;

/// A new secret.
pub fn new_secret(entropy: &Entropy) -> String {
    format!("{PREFIX}{}", signature::to_base64(&entropy.bytes::<32>()))
}

/// Whether a text is a secret of this kind.
pub fn is_secret(text: &str) -> bool {
    text.starts_with(PREFIX) && KEY.contains(&key(text.as_bytes()).len())
}

/// The bytes behind a secret.
fn key(secret: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(secret).unwrap_or_default();
    signature::base64(text.strip_prefix(PREFIX).unwrap_or(text))
}

/// Whether the request is signed with one of the keys, or has the source's bearer token. A request with a signature is
/// judged by its signature only.
pub fn admits(auth: &Auth, keys: &[Vec<u8>], call: &Call<'_>) -> bool {
    let signatures = signature::header(call.headers, SIGNATURE);
    if signatures.is_empty() {
        let bearer = signature::header(call.headers, "authorization");
        let token = bearer.split_once(' ');
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        return token.is_some_and(|(_, token)| auth.is_token(token.trim()));
    }
    let (id, time) = (
        signature::header(call.headers, ID),
        signature::header(call.headers, TIMESTAMP),
    );
    if id.is_empty() || !is_recent(time, call.now) {
        return false;
    }
    let signed = [id.as_bytes(), b".", time.as_bytes(), b".", call.body];
    let given: Vec<Vec<u8>> = signatures
        .split(' ')
        .filter_map(|one| one.strip_prefix(VERSION))
        .map(signature::base64)
        .collect();
    keys.iter().any(|secret| {
        let expected = signature::sha256(&key(secret), &signed);
        given.iter().any(|given| signature::same(given, &expected))
    })
}

fn is_recent(time: &str, now: Timestamp) -> bool {
    let at = time.parse().ok();
    let at = at.and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.is_some_and(|at| at.duration_since(now).abs() <= TOLERANCE)
}

/// Reads an event.
pub fn parse(request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    let ids = [ID, IDEMPOTENCY_KEY].map(|name| request.header(name));
    let id = ids.into_iter().find(|id| !id.is_empty());
    event::parse(request, id)
}
