//! The interpreter: one walk over the tree with borrowed data, in which every step pays.
//!
//! Each node, filter, step of a path and moved byte takes fuel, so the time and the memory of a render are bounded. A
//! new text or list is kept in the arena of the render. Reads no clock.

mod conditions;
mod loops;
mod output;

pub(crate) use output::entity;

use std::collections::BTreeMap;

use bumpalo::Bump;

use crate::number::Number;
use crate::tree::{Block, Call, Chain, Expr, Node, Root, Slot, Step};
use crate::value::{Frame, Value};
use crate::{MAX_DEPTH, Mode, Reason, Scope, Template};

/// Work of a render, about one unit for each moved byte.
pub(crate) const FUEL: usize = 8 * 1024 * 1024;
/// Price of a node, a filter or an item of a list, besides its bytes.
pub(crate) const STEP: usize = 16;

pub(crate) type Res<T> = Result<T, Reason>;

/// The node that is rendered next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// A render.
pub(crate) struct Run<'a> {
    template: &'a Template,
    pub scope: &'a Scope<'a>,
    pub arena: &'a Bump,
    fuel: usize,
    /// The byte of the template that is rendered.
    at: usize,
    out: String,
    /// Variables of running loops, by slot; they hide `assigned`, which hides the data, which hides `counters`.
    looped: Vec<Option<Value<'a>>>,
    assigned: Vec<Option<Value<'a>>>,
    counters: Vec<Option<i64>>,
    /// Where `offset: continue` goes on, by the loop's name.
    reached: BTreeMap<&'a str, usize>,
    cycles: BTreeMap<&'a str, usize>,
    changed: Option<&'a str>,
    frame: Option<&'a Frame<'a>>,
}

/// Renders with at most `fuel` work; the error is its byte of the template and the reason.
pub(crate) fn render<'a>(
    template: &'a Template,
    scope: &'a Scope<'a>,
    arena: &'a Bump,
    fuel: usize,
) -> Result<String, (usize, Reason)> {
    let slots = template.names.len();
    let mut run = Run {
        template,
        scope,
        arena,
        fuel,
        at: 0,
        out: String::with_capacity(template.source.len() + template.source.len() / 4),
        looped: vec![None; slots],
        assigned: vec![None; slots],
        counters: vec![None; slots],
        reached: BTreeMap::new(),
        cycles: BTreeMap::new(),
        changed: None,
        frame: None,
    };
    match run.block(&template.body) {
        Ok(_) => Ok(run.out),
        Err(reason) => Err((run.at, reason)),
    }
}

impl<'a> Run<'a> {
    /// Takes fuel.
    pub fn pay(&mut self, units: usize) -> Res<()> {
        self.fuel = self.fuel.checked_sub(units).ok_or(Reason::TooMuchWork)?;
        Ok(())
    }

    pub fn is_html(&self) -> bool {
        self.template.mode == Mode::Html
    }

    /// Keeps a new text for the rest of the render.
    pub fn keep(&mut self, text: &str) -> Res<&'a str> {
        self.pay(text.len())?;
        Ok(self.arena.alloc_str(text))
    }

    /// The number that filters calculate with: a text's number, and 0 for all else.
    pub fn number(&mut self, value: Value<'a>) -> Res<Number> {
        self.pay(value.as_str().map_or(0, str::len))?;
        Ok(value.to_number())
    }

    /// The whole number that an argument holds.
    pub fn int(&mut self, value: Value<'a>) -> Res<i64> {
        self.pay(value.as_str().map_or(0, str::len))?;
        value.to_int().map_err(Reason::Failed)
    }

    fn block(&mut self, block: &'a Block) -> Res<Flow> {
        for node in block {
            let flow = self.node(node)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &'a Node) -> Res<Flow> {
        self.pay(STEP)?;
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Print(chain) => {
                let value = self.chain(chain)?;
                self.print(value, MAX_DEPTH)?;
            }
            Node::Assign(slot, chain) => {
                let value = self.chain(chain)?;
                self.assigned[*slot] = Some(value);
            }
            Node::Capture(slot, block) => {
                let (text, flow) = self.captured(block)?;
                self.assigned[*slot] = Some(if self.is_html() {
                    Value::Markup(text)
                } else {
                    Value::Text(text)
                });
                return Ok(flow);
            }
            Node::If(branches, otherwise) => {
                for (condition, block) in branches {
                    if self.holds(condition)? {
                        return self.block(block);
                    }
                }
                return self.block(otherwise);
            }
            Node::Case(value, arms) => return self.case(value, arms),
            Node::For(each) => return self.each(each),
            Node::Cycle { at, key, values } => {
                self.at = *at;
                self.cycle(key, values)?;
            }
            Node::Count(slot, by) => self.count(*slot, *by)?,
            Node::IfChanged(block) => {
                let (text, flow) = self.captured(block)?;
                if self.changed != Some(text) {
                    self.changed = Some(text);
                    self.write(text)?;
                }
                return Ok(flow);
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Inner(block) => return self.block(block),
        }
        Ok(Flow::Next)
    }

    /// The output of `block`.
    fn captured(&mut self, block: &'a Block) -> Res<(&'a str, Flow)> {
        let before = std::mem::take(&mut self.out);
        let flow = self.block(block)?;
        let text = std::mem::replace(&mut self.out, before);
        Ok((self.keep(&text)?, flow))
    }

    fn chain(&mut self, chain: &'a Chain) -> Res<Value<'a>> {
        self.at = chain.at;
        let mut value = self.expr(&chain.head)?;
        for call in &chain.calls {
            value = self.call(call, value)?;
        }
        Ok(value)
    }

    fn call(&mut self, call: &'a Call, input: Value<'a>) -> Res<Value<'a>> {
        self.pay(STEP)?;
        let mut arguments = [Value::Nil; 2];
        for (argument, expr) in arguments.iter_mut().zip(&call.arguments) {
            *argument = self.expr(expr)?;
        }
        self.at = call.at;
        if let Some(allow) = &call.allow_false
            && matches!(input, Value::Bool(false))
            && self.expr(allow)?.is_true()
        {
            return Ok(input);
        }
        (call.filter.apply)(self, input, &arguments[..call.arguments.len()])
    }

    fn expr(&mut self, expr: &'a Expr) -> Res<Value<'a>> {
        Ok(match expr {
            Expr::Nil => Value::Nil,
            Expr::Empty => Value::Empty,
            Expr::Blank => Value::Blank,
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Int(value) => Value::Int(*value),
            Expr::Float(value) => Value::Float(*value),
            Expr::Text(text) => Value::Text(text),
            Expr::Range(bounds) => {
                let mut bound = |expr: &'a Expr| -> Res<i64> {
                    let value = self.expr(expr)?;
                    let whole = self.number(value)?.whole(f64::trunc);
                    whole.and_then(Number::int).map_err(Reason::Failed)
                };
                let (from, to) = (bound(&bounds.0)?, bound(&bounds.1)?);
                Value::Range(from, to)
            }
            Expr::Path(root, steps) => return self.path(root, steps),
        })
    }

    fn path(&mut self, root: &'a Root, steps: &'a [Step]) -> Res<Value<'a>> {
        self.pay(STEP)?;
        let mut value = match root {
            Root::Name(slot) => self.named(&self.template.names[*slot], Some(*slot)),
            Root::Computed(name) => match self.expr(name)?.as_str() {
                Some(name) => {
                    self.pay(self.template.names.len() + name.len())?;
                    let slot = self
                        .template
                        .names
                        .iter()
                        .position(|known| **known == *name);
                    self.named(name, slot)
                }
                None => Value::Nil,
            },
        };
        for step in steps {
            value = match step {
                Step::Name(name) => {
                    self.pay(STEP + name.len())?;
                    self.field(value, name)?
                }
                Step::Index(index) => {
                    let index = self.expr(index)?;
                    self.pay(STEP + index.as_str().map_or(0, str::len))?;
                    value.at(index)
                }
            };
        }
        Ok(value)
    }

    /// The value of a name.
    fn named(&self, name: &str, slot: Option<Slot>) -> Value<'a> {
        if let Some(value) = slot.and_then(|slot| self.looped[slot].or(self.assigned[slot])) {
            return value;
        }
        if let Some((_, text)) = self
            .scope
            .reserved
            .iter()
            .find(|(reserved, _)| *reserved == name)
        {
            return Value::Text(text);
        }
        match self.scope.data.get(name) {
            Some(value) => value.into(),
            None => slot
                .and_then(|slot| self.counters[slot])
                .map_or(Value::Nil, Value::Int),
        }
    }

    /// A field by name; also `size`, `first` and `last` of a text, and the first pair of a map.
    fn field(&mut self, value: Value<'a>, name: &str) -> Res<Value<'a>> {
        match (value, name) {
            (Value::Text(text) | Value::Markup(text), "size") => {
                self.pay(text.len())?;
                Ok(Value::Int(text.chars().count() as i64))
            }
            (Value::Map(fields), "first") if !fields.contains_key("first") => Ok(self.first(value)),
            _ => Ok(value.field(name)),
        }
    }

    /// The first item of a list, or the first pair of a map.
    pub fn first(&self, value: Value<'a>) -> Value<'a> {
        match value {
            Value::Map(fields) => match fields.iter().next() {
                Some((name, field)) => Value::List(
                    self.arena
                        .alloc_slice_copy(&[Value::Text(name), field.into()]),
                ),
                None => Value::Nil,
            },
            _ => value.item(0),
        }
    }
}
