//! The world of a test, under the name that all tests use.

pub use tests_world::*;

/// HMAC-SHA-256, computed by another library than the product's.
pub fn hmac_of(key: &[u8], text: &str) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    let tag = aws_lc_rs::hmac::sign(&key, text.as_bytes());
    tag.as_ref().to_vec()
}
