//! The values of a render: borrowed from the data and the template, or kept in the arena of the render.
//!
//! A value is copied as a word or two, never with its content. Reads no template.

use std::cell::Cell;
use std::cmp::Ordering;

use serde_json::{Map, Value as Json};

use crate::number::Number;

/// A value.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Nil,
    /// The words `empty` and `blank`: equal to each value without content.
    Empty,
    Blank,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// Text that is HTML already.
    Markup(&'a str),
    List(&'a [Value<'a>]),
    Array(&'a [Json]),
    Map(&'a Map<String, Json>),
    Range(i64, i64),
    Loop(&'a Frame<'a>),
}

/// The state of a running loop.
pub(crate) struct Frame<'a> {
    pub name: &'a str,
    pub index: Cell<usize>,
    pub length: usize,
    pub parent: Option<&'a Frame<'a>>,
    /// Columns of a `tablerow`.
    pub columns: Option<usize>,
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Value<'a> {
        match json {
            Json::Null => Value::Nil,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(value) => Value::Int(value),
                None => Value::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Value::Text(text),
            Json::Array(items) => Value::Array(items),
            Json::Object(fields) => Value::Map(fields),
        }
    }
}

impl<'a> Value<'a> {
    /// All values but nil and false.
    pub fn is_true(self) -> bool {
        !matches!(self, Value::Nil | Value::Bool(false))
    }

    pub fn is_nil(self) -> bool {
        matches!(self, Value::Nil)
    }

    /// The text of a text.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Value::Text(text) | Value::Markup(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it equals `empty`.
    pub fn is_empty(self) -> bool {
        match self {
            Value::Text(text) | Value::Markup(text) => text.is_empty(),
            Value::Map(fields) => fields.is_empty(),
            Value::Empty => true,
            _ => self.length() == Some(0),
        }
    }

    /// Whether it equals `blank`.
    pub fn is_blank(self) -> bool {
        match self {
            Value::Nil | Value::Bool(false) | Value::Blank => true,
            Value::Text(text) | Value::Markup(text) => text.trim().is_empty(),
            Value::Empty => false,
            _ => self.is_empty(),
        }
    }

    /// The number of items of a list or range.
    pub fn length(self) -> Option<usize> {
        match self {
            Value::List(items) => Some(items.len()),
            Value::Array(items) => Some(items.len()),
            Value::Range(from, to) if to < from => Some(0),
            Value::Range(from, to) => usize::try_from(to.saturating_sub(from))
                .ok()
                .map(|last| last.saturating_add(1)),
            _ => None,
        }
    }

    /// An item of a list or range; nil if there is none.
    pub fn item(self, at: usize) -> Value<'a> {
        match self {
            Value::List(items) => items.get(at).copied().unwrap_or(Value::Nil),
            Value::Array(items) => items.get(at).map_or(Value::Nil, Value::from),
            Value::Range(from, _) if self.length() > Some(at) => Value::Int(from + at as i64),
            _ => Value::Nil,
        }
    }

    /// The field `name` of a map or loop, or `size`, `first` and `last` of a list. The caller handles those of texts
    /// and the `first` of a map.
    pub fn field(self, name: &str) -> Value<'a> {
        match (self, name) {
            (Value::Map(fields), _) => match fields.get(name) {
                Some(value) => value.into(),
                None if name == "size" => Value::Int(fields.len() as i64),
                None => Value::Nil,
            },
            (Value::Loop(frame), _) => frame.field(name),
            (_, "size") => self
                .length()
                .map_or(Value::Nil, |length| Value::Int(length as i64)),
            (_, "first") => self.item(0),
            (_, "last") => self
                .length()
                .map_or(Value::Nil, |length| self.item(length.wrapping_sub(1))),
            _ => Value::Nil,
        }
    }

    /// The item at `index` of a list, from the end if it is negative, or the field of a map or loop.
    pub fn at(self, index: Value<'_>) -> Value<'a> {
        match (index, self.length()) {
            (Value::Int(index), Some(length)) => {
                let at = if index < 0 {
                    index.saturating_add(length as i64)
                } else {
                    index
                };
                usize::try_from(at).map_or(Value::Nil, |at| self.item(at))
            }
            (Value::Text(name) | Value::Markup(name), _) => self.field(name),
            _ => Value::Nil,
        }
    }

    /// Whether two values without items are equal; lists and maps are compared by the caller.
    pub fn equals(self, other: Value<'_>) -> bool {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Text(a) | Value::Markup(a), Value::Text(b) | Value::Markup(b)) => a == b,
            (Value::Range(a, b), Value::Range(c, d)) => (a, b) == (c, d),
            (Value::Nil, Value::Nil)
            | (Value::Empty, Value::Empty)
            | (Value::Blank, Value::Blank) => true,
            (Value::Empty, Value::Blank) | (Value::Blank, Value::Empty) => false,
            (Value::Empty, other) | (other, Value::Empty) => other.is_empty(),
            (Value::Blank, other) | (other, Value::Blank) => other.is_blank(),
            _ => self.compare(other) == Some(Ordering::Equal),
        }
    }

    /// The order of two numbers or two texts.
    pub fn compare(self, other: Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Text(a) | Value::Markup(a), Value::Text(b) | Value::Markup(b)) => {
                Some(a.cmp(b))
            }
            (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
            _ => self.number()?.float().partial_cmp(&other.number()?.float()),
        }
    }

    fn number(self) -> Option<Number> {
        match self {
            Value::Int(value) => Some(Number::Int(value)),
            Value::Float(value) => Some(Number::Float(value)),
            _ => None,
        }
    }

    /// The number that filters calculate with: a text's number, and 0 for all else.
    pub fn to_number(self) -> Number {
        match self {
            Value::Text(text) | Value::Markup(text) => Number::read(text),
            _ => self.number().unwrap_or(Number::Int(0)),
        }
    }

    /// The whole number that an argument holds; an error if it holds none.
    pub fn to_int(self) -> Result<i64, &'static str> {
        let text = match self {
            Value::Int(value) => return Ok(value),
            Value::Text(text) | Value::Markup(text) => text.trim(),
            _ => return Err("a whole number is expected"),
        };
        text.parse().map_err(|_| "a whole number is expected")
    }
}

impl From<Number> for Value<'_> {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(value) => Value::Int(value),
            Number::Float(value) => Value::Float(value),
        }
    }
}

impl<'a> Frame<'a> {
    fn field(&'a self, name: &str) -> Value<'a> {
        let (index, length) = (self.index.get(), self.length);
        let int = |value: usize| Value::Int(value as i64);
        match (name, self.columns) {
            ("index", _) => int(index + 1),
            ("index0", _) => int(index),
            ("rindex", _) => int(length - index),
            ("rindex0", _) => int(length - index - 1),
            ("first", _) => Value::Bool(index == 0),
            ("last", _) => Value::Bool(index + 1 == length),
            ("length", _) => int(length),
            ("name", None) => Value::Text(self.name),
            ("parentloop", None) => self.parent.map_or(Value::Nil, Value::Loop),
            ("row", Some(columns)) => int(index / columns + 1),
            ("col", Some(columns)) => int(index % columns + 1),
            ("col0", Some(columns)) => int(index % columns),
            ("col_first", Some(columns)) => Value::Bool(index % columns == 0),
            ("col_last", Some(columns)) => {
                Value::Bool((index + 1) % columns == 0 || index + 1 == length)
            }
            _ => Value::Nil,
        }
    }
}
