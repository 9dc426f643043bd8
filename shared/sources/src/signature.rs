//! Signatures over the bytes of a request. Digests are compared in constant time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// HMAC-SHA-256 over the parts, one after another.
pub fn sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).map_or_else(|_| Vec::new(), |mac| digest(mac, parts))
}

/// HMAC-SHA-1 over the parts, one after another.
pub fn sha1(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    Hmac::<Sha1>::new_from_slice(key).map_or_else(|_| Vec::new(), |mac| digest(mac, parts))
}

fn digest(mut mac: impl Mac, parts: &[&[u8]]) -> Vec<u8> {
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Whether two texts or digests are equal; an empty one equals nothing.
pub fn same(given: &[u8], expected: &[u8]) -> bool {
    !expected.is_empty() && bool::from(given.ct_eq(expected))
}

/// The text of a header; empty if there is none.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// The bytes behind base64 with padding; empty if the text is none.
pub fn base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text.trim()).unwrap_or_default()
}

/// The bytes behind hex of either case; empty if the text is none.
pub fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.trim()).unwrap_or_default()
}

/// Base64 with padding.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
