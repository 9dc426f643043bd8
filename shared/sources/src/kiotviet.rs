//! KiotViet (retail): one envelope with several notifications.
//!
//! The signature's form is not documented in whole, and senders differ: HMAC-SHA-256 or SHA-1, hex or base64, with the
//! registered base64 text or its bytes as key, with or without a prefix. All are admitted. A body may be signed without
//! the blanks or the byte order mark around it.

pub mod api;
mod order;
mod product;

use kernel::Entropy;
use kernel::commerce::{ProductGone, Source};
use serde_json::Value;

use crate::api::Object;
use crate::fact::{Customer, Fact, answers};
use crate::inbound::RawRequest;
use crate::provider::Call;
use crate::submission::{ParseError, Sender};
use crate::{json, signature, terms};
use order::Kind;

const SIGNATURE: &str = "x-hub-signature";
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A new secret, as KiotViet wants it: the base64 of random bytes.
pub fn new_secret(entropy: &Entropy) -> String {
    signature::to_base64(&entropy.bytes::<24>())
}

/// Whether the body was signed with one of the keys.
pub fn admits(keys: &[Vec<u8>], call: &Call<'_>) -> bool {
    let text = signature::header(call.headers, SIGNATURE).trim();
    let text = ["sha1=", "sha256="]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(text);
    let given = [signature::hex(text), signature::base64(text)];
    let body = call.body.strip_prefix(MARK).unwrap_or(call.body);
    let bodies = [call.body, body.trim_ascii()];
    let decoded = keys.iter().map(|key| {
        let text = std::str::from_utf8(key).unwrap_or_default();
        signature::base64(text)
    });
    let decoded: Vec<Vec<u8>> = decoded.filter(|key| !key.is_empty()).collect();
    keys.iter().chain(&decoded).any(|key| {
        bodies.iter().any(|body| {
            let digests = [
                signature::sha256(key, &[body]),
                signature::sha1(key, &[body]),
            ];
            let mut pairs = digests
                .iter()
                .flat_map(|digest| given.iter().map(move |given| (given, digest)));
            pairs.any(|(given, digest)| signature::same(given, digest))
        })
    })
}

/// Reads an envelope. A deletion without an envelope tells of nothing: it does not say of what kind the deleted ids are.
pub fn parse(request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    let body = json::object(&request.body)?;
    if body.get("RemoveId").is_some() {
        return Ok(Vec::new());
    }
    let list = |value: &Value, name: &'static str, place: &'static str| {
        let list = value.get(name).and_then(Value::as_array).cloned();
        list.ok_or(ParseError::Missing(place))
    };
    let mut facts = Vec::new();
    for notification in list(&body, "Notifications", "/Notifications")? {
        let action = json::text_at(&notification, "Action").unwrap_or_default();
        let data = list(&notification, "Data", "/Notifications/*/Data")?;
        facts.extend(read(&action, &data, request)?);
    }
    Ok(facts)
}

/// The facts of an action such as `order.update.500123`: object, act, shop.
fn read(action: &str, data: &[Value], request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    let mut parts = action.splitn(3, '.');
    let mut part = || parts.next().unwrap_or_default();
    let (object, act, shop) = (part(), part(), part());
    let (scope, shop) = (request.scope(shop), request.shop(shop));
    let at = request.received_at;
    let kind = if object == "order" {
        Kind::Order
    } else {
        Kind::Invoice
    };
    let fact = |value: &Value| {
        let read = match object {
            "customer" => {
                return Fact::customer(customer(value, &scope, request));
            }
            "product" => product::product(value, &shop, at).map(Fact::product),
            "stock" => product::stock(value, &shop, at).map(Fact::stock),
            _ => None,
        };
        if let Some(fact) = read {
            return fact;
        }
        if matches!(object, "product" | "stock") {
            return Err(ParseError::Missing("/Id"));
        }
        let order = order::order(value, kind, &shop, at).ok_or(ParseError::Missing("/Id"))?;
        Fact::order(Some(buyer(value, &scope)), order)
    };
    match (object, act) {
        ("customer" | "product" | "stock", "update") => data.iter().map(fact).collect(),
        ("order" | "invoice", "update") => {
            let mut facts: Vec<Fact> = data.iter().map(fact).collect::<Result<_, _>>()?;
            // The order names its buyer only: the number and the address are in the API.
            facts.extend(data.iter().filter_map(|value| {
                let id = json::text_at(value, "CustomerId").filter(|id| id != "0");
                Fact::fetch(request, Object::Customers, id)
            }));
            Ok(facts)
        }
        ("product", "delete") => data.iter().map(|one| gone(one, &shop, request)).collect(),
        (_, "delete") | ("pricebook" | "pricebookdetail" | "category" | "branch", _) => {
            Ok(Vec::new())
        }
        _ => Err(ParseError::UnknownTopic(action.to_owned())),
    }
}

/// A deleted product: its id, or an object that has it.
fn gone(value: &Value, shop: &str, request: &RawRequest) -> Result<Fact, ParseError> {
    let id = json::text(value).or_else(|| json::text_at(value, "Id"));
    Fact::gone(ProductGone {
        source: Source::Kiotviet,
        shop: shop.to_owned(),
        external_id: id.ok_or(ParseError::Missing("/Id"))?,
        at: request.received_at,
    })
}

fn customer(value: &Value, scope: &str, request: &RawRequest) -> Customer {
    let gender = match value.get("Gender") {
        Some(Value::Bool(true)) => Some("male"),
        Some(Value::Bool(false)) => Some("female"),
        _ => None,
    };
    let birthday = json::text_at(value, "BirthDate");
    let birthday = birthday.map(|text| text.chars().take("1990-03-02".len()).collect());
    let person = terms::person(&[
        ("full_name", json::text_at(value, "Name")),
        ("gender", gender.map(str::to_owned)),
        ("birthday", birthday),
        ("address", json::text_at(value, "Address")),
        ("province", json::text_at(value, "LocationName")),
        ("company", json::text_at(value, "Organization")),
    ]);
    Customer {
        scope: scope.to_owned(),
        id: json::text_at(value, "Id"),
        sender: Sender {
            email: json::first(value, &["Email"]),
            phone: json::first(value, &["ContactNumber"]),
            person,
        },
        tags: Vec::new(),
        at: json::time(value, "ModifiedDate"),
        consent: answers(value, &request.settings.consent),
    }
}

/// The buyer of an order: the webhook has neither a phone number nor an address of the buyer.
fn buyer(value: &Value, scope: &str) -> Customer {
    let person = terms::person(&[("full_name", json::text_at(value, "CustomerName"))]);
    Customer {
        scope: scope.to_owned(),
        id: json::text_at(value, "CustomerId"),
        sender: Sender {
            person,
            ..Sender::default()
        },
        at: json::time(value, "ModifiedDate"),
        ..Customer::default()
    }
}
