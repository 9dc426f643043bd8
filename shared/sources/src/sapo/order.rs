//! The orders of Sapo Omni, which have names of their own.

use jiff::Timestamp;
use kernel::commerce::{
    Amounts, IncomingOrder, Item, OrderStatus, PaymentStatus, Quantity, Receiver, Source,
};
use serde_json::Value;

use crate::json;
use crate::terms::{self, subtotal};

/// The order of a body. `None` if the body names no order.
pub fn order(value: &Value, shop: &str, received_at: Timestamp) -> Option<IncomingOrder> {
    let external_id = json::text_at(value, "id")?;
    let items: Vec<Item> = json::list(value, "order_line_items")
        .iter()
        .map(item)
        .collect();
    let ordered = json::time(value, "issued_on").or(json::time(value, "created_on"));
    let source_at = json::time(value, "modified_on")
        .or(ordered)
        .unwrap_or(received_at);
    let receiver = |name: &str| json::text_at(value, &format!("shipping_address.{name}"));
    Some(IncomingOrder {
        source: Source::Sapo,
        shop: shop.to_owned(),
        code: json::text_at(value, "code").unwrap_or_else(|| external_id.clone()),
        external_id,
        external_status: json::text_at(value, "status"),
        ordered_at: ordered.unwrap_or(source_at),
        source_at,
        status: status(value),
        payment_status: match json::text_at(value, "payment_status").as_deref() {
            Some("paid") => PaymentStatus::Paid,
            Some("partial") => PaymentStatus::Partial,
            _ => PaymentStatus::Unpaid,
        },
        amounts: Amounts {
            subtotal: subtotal(&items),
            discount: json::money(value, "total_discount").unwrap_or_default(),
            tax: json::money(value, "total_tax").unwrap_or_default(),
            total: json::money(value, "total").unwrap_or_default(),
            ..Amounts::default()
        },
        items,
        note: json::text_at(value, "note"),
        tags: terms::tags(value),
        branch: json::text_at(value, "location_id"),
        receiver: Receiver {
            name: receiver("full_name"),
            phone: receiver("phone_number"),
            address: receiver("address1"),
            ward: receiver("ward"),
            district: receiver("district"),
            province: receiver("city"),
            country: receiver("country"),
        },
        customer_name: json::text_at(value, "customer_data.name"),
        ..IncomingOrder::default()
    })
}

fn status(value: &Value) -> OrderStatus {
    match json::text_at(value, "status").as_deref() {
        Some("cancelled") => OrderStatus::Cancelled,
        Some("completed" | "finished") => OrderStatus::Completed,
        Some("finalized") => OrderStatus::Confirmed,
        Some("draft") => OrderStatus::Draft,
        _ if json::time(value, "ship_on").is_some() => OrderStatus::Shipping,
        _ => OrderStatus::New,
    }
}

fn item(value: &Value) -> Item {
    let quantity = value.get("quantity").and_then(Value::as_f64);
    Item {
        product: json::text_at(value, "product_id"),
        variant: json::text_at(value, "variant_id"),
        sku: json::text_at(value, "sku"),
        name: json::text_at(value, "product_name").unwrap_or_default(),
        quantity: quantity.and_then(Quantity::of).unwrap_or_default(),
        price: json::money(value, "price").unwrap_or_default(),
        discount: json::money(value, "discount_amount").unwrap_or_default(),
    }
}
