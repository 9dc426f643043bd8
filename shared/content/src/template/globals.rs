//! All names that a template can use, and the cost of their use.
//!
//! Besides the data and our own values there are two price lists. The rewriter makes templates look into them. Index
//! `n` holds nothing once `n` units can no longer be paid.

use std::collections::BTreeSet;
use std::fmt;

use liquid::model::{
    _ObjectView as ObjectView, _ValueView as ValueView, ArrayView, DisplayCow, KStringCow, State,
    Value,
};

use super::data::{Meter, Node};
use super::rewrite::{MEASURE, TICK};

/// Largest value that a template may keep in a variable.
const MAX_VARIABLE: usize = 256 * 1024;

/// The price list: index `n` costs `n`; it holds nothing if the cost cannot be paid.
#[derive(Debug)]
struct Price<'a> {
    meter: &'a Meter,
    limit: usize,
    nil: Node<'a>,
}

impl ValueView for Price<'_> {
    fn as_debug(&self) -> &dyn fmt::Debug {
        self
    }
    fn render(&self) -> DisplayCow<'_> {
        self.nil.render()
    }
    fn source(&self) -> DisplayCow<'_> {
        self.nil.render()
    }
    fn type_name(&self) -> &'static str {
        "array"
    }
    fn query_state(&self, state: State) -> bool {
        self.nil.query_state(state)
    }
    fn to_kstr(&self) -> KStringCow<'_> {
        self.nil.to_kstr()
    }
    fn to_value(&self) -> Value {
        Value::Nil
    }
    fn as_array(&self) -> Option<&dyn ArrayView> {
        Some(self)
    }
}

impl ArrayView for Price<'_> {
    fn as_value(&self) -> &dyn ValueView {
        self
    }
    fn size(&self) -> i64 {
        0
    }
    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        Box::new(std::iter::empty())
    }
    fn contains_key(&self, _index: i64) -> bool {
        false
    }
    fn get(&self, index: i64) -> Option<&dyn ValueView> {
        let units = usize::try_from(index).unwrap_or(usize::MAX);
        if units > self.limit {
            self.meter.refuse_value();
            return None;
        }
        self.meter.spend(units.max(1));
        (!self.meter.is_empty()).then_some(&self.nil as &dyn ValueView)
    }
}

/// All names that a template can use.
#[derive(Debug)]
pub(crate) struct Globals<'a> {
    data: &'a Node<'a>,
    /// Values set by us; they override the data.
    system: &'a [(&'static str, Node<'a>)],
    captured: &'a BTreeSet<String>,
    tick: Price<'a>,
    measure: Price<'a>,
    nil: Node<'a>,
}

impl<'a> Globals<'a> {
    pub fn new(
        data: &'a Node<'a>,
        system: &'a [(&'static str, Node<'a>)],
        captured: &'a BTreeSet<String>,
    ) -> Globals<'a> {
        let meter = data.meter();
        let price = |limit| Price {
            meter,
            limit,
            nil: Node::nil(meter),
        };
        Globals {
            data,
            system,
            captured,
            tick: price(usize::MAX),
            measure: price(MAX_VARIABLE),
            nil: Node::nil(meter),
        }
    }

    /// The value at `path`, from our own values or the data.
    pub fn at_path(&self, path: &[String]) -> Option<&Node<'a>> {
        match self.system.iter().find(|(name, _)| *name == path[0]) {
            Some((_, node)) => (path.len() == 1).then_some(node),
            None => self.data.at_path(path),
        }
    }
}

impl ValueView for Globals<'_> {
    fn as_debug(&self) -> &dyn fmt::Debug {
        self
    }
    fn render(&self) -> DisplayCow<'_> {
        self.nil.render()
    }
    fn source(&self) -> DisplayCow<'_> {
        self.nil.render()
    }
    fn type_name(&self) -> &'static str {
        "object"
    }
    fn query_state(&self, state: State) -> bool {
        matches!(state, State::Truthy)
    }
    fn to_kstr(&self) -> KStringCow<'_> {
        self.nil.to_kstr()
    }
    fn to_value(&self) -> Value {
        Value::Nil
    }
    fn as_object(&self) -> Option<&dyn ObjectView> {
        Some(self)
    }
}

impl ObjectView for Globals<'_> {
    fn as_value(&self) -> &dyn ValueView {
        self
    }
    fn size(&self) -> i64 {
        0
    }
    fn keys<'k>(&'k self) -> Box<dyn Iterator<Item = KStringCow<'k>> + 'k> {
        Box::new(std::iter::empty())
    }
    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        Box::new(std::iter::empty())
    }
    fn iter<'k>(&'k self) -> Box<dyn Iterator<Item = (KStringCow<'k>, &'k dyn ValueView)> + 'k> {
        Box::new(std::iter::empty())
    }
    fn contains_key(&self, _index: &str) -> bool {
        true
    }
    fn get<'s>(&'s self, index: &str) -> Option<&'s dyn ValueView> {
        match index {
            TICK => Some(&self.tick),
            MEASURE => Some(&self.measure),
            // Otherwise the data could replace HTML that the template treats as its own.
            _ if self.captured.contains(index) => Some(&self.nil),
            _ => self
                .system
                .iter()
                .find(|(name, _)| *name == index)
                .map(|(_, node)| node as &dyn ValueView)
                .or_else(|| Some(self.data.field(index) as &dyn ValueView)),
        }
    }
}
