//! The orders of Shopee's API. Names, numbers and addresses of buyers are masked in many states: a masked one is none.

use kernel::commerce::{
    Amounts, IncomingOrder, Item, PaymentStatus, Quantity, Receiver, Shipping, Source, Times,
};
use serde_json::Value;

use super::status;
use crate::fact::{Customer, Fact};
use crate::inbound::RawRequest;
use crate::json;
use crate::submission::{ParseError, Sender};
use crate::terms::{self, method, subtotal};

/// The order and its buyer.
pub fn facts(body: &Value, request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    let shop = json::text_at(body, "shop_id").unwrap_or_default();
    let value = body.get("order").unwrap_or(&Value::Null);
    let order = order(value, &shop, request).ok_or(ParseError::Missing("/order/order_sn"))?;
    let buyer = buyer(value, &request.scope(&shop));
    Ok(vec![Fact::order(Some(buyer), order)?])
}

/// A text that Shopee has not masked.
fn plain(value: &Value, path: &str) -> Option<String> {
    json::text_at(value, path).filter(|text| !text.contains('*'))
}

fn buyer(value: &Value, scope: &str) -> Customer {
    let id = json::text_at(value, "buyer_user_id").filter(|id| id != "0");
    let name = plain(value, "recipient_address.name").or_else(|| plain(value, "buyer_username"));
    Customer {
        scope: scope.to_owned(),
        id,
        sender: Sender {
            email: None,
            phone: plain(value, "recipient_address.phone").and_then(|text| text.parse().ok()),
            person: terms::person(&[
                ("full_name", name),
                ("address", plain(value, "recipient_address.full_address")),
                ("province", plain(value, "recipient_address.state")),
            ]),
        },
        at: json::time(value, "update_time"),
        ..Customer::default()
    }
}

fn order(value: &Value, shop: &str, request: &RawRequest) -> Option<IncomingOrder> {
    let number = json::text_at(value, "order_sn")?;
    let word = json::text_at(value, "order_status");
    let status = status(word.as_deref());
    let items: Vec<Item> = json::list(value, "item_list").iter().map(item).collect();
    let paid_at = json::time(value, "pay_time").filter(|at| at.as_second() > 0);
    let ordered = json::time(value, "create_time");
    let source_at = json::time(value, "update_time")
        .or(ordered)
        .unwrap_or(request.received_at);
    let total = json::money(value, "total_amount").unwrap_or_default();
    let receiver = |name: &str| plain(value, &format!("recipient_address.{name}"));
    let is_paid = paid_at.is_some();
    Some(IncomingOrder {
        source: Source::Shopee,
        shop: request.shop(shop),
        code: number.clone(),
        external_id: number,
        external_status: word,
        ordered_at: ordered.unwrap_or(source_at),
        source_at,
        status,
        cancel_reason: json::text_at(value, "cancel_reason"),
        times: Times {
            paid_at,
            ended_at: status.is_void().then_some(source_at),
            ..Times::default()
        },
        payment_status: if is_paid {
            PaymentStatus::Paid
        } else {
            PaymentStatus::Unpaid
        },
        payment_method: json::text_at(value, "payment_method").map(|text| method(&text)),
        shipping: Shipping {
            carrier: json::text_at(value, "shipping_carrier"),
            ..Shipping::default()
        },
        currency: json::text_at(value, "currency").unwrap_or_default(),
        amounts: Amounts {
            subtotal: subtotal(&items),
            shipping_fee: json::money(value, "actual_shipping_fee").unwrap_or_default(),
            total,
            paid: if is_paid {
                total
            } else {
                kernel::Money::default()
            },
            ..Amounts::default()
        },
        items,
        note: json::text_at(value, "note"),
        receiver: Receiver {
            name: receiver("name"),
            phone: receiver("phone"),
            address: receiver("full_address"),
            ward: receiver("town"),
            district: receiver("district"),
            province: receiver("state"),
            country: receiver("region"),
        },
        customer_name: plain(value, "buyer_username"),
        ..IncomingOrder::default()
    })
}

fn item(value: &Value) -> Item {
    let text = |name: &str| json::text_at(value, name);
    let quantity = value
        .get("model_quantity_purchased")
        .and_then(Value::as_f64);
    let price =
        json::money(value, "model_discounted_price").or(json::money(value, "model_original_price"));
    Item {
        product: text("item_id"),
        variant: text("model_id").filter(|id| id != "0"),
        sku: text("model_sku").or_else(|| text("item_sku")),
        name: text("item_name").unwrap_or_default(),
        quantity: quantity.and_then(Quantity::of).unwrap_or_default(),
        price: price.unwrap_or_default(),
        ..Item::default()
    }
}
