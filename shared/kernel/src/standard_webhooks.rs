//! Signatures of Standard Webhooks, made and checked. Pure.
//!
//! The signature is base64 of HMAC-SHA-256 over `id.timestamp.body`, with the bytes behind the secret `whsec_…`. Several
//! signatures stand in one header with spaces between, as during a change of the secret. The crate `standardwebhooks`
//! compares the time with the system's clock; the product's clock is one that tests move.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::Entropy;

/// The header that names the request; a repetition has the same name.
pub const ID: &str = "webhook-id";
/// The header with the time of the attempt, in seconds since the epoch.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures, each with its version.
pub const SIGNATURE: &str = "webhook-signature";
const PREFIX: &str = "whsec_";
const VERSION: &str = "v1,";
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// Bytes of a key.
const KEY: std::ops::RangeInclusive<usize> = 24..=64;

/// A request that carries signatures.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The value of [`ID`].
    pub id: &'a str,
    /// The value of [`TIMESTAMP`].
    pub time: &'a str,
    /// The value of [`SIGNATURE`].
    pub signatures: &'a str,
    /// The raw body.
    pub body: &'a [u8],
}

/// A new secret.
pub fn new_secret(entropy: &Entropy) -> String {
    format!("{PREFIX}{}", STANDARD.encode(entropy.bytes::<32>()))
}

/// Whether a text is a secret of this kind.
pub fn is_secret(text: &str) -> bool {
    text.starts_with(PREFIX) && KEY.contains(&key(text.as_bytes()).len())
}

/// The value of [`SIGNATURE`]: one signature for each secret.
pub fn sign<'a>(
    secrets: impl IntoIterator<Item = &'a [u8]>,
    id: &str,
    at: Timestamp,
    body: &[u8],
) -> String {
    let time = at.as_second().to_string();
    let digests = secrets
        .into_iter()
        .map(|secret| digest(secret, id, &time, body));
    let texts: Vec<String> = digests
        .map(|digest| format!("{VERSION}{}", STANDARD.encode(digest)))
        .collect();
    texts.join(" ")
}

/// Whether the request is signed with one of the secrets, and its time differs from ours by five minutes at most. Digests
/// are compared in constant time.
pub fn admits<'a>(
    secrets: impl IntoIterator<Item = &'a [u8]>,
    signed: &Signed<'_>,
    now: Timestamp,
) -> bool {
    if signed.id.is_empty() || !is_recent(signed.time, now) {
        return false;
    }
    let given = signed.signatures.split(' ');
    let given: Vec<Vec<u8>> = given
        .filter_map(|one| one.strip_prefix(VERSION))
        .map(|text| STANDARD.decode(text.trim()).unwrap_or_default())
        .collect();
    secrets.into_iter().any(|secret| {
        let expected = digest(secret, signed.id, signed.time, signed.body);
        let mut given = given.iter();
        !expected.is_empty() && given.any(|given| given.ct_eq(&expected).into())
    })
}

/// The bytes behind a secret.
fn key(secret: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(secret).unwrap_or_default();
    let text = text.strip_prefix(PREFIX).unwrap_or(text);
    STANDARD.decode(text.trim()).unwrap_or_default()
}

fn digest(secret: &[u8], id: &str, time: &str, body: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key(secret)) else {
        return Vec::new();
    };
    for part in [id.as_bytes(), b".", time.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn is_recent(time: &str, now: Timestamp) -> bool {
    let at = time.parse().ok();
    let at = at.and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.is_some_and(|at| at.duration_since(now).abs() <= TOLERANCE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The vector of the reference libraries' own tests.
    #[test]
    fn the_signature_is_that_of_the_reference_libraries() {
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let secret: &[u8] = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature = sign(
            [secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_new_secret_is_one() {
        let secret = new_secret(&Entropy::seeded(1));
        assert!(is_secret(&secret) && secret.starts_with("whsec_"));
        assert!(!is_secret("whsec_AAAA") && !is_secret(&secret[6..]));
    }

    proptest! {
        /// A receiver with either of two secrets admits the request, and nothing else that differs in one part.
        #[test]
        fn each_signature_admits_its_own_request(
            seed in 0u64..1_000,
            id in "[a-z0-9_]{1,40}",
            body in proptest::collection::vec(any::<u8>(), 0..200),
            seconds in 0i64..4_000_000_000,
            late in -600i64..600,
        ) {
            let entropy = Entropy::seeded(seed);
            let (new, old, other) = (new_secret(&entropy), new_secret(&entropy), new_secret(&entropy));
            let at = Timestamp::from_second(seconds).unwrap();
            let now = at + SignedDuration::from_secs(late);
            let signatures = sign([new.as_bytes(), old.as_bytes()], &id, at, &body);
            let time = seconds.to_string();
            let signed = Signed { id: &id, time: &time, signatures: &signatures, body: &body };
            for secret in [&new, &old] {
                prop_assert_eq!(admits([secret.as_bytes()], &signed, now), late.abs() <= 300);
            }
            let key = [new.as_bytes()];
            let (longer, moved) = ([&body[..], b" "].concat(), (seconds + 1).to_string());
            let others = [
                admits([other.as_bytes()], &signed, at),
                admits(key, &Signed { body: &longer, ..signed }, at),
                admits(key, &Signed { time: &moved, ..signed }, at),
                admits(key, &Signed { id: "x-", ..signed }, at),
            ];
            prop_assert_eq!(others, [false; 4]);
        }
    }
}
