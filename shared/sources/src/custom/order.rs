//! The orders of the shop's own systems.

use jiff::Timestamp;
use kernel::commerce::{
    Amounts, IncomingOrder, Item, OrderStatus, PaymentStatus, Quantity, Receiver, Source,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::json;
use crate::terms::{self, method, subtotal};

/// A word of one of the product's lists, such as a status.
pub(super) fn word<T: DeserializeOwned>(value: &Value, name: &str) -> Option<T> {
    let text = json::text_at(value, name)?;
    serde_json::from_value(Value::String(text)).ok()
}

/// The order of an event. `shop` names the source: the ids of two systems may be equal.
pub fn order(value: &Value, kind: &str, shop: &str, at: Timestamp) -> Option<IncomingOrder> {
    let external_id = json::text_at(value, "id")?;
    let items: Vec<Item> = json::list(value, "items").iter().map(item).collect();
    let amount = |name: &str| json::money(value, name).unwrap_or_default();
    let total = json::money(value, "total").unwrap_or_else(|| subtotal(&items));
    let said: Option<OrderStatus> = word(value, "status");
    let status = match kind {
        "order.cancelled" => OrderStatus::Cancelled,
        "order.completed" => OrderStatus::Completed,
        "order.refunded" => said.unwrap_or(OrderStatus::Returned),
        _ => said.unwrap_or_default(),
    };
    let payment_status = match kind {
        "order.paid" => PaymentStatus::Paid,
        "order.refunded" => PaymentStatus::Refunded,
        _ => word(value, "payment_status").unwrap_or_default(),
    };
    let receiver = |name: &str| json::text_at(value, &format!("receiver.{name}"));
    Some(IncomingOrder {
        source: Source::Api,
        shop: shop.to_owned(),
        code: json::text_at(value, "code").unwrap_or_else(|| external_id.clone()),
        external_id,
        external_status: json::text_at(value, "status"),
        ordered_at: json::time(value, "ordered_at").unwrap_or(at),
        source_at: at,
        status,
        cancel_reason: json::text_at(value, "cancel_reason"),
        payment_status,
        payment_method: json::text_at(value, "payment_method").map(|text| method(&text)),
        currency: json::text_at(value, "currency").unwrap_or_default(),
        amounts: Amounts {
            subtotal: json::money(value, "subtotal").unwrap_or_else(|| subtotal(&items)),
            discount: amount("discount"),
            shipping_fee: amount("shipping_fee"),
            tax: amount("tax"),
            total,
            paid: match payment_status {
                PaymentStatus::Paid | PaymentStatus::Refunded => total,
                PaymentStatus::Partial | PaymentStatus::Unpaid => amount("paid"),
            },
            refunded: match payment_status {
                PaymentStatus::Refunded => total,
                _ => amount("refunded"),
            },
        },
        items,
        note: json::text_at(value, "note"),
        tags: terms::tags(value),
        branch: json::text_at(value, "branch"),
        receiver: Receiver {
            name: receiver("name"),
            phone: receiver("phone"),
            address: receiver("address"),
            ward: receiver("ward"),
            district: receiver("district"),
            province: receiver("province"),
            country: receiver("country"),
        },
        customer_name: json::text_at(value, "customer.name"),
        cart: json::text_at(value, "cart_id"),
        ..IncomingOrder::default()
    })
}

/// An item of an order or a cart.
pub(super) fn item(value: &Value) -> Item {
    let quantity = json::text_at(value, "quantity").and_then(|text| text.parse().ok());
    Item {
        product: json::text_at(value, "product_id"),
        variant: json::text_at(value, "variant_id"),
        sku: json::text_at(value, "sku"),
        name: json::text_at(value, "name").unwrap_or_default(),
        quantity: quantity
            .and_then(Quantity::of)
            .unwrap_or_else(|| Quantity::pieces(1)),
        price: json::money(value, "price").unwrap_or_default(),
        discount: json::money(value, "discount").unwrap_or_default(),
    }
}
