//! The data that a template sees, and the meter of its work.
//!
//! Look-ups are lenient (a missing value is nil) and metered (each copy costs work). Only the given data can be
//! reached.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use liquid::model::{
    _ObjectView as ObjectView, _ValueView as ValueView, ArrayView, DisplayCow, KStringCow, Object,
    ScalarCow, State, Value,
};

use super::RenderError;
use super::rewrite::Mode;

/// Work a render may do, about one unit per byte touched.
const FUEL: usize = 8 * 1024 * 1024;
/// Deepest nesting of the data.
const MAX_DATA_DEPTH: usize = 32;

/// Counts down the work of one render.
#[derive(Debug)]
pub(crate) struct Meter {
    fuel: Cell<usize>,
    too_large: Cell<bool>,
}

impl Meter {
    pub fn new() -> Meter {
        Meter {
            fuel: Cell::new(FUEL),
            too_large: Cell::new(false),
        }
    }

    pub(super) fn spend(&self, units: usize) {
        self.fuel.set(self.fuel.get().saturating_sub(units));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fuel.get() == 0
    }

    /// Records that a value exceeds its limit, which ends rendering.
    pub(super) fn refuse_value(&self) {
        self.too_large.set(true);
    }

    /// Why the meter stopped rendering, if it did.
    pub fn verdict(&self) -> Option<RenderError> {
        if self.too_large.get() {
            Some(RenderError::ValueTooLarge)
        } else if self.is_empty() {
            Some(RenderError::TooMuchWork)
        } else {
            None
        }
    }
}

/// A view of JSON data that borrows its texts.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    kind: NodeKind<'a>,
    meter: &'a Meter,
}

#[derive(Debug)]
enum NodeKind<'a> {
    Nil,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>, Box<Node<'a>>),
    /// Sorted by key.
    Map(Vec<(&'a str, Node<'a>)>, Box<Node<'a>>),
}

impl<'a> Node<'a> {
    /// Views `value`. An RFC 3339 timestamp is written in Liquid's format. Control characters are removed from
    /// texts: they have a meaning for the mail builder and none for a reader.
    pub fn new(value: &'a serde_json::Value, meter: &'a Meter) -> Result<Node<'a>, RenderError> {
        Self::at_depth(value, meter, 0)
    }

    pub fn text(text: &'a str, meter: &'a Meter) -> Node<'a> {
        let kind = NodeKind::Text(match liquid_time(text) {
            Some(time) => Cow::Owned(time),
            None => without_controls(text),
        });
        Node { kind, meter }
    }

    pub(super) fn nil(meter: &'a Meter) -> Node<'a> {
        let kind = NodeKind::Nil;
        Node { kind, meter }
    }

    fn at_depth(
        value: &'a serde_json::Value,
        meter: &'a Meter,
        depth: usize,
    ) -> Result<Node<'a>, RenderError> {
        if depth > MAX_DATA_DEPTH {
            return Err(RenderError::DataTooDeep);
        }
        let kind = match value {
            serde_json::Value::Null => NodeKind::Nil,
            serde_json::Value::Bool(value) => NodeKind::Bool(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(value) => NodeKind::Integer(value),
                None => NodeKind::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => return Ok(Node::text(text, meter)),
            serde_json::Value::Array(items) => NodeKind::List(
                items
                    .iter()
                    .map(|item| Self::at_depth(item, meter, depth + 1))
                    .collect::<Result<_, _>>()?,
                Box::new(Node::nil(meter)),
            ),
            serde_json::Value::Object(fields) => {
                let mut map = fields
                    .iter()
                    .map(|(key, field)| {
                        Ok((key.as_str(), Self::at_depth(field, meter, depth + 1)?))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                map.sort_unstable_by_key(|(key, _)| *key);
                NodeKind::Map(map, Box::new(Node::nil(meter)))
            }
        };
        Ok(Node { kind, meter })
    }

    /// The meter of all values.
    pub(super) fn meter(&self) -> &'a Meter {
        self.meter
    }

    /// The field `name`; nil if this is no map or has no such field.
    pub(super) fn field(&self, name: &str) -> &Node<'a> {
        match &self.kind {
            NodeKind::Map(fields, nil) => fields
                .binary_search_by_key(&name, |(key, _)| *key)
                .map_or(nil, |at| &fields[at].1),
            _ => self,
        }
    }

    /// The value at `path`, if there is one.
    pub(super) fn at_path(&self, path: &[String]) -> Option<&Node<'a>> {
        path.iter().try_fold(self, |node, step| match &node.kind {
            NodeKind::Map(..) => Some(node.field(step)),
            _ => None,
        })
    }

    /// Prints the value as Liquid does.
    pub(super) fn print(&self, out: &mut Vec<u8>, mode: Mode) {
        let text = match &self.kind {
            NodeKind::Nil => return,
            NodeKind::Text(text) => Cow::Borrowed(text.as_ref()),
            _ => Cow::Owned(self.to_value().render().to_string()),
        };
        self.meter.spend(text.len());
        print_text(&text, out, mode);
    }

    fn has_field(&self, name: &str) -> bool {
        matches!(&self.kind, NodeKind::Map(fields, _)
            if fields.binary_search_by_key(&name, |(key, _)| *key).is_ok())
    }
}

/// Prints `text`, escaped like Liquid's `escape` if it goes into HTML.
pub(super) fn print_text(text: &str, out: &mut Vec<u8>, mode: Mode) {
    if mode == Mode::Text {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for byte in text.bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            byte => out.push(byte),
        }
    }
}

/// `2026-11-22T09:30:00+07:00` as `2026-11-22 09:30:00 +0700`, the only form that Liquid's filters read.
fn liquid_time(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_time = (20..=40).contains(&bytes.len())
        && bytes.is_ascii()
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && bytes[10] == b'T'
        && bytes[13] == b':'
        && bytes[16] == b':';
    if !is_time {
        return None;
    }
    // Only texts that are really timestamps.
    text.parse::<jiff::Timestamp>().ok()?;
    let at = text[19..].find(['Z', '+', '-'])? + 19;
    let offset = match &text[at..] {
        "Z" => "+0000".to_owned(),
        offset => offset.replace(':', ""),
    };
    Some(format!("{} {} {offset}", &text[..10], &text[11..19]))
}

fn without_controls(text: &str) -> Cow<'_, str> {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.contains(is_control) {
        Cow::Owned(text.replace(is_control, ""))
    } else {
        Cow::Borrowed(text)
    }
}

impl ValueView for Node<'_> {
    fn as_debug(&self) -> &dyn fmt::Debug {
        self
    }

    fn render(&self) -> DisplayCow<'_> {
        DisplayCow::Owned(Box::new(self.to_kstr().into_string()))
    }

    fn source(&self) -> DisplayCow<'_> {
        self.render()
    }

    fn type_name(&self) -> &'static str {
        match &self.kind {
            NodeKind::Nil => "nil",
            NodeKind::Bool(_) => "boolean",
            NodeKind::Integer(_) => "whole number",
            NodeKind::Float(_) => "fractional number",
            NodeKind::Text(_) => "string",
            NodeKind::List(..) => "array",
            NodeKind::Map(..) => "object",
        }
    }

    fn query_state(&self, state: State) -> bool {
        match (&self.kind, state) {
            (NodeKind::Nil, state) => state != State::Truthy,
            (NodeKind::Bool(value), state) => *value == (state == State::Truthy),
            (_, State::Truthy) => true,
            (NodeKind::Text(text), State::Blank) => text.trim().is_empty(),
            (NodeKind::Text(text), _) => text.is_empty(),
            (NodeKind::List(items, _), _) => items.is_empty(),
            (NodeKind::Map(fields, _), _) => fields.is_empty(),
            (NodeKind::Integer(_) | NodeKind::Float(_), _) => false,
        }
    }

    fn to_kstr(&self) -> KStringCow<'_> {
        match &self.kind {
            NodeKind::Nil => KStringCow::from_static(""),
            NodeKind::Text(text) => KStringCow::from_ref(text),
            NodeKind::List(..) | NodeKind::Map(..) => {
                KStringCow::from_string(self.to_value().to_kstr().into_string())
            }
            _ => match self.as_scalar() {
                Some(scalar) => scalar.into_string().into(),
                None => KStringCow::from_static(""),
            },
        }
    }

    fn to_value(&self) -> Value {
        self.meter.spend(16);
        match &self.kind {
            NodeKind::Nil => Value::Nil,
            NodeKind::Bool(value) => Value::scalar(*value),
            NodeKind::Integer(value) => Value::scalar(*value),
            NodeKind::Float(value) => Value::scalar(*value),
            NodeKind::Text(text) => {
                self.meter.spend(text.len());
                Value::scalar(text.clone().into_owned())
            }
            NodeKind::List(items, _) => Value::array(items.iter().map(ValueView::to_value)),
            NodeKind::Map(fields, _) => {
                let mut object = Object::new();
                for (key, node) in fields {
                    object.insert((*key).to_owned().into(), node.to_value());
                }
                Value::Object(object)
            }
        }
    }

    fn as_scalar(&self) -> Option<ScalarCow<'_>> {
        match &self.kind {
            NodeKind::Bool(value) => Some(ScalarCow::new(*value)),
            NodeKind::Integer(value) => Some(ScalarCow::new(*value)),
            NodeKind::Float(value) => Some(ScalarCow::new(*value)),
            NodeKind::Text(text) => Some(ScalarCow::new(text.as_ref())),
            NodeKind::Nil | NodeKind::List(..) | NodeKind::Map(..) => None,
        }
    }

    fn as_array(&self) -> Option<&dyn ArrayView> {
        match self.kind {
            NodeKind::List(..) => Some(self),
            _ => None,
        }
    }

    fn as_object(&self) -> Option<&dyn ObjectView> {
        // Nil too: `order.customer.name` is nil, not an error, when there is no customer.
        match self.kind {
            NodeKind::Map(..) | NodeKind::Nil => Some(self),
            _ => None,
        }
    }

    fn is_nil(&self) -> bool {
        matches!(self.kind, NodeKind::Nil)
    }
}

impl ArrayView for Node<'_> {
    fn as_value(&self) -> &dyn ValueView {
        self
    }

    fn size(&self) -> i64 {
        match &self.kind {
            NodeKind::List(items, _) => items.len() as i64,
            _ => 0,
        }
    }

    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        match &self.kind {
            NodeKind::List(items, _) => Box::new(items.iter().map(|node| node as &dyn ValueView)),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn contains_key(&self, index: i64) -> bool {
        let size = ArrayView::size(self);
        (-size..size).contains(&index)
    }

    fn get(&self, index: i64) -> Option<&dyn ValueView> {
        let NodeKind::List(items, nil) = &self.kind else {
            return None;
        };
        let at = if index < 0 {
            index + items.len() as i64
        } else {
            index
        };
        let node = usize::try_from(at)
            .ok()
            .and_then(|at| items.as_slice().get(at));
        Some(node.unwrap_or(nil) as &dyn ValueView)
    }
}

impl ObjectView for Node<'_> {
    fn as_value(&self) -> &dyn ValueView {
        self
    }

    fn size(&self) -> i64 {
        match &self.kind {
            NodeKind::Map(fields, _) => fields.len() as i64,
            _ => 0,
        }
    }

    fn keys<'k>(&'k self) -> Box<dyn Iterator<Item = KStringCow<'k>> + 'k> {
        Box::new(ObjectView::iter(self).map(|(key, _)| key))
    }

    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        Box::new(ObjectView::iter(self).map(|(_, node)| node))
    }

    fn iter<'k>(&'k self) -> Box<dyn Iterator<Item = (KStringCow<'k>, &'k dyn ValueView)> + 'k> {
        match &self.kind {
            NodeKind::Map(fields, _) => Box::new(
                fields
                    .iter()
                    .map(|(key, node)| (KStringCow::from_ref(key), node as &dyn ValueView)),
            ),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn contains_key(&self, index: &str) -> bool {
        self.has_field(index)
    }

    fn get<'s>(&'s self, index: &str) -> Option<&'s dyn ValueView> {
        Some(self.field(index) as &dyn ValueView)
    }
}
