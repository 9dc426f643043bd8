//! The trigger of a workflow: the kind of event and its required values. Pure.
//!
//! The kinds are a table of the recorded events: a trigger for another event would wait for ever. A new event adds
//! its row. An event that needs more than equal values (a date, a threshold, a schedule) needs a rule here.

use contacts::{Filter, moves};
use kernel::text::alike;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::Flaw;

/// A kind of recorded event, and the settings that narrow it. Each setting but `min_total` is compared with the field of
/// the same name in the event's data.
pub const KINDS: &[(&str, &[&str])] = &[
    ("form.submitted", &["form_id"]),
    ("form.confirmed", &["form_id"]),
    ("message.sent", SEND),
    ("message.delivered", SEND),
    ("message.failed", SEND),
    ("message.soft_bounced", SEND),
    ("message.opened", &["campaign_id"]),
    ("message.clicked", &["campaign_id", "url"]),
    ("message.bounced", &["campaign_id"]),
    ("message.complained", &["campaign_id"]),
    ("message.unsubscribed", &["campaign_id"]),
    ("conversation.created", &["inbox_id"]),
    (moves::CREATED, &["source", "list_id", TAG]),
    (moves::LIST_JOINED, &["list_id"]),
    (moves::LIST_LEFT, &["list_id"]),
    (moves::TAG_ADDED, &[TAG]),
    (moves::TAG_REMOVED, &[TAG]),
    ("contact.score_reached", &["threshold"]),
    ("contact.score_dropped", &["threshold"]),
    ("order.created", ORDER),
    ("order.confirmed", ORDER),
    ("order.processing", ORDER),
    ("order.paid", ORDER),
    ("order.shipped", ORDER),
    ("order.delivered", ORDER),
    ("order.completed", ORDER),
    ("order.cancelled", ORDER),
    ("order.returned", ORDER),
    ("cart.abandoned", &["source", "shop", "products", MIN_TOTAL]),
    ("page.viewed", &["url", "path", "title", "name", "category"]),
    ("screen.viewed", &["name", "category"]),
    (
        "product.viewed",
        &["product_id", "sku", "category", "brand"],
    ),
];
/// The settings of events that come with every message.
const SEND: &[&str] = &["campaign_id", "channel"];
/// The smallest total of an order or a cart, in its currency's whole units.
const MIN_TOTAL: &str = "min_total";
/// The field that [`MIN_TOTAL`] is compared with.
const TOTAL: &str = "total";
/// The setting of tags: a tag in any spelling.
const TAG: &str = "tag";
/// The settings of orders. The source is the category: orders that are managed here, or those of one provider.
const ORDER: &[&str] = &["source", "shop", "payment_method", "products", MIN_TOTAL];
/// Shop systems whose orders have kinds of their own: `haravan.order_paid` is `order.paid` with the source `haravan`.
pub const SHOPS: [&str; 5] = ["getfly", "haravan", "kiotviet", "sapo", "shopee"];
/// An invoice of KiotViet: only an invoice is a completed order there.
const INVOICE: (&str, &str) = ("kiotviet.invoice_completed", "order.completed");
/// The setting that the kind of a shop system sets.
const SOURCE: &str = "source";
/// Events that come with a message itself, or that machines make when these load a mail's image and follow its links. The
/// events of a workflow's own message start no workflow. Otherwise a workflow that answers an open with a mail would never
/// end.
const READING: [&str; 6] = [
    "message.sent",
    "message.delivered",
    "message.failed",
    "message.soft_bounced",
    "message.opened",
    "message.clicked",
];
/// Any event, by its own name: `{"type": "event.performed", "name": "...", "properties": {...}}`.
pub const PERFORMED: &str = "event.performed";
/// Longest settings, in bytes of JSON. The interest set holds them for all workflows of a workspace.
const MAX_BYTES: usize = 2_000;
/// Longest name of an event.
pub const MAX_NAME: usize = 100;

/// The trigger of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trigger {
    /// Kind of event.
    #[serde(rename = "type")]
    pub kind: String,
    /// The required values of the event.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

/// The shop system of a kind, and the event that it waits for.
fn of_shop(kind: &str) -> Option<(&'static str, &'static str)> {
    let (shop, rest) = kind.split_once('.')?;
    let shop = SHOPS.iter().find(|one| **one == shop)?;
    if kind == INVOICE.0 {
        return Some((shop, INVOICE.1));
    }
    let act = rest.strip_prefix("order_")?;
    let mut orders = KINDS.iter().map(|(kind, _)| *kind);
    let event = orders.find(|kind| kind.strip_prefix("order.") == Some(act))?;
    Some((shop, event))
}

/// Every kind but [`PERFORMED`].
fn kinds() -> impl Iterator<Item = String> {
    let own = KINDS.iter().map(|(kind, _)| (*kind).to_owned());
    let acts = || {
        KINDS
            .iter()
            .filter_map(|(kind, _)| kind.strip_prefix("order."))
    };
    let shops = SHOPS.iter();
    let shops = shops.flat_map(move |shop| acts().map(move |act| format!("{shop}.order_{act}")));
    own.chain(shops).chain([INVOICE.0.to_owned()])
}

impl<'de> Deserialize<'de> for Trigger {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut settings = Map::deserialize(d)?;
        match settings.remove("type") {
            Some(Value::String(kind)) => Ok(Self { kind, settings }),
            Some(_) => Err(D::Error::custom("type: expected a text")),
            None => Err(D::Error::missing_field("type")),
        }
    }
}

impl utoipa::PartialSchema for Trigger {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
        let kinds = kinds().chain([PERFORMED.to_owned()]);
        let kind = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(kinds));
        ObjectBuilder::new()
            .description(Some(
                "What starts a workflow: a kind of event, and what the event must say. Opens and \
                 clicks count where they are of a campaign's mail; those of a workflow's mail \
                 start no workflow.",
            ))
            .property("type", kind)
            .required("type")
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .examples([serde_json::json!({ "type": "form.submitted" })])
            .into()
    }
}

impl utoipa::ToSchema for Trigger {
    fn name() -> std::borrow::Cow<'static, str> {
        "WorkflowTrigger".into()
    }
}

impl Trigger {
    /// Name of the events that may start the workflow.
    pub fn event(&self) -> &str {
        if self.kind == PERFORMED {
            self.settings
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
        } else {
            of_shop(&self.kind).map_or(self.kind.as_str(), |(_, event)| event)
        }
    }

    /// Whether the event starts the workflow.
    pub fn matches(&self, event: &str, data: &Value) -> bool {
        if event.is_empty() || event != self.event() {
            return false;
        }
        if READING.contains(&event) && !data.get("campaign_id").is_some_and(Value::is_string) {
            return false;
        }
        self.filter().passes(data)
    }

    /// The values that the event must have. The interest set holds a copy, so that other events read no workflow.
    pub fn filter(&self) -> Filter {
        let wanted = if self.kind == PERFORMED {
            self.settings.get("properties").and_then(Value::as_object)
        } else {
            Some(&self.settings)
        };
        let is_tag = |name: &str| name == TAG && self.kind.starts_with("contact.");
        let is_least = |name: &str| name == MIN_TOTAL && self.kind != PERFORMED;
        let equal = wanted.into_iter().flatten();
        let equal = equal.filter(|(name, _)| !is_least(name));
        let compared = equal.map(|(name, value)| {
            let tag = value.as_str().filter(|_| is_tag(name));
            let wanted = tag.map_or(value.clone(), |tag| alike(tag).into());
            (name.clone(), wanted)
        });
        let source = of_shop(&self.kind).map(|(shop, _)| (SOURCE.to_owned(), shop.into()));
        let compared: Vec<(String, Value)> = compared.chain(source).collect();
        let filter = Filter::of(compared.iter().map(|(name, value)| (name, value)));
        match self.settings.get(MIN_TOTAL).and_then(Value::as_u64) {
            Some(least) if is_least(MIN_TOTAL) => filter.at_least(TOTAL, least),
            _ => filter,
        }
    }

    /// Its flaws; pointers begin at `/trigger`.
    pub fn check(&self, flaws: &mut Vec<Flaw>) {
        let bytes: usize = self
            .settings
            .values()
            .map(|value| value.to_string().len())
            .sum();
        if bytes > MAX_BYTES {
            let message = format!("holds at most {MAX_BYTES} bytes");
            flaws.push(Flaw::new("/trigger", message));
        }
        if self.kind == PERFORMED {
            return self.check_performed(flaws);
        }
        let shop = of_shop(&self.kind);
        let Some((_, allowed)) = KINDS.iter().find(|(kind, _)| *kind == self.event()) else {
            let known: Vec<String> = kinds().collect();
            let known = known.join(", ");
            let message = format!("expected {PERFORMED} or what can start a workflow: {known}");
            flaws.push(Flaw::new("/trigger/type", message));
            return;
        };
        let is_allowed = |name: &&str| shop.is_none() || *name != SOURCE;
        let allowed: Vec<&str> = allowed.iter().copied().filter(is_allowed).collect();
        for (name, value) in &self.settings {
            let pointer = format!("/trigger/{}", escape(name));
            if !allowed.contains(&name.as_str()) {
                let message = format!("unknown field, expected one of {}", allowed.join(", "));
                flaws.push(Flaw::new(pointer, message));
            } else if name == MIN_TOTAL {
                if value.as_u64().is_none() {
                    flaws.push(Flaw::new(pointer, "expected a whole number, 0 or more"));
                }
            } else if !is_scalar(value) {
                flaws.push(Flaw::new(
                    pointer,
                    "expected a text, a number or true or false",
                ));
            }
        }
    }

    fn check_performed(&self, flaws: &mut Vec<Flaw>) {
        let name = self.event();
        if name.is_empty() || name.len() > MAX_NAME {
            flaws.push(Flaw::new(
                "/trigger/name",
                "expected the event's name, up to 100 letters",
            ));
        }
        for (name, value) in &self.settings {
            match name.as_str() {
                "name" => {}
                "properties"
                    if value
                        .as_object()
                        .is_some_and(|all| all.values().all(is_scalar)) => {}
                "properties" => flaws.push(Flaw::new(
                    "/trigger/properties",
                    "expected an object of texts, numbers, true or false",
                )),
                _ => flaws.push(Flaw::new(
                    format!("/trigger/{}", escape(name)),
                    "unknown field, expected name or properties",
                )),
            }
        }
    }
}

/// JSON pointer escaping (RFC 6901).
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn is_scalar(value: &Value) -> bool {
    match value {
        Value::Number(number) => kernel::number::is_storable(number),
        _ => value.is_string() || value.is_boolean(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trigger(value: Value) -> Trigger {
        serde_json::from_value(value).unwrap()
    }

    fn pointers(trigger: &Trigger) -> Vec<String> {
        let mut flaws = Vec::new();
        trigger.check(&mut flaws);
        flaws.into_iter().map(|flaw| flaw.pointer).collect()
    }

    #[test]
    fn a_form_may_be_named() {
        let any = trigger(json!({"type": "form.submitted"}));
        let one = trigger(json!({"type": "form.submitted", "form_id": 7}));
        assert!(any.matches("form.submitted", &json!({})));
        assert!(one.matches("form.submitted", &json!({"form_id": "7"})));
        assert!(one.matches("form.submitted", &json!({"form_id": 7})));
        assert!(!one.matches("form.submitted", &json!({"form_id": "8"})));
        assert!(!one.matches("form.submitted", &json!({})));
        assert!(!any.matches("order.paid", &json!({})));
        let bought = trigger(json!({"type": "order.paid", "source": "haravan", "products": "SP1"}));
        assert!(bought.matches(
            "order.paid",
            &json!({"source": "haravan", "products": ["SP1"]})
        ));
        assert!(!bought.matches(
            "order.paid",
            &json!({"source": "sapo", "products": ["SP1"]})
        ));
        let tagged = trigger(json!({"type": "contact.tag_added", "tag": "VIP"}));
        let data = json!({"tag": ["Vip", alike("Vip")]});
        assert!(tagged.matches("contact.tag_added", &data));
        assert!(!tagged.matches("contact.tag_removed", &data));
        let text = serde_json::to_value(&one).unwrap();
        assert_eq!(text, json!({"type": "form.submitted", "form_id": 7}));
    }

    #[test]
    fn a_shop_system_has_kinds_of_its_own() {
        let paid = trigger(json!({"type": "haravan.order_paid", "products": "SP1"}));
        assert_eq!(paid.event(), "order.paid");
        let data = |source: &str| json!({"source": source, "products": ["SP1"]});
        assert!(paid.matches("order.paid", &data("haravan")));
        assert!(!paid.matches("order.paid", &data("sapo")));
        assert!(!paid.matches("order.created", &data("haravan")));
        assert!(!paid.matches("haravan.order_paid", &data("haravan")));
        let sold = trigger(json!({"type": "kiotviet.invoice_completed"}));
        assert!(sold.matches("order.completed", &data("kiotviet")));
        assert!(!sold.matches("order.completed", &data("manual")));
        for kind in kinds() {
            assert!(pointers(&trigger(json!({ "type": kind }))).is_empty());
        }
        for (bad, pointer) in [
            (json!({"type": "haravan.order_lost"}), "/trigger/type"),
            (json!({"type": "manual.order_paid"}), "/trigger/type"),
            (
                json!({"type": "haravan.invoice_completed"}),
                "/trigger/type",
            ),
            (
                json!({"type": "sapo.order_paid", "source": "haravan"}),
                "/trigger/source",
            ),
        ] {
            assert_eq!(pointers(&trigger(bad)), [pointer]);
        }
    }

    #[test]
    fn a_total_may_have_a_least_value() {
        for kind in ["order.created", "cart.abandoned", "haravan.order_created"] {
            let least = trigger(json!({ "type": kind, "min_total": 500_000 }));
            assert!(pointers(&least).is_empty());
            let starts = |total: Value| {
                let data = json!({ "source": "haravan", "total": total });
                least.matches(least.event(), &data)
            };
            assert!(starts(json!(500_000)) && starts(json!(500_000.5)));
            assert!(!starts(json!(499_999)) && !starts(json!("500000")));
            assert!(!starts(Value::Null));
            let stored = serde_json::to_value(least.filter()).unwrap();
            assert_eq!(stored["total"], json!({ "at_least": 500_000 }));
            let read: Filter = serde_json::from_value(stored).unwrap();
            assert_eq!(read, least.filter());
        }
        for bad in [json!(-1), json!(1.5), json!("500000"), json!(null)] {
            let flawed = trigger(json!({ "type": "order.paid", "min_total": bad }));
            assert_eq!(pointers(&flawed), ["/trigger/min_total"]);
        }
        let other = trigger(json!({ "type": "form.submitted", "min_total": 1 }));
        assert_eq!(pointers(&other), ["/trigger/min_total"]);
        // The property of an own system's event is compared as it is.
        let properties = json!({ "min_total": 5 });
        let own =
            trigger(json!({ "type": "event.performed", "name": "x", "properties": properties }));
        assert!(own.matches("x", &properties));
    }

    #[test]
    fn any_event_may_be_named_with_its_properties() {
        let own = trigger(
            json!({"type": "event.performed", "name": "vip", "properties": {"level": "gold"}}),
        );
        assert_eq!(own.event(), "vip");
        assert!(own.matches("vip", &json!({"level": ["silver", "gold"]})));
        assert!(!own.matches("vip", &json!({"level": "silver"})));
        assert!(pointers(&own).is_empty());
    }

    #[test]
    fn reading_a_workflow_s_mail_starts_none() {
        let named = |name| trigger(json!({"type": "event.performed", "name": name}));
        for name in READING {
            for trigger in [trigger(json!({ "type": name })), named(name)] {
                assert!(trigger.matches(name, &json!({"campaign_id": "cmp_1", "scope": "cmp_1"})));
                assert!(!trigger.matches(name, &json!({"scope": "enr_1"})));
            }
        }
        let bounced = trigger(json!({"type": "message.bounced"}));
        assert!(bounced.matches("message.bounced", &json!({"scope": "enr_1"})));
    }

    #[test]
    fn what_is_unknown_is_named() {
        for (bad, pointer) in [
            (json!({"type": "form.sent"}), "/trigger/type"),
            (json!({"type": "order.lost"}), "/trigger/type"),
            (
                json!({"type": "form.submitted", "form": 1}),
                "/trigger/form",
            ),
            (
                json!({"type": "form.submitted", "form_id": []}),
                "/trigger/form_id",
            ),
            (json!({"type": "event.performed"}), "/trigger/name"),
            (
                json!({"type": "event.performed", "name": "x", "a/b": 1}),
                "/trigger/a~1b",
            ),
        ] {
            assert_eq!(pointers(&trigger(bad)), [pointer]);
        }
        assert!(serde_json::from_value::<Trigger>(json!({"form_id": 1})).is_err());
        assert!(serde_json::from_value::<Trigger>(json!({"type": 1})).is_err());
    }
}
