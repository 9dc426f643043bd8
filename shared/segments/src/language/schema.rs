//! The published schema of conditions. Pure.

use std::borrow::Cow;

use kernel::{CampaignId, InboxId, ListId, SegmentId};
use serde_json::json;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::families::{FAMILIES, Family, MESSAGES, OPERANDS, PROPERTIES};
use super::fields::{CUSTOM, Kind, standard};
use super::operators::HAPPENED;
use super::{Bounds, Conditions};

const GROUP: &str = "SegmentConditions";
const CONDITION: &str = "SegmentCondition";

impl PartialSchema for Conditions {
    fn schema() -> RefOr<Schema> {
        let part = || {
            OneOfBuilder::new()
                .item(Ref::from_schema_name(CONDITION))
                .item(Ref::from_schema_name(GROUP))
        };
        let group = |key: &str| {
            let parts = ArrayBuilder::new()
                .items(part())
                .min_items(Some(1))
                .max_items(Some(Bounds::default().conditions));
            closed(ObjectBuilder::new().property(key, parts).required(key))
        };
        let bounds = Bounds::default();
        OneOfBuilder::new()
            .item(group("all"))
            .item(group("any"))
            .description(Some(format!(
                "A group: all or any of its conditions and groups hold. At most {} conditions in all and {} levels.",
                bounds.conditions, bounds.levels
            )))
            .examples([json!({"all": [
                {"family": "tag", "operator": "has_any", "values": ["vip"]},
                {"family": "order", "field": "last_at", "operator": "more_than_n_ago", "n": 30},
            ]})])
            .into()
    }
}

impl ToSchema for Conditions {
    fn name() -> Cow<'static, str> {
        GROUP.into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let answered = FAMILIES.iter().filter(|family| !family.keys.is_empty());
        let condition = answered.fold(
            OneOfBuilder::new()
                .description(Some("A condition; the guide docs/segments.md lists all.")),
            |all, family| all.item(object(family)),
        );
        schemas.push((GROUP.into(), Self::schema()));
        schemas.push((CONDITION.into(), condition.into()));
    }
}

fn closed(object: ObjectBuilder) -> ObjectBuilder {
    object.additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> RefOr<Schema> {
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    text().enum_values(Some(words)).into()
}

fn integer(least: u16, most: u16) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .minimum(Some(least))
        .maximum(Some(most))
        .into()
}

fn list(items: impl Into<RefOr<Schema>>, most: usize) -> RefOr<Schema> {
    ArrayBuilder::new()
        .items(items.into())
        .min_items(Some(1))
        .max_items(Some(most))
        .into()
}

/// The conditions of a family.
fn object(family: &Family) -> ObjectBuilder {
    let mut object = ObjectBuilder::new()
        .description(Some(format!("Asks for {}.", family.asks)))
        .property("family", words([family.name]))
        .required("family")
        .required("operator");
    for key in family.keys.iter().copied().chain(operands(family)) {
        object = object.property(key, property(family.name, key));
    }
    closed(object)
}

/// The operands that the operators of a family need.
fn operands(family: &Family) -> impl Iterator<Item = &'static str> {
    let all: &[&str] = match family.name {
        "profile" | "order" => OPERANDS,
        "tag" => &["values"],
        "consent" | "location" => &["value", "values"],
        "score" => &["value", "from", "to"],
        _ => &[],
    };
    all.iter().copied()
}

/// The operators of a family.
pub(super) fn operators(family: &str) -> Vec<&'static str> {
    let of = |kinds: &[Kind]| {
        let all = kinds.iter().flat_map(|kind| kind.operators());
        let mut found = Vec::new();
        for operator in all.copied() {
            if !found.contains(&operator) {
                found.push(operator);
            }
        }
        found
    };
    match family {
        "profile" => of(&CUSTOM),
        "tag" => of(&[Kind::Many]),
        "list" | "segment" => vec!["in", "not_in"],
        "consent" => of(&[Kind::Choice(&[])]),
        "score" => of(&[Kind::Number]),
        "order" => of(&[Kind::Number, Kind::Instant, Kind::Many]),
        "location" => of(&[Kind::Text]),
        "workflow" | "device" => Vec::new(),
        _ => HAPPENED.to_vec(),
    }
}

fn property(family: &str, key: &str) -> RefOr<Schema> {
    let bounds = Bounds::default();
    let plain = || text().max_length(Some(bounds.text));
    match key {
        "operator" => words(operators(family)),
        "field" if family == "profile" => plain()
            .description(Some(
                "A standard field, or `custom.` and the name of a custom field.",
            ))
            .into(),
        "field" if family == "chat" => words(["conversation"]),
        "field" if family == "order" => {
            let own = standard(family).into_iter().map(|row| row.0);
            words(own.chain(["product"]))
        }
        "field" => words(standard(family).into_iter().map(|row| row.0)),
        "type" => words(CUSTOM.map(Kind::name)),
        "list_ids" => list(ListId::schema(), bounds.values),
        "segment_ids" => list(SegmentId::schema(), bounds.values),
        "campaign_id" => CampaignId::schema(),
        "inbox_id" => InboxId::schema(),
        "channel" => words(contacts::Channel::ALL.map(contacts::Channel::name)),
        "purpose" => words(["marketing"]),
        "match" => words(super::families::MATCHES.iter().copied()),
        "did" => words(MESSAGES.iter().copied()),
        "times" => integer(0, super::operators::MAX_TIMES),
        "n" => integer(1, super::operators::MAX_DAYS),
        "unit" => words(["hours", "days", "weeks"]),
        "value" | "from" | "to" => ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Number]))
            .description(Some("A text, a number, or a day such as 2026-03-02."))
            .into(),
        "values" => list(plain(), bounds.values),
        "within" => within().into(),
        "where" => list(filter(), bounds.filters),
        _ => plain().into(),
    }
}

/// The days on which events count.
fn within() -> ObjectBuilder {
    let day = || text().description(Some("A day such as 2026-03-02."));
    let object = ObjectBuilder::new()
        .description(Some("Either the last days, or days from and to."))
        .property("last_days", integer(1, crate::facts::KEPT_DAYS as u16))
        .property("from", day())
        .property("to", day());
    closed(object)
}

/// A value that the event's data must have.
fn filter() -> ObjectBuilder {
    let operators = PROPERTIES
        .iter()
        .flat_map(|kind| kind.operators().iter().copied());
    let operators: std::collections::BTreeSet<&str> = operators.collect();
    let mut object = ObjectBuilder::new()
        .property("property", property("", ""))
        .property("type", words(PROPERTIES.map(Kind::name)))
        .property("operator", words(operators))
        .required("property")
        .required("operator");
    for key in ["value", "values", "from", "to"] {
        object = object.property(key, property("", key));
    }
    closed(object)
}
