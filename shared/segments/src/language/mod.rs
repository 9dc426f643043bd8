//! The condition language of segments: JSON in, checked conditions out. Pure.
//!
//! A group is `{"all": […]}` or `{"any": […]}` and holds conditions and groups. A condition has a `family`, and an
//! `operator` that fits the type of its field. [`parse`] names every fault with its place. An operator is a word of a
//! closed list, and no text of a condition is ever a part of a query.

mod families;
mod fields;
mod operators;
mod read;
mod schema;
#[cfg(test)]
mod tests;

use std::fmt;

use contacts::Channel;
use kernel::{ListId, SegmentId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use families::{FAMILIES, Family, REFUSED};
pub use fields::{Field, Kind, standard};
pub use operators::{Compare, DateTest, How, Many, Span, Test, Times, Unit, Within};

use read::Faults;

/// The limits of a segment's conditions.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Most conditions of all groups together.
    pub conditions: usize,
    /// Most levels of groups; the outermost group is the first.
    pub levels: usize,
    /// Most values of one condition.
    pub values: usize,
    /// Longest text, in characters.
    pub text: usize,
    /// Most filters of one event.
    pub filters: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            conditions: 20,
            levels: 3,
            values: 100,
            text: 255,
            filters: 5,
        }
    }
}

/// A fault of the conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer from the outermost group: `/all/2/value`.
    pub pointer: String,
    /// What is expected.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.message)
    }
}

/// Conditions without a fault. They serialise to the JSON that they were read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Conditions {
    json: Value,
    root: Node,
}

impl Conditions {
    /// The outermost group.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The JSON that the conditions were read from.
    pub fn json(&self) -> &Value {
        &self.json
    }
}

/// A group or a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Holds a contact for which each part holds.
    All(Vec<Node>),
    /// Holds a contact for which at least one part holds.
    Any(Vec<Node>),
    /// One condition.
    One(Condition),
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A field of the profile, or a figure that is kept with it.
    Field {
        /// The field.
        field: Field,
        /// The test of its value.
        test: Test,
    },
    /// The contact's tags.
    Tags(Test),
    /// Whether the contact is on one of the lists.
    Lists {
        /// False: on none of them.
        inside: bool,
        /// The lists.
        lists: Vec<ListId>,
    },
    /// Whether the contact is in one of the segments.
    Segments {
        /// False: in none of them.
        inside: bool,
        /// The segments.
        segments: Vec<SegmentId>,
    },
    /// The status of a channel, for marketing.
    Consent {
        /// The channel.
        channel: Channel,
        /// The test of the status.
        test: Test,
    },
    /// Products among the last ones that the contact bought.
    Products(Test),
    /// How often an event happened.
    Happened(Happened),
}

/// How often an event happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Happened {
    /// Name of the event.
    pub event: String,
    /// Values that the event's data must have.
    pub filters: Vec<Filter>,
    /// How often.
    pub times: Times,
    /// When.
    pub within: Within,
    /// Whether the event is behaviour that is followed only with consent.
    pub tracks: bool,
}

/// A value that the data of an event must have.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The field of the event's data.
    pub property: String,
    /// The test of its value.
    pub test: Test,
}

/// Reads conditions. The error names every fault, up to fifty.
pub fn parse(json: &Value, bounds: &Bounds) -> Result<Conditions, Vec<Fault>> {
    let mut faults = Faults::new(bounds);
    let root = families::group(json, String::new(), 1, &mut faults);
    let found = faults.end();
    match root {
        Some(root) if found.is_empty() => Ok(Conditions {
            json: json.clone(),
            root,
        }),
        _ => Err(found),
    }
}

impl Serialize for Conditions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?;
        parse(&json, &Bounds::default()).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
            D::Error::custom(faults.join("; "))
        })
    }
}
