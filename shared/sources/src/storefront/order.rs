//! The orders of Haravan and Sapo Web.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::Money;
use kernel::commerce::{
    Amounts, IncomingOrder, Item, OrderStatus, PaymentMethod, PaymentStatus, Quantity, Receiver,
    Shipping, ShippingStatus, Source, Times,
};
use serde_json::Value;

use super::Shape;
use crate::json;
use crate::terms::{self, method, subtotal, sum};

/// The parameters of a campaign that brought the customer.
const UTM: [&str; 5] = [
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
];

/// The order of a body. `None` if the body names no order.
pub fn order(
    value: &Value,
    shape: &Shape,
    source: Source,
    shop: &str,
    received_at: Timestamp,
) -> Option<IncomingOrder> {
    let external_id = json::text_at(value, "id")?;
    let items: Vec<Item> = json::list(value, "line_items").iter().map(item).collect();
    let code = ["name", "order_number"];
    let code = code.iter().find_map(|name| json::text_at(value, name));
    let ordered_at = json::time(value, shape.created).unwrap_or(received_at);
    let payment_status = payment_status(value);
    let total = json::money(value, "total_price").unwrap_or_default();
    let gateway = ["gateway_code", "gateway"];
    let gateway = gateway.iter().filter_map(|name| json::text_at(value, name));
    let methods: Vec<PaymentMethod> = gateway.map(|text| method(&text)).collect();
    let known = methods.iter().find(|one| **one != PaymentMethod::Other);
    Some(IncomingOrder {
        source,
        shop: shop.to_owned(),
        code: code.unwrap_or_else(|| external_id.clone()),
        external_id,
        external_status: external_status(value),
        ordered_at,
        source_at: json::time(value, shape.updated).unwrap_or(received_at),
        status: status(value, shape),
        cancel_reason: json::text_at(value, "cancel_reason"),
        times: Times {
            completed_at: json::time(value, "closed_at"),
            ended_at: json::time(value, shape.cancelled),
            ..Times::default()
        },
        payment_status,
        payment_method: known.or(methods.first()).copied(),
        shipping: shipping(value),
        currency: json::text_at(value, "currency").unwrap_or_default(),
        amounts: Amounts {
            subtotal: subtotal(&items),
            discount: json::money(value, "total_discounts").unwrap_or_default(),
            shipping_fee: sum(json::list(value, "shipping_lines"), "price"),
            tax: json::money(value, "total_tax").unwrap_or_default(),
            total,
            paid: match payment_status {
                PaymentStatus::Paid | PaymentStatus::Refunded => total,
                PaymentStatus::Partial | PaymentStatus::Unpaid => paid(value),
            },
            refunded: refunded(value),
        },
        items,
        note: json::text_at(value, "note"),
        tags: terms::tags(value),
        branch: json::text_at(value, "location_id"),
        receiver: receiver(value),
        customer_name: customer_name(value),
        utm: utm(value),
        cart: json::text_at(value, "checkout_token").or(json::text_at(value, "cart_token")),
    })
}

/// The state of an order. "Fulfilled" means that the goods have left the shop.
fn status(value: &Value, shape: &Shape) -> OrderStatus {
    let is = |name: &str, text: &str| json::text_at(value, name).as_deref() == Some(text);
    let is_cancelled = json::time(value, shape.cancelled).is_some();
    if is_cancelled || is("cancelled_status", "cancelled") || is("status", "cancelled") {
        OrderStatus::Cancelled
    } else if is("closed_status", "closed") || json::time(value, "closed_at").is_some() {
        OrderStatus::Completed
    } else if shipping(value).status == Some(ShippingStatus::Delivered) {
        OrderStatus::Delivered
    } else if is("fulfillment_status", "fulfilled") {
        OrderStatus::Shipping
    } else if is("fulfillment_status", "partial") {
        OrderStatus::Processing
    } else if is("confirmed_status", "confirmed") {
        OrderStatus::Confirmed
    } else {
        OrderStatus::New
    }
}

/// The provider's own words, as staff know them.
fn external_status(value: &Value) -> Option<String> {
    let names = ["financial_status", "fulfillment_status", "cancelled_status"];
    let words: Vec<String> = names
        .iter()
        .filter_map(|name| json::text_at(value, name))
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn payment_status(value: &Value) -> PaymentStatus {
    match json::text_at(value, "financial_status").as_deref() {
        Some("paid" | "partially_refunded") => PaymentStatus::Paid,
        Some("partially_paid") => PaymentStatus::Partial,
        Some("refunded") => PaymentStatus::Refunded,
        _ => PaymentStatus::Unpaid,
    }
}

/// An item of an order or a cart.
pub fn item(value: &Value) -> Item {
    let quantity = value.get("quantity").and_then(Value::as_f64);
    let name = ["name", "title"];
    Item {
        product: json::text_at(value, "product_id"),
        variant: json::text_at(value, "variant_id"),
        sku: json::text_at(value, "sku"),
        name: name
            .iter()
            .find_map(|name| json::text_at(value, name))
            .unwrap_or_default(),
        quantity: quantity.and_then(Quantity::of).unwrap_or_default(),
        price: json::money(value, "price").unwrap_or_default(),
        discount: json::money(value, "total_discount").unwrap_or_default(),
    }
}

/// The sum that the transactions have paid.
fn paid(value: &Value) -> Money {
    let all = json::list(value, "transactions").iter();
    let paid = all.filter(|one| {
        let kind = json::text_at(one, "kind");
        matches!(kind.as_deref(), Some("capture" | "sale"))
    });
    let paid: Vec<Value> = paid.cloned().collect();
    sum(&paid, "amount")
}

fn refunded(value: &Value) -> Money {
    let refunds = json::list(value, "refunds").iter();
    let sums = refunds.map(|refund| sum(json::list(refund, "transactions"), "amount").amount());
    Money::vnd(sums.fold(0, i64::saturating_add))
}

/// The newest parcel.
fn shipping(value: &Value) -> Shipping {
    let parcel = json::list(value, "fulfillments").last();
    let Some(parcel) = parcel else {
        return Shipping::default();
    };
    let first = |names: &[&str]| names.iter().find_map(|name| json::text_at(parcel, name));
    let state = first(&["carrier_status_code", "shipment_status", "delivery_status"]);
    Shipping {
        carrier: first(&["tracking_company"]),
        tracking_code: first(&["tracking_number"]),
        status: state.and_then(|state| match state.to_lowercase().as_str() {
            "readytopick" | "ready_to_pick" | "pending" => Some(ShippingStatus::Waiting),
            "picking" | "picked_up" | "picked" => Some(ShippingStatus::Picked),
            "delivering" | "in_transit" | "out_for_delivery" => Some(ShippingStatus::InTransit),
            "delivered" => Some(ShippingStatus::Delivered),
            "failure" | "notmeetcustomer" | "cancel" => Some(ShippingStatus::Failed),
            "waitingforreturn" | "retry_delivery" | "returning" => Some(ShippingStatus::Returning),
            "return" | "returned" => Some(ShippingStatus::Returned),
            _ => None,
        }),
    }
}

fn receiver(value: &Value) -> Receiver {
    let of = |name: &str| json::text_at(value, &format!("shipping_address.{name}"));
    let parts: Vec<String> = ["last_name", "first_name"]
        .iter()
        .filter_map(|name| of(name))
        .collect();
    let name = (!parts.is_empty()).then(|| parts.join(" "));
    Receiver {
        name: of("name").or(name),
        phone: of("phone"),
        address: of("address1"),
        ward: of("ward"),
        district: of("district"),
        province: of("province"),
        country: of("country"),
    }
}

fn customer_name(value: &Value) -> Option<String> {
    let names = ["customer.last_name", "customer.first_name"];
    let parts: Vec<String> = names
        .iter()
        .filter_map(|name| json::text_at(value, name))
        .collect();
    let whole = (!parts.is_empty()).then(|| parts.join(" "));
    whole.or_else(|| json::text_at(value, "billing_address.name"))
}

/// The campaign, from the fields of the order, or else from the page on which the customer landed.
fn utm(value: &Value) -> BTreeMap<String, String> {
    let page = json::text_at(value, "landing_site").unwrap_or_default();
    let query = page.split_once('?').map_or("", |(_, query)| query);
    let landed: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let of = |name: &str| json::text_at(value, name).or_else(|| landed.get(name).cloned());
    let pairs = UTM
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), of(name)?)));
    pairs.collect()
}
