//! The products and the carts of the shop's own systems.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::commerce::{IncomingCart, IncomingProduct, Source, Variant};
use serde_json::Value;

use super::order::{item, word};
use crate::{json, terms};

fn texts(value: &Value, name: &str) -> Vec<String> {
    json::list(value, name)
        .iter()
        .filter_map(json::text)
        .collect()
}

/// The product of an event.
pub fn product(value: &Value, shop: &str, at: Timestamp) -> Option<IncomingProduct> {
    let of = |name: &str| json::text_at(value, name);
    let stock = json::at(value, "stock").and_then(Value::as_i64);
    let level = stock.map(|count| (String::new(), count));
    Some(IncomingProduct {
        source: Source::Api,
        shop: shop.to_owned(),
        external_id: of("id")?,
        source_at: at,
        code: of("code").or_else(|| of("sku")),
        name: of("name").unwrap_or_default(),
        description: of("description"),
        images: texts(value, "images"),
        categories: texts(value, "categories"),
        brand: of("brand"),
        price: json::money(value, "price").unwrap_or_default(),
        compare_price: json::money(value, "compare_price"),
        cost: json::money(value, "cost"),
        currency: of("currency").unwrap_or_default(),
        unit: of("unit"),
        levels: level.into_iter().collect::<BTreeMap<_, _>>(),
        status: word(value, "status").unwrap_or_default(),
        url: of("url"),
        variants: json::list(value, "variants").iter().map(variant).collect(),
        tags: terms::tags(value),
    })
}

fn variant(value: &Value) -> Variant {
    Variant {
        external_id: json::text_at(value, "id"),
        sku: json::text_at(value, "sku"),
        name: json::text_at(value, "name").unwrap_or_default(),
        price: json::money(value, "price").unwrap_or_default(),
        stock: json::at(value, "stock").and_then(Value::as_i64),
        image: json::text_at(value, "image"),
    }
}

/// The cart of an event. `kind` says whether the system itself found it left behind.
pub fn cart(value: &Value, kind: &str, shop: &str, at: Timestamp) -> Option<IncomingCart> {
    let items: Vec<_> = json::list(value, "items").iter().map(item).collect();
    let total = json::money(value, "total");
    Some(IncomingCart {
        source: Source::Api,
        shop: shop.to_owned(),
        external_id: json::text_at(value, "id")?,
        started_at: json::time(value, "started_at").unwrap_or(at),
        source_at: at,
        url: json::text_at(value, "url"),
        currency: json::text_at(value, "currency").unwrap_or_default(),
        total: total.unwrap_or_else(|| terms::subtotal(&items)),
        items,
        is_ordered: kind == "cart.ordered",
        is_abandoned: kind == "cart.abandoned",
    })
}
