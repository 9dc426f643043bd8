//! Shopee Open Platform v2: pushes that say that something changed.
//!
//! The signature is lower-case hex of HMAC-SHA-256 over `callback URL | body`. The key is the push partner key, or the
//! partner key of older consoles. The URL is the one that was entered, never the one of the request.

pub mod api;
mod detail;

use kernel::commerce::{IncomingOrder, OrderStatus, Source};
use serde_json::Value;

use crate::api::{FETCHED, Object};
use crate::fact::Fact;
use crate::inbound::RawRequest;
use crate::provider::Call;
use crate::submission::ParseError;
use crate::{json, signature};

const SIGNATURE: &str = "authorization";

/// Codes of pushes that the product keeps nothing of: authorisations, tracking numbers, notices, promotions, stock, chat,
/// videos, documents.
const OTHERS: [u64; 14] = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15];
/// The state of an order.
const ORDER: u64 = 3;

/// Whether the push was signed with one of the keys.
pub fn admits(keys: &[Vec<u8>], call: &Call<'_>) -> bool {
    let given = signature::hex(signature::header(call.headers, SIGNATURE));
    let signed = [call.url.as_bytes(), b"|", call.body];
    let mut expected = keys.iter().map(|key| signature::sha256(key, &signed));
    expected.any(|expected| signature::same(&given, &expected))
}

/// Reads a push.
pub fn parse(request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    let body = json::object(&request.body)?;
    if !request.header(FETCHED).is_empty() {
        return detail::facts(&body, request);
    }
    let code = body.get("code").and_then(Value::as_u64);
    match code {
        Some(ORDER) => {
            let id = json::text_at(&body, "data.ordersn");
            if let Some(fetch) = Fact::fetch(request, Object::Orders, id) {
                return Ok(vec![fetch]);
            }
            let order = order(&body, request).ok_or(ParseError::Missing("/data/ordersn"))?;
            Ok(vec![Fact::order(None, order)?])
        }
        Some(code) if OTHERS.contains(&code) => Ok(Vec::new()),
        Some(code) => Err(ParseError::UnknownTopic(code.to_string())),
        None => Err(ParseError::Syntax("expected a number at /code".into())),
    }
}

/// The status that a word of Shopee means.
fn status(word: Option<&str>) -> OrderStatus {
    match word {
        Some("READY_TO_SHIP") => OrderStatus::Confirmed,
        Some("PROCESSED" | "RETRY_SHIP" | "IN_CANCEL") => OrderStatus::Processing,
        Some("SHIPPED") => OrderStatus::Shipping,
        Some("TO_CONFIRM_RECEIVE") => OrderStatus::Delivered,
        Some("COMPLETED") => OrderStatus::Completed,
        Some("TO_RETURN") => OrderStatus::Returned,
        Some("CANCELLED") => OrderStatus::Cancelled,
        _ => OrderStatus::New,
    }
}

/// The state of an order. The push names neither the buyer nor the items.
fn order(body: &Value, request: &RawRequest) -> Option<IncomingOrder> {
    let number = json::text_at(body, "data.ordersn")?;
    let word = json::text_at(body, "data.status");
    let at = json::time(body, "data.update_time").or(json::time(body, "timestamp"));
    let at = at.unwrap_or(request.received_at);
    let status = status(word.as_deref());
    let shop = json::text_at(body, "shop_id").unwrap_or_default();
    Some(IncomingOrder {
        source: Source::Shopee,
        shop: request.shop(&shop),
        external_id: number.clone(),
        external_status: word,
        code: number,
        ordered_at: at,
        source_at: at,
        status,
        ..IncomingOrder::default()
    })
}
