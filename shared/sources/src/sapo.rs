//! Sapo Web and Sapo Omni: two products with one family of headers.
//!
//! The signature is base64 of HMAC-SHA-256 over the body, with the app's secret key.

pub mod api;
mod order;

use kernel::commerce::Source;
use serde_json::Value;

use crate::fact::{Customer, Fact, answers};
use crate::inbound::RawRequest;
use crate::provider::Call;
use crate::storefront::{self, Shape};
use crate::submission::{ParseError, Sender};
use crate::{json, signature, terms};

const TOPIC: &str = "x-sapo-topic";
const SHOP: &str = "x-sapo-shop-domain";
/// Only Sapo Omni sends it.
const TENANT: &str = "x-sapo-tenant-domain";
const SIGNATURE: &str = "x-sapo-hmac-sha256";
/// Headers that the parser reads.
pub const HEADERS: &[&str] = &[TOPIC, SHOP, TENANT];

const SHAPE: Shape = Shape {
    source: Source::Sapo,
    updated: "modified_on",
    created: "created_on",
    cancelled: "cancelled_on",
    published: "published_on",
};

/// Whether the body was signed with one of the keys.
pub fn admits(keys: &[Vec<u8>], call: &Call<'_>) -> bool {
    let given = signature::base64(signature::header(call.headers, SIGNATURE));
    let mut expected = keys.iter().map(|key| signature::sha256(key, &[call.body]));
    expected.any(|expected| signature::same(&given, &expected))
}

/// Reads a webhook.
pub fn parse(request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    let body = json::object(&request.body)?;
    let (topic, tenant) = (request.header(TOPIC), request.header(TENANT));
    if tenant.is_empty() && body.get("tenant_id").is_none() {
        return storefront::parse(topic, &body, request.header(SHOP), &SHAPE, request);
    }
    let tenant = if tenant.is_empty() {
        json::text_at(&body, "tenant_id").unwrap_or_default()
    } else {
        tenant.to_owned()
    };
    omni(topic, &body, &tenant, request)
}

/// Sapo Omni: its objects have names of their own.
fn omni(
    topic: &str,
    body: &Value,
    shop: &str,
    request: &RawRequest,
) -> Result<Vec<Fact>, ParseError> {
    let scope = &request.scope(shop);
    match topic.split('/').next().unwrap_or_default() {
        "customers" if topic.ends_with("/delete") => Ok(Vec::new()),
        "customers" => Ok(vec![Fact::Customer(Box::new(omni_customer(
            body, scope, request,
        )))]),
        "orders" => {
            let customer = body.get("customer_data").filter(|data| data.is_object());
            let buyer = customer.map(|data| omni_customer(data, scope, request));
            let shop = request.shop(shop);
            let order = order::order(body, &shop, request.received_at);
            let order = order.ok_or(ParseError::Missing("/id"))?;
            Ok(vec![Fact::order(buyer, order)?])
        }
        // The fields of a product of Omni are not documented.
        "app" | "order_returns" | "products" | "refunds" => Ok(Vec::new()),
        _ => Err(ParseError::UnknownTopic(topic.to_owned())),
    }
}

fn omni_customer(value: &Value, scope: &str, request: &RawRequest) -> Customer {
    let place = json::list(value, "addresses").first();
    let place = place.unwrap_or(&Value::Null);
    let person = terms::person(&[
        ("full_name", json::text_at(value, "name")),
        (
            "gender",
            json::text_at(value, "sex").filter(|sex| sex != "other"),
        ),
        ("birthday", json::text_at(value, "dob")),
        ("address", json::text_at(place, "address1")),
        ("ward", json::text_at(place, "ward")),
        ("district", json::text_at(place, "district")),
        ("province", json::text_at(place, "city")),
        ("country", json::text_at(place, "country")),
    ]);
    let tags = json::list(value, "tags").iter().filter_map(json::text);
    Customer {
        scope: scope.to_owned(),
        id: json::text_at(value, "id"),
        sender: Sender {
            email: json::first(value, &["email"]),
            phone: json::first(value, &["phone_number"]),
            person,
        },
        tags: tags.chain(json::text_at(value, "group_name")).collect(),
        at: json::time(value, SHAPE.updated),
        consent: answers(value, &request.settings.consent),
    }
}
