//! The events of the shop's own systems: `{"type", "timestamp", "data"}`.

use jiff::Timestamp;
use kernel::commerce::{ProductGone, Source};
use serde_json::Value;

use super::{order, product};
use crate::fact::{Customer, Fact, answers};
use crate::inbound::RawRequest;
use crate::submission::{ParseError, Sender};
use crate::{body, json, ladipage, terms};

/// The types that are read, and what each becomes.
pub const TYPES: [(&str, &str); 16] = [
    ("customer.created", "a contact"),
    ("customer.updated", "a contact"),
    (
        "customer.deleted",
        "nothing: `DELETE /v1/contacts/{id}` erases a person",
    ),
    ("order.created", "an order and its buyer"),
    ("order.updated", "an order and its buyer"),
    ("order.paid", "an order that is paid"),
    ("order.cancelled", "an order that is cancelled"),
    ("order.completed", "an order that is completed"),
    ("order.refunded", "an order whose money was given back"),
    ("product.created", "a product"),
    ("product.updated", "a product"),
    ("product.deleted", "a product that is archived"),
    ("cart.updated", "a cart: left behind if nothing follows"),
    ("cart.ordered", "a cart whose customer has ordered"),
    ("cart.abandoned", "a cart that is left behind, at once"),
    ("form.submitted", "a contact and its event"),
];

/// Reads an event. `id` is the id that the sender gave the request.
pub fn parse(request: &RawRequest, id: Option<&str>) -> Result<Vec<Fact>, ParseError> {
    let body = json::object(&request.body)?;
    let kind = json::text_at(&body, "type").unwrap_or_default();
    let at = json::time(&body, "timestamp").unwrap_or(request.received_at);
    let data = body.get("data").filter(|data| data.is_object());
    let data = data.ok_or_else(|| ParseError::Syntax("expected an object at /data".into()))?;
    match kind.as_str() {
        // The shop's deletion is no wish of the person; erasing has its own operation.
        "customer.deleted" => Ok(Vec::new()),
        "customer.created" | "customer.updated" => {
            let customer = customer(data, at, request);
            Ok(vec![Fact::customer(customer)?])
        }
        "form.submitted" => form(request, data, at, id),
        _ if !TYPES.iter().any(|(known, _)| *known == kind) => Err(ParseError::UnknownTopic(kind)),
        "product.deleted" => {
            let id = json::text_at(data, "id").ok_or(ParseError::Missing("/data/id"))?;
            Ok(vec![Fact::gone(ProductGone {
                source: Source::Api,
                shop: request.shop(""),
                external_id: id,
                at,
            })?])
        }
        "product.created" | "product.updated" => {
            let read = product::product(data, &request.shop(""), at);
            let product = read.ok_or(ParseError::Missing("/data/id"))?;
            Ok(vec![Fact::product(product)?])
        }
        kind if kind.starts_with("cart.") => {
            let read = product::cart(data, kind, &request.shop(""), at);
            let cart = read.ok_or(ParseError::Missing("/data/id"))?;
            let buyer = data.get("customer").map(|data| customer(data, at, request));
            Ok(vec![Fact::cart(buyer, cart)?])
        }
        kind => {
            let read = order::order(data, kind, &request.shop(""), at);
            let order = read.ok_or(ParseError::Missing("/data/id"))?;
            let buyer = data.get("customer").map(|data| customer(data, at, request));
            Ok(vec![Fact::order(buyer, order)?])
        }
    }
}

/// The person of an event.
pub fn customer(data: &Value, at: Timestamp, request: &RawRequest) -> Customer {
    let fields = kernel::person::FIELDS.iter();
    let values: Vec<(&str, Option<String>)> = fields
        .map(|field| (field.name(), json::text_at(data, field.name())))
        .collect();
    let mut person = terms::person(&values);
    if person.full_name.is_none() {
        let name = json::text_at(data, "name");
        person.full_name = terms::person(&[("full_name", name)]).full_name;
    }
    let tags = json::list(data, "tags").iter().filter_map(json::text);
    Customer {
        scope: request.scope(""),
        id: json::text_at(data, "external_id"),
        sender: Sender {
            email: json::first(data, &["email"]),
            phone: json::first(data, &["phone"]),
            person,
        },
        tags: tags.collect(),
        at: Some(at),
        consent: answers(data, &request.settings.consent),
    }
}

/// A form of the shop's own page, read like those of LadiPage.
fn form(
    request: &RawRequest,
    data: &Value,
    at: Timestamp,
    id: Option<&str>,
) -> Result<Vec<Fact>, ParseError> {
    let fields = body::fields("application/json", &data.to_string())?;
    let mut submission = ladipage::read(fields, &request.settings, request.received_at)?;
    if let Some(id) = id {
        submission.event.id = kernel::hash::name(&["custom", id]);
        submission.event.same_within = None;
    }
    submission.event.at = at;
    Ok(vec![Fact::Submission(Box::new(submission))])
}
