//! Getfly CRM: forms with nested names, or JSON. The secret is a plain field of the body, without a signature.
//!
//! The secret is taken out of the body before the body is kept. The events are thin: a customer's webhook holds the changed
//! fields only.

pub mod api;
mod detail;

use std::collections::BTreeMap;

use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use kernel::commerce::{IncomingOrder, OrderStatus, Source};
use serde_json::{Map, Value};

use crate::api::{FETCHED, Object};
use crate::fact::{Customer, Fact};
use crate::inbound::RawRequest;
use crate::provider::Call;
use crate::submission::{ParseError, Sender};
use crate::{json, signature, terms};

const SECRET: &str = "secret_key";
const FORM: &str = "application/x-www-form-urlencoded";
/// Fields of an account, without the prefix `a.` that changes have.
const NAME: &str = "account_name";

/// The fields of a body by their whole names, such as `data[account_id]`.
fn fields(body: &str) -> BTreeMap<String, String> {
    let body = body.trim_start_matches('\u{feff}');
    if let Ok(Value::Object(object)) = serde_json::from_str(body) {
        let mut fields = BTreeMap::new();
        flat("", &object, 0, &mut fields);
        return fields;
    }
    form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}

/// JSON in the names of the form: `{"data": {"account_id": 1}}` is `data[account_id]`.
fn flat(
    before: &str,
    object: &Map<String, Value>,
    depth: u8,
    fields: &mut BTreeMap<String, String>,
) {
    for (name, value) in object {
        let name = if before.is_empty() {
            name.clone()
        } else {
            format!("{before}[{name}]")
        };
        match value {
            Value::Object(inner) if depth < 8 => flat(&name, inner, depth + 1, fields),
            other => {
                let text = json::text(other).unwrap_or_default();
                fields.insert(name, text);
            }
        }
    }
}

/// Whether the body holds one of the keys.
pub fn admits(keys: &[Vec<u8>], call: &Call<'_>) -> bool {
    let body = String::from_utf8_lossy(call.body);
    let fields = fields(&body);
    let given = fields.get(SECRET).map_or("", String::as_str);
    keys.iter()
        .any(|key| signature::same(given.as_bytes(), key))
}

/// The body without its secret, as a form.
pub fn take(body: &[u8]) -> (BTreeMap<String, String>, String) {
    let text = String::from_utf8_lossy(body);
    let fields = fields(&text);
    let kept = fields.iter().filter(|(name, _)| *name != SECRET);
    let mut form = form_urlencoded::Serializer::new(String::new());
    let text = form.extend_pairs(kept).finish();
    ([(CONTENT_TYPE.to_string(), FORM.to_owned())].into(), text)
}

/// Reads an event.
pub fn parse(request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    if !request.header(FETCHED).is_empty() {
        return detail::facts(request);
    }
    let fields = fields(&request.body);
    let event = fields.get("event").map_or("", String::as_str);
    let domain = fields.get("domain").map_or("", String::as_str);
    let scope = request.scope(domain);
    match event.split('.').next().unwrap_or_default() {
        "customer" if event.ends_with("deleted") => Ok(Vec::new()),
        "customer" => {
            let id = fields.get("data[account_id]").cloned();
            if let Some(fetch) = Fact::fetch(request, Object::Customers, id) {
                return Ok(vec![fetch]);
            }
            let customer = customer(&fields, &scope);
            Ok(vec![Fact::customer(customer)?])
        }
        "order" => {
            let code = fields.get("data[order_code]").cloned();
            if let Some(fetch) = Fact::fetch(request, Object::Orders, code) {
                return Ok(vec![fetch]);
            }
            let order = order(&fields, domain, request);
            let order = order.ok_or(ParseError::Missing("/data/order_id"))?;
            Ok(vec![Fact::order(None, order)?])
        }
        "product"
        | "store_sheet_out"
        | "store_sheet_in"
        | "store_sheet_transfer"
        | "campaign"
        | "opportunity"
        | "task" => Ok(Vec::new()),
        _ => Err(ParseError::UnknownTopic(event.to_owned())),
    }
}

/// The time of an event, in seconds since the epoch.
fn at(fields: &BTreeMap<String, String>) -> Option<Timestamp> {
    let seconds = fields.get("created_at")?.parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

/// The account of an event: its id, and the new values of the fields that changed.
fn customer(fields: &BTreeMap<String, String>, scope: &str) -> Customer {
    let new = |name: &str| {
        let changed = [
            format!("data[data_change][data][a.{name}][new_value]"),
            format!("data[data_change][data][{name}][new_value]"),
            format!("data[{name}]"),
        ];
        let text = changed.iter().find_map(|key| fields.get(key));
        text.map(|text| kernel::text::nfc(text.trim()))
            .filter(|text| !text.is_empty())
    };
    let parsed = |text: Option<String>| text.and_then(|text| text.parse().ok());
    Customer {
        scope: scope.to_owned(),
        id: fields.get("data[account_id]").cloned(),
        sender: Sender {
            email: new("email").and_then(|text| text.parse().ok()),
            phone: parsed(new("phone_office")),
            person: terms::person(&[
                ("full_name", new(NAME)),
                ("address", new("billing_address_street")),
                ("birthday", new("birthday")),
            ]),
        },
        at: at(fields),
        ..Customer::default()
    }
}

/// The order of an event, which holds its id and its code only.
fn order(
    fields: &BTreeMap<String, String>,
    domain: &str,
    request: &RawRequest,
) -> Option<IncomingOrder> {
    let id = fields.get("data[order_id]").filter(|id| !id.is_empty())?;
    let at = at(fields).unwrap_or(request.received_at);
    let is_approved = fields
        .get("event")
        .is_some_and(|event| event == "order.approved");
    Some(IncomingOrder {
        source: Source::Getfly,
        shop: request.shop(domain),
        external_id: id.clone(),
        code: fields.get("data[order_code]").unwrap_or(id).clone(),
        ordered_at: at,
        source_at: at,
        status: if is_approved {
            OrderStatus::Confirmed
        } else {
            OrderStatus::New
        },
        ..IncomingOrder::default()
    })
}
