//! Shopee Open Platform v2: pushes that say that something changed.
//!
//! The signature is lower-case hex of HMAC-SHA-256 over `callback URL | body`. The key is the push partner key, or the
//! partner key of older consoles. The URL is the one that was entered, never the one of the request.

use crate::fact::Fact;
use crate::inbound::RawRequest;
use crate::provider::Call;
use crate::submission::ParseError;
use crate::{json, signature};

const SIGNATURE: &str = "authorization";

/// Codes of pushes that the product keeps nothing of: authorisations, notices, promotions, stock, chat, videos, documents.
const OTHERS: [u64; 13] = [0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15];
/// Codes of orders.
const ORDERS: [u64; 2] = [3, 4];

/// Whether the push was signed with one of the keys.
pub fn admits(keys: &[Vec<u8>], call: &Call<'_>) -> bool {
    let given = signature::hex(signature::header(call.headers, SIGNATURE));
    let signed = [call.url.as_bytes(), b"|", call.body];
    let mut expected = keys.iter().map(|key| signature::sha256(key, &signed));
    expected.any(|expected| signature::same(&given, &expected))
}

/// Whether a push has no signature: the console checks an address with such a request.
pub fn is_probe(call: &Call<'_>) -> bool {
    signature::header(call.headers, SIGNATURE).is_empty()
}

/// Reads a push.
pub fn parse(request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    let body = json::object(&request.body)?;
    let code = body.get("code").and_then(serde_json::Value::as_u64);
    match code {
        Some(code) if OTHERS.contains(&code) || ORDERS.contains(&code) => Ok(Vec::new()),
        Some(code) => Err(ParseError::UnknownTopic(code.to_string())),
        None => Err(ParseError::Syntax("expected a number at /code".into())),
    }
}
