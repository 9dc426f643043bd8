//! The carts ("checkouts") of Haravan and Sapo Web: orders that a customer has begun.

use jiff::Timestamp;
use kernel::commerce::{IncomingCart, Item};
use serde_json::Value;

use super::{Shape, order};
use crate::json;

/// The cart of a body. `None` if the body names none.
pub fn cart(
    value: &Value,
    shape: &Shape,
    shop: &str,
    received_at: Timestamp,
) -> Option<IncomingCart> {
    let first = |names: &[&str]| names.iter().find_map(|name| json::text_at(value, name));
    let external_id = first(&["token", "id", "cart_token"])?;
    let source_at = json::time(value, shape.updated).unwrap_or(received_at);
    let items: Vec<Item> = json::list(value, "line_items")
        .iter()
        .map(order::item)
        .collect();
    let total = json::money(value, "total_price");
    let ordered = ["completed_at", "completed_on", "closed_at", "order_id"];
    Some(IncomingCart {
        source: shape.source,
        shop: shop.to_owned(),
        external_id,
        started_at: json::time(value, shape.created).unwrap_or(source_at),
        source_at,
        url: first(&["abandoned_checkout_url", "recovery_url", "checkout_url"]),
        currency: first(&["currency"]).unwrap_or_default(),
        total: total.unwrap_or_else(|| crate::terms::subtotal(&items)),
        items,
        is_ordered: ordered
            .iter()
            .any(|name| json::text_at(value, name).is_some()),
        is_abandoned: false,
    })
}

#[cfg(test)]
mod tests {
    use kernel::Money;
    use serde_json::json;

    use super::*;
    use crate::haravan::SHAPE;

    #[test]
    fn a_checkout_is_a_cart_until_it_is_completed() {
        let mut body = json!({
            "token": "5b0e77c1a2d94f60", "created_at": "2026-03-02T01:00:00Z", "updated_at": "2026-03-02T01:05:00Z",
            "abandoned_checkout_url": "https://ao-dai.example.vn/checkouts/5b0e", "total_price": 570_000.0, "completed_at": null,
            "line_items": [{ "product_id": 1, "sku": "AO-TR-M", "title": "Áo thun", "quantity": 2, "price": 285_000.0 }],
        });
        let at = "2026-03-02T08:00:00Z".parse().unwrap();
        let open = cart(&body, &SHAPE, "1000101234", at).unwrap();
        assert_eq!(open.external_id, "5b0e77c1a2d94f60");
        assert_eq!((open.total, open.is_ordered), (Money::vnd(570_000), false));
        assert_eq!(open.items[0].sku.as_deref(), Some("AO-TR-M"));
        body["completed_at"] = "2026-03-02T01:06:00Z".into();
        assert!(cart(&body, &SHAPE, "1000101234", at).unwrap().is_ordered);
    }
}
