//! Writes text and values, each escaped and bounded where it is printed.

use std::fmt::Write as _;

use super::{Res, Run, STEP};
use crate::value::Value;
use crate::{MAX_DEPTH, MAX_OUTPUT_BYTES, Reason};

impl<'a> Run<'a> {
    /// Writes text of the template, or text that is escaped already.
    pub(super) fn write(&mut self, text: &str) -> Res<()> {
        self.pay(text.len())?;
        self.out.push_str(text);
        if self.out.len() > MAX_OUTPUT_BYTES {
            return Err(Reason::OutputTooLarge);
        }
        Ok(())
    }

    /// Writes a value, and the items of a list one after the other, `depth` deep. Control characters are left out:
    /// they have a meaning for the builder of a mail and none for a reader.
    pub(super) fn print(&mut self, value: Value<'a>, depth: usize) -> Res<()> {
        let depth = depth.checked_sub(1).ok_or(Reason::DataTooDeep)?;
        match value {
            Value::Text(text) if self.is_html() => self.print_with(text, entity),
            Value::Text(text) | Value::Markup(text) => self.print_with(text, |_| None),
            Value::List(_) | Value::Array(_) => {
                for at in 0..value.length().unwrap_or(0) {
                    self.pay(STEP)?;
                    self.print(value.item(at), depth)?;
                }
                Ok(())
            }
            _ => {
                let text = self.text(value)?;
                self.print(Value::Text(text), depth)
            }
        }
    }

    fn print_with(&mut self, text: &str, entity: fn(u8) -> Option<&'static str>) -> Res<()> {
        self.pay(text.len())?;
        let bytes = text.as_bytes();
        let mut copied = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let (replacement, length) = match entity(*byte) {
                Some(replacement) => (replacement, 1),
                None if byte.is_ascii_control() && !matches!(byte, b'\n' | b'\r' | b'\t') => {
                    ("", 1)
                }
                // U+0080 to U+009F.
                None if *byte == 0xc2 && bytes.get(at + 1).is_some_and(|next| *next < 0xa0) => {
                    ("", 2)
                }
                None => continue,
            };
            self.out.push_str(&text[copied..at]);
            self.out.push_str(replacement);
            copied = at + length;
        }
        self.write(&text[copied..])
    }

    /// The value as text: what is printed, and for a map the form `{"a"=>1}`.
    pub fn text(&mut self, value: Value<'a>) -> Res<&'a str> {
        let mut text = String::new();
        match value {
            Value::Text(text) | Value::Markup(text) => return Ok(text),
            Value::Nil | Value::Empty | Value::Blank => return Ok(""),
            Value::List(_) | Value::Array(_) => {
                for at in 0..value.length().unwrap_or(0) {
                    match value.item(at) {
                        Value::Nil => {}
                        item @ (Value::List(_) | Value::Array(_) | Value::Map(_)) => {
                            self.inspect(item, &mut text, MAX_DEPTH)?;
                        }
                        item => text.push_str(self.text(item)?),
                    }
                    self.pay(STEP)?;
                }
            }
            other => self.inspect(other, &mut text, MAX_DEPTH)?,
        }
        self.keep(&text)
    }

    /// Writes a value so that values of two kinds differ: texts in quotes, lists in brackets.
    pub fn inspect(&mut self, value: Value<'a>, out: &mut String, depth: usize) -> Res<()> {
        self.pay(STEP)?;
        let depth = depth.checked_sub(1).ok_or(Reason::DataTooDeep)?;
        // Writing to a String cannot fail.
        match value {
            Value::Text(text) | Value::Markup(text) => {
                self.pay(text.len())?;
                let _ = write!(out, "{text:?}");
            }
            Value::Nil => out.push_str("nil"),
            Value::Empty | Value::Blank => {}
            Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Value::Int(value) => drop(write!(out, "{value}")),
            Value::Float(value) => drop(write!(out, "{value:?}")),
            Value::Range(from, to) => drop(write!(out, "{from}..{to}")),
            Value::Loop(_) => out.push_str("forloop"),
            Value::Map(fields) => {
                out.push('{');
                for (at, (name, field)) in fields.iter().enumerate() {
                    self.pay(name.len())?;
                    let comma = if at == 0 { "" } else { ", " };
                    let _ = write!(out, "{comma}{name:?}=>");
                    self.inspect(field.into(), out, depth)?;
                }
                out.push('}');
            }
            Value::List(_) | Value::Array(_) => {
                out.push('[');
                for at in 0..value.length().unwrap_or(0) {
                    out.push_str(if at == 0 { "" } else { ", " });
                    self.inspect(value.item(at), out, depth)?;
                }
                out.push(']');
            }
        }
        Ok(())
    }
}

/// The HTML of a byte that HTML must not hold.
pub(crate) fn entity(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'"' => Some("&quot;"),
        b'\'' => Some("&#39;"),
        _ => None,
    }
}
