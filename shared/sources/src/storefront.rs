//! The objects that Haravan and Sapo Web share: both took over the REST objects of one older shop system.

pub mod api;
pub mod cart;
pub mod order;
pub mod product;

use kernel::commerce::{ProductGone, Source};
use serde_json::Value;

use crate::fact::{Customer, Fact, answers};
use crate::inbound::RawRequest;
use crate::json;
use crate::submission::{ParseError, Sender};
use crate::terms::{self, person};

/// Names of fields in which the two differ.
pub struct Shape {
    /// The provider.
    pub source: Source,
    /// The time of the last change.
    pub updated: &'static str,
    /// The time of the creation.
    pub created: &'static str,
    /// The time of the cancellation.
    pub cancelled: &'static str,
    /// The time since which a product is shown.
    pub published: &'static str,
}

/// Reads the object of a topic such as `orders/create`.
pub fn parse(
    topic: &str,
    body: &Value,
    shop: &str,
    shape: &Shape,
    request: &RawRequest,
) -> Result<Vec<Fact>, ParseError> {
    let (scope, shop) = (&request.scope(shop), request.shop(shop));
    let at = request.received_at;
    let (kind, act) = topic.split_once('/').unwrap_or((topic, ""));
    #[expect(
        clippy::match_same_arms,
        reason = "a deletion is named before its kind"
    )]
    match (kind, act) {
        // The contact and the orders stay: the shop's deletion is no wish of the person.
        ("customers" | "orders" | "checkouts", "delete") => Ok(Vec::new()),
        ("products", "delete") => {
            let external_id = json::text_at(body, "id").ok_or(ParseError::Missing("/id"))?;
            Ok(vec![Fact::gone(ProductGone {
                source: shape.source,
                shop,
                external_id,
                at,
            })?])
        }
        ("products", _) => {
            let read = product::product(body, shape, &shop, at);
            let product = read.ok_or(ParseError::Missing("/id"))?;
            Ok(vec![Fact::product(product)?])
        }
        ("checkouts", _) => {
            let read = cart::cart(body, shape, &shop, at);
            let cart = read.ok_or(ParseError::Missing("/token"))?;
            Ok(vec![Fact::cart(buyer(body, scope, shape, request), cart)?])
        }
        ("customers", _) => {
            let customer = customer(body, scope, shape, request);
            Ok(vec![Fact::customer(customer)?])
        }
        ("orders", _) => {
            let read = order::order(body, shape, shape.source, &shop, at);
            let order = read.ok_or(ParseError::Missing("/id"))?;
            let buyer = buyer(body, scope, shape, request);
            Ok(vec![Fact::order(buyer, order)?])
        }
        (
            "app"
            | "app_subscriptions"
            | "carts"
            | "inventorylocationbalances"
            | "order_returns"
            | "refunds"
            | "shop"
            | "user",
            _,
        ) => Ok(Vec::new()),
        _ => Err(ParseError::UnknownTopic(topic.to_owned())),
    }
}

/// The customer of a topic about customers.
fn customer(value: &Value, scope: &str, shape: &Shape, request: &RawRequest) -> Customer {
    let place = json::at(value, "default_address").unwrap_or(&Value::Null);
    let name = |name: &str| json::text_at(value, name);
    // The family name stands first. Haravan has the whole name in `first_name`.
    let (first, last) = (name("first_name"), name("last_name"));
    let whole: Vec<String> = last.iter().chain(&first).cloned().collect();
    let whole = (!whole.is_empty()).then(|| whole.join(" "));
    let is_split = first.is_some() && last.is_some();
    let person = person(&[
        ("full_name", whole.or_else(|| json::text_at(place, "name"))),
        ("first_name", first.filter(|_| is_split)),
        ("last_name", last.filter(|_| is_split)),
        ("gender", name("gender")),
        ("birthday", name("birthday")),
        ("address", json::text_at(place, "address1")),
        ("ward", json::text_at(place, "ward")),
        ("district", json::text_at(place, "district")),
        ("province", json::text_at(place, "province")),
        ("country", json::text_at(place, "country")),
        ("company", json::text_at(place, "company")),
    ]);
    Customer {
        scope: scope.to_owned(),
        id: json::text_at(value, "id"),
        sender: Sender {
            email: json::first(value, &["email"]),
            phone: json::first(value, &["phone", "default_address.phone"]),
            person,
        },
        tags: tags(value),
        at: json::time(value, shape.updated),
        consent: answers(value, &request.settings.consent),
    }
}

/// The customer of an order. A walk-in has none: then the addresses of the order identify the buyer.
pub fn buyer(order: &Value, scope: &str, shape: &Shape, request: &RawRequest) -> Option<Customer> {
    let known = order.get("customer").filter(|value| value.is_object());
    let mut buyer = match known {
        Some(value) => customer(value, scope, shape, request),
        None => Customer {
            scope: scope.to_owned(),
            ..Customer::default()
        },
    };
    let sender = &mut buyer.sender;
    if sender.email.is_none() {
        sender.email = json::first(order, &["email", "contact_email"]);
    }
    if sender.phone.is_none() {
        let phones = ["phone", "billing_address.phone", "shipping_address.phone"];
        // The receiver's number is the buyer's only if nothing else identifies the buyer.
        let most = if known.is_some() { 2 } else { 3 };
        sender.phone = json::first(order, &phones[..most]);
    }
    if sender.person.full_name.is_none() {
        let name = ["billing_address.name", "shipping_address.name"];
        let name = name.iter().find_map(|path| json::text_at(order, path));
        sender.person.full_name = person(&[("full_name", name)]).full_name;
    }
    buyer.at = buyer.at.or_else(|| json::time(order, shape.updated));
    buyer.is_somebody().then_some(buyer)
}

/// Tags, and the customer's group.
fn tags(value: &Value) -> Vec<String> {
    let mut tags = terms::tags(value);
    tags.extend(json::text_at(value, "group_name"));
    tags
}
