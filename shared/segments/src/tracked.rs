//! The events that a segment counts: a name, and the values that the event's data must have. Pure.

use serde_json::Value;

use crate::facts;
use crate::language::{Compare, Happened, How, Test};
use crate::predicate::test;

/// An event that is counted for a segment.
#[derive(Debug, Clone)]
pub struct Tracked {
    /// Name of the event.
    pub name: String,
    /// The key of its counts in [`crate::Ring`]. The same event with the same values has the same hash in every
    /// segment of a workspace.
    pub hash: u32,
    filters: Vec<(String, test::Test)>,
}

impl Tracked {
    /// The event of a condition.
    pub(crate) fn of(happened: &Happened) -> Self {
        let mut parts: Vec<String> = happened
            .filters
            .iter()
            .map(|filter| format!("{}\u{0}{}", filter.property, name(&filter.test)))
            .collect();
        parts.sort();
        let mut named = vec![happened.event.as_str()];
        named.extend(parts.iter().map(String::as_str));
        Self {
            name: happened.event.clone(),
            hash: facts::hash(&named),
            filters: happened
                .filters
                .iter()
                .map(|filter| (filter.property.clone(), test::Test::of(&filter.test)))
                .collect(),
        }
    }

    /// Whether an event of this name and data counts.
    pub fn matches(&self, name: &str, data: &Value) -> bool {
        let passes = |(property, test): &(String, test::Test)| test.holds_json(data.get(property));
        self.name == name && self.filters.iter().all(passes)
    }
}

/// A stable name of a test: stored counts depend on it.
fn name(of: &Test) -> String {
    match of {
        Test::IsSet(is) => format!("is_set {is}"),
        Test::Text { how, values, not } => {
            let how = match how {
                How::Is => "is",
                How::Contains => "contains",
                How::StartsWith => "starts_with",
                How::EndsWith => "ends_with",
                How::Pattern => "pattern",
            };
            let mut values: Vec<String> = values.iter().map(|text| test::folded(text)).collect();
            values.sort();
            format!("{how} {not} {}", values.join("\u{0}"))
        }
        Test::Number(compare) => match compare {
            Compare::Eq(to) => format!("eq {to}"),
            Compare::Ne(to) => format!("ne {to}"),
            Compare::Gt(to) => format!("gt {to}"),
            Compare::Gte(to) => format!("gte {to}"),
            Compare::Lt(to) => format!("lt {to}"),
            Compare::Lte(to) => format!("lte {to}"),
            Compare::Between(from, to) => format!("between {from} {to}"),
        },
        Test::Boolean(is) => format!("boolean {is}"),
        // The language has no such filters of events.
        Test::Date(_) | Test::Many { .. } => String::new(),
    }
}
