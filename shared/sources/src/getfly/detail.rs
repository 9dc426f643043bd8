//! The accounts and orders of Getfly's API.

use jiff::Timestamp;
use kernel::commerce::{
    Amounts, IncomingOrder, Item, OrderStatus, PaymentStatus, Quantity, Source,
};
use serde_json::Value;

use crate::api::{FETCHED, Object};
use crate::fact::{Customer, Fact, answers};
use crate::inbound::RawRequest;
use crate::json;
use crate::submission::{ParseError, Sender};
use crate::terms::{self, subtotal};

/// The account, or the order and its buyer.
pub fn facts(request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    let body = json::object(&request.body)?;
    let domain = json::text_at(&body, "domain").unwrap_or_default();
    let value = body.get("object").unwrap_or(&Value::Null);
    let scope = request.scope(&domain);
    if request.header(FETCHED) == Object::Customers.name() {
        let customer = account(value, &scope, request);
        return Ok(vec![Fact::customer(customer)?]);
    }
    let order = order(value, &domain, request).ok_or(ParseError::Missing("/object/id"))?;
    Ok(vec![Fact::order(Some(buyer(value, &scope)), order)?])
}

/// The time of a text without an offset, such as `2026-03-02 08:15:30`.
fn time(value: &Value, name: &str) -> Option<Timestamp> {
    json::time(value, name).or_else(|| {
        let day: jiff::civil::Date = json::text_at(value, name)?.parse().ok()?;
        json::VIETNAM.to_timestamp(day.at(0, 0, 0, 0)).ok()
    })
}

fn account(value: &Value, scope: &str, request: &RawRequest) -> Customer {
    let text = |name: &str| json::text_at(value, name);
    Customer {
        scope: scope.to_owned(),
        id: text("id").or_else(|| text("account_id")),
        sender: Sender {
            email: json::first(value, &["email"]),
            phone: json::first(value, &["phone_office"]),
            person: terms::person(&[
                ("full_name", text("account_name")),
                ("address", text("billing_address_street")),
                ("birthday", text("birthday")),
            ]),
        },
        tags: text("account_type").into_iter().collect(),
        at: time(value, "updated_at"),
        consent: answers(value, &request.settings.consent),
    }
}

fn buyer(value: &Value, scope: &str) -> Customer {
    Customer {
        scope: scope.to_owned(),
        id: json::text_at(value, "account_id").filter(|id| id != "0"),
        sender: Sender {
            email: json::first(value, &["account_email"]),
            phone: json::first(value, &["account_phone"]),
            person: terms::person(&[
                ("full_name", json::text_at(value, "account_name")),
                ("address", json::text_at(value, "account_address")),
            ]),
        },
        at: time(value, "updated_at"),
        ..Customer::default()
    }
}

fn order(value: &Value, domain: &str, request: &RawRequest) -> Option<IncomingOrder> {
    let id = json::text_at(value, "id")?;
    let items: Vec<Item> = json::list(value, "order_details")
        .iter()
        .map(item)
        .collect();
    let amount = |name: &str| json::money(value, name).unwrap_or_default();
    let (total, paid) = (amount("real_amount"), amount("f_amount"));
    let ordered = time(value, "created_at").or(time(value, "order_date"));
    let source_at = time(value, "updated_at")
        .or(ordered)
        .unwrap_or(request.received_at);
    let word = json::text_at(value, "status_label");
    Some(IncomingOrder {
        source: Source::Getfly,
        shop: request.shop(domain),
        code: json::text_at(value, "order_code").unwrap_or_else(|| id.clone()),
        external_id: id,
        status: status(word.as_deref()),
        external_status: word,
        ordered_at: ordered.unwrap_or(source_at),
        source_at,
        payment_status: match paid.amount() {
            ..=0 => PaymentStatus::Unpaid,
            paid if paid < total.amount() => PaymentStatus::Partial,
            _ => PaymentStatus::Paid,
        },
        amounts: Amounts {
            subtotal: subtotal(&items),
            discount: amount("discount_amount"),
            tax: amount("vat_amount"),
            total,
            paid,
            ..Amounts::default()
        },
        items,
        customer_name: json::text_at(value, "account_name"),
        ..IncomingOrder::default()
    })
}

/// By the text: the numbers of the states are the company's own.
fn status(word: Option<&str>) -> OrderStatus {
    let word = kernel::text::fold(word.unwrap_or_default());
    let has = |part: &str| word.contains(part);
    if has("huy") {
        OrderStatus::Cancelled
    } else if has("hoan thanh") {
        OrderStatus::Completed
    } else if has("dang giao") {
        OrderStatus::Shipping
    } else if has("xu ly") {
        OrderStatus::Processing
    } else if has("chua duyet") || has("cho duyet") {
        OrderStatus::New
    } else if has("duyet") || has("xac nhan") {
        OrderStatus::Confirmed
    } else {
        OrderStatus::New
    }
}

fn item(value: &Value) -> Item {
    let number = json::text_at(value, "quantity").and_then(|text| text.parse().ok());
    Item {
        product: json::text_at(value, "product_id"),
        sku: json::text_at(value, "product_code"),
        name: json::text_at(value, "product_name").unwrap_or_default(),
        quantity: number.and_then(Quantity::of).unwrap_or_default(),
        price: json::money(value, "price").unwrap_or_default(),
        discount: json::money(value, "discount_amount").unwrap_or_default(),
        ..Item::default()
    }
}
