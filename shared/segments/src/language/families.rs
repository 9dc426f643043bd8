//! Reading of groups and of each family's conditions. Pure.

use contacts::{Channel, FieldName};
use serde_json::Value;

use super::fields::{self, CUSTOM, Field, Kind};
use super::operators::{How, Test, test, times, within};
use super::read::{Faults, Reader};
use super::{Condition, Filter, Happened, Node};

/// A family of conditions, for the readers of the guide.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// The word in `family`.
    pub name: &'static str,
    /// The question that its conditions ask.
    pub asks: &'static str,
    /// Its keys beside `family` and the operands of the operator.
    pub keys: &'static [&'static str],
}

const fn family(name: &'static str, asks: &'static str, keys: &'static [&'static str]) -> Family {
    Family { name, asks, keys }
}

/// Every family. Those without keys are refused, see [`REFUSED`].
pub const FAMILIES: &[Family] = &[
    family(
        "profile",
        "a standard or custom field",
        &["field", "type", "operator"],
    ),
    family("tag", "the contact's tags", &["operator"]),
    family(
        "list",
        "whether the contact is on a list",
        &["operator", "list_ids"],
    ),
    family(
        "segment",
        "whether the contact is in another segment",
        &["operator", "segment_ids"],
    ),
    family(
        "consent",
        "the status of a channel for marketing",
        &["channel", "purpose", "operator"],
    ),
    family("score", "the lead score", &["operator"]),
    family(
        "event",
        "how often an event happened",
        &["event", "where", "operator", "times", "within"],
    ),
    family(
        "page_view",
        "how often a page was viewed",
        &["match", "url", "operator", "times", "within"],
    ),
    family(
        "message",
        "how often a message was opened, clicked…",
        &["did", "campaign_id", "url", "operator", "times", "within"],
    ),
    family(
        "order",
        "number, total and dates of orders; bought products",
        &["field", "operator"],
    ),
    family(
        "form",
        "how often a form was submitted",
        &["form_id", "operator", "times", "within"],
    ),
    family(
        "chat",
        "how often a conversation began",
        &["field", "inbox_id", "operator", "times", "within"],
    ),
    family("location", "the address", &["field", "operator"]),
    family("workflow", "the contact's workflows", &[]),
    family("device", "push, app, platform", &[]),
];

/// Questions of the language that no stored fact answers today, with the answer that a request gets.
pub const REFUSED: &[(&str, &str, &str)] = &[
    (
        "workflow",
        "",
        "nothing stores which workflows a contact is in, has been in or has finished",
    ),
    ("device", "", "nothing stores the devices of a contact"),
    (
        "order",
        "status",
        "only number, total, dates and products of orders are kept; use the family event",
    ),
    (
        "order",
        "category",
        "only number, total, dates and products of orders are kept; use the family event",
    ),
    (
        "order",
        "source_shop",
        "only number, total, dates and products of orders are kept; use the family event",
    ),
    ("chat", "channel", "use inbox_id: an inbox has one channel"),
    (
        "chat",
        "label",
        "nothing stores the labels of a contact's conversations",
    ),
    (
        "chat",
        "rating",
        "nothing stores the ratings of a contact's conversations",
    ),
    (
        "location",
        "ip_province",
        "nothing stores where an address of the internet is",
    ),
    (
        "location",
        "ip_country",
        "nothing stores where an address of the internet is",
    ),
];

/// Kinds of a message's events.
pub(super) const MESSAGES: &[&str] = &[
    "sent",
    "delivered",
    "failed",
    "opened",
    "clicked",
    "bounced",
    "complained",
    "unsubscribed",
];

/// Comparisons of a page's address.
pub(super) const MATCHES: &[&str] = &["exact", "contains", "starts_with", "ends_with", "pattern"];

/// Statuses of a channel.
pub(super) const STATUSES: &[&str] = &[
    "none",
    "pending",
    "subscribed",
    "unsubscribed",
    "bounced",
    "complained",
    "suppressed",
];

/// Kinds of a property's value.
pub(super) const PROPERTIES: [Kind; 3] = [Kind::Text, Kind::Number, Kind::Boolean];

/// A group. `level` is 1 for the outermost.
pub(super) fn group(json: &Value, at: String, level: usize, faults: &mut Faults) -> Option<Node> {
    let map = json.as_object().filter(|map| map.len() == 1);
    let entry = map.and_then(|map| map.iter().next());
    let (key, parts) = match entry {
        Some((key, parts)) if key == "all" || key == "any" => (key.as_str(), parts),
        _ => {
            faults.add(at, r#"must be a group: {"all": […]} or {"any": […]}"#);
            return None;
        }
    };
    let place = format!("{at}/{key}");
    if level > faults.bounds.levels {
        let most = faults.bounds.levels;
        faults.add(at, format!("groups may have at most {most} levels"));
        return None;
    }
    let Some(parts) = parts.as_array().filter(|parts| !parts.is_empty()) else {
        faults.add(place, "must be a list of at least one condition");
        return None;
    };
    let read: Vec<Option<Node>> = parts
        .iter()
        .enumerate()
        .map(|(index, part)| node(part, format!("{place}/{index}"), level, faults))
        .collect();
    let nodes: Option<Vec<Node>> = read.into_iter().collect();
    nodes.map(|nodes| match key {
        "all" => Node::All(nodes),
        _ => Node::Any(nodes),
    })
}

fn node(json: &Value, at: String, level: usize, faults: &mut Faults) -> Option<Node> {
    let is_group = |map: &serde_json::Map<_, _>| map.contains_key("all") || map.contains_key("any");
    if json.as_object().is_some_and(is_group) {
        return group(json, at, level + 1, faults);
    }
    faults.conditions += 1;
    if faults.conditions > faults.bounds.conditions || faults.is_full() {
        // One fault says that there are too many; the others are not read.
        return None;
    }
    let Some(map) = json.as_object() else {
        faults.add(at, "must be a condition or a group");
        return None;
    };
    let mut reader = Reader::new(map, at, faults);
    let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
    let family = reader.word("family", &names)?;
    if let Some(why) = refused(family, "") {
        reader.fault("family", why);
        return None;
    }
    let condition = condition(family, &mut reader);
    // After a refused operator or field the other keys cannot be judged.
    if condition.is_some() || reader_knows_all(&mut reader, family) {
        reader.end();
    }
    condition.map(Node::One)
}

/// Marks the operands as read where the operator was refused, so that only wrong names remain.
fn reader_knows_all(reader: &mut Reader<'_, '_>, family: &str) -> bool {
    let own = FAMILIES.iter().filter(|known| known.name == family);
    for key in own.flat_map(|family| family.keys).chain(OPERANDS) {
        reader.may(key);
    }
    true
}

/// The keys of operands.
pub(super) const OPERANDS: &[&str] = &["value", "values", "from", "to", "n", "unit"];

/// Why a question is refused; `field` is empty for a whole family.
fn refused(family: &str, field: &str) -> Option<&'static str> {
    let mut rows = REFUSED.iter();
    let row = rows.find(|(of, name, _)| *of == family && *name == field);
    row.map(|(_, _, why)| *why)
}

fn condition(family: &str, reader: &mut Reader<'_, '_>) -> Option<Condition> {
    match family {
        "profile" => profile(reader),
        "tag" => test(reader, Kind::Many).map(Condition::Tags),
        "list" => {
            let inside = reader.word("operator", &["in", "not_in"]);
            let lists = reader.ids("list_ids");
            Some(Condition::Lists {
                inside: inside? == "in",
                lists: lists?,
            })
        }
        "segment" => {
            let inside = reader.word("operator", &["in", "not_in"]);
            let segments = reader.ids("segment_ids");
            Some(Condition::Segments {
                inside: inside? == "in",
                segments: segments?,
            })
        }
        "consent" => consent(reader),
        "score" => {
            let test = test(reader, Kind::Number)?;
            let field = Field::Score;
            Some(Condition::Field { field, test })
        }
        "order" => order(reader),
        "location" => {
            let (field, kind) = known_field("location", reader)?;
            let test = test(reader, kind)?;
            Some(Condition::Field { field, test })
        }
        _ => happened(family, reader).map(Condition::Happened),
    }
}

fn profile(reader: &mut Reader<'_, '_>) -> Option<Condition> {
    let name = reader.text("field")?;
    let own = name
        .strip_prefix("custom.")
        .and_then(|own| FieldName::parse(own).ok());
    let (field, kind) = match own {
        Some(own) => {
            let names: Vec<&str> = CUSTOM.iter().map(|kind| kind.name()).collect();
            let kind = reader.word("type", &names)?;
            let kind = *CUSTOM.iter().find(|own| own.name() == kind)?;
            (Field::Custom(own.as_str().to_owned()), kind)
        }
        None => known_field("profile", reader)?,
    };
    let test = test(reader, kind)?;
    Some(Condition::Field { field, test })
}

fn known_field(family: &'static str, reader: &mut Reader<'_, '_>) -> Option<(Field, Kind)> {
    let name = reader.text("field")?;
    if let Some(why) = refused(family, name) {
        reader.fault("field", why);
        return None;
    }
    let found = fields::find(family, name);
    if found.is_none() {
        let names: Vec<&str> = fields::standard(family).iter().map(|row| row.0).collect();
        let custom = if family == "profile" {
            ", or custom. and the name of a custom field"
        } else {
            ""
        };
        let names = names.join(", ");
        reader.fault("field", format!("must be one of: {names}{custom}"));
    }
    found
}

fn order(reader: &mut Reader<'_, '_>) -> Option<Condition> {
    if reader.may("field").and_then(Value::as_str) == Some("product") {
        return test(reader, Kind::Many).map(Condition::Products);
    }
    let (field, kind) = known_field("order", reader)?;
    let test = test(reader, kind)?;
    Some(Condition::Field { field, test })
}

fn consent(reader: &mut Reader<'_, '_>) -> Option<Condition> {
    let names: Vec<&str> = Channel::ALL.iter().map(|channel| channel.name()).collect();
    let channel = reader.word("channel", &names);
    if reader.may("purpose").is_some() {
        reader.word("purpose", &["marketing"])?;
    }
    let test = test(reader, Kind::Choice(STATUSES));
    let channel = channel?;
    let channel = Channel::ALL.into_iter().find(|own| own.name() == channel)?;
    Some(Condition::Consent {
        channel,
        test: test?,
    })
}

/// A condition on how often an event happened.
fn happened(family: &str, reader: &mut Reader<'_, '_>) -> Option<Happened> {
    let subject = subject(family, reader);
    let times = times(reader);
    let within = within(reader);
    let (event, filters) = subject?;
    Some(Happened {
        tracks: TRACKED.contains(&event.as_str()),
        event,
        filters,
        times: times?,
        within: within?,
    })
}

/// Events that are followed only with consent.
const TRACKED: [&str; 3] = ["page.viewed", "product.viewed", "screen.viewed"];

/// The event that a family counts, and the values that it must have.
fn subject(family: &str, reader: &mut Reader<'_, '_>) -> Option<(String, Vec<Filter>)> {
    match family {
        "event" => {
            let event = reader.text("event");
            let filters = filters(reader);
            Some((event?.to_owned(), filters?))
        }
        "page_view" => {
            let how = reader.word("match", MATCHES);
            let url = reader.text("url");
            let how = match how? {
                "exact" => How::Is,
                "contains" => How::Contains,
                "starts_with" => How::StartsWith,
                "ends_with" => How::EndsWith,
                _ => How::Pattern,
            };
            Some(("page.viewed".into(), vec![filter("url", how, url?)]))
        }
        "message" => {
            let did = reader.word("did", MESSAGES);
            let campaign = narrowed("campaign_id", reader);
            let url = narrowed("url", reader);
            let did = did?;
            if did != "clicked" && reader.may("url").is_some() {
                reader.fault("url", "is for clicked only");
                return None;
            }
            let filters = [campaign?, url?].into_iter().flatten().collect();
            Some((format!("message.{did}"), filters))
        }
        "form" => {
            let form = narrowed("form_id", reader)?;
            Some(("form.submitted".into(), form.into_iter().collect()))
        }
        _ => {
            let field = reader.text("field")?;
            if let Some(why) = refused("chat", field) {
                reader.fault("field", why);
                return None;
            }
            reader.word("field", &["conversation"])?;
            let inbox = narrowed("inbox_id", reader)?;
            Some(("conversation.created".into(), inbox.into_iter().collect()))
        }
    }
}

fn filter(property: &str, how: How, value: &str) -> Filter {
    let test = Test::Text {
        how,
        values: vec![value.to_owned()],
        not: false,
    };
    Filter {
        property: property.to_owned(),
        test,
    }
}

/// The filter of a key that may be absent. The outer option is none after a fault.
#[expect(
    clippy::option_option,
    reason = "the inner one is the absence of a filter"
)]
fn narrowed(key: &'static str, reader: &mut Reader<'_, '_>) -> Option<Option<Filter>> {
    if reader.may(key).is_none() {
        return Some(None);
    }
    let value = reader.text(key)?;
    Some(Some(filter(key, How::Is, value)))
}

/// The optional `where`: values that the event's data must have.
fn filters(reader: &mut Reader<'_, '_>) -> Option<Vec<Filter>> {
    if reader.may("where").is_none() {
        return Some(Vec::new());
    }
    let most = reader.faults.bounds.filters;
    reader.list("where", most, |value, place, faults| {
        let Some(map) = value.as_object() else {
            faults.add(
                place,
                "must be an object with property, operator and its operands",
            );
            return None;
        };
        let mut inner = Reader::new(map, place.to_owned(), faults);
        let property = inner.text("property");
        let names = PROPERTIES.map(Kind::name);
        let kind = match inner.may("type") {
            None => Some("text"),
            Some(_) => inner.word("type", &names),
        };
        let kind = PROPERTIES.into_iter().find(|own| Some(own.name()) == kind);
        let test = kind.and_then(|kind| test(&mut inner, kind));
        if test.is_none() {
            for key in OPERANDS {
                inner.may(key);
            }
            inner.may("operator");
        }
        inner.end();
        Some(Filter {
            property: property?.to_owned(),
            test: test?,
        })
    })
}
