//! The interpreter: one walk over the tree with borrowed data, in which every step pays.
//!
//! Each node, filter, step of a path and moved byte takes fuel, so the time and the memory of a render are bounded. A
//! new text or list is kept in the arena of the render. Reads no clock.

mod output;

pub(crate) use output::entity;

use std::collections::BTreeMap;

use bumpalo::Bump;

use crate::number::Number;
use crate::tree::{
    Arm, Block, Call, Chain, Comparison, Condition, Cycle, Expr, Join, Loop, Node, Offset,
    Operator, Root, Slot, Step,
};
use crate::value::{Frame, Value};
use crate::{MAX_DEPTH, Mode, Reason, Scope, Template};

/// Work of a render, about one unit for each moved byte.
pub(crate) const FUEL: usize = 8 * 1024 * 1024;
/// Price of a node, a filter or an item of a list, besides its bytes.
pub(crate) const STEP: usize = 16;
/// Largest width and number of columns of a table.
const MAX_COLUMNS: usize = 1_000;

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

    fn case(&mut self, value: &'a Chain, arms: &'a [Arm]) -> Res<Flow> {
        let value = self.chain(value)?;
        let mut is_found = false;
        for arm in arms {
            self.at = arm.at;
            let times = match &arm.values {
                None => usize::from(!is_found),
                Some(values) => {
                    let mut times = 0;
                    for other in values {
                        let other = self.expr(other)?;
                        times += usize::from(self.equal(value, other, MAX_DEPTH)?);
                    }
                    is_found |= times > 0;
                    times
                }
            };
            for _ in 0..times {
                let flow = self.block(&arm.body)?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
        }
        Ok(Flow::Next)
    }

    fn each(&mut self, each: &'a Loop) -> Res<Flow> {
        self.at = each.at;
        let (list, from, length) = self.part(each)?;
        if length == 0 && each.table.is_none() {
            return self.block(&each.otherwise);
        }
        let columns = match &each.table {
            None => None,
            Some(None) => Some(length),
            Some(Some(columns)) => Some(self.whole(columns)?),
        };
        let columns = columns.map(|columns| columns.clamp(1, MAX_COLUMNS));
        let frame: &'a Frame<'a> = self.arena.alloc(Frame {
            name: &each.name,
            index: 0.into(),
            length,
            parent: self.frame,
            columns,
        });
        let forloop = usize::from(columns.is_some());
        let outer = (self.frame, self.looped[forloop], self.looped[each.variable]);
        self.frame = Some(frame);
        self.looped[forloop] = Some(Value::Loop(frame));
        if columns.is_some() {
            self.write("<tr class=\"row1\">\n")?;
        }
        for index in 0..length {
            frame.index.set(index);
            self.pay(STEP)?;
            let at = from
                + if each.reversed {
                    length - 1 - index
                } else {
                    index
                };
            self.looped[each.variable] = Some(list.item(at));
            if let Some(columns) = columns {
                self.write(&format!("<td class=\"col{}\">", index % columns + 1))?;
            }
            let flow = self.block(&each.body)?;
            if let Some(columns) = columns {
                self.write("</td>")?;
                if (index + 1) % columns == 0 && index + 1 < length && flow != Flow::Break {
                    self.write(&format!(
                        "</tr>\n<tr class=\"row{}\">",
                        (index + 1) / columns + 1
                    ))?;
                }
            }
            if flow == Flow::Break {
                break;
            }
        }
        if columns.is_some() {
            self.write("</tr>\n")?;
        }
        (self.frame, self.looped[forloop], self.looped[each.variable]) = outer;
        Ok(Flow::Next)
    }

    /// The list of a loop, its first item and the number of items.
    fn part(&mut self, each: &'a Loop) -> Res<(Value<'a>, usize, usize)> {
        let list = match self.expr(&each.list)? {
            Value::Text("") | Value::Markup("") => Value::Nil,
            text @ (Value::Text(_) | Value::Markup(_)) => {
                Value::List(self.arena.alloc_slice_copy(&[text]))
            }
            other => other,
        };
        let total = match list {
            Value::Map(fields) => fields.len(),
            _ => list.length().unwrap_or(0),
        };
        let from = match &each.offset {
            Offset::Start => 0,
            Offset::At(value) => self.whole(value)?,
            Offset::Continue => self.reached.get(&*each.name).copied().unwrap_or(0),
        };
        let rest = total.saturating_sub(from);
        let length = match &each.limit {
            Some(limit) => match self.expr(limit)? {
                Value::Nil => rest,
                _ => self.whole(limit)?.min(rest),
            },
            None => rest,
        };
        self.reached.insert(&each.name, from.saturating_add(length));
        if let Value::Map(fields) = list {
            self.pay(fields.len() * 2 * STEP)?;
            let pairs = fields.iter().map(|(name, value)| -> Value<'a> {
                Value::List(
                    self.arena
                        .alloc_slice_copy(&[Value::Text(name), value.into()]),
                )
            });
            let pairs: Vec<Value<'a>> = pairs.collect();
            return Ok((
                Value::List(self.arena.alloc_slice_copy(&pairs)),
                from,
                length,
            ));
        }
        Ok((list, from, length))
    }

    /// A whole number from 0.
    fn whole(&mut self, expr: &'a Expr) -> Res<usize> {
        let value = match self.expr(expr)? {
            Value::Nil => 0,
            Value::Float(value) => value as i64,
            value => self.int(value)?,
        };
        Ok(usize::try_from(value).unwrap_or(0))
    }

    fn cycle(&mut self, key: &'a Cycle, values: &'a [Expr]) -> Res<()> {
        let key = match key {
            Cycle::Values(source) => source,
            Cycle::Named(name) => {
                let name = self.expr(name)?;
                let name = self.text(name)?;
                // No list of values starts with a colon.
                self.keep(&format!(":{name}"))?
            }
        };
        let at = self.cycles.get(key).copied().unwrap_or(0);
        let next = if at + 1 < values.len() { at + 1 } else { 0 };
        self.cycles.insert(key, next);
        if let Some(value) = values.get(at) {
            let value = self.expr(value)?;
            self.print(value, MAX_DEPTH)?;
        }
        Ok(())
    }

    fn count(&mut self, slot: Slot, by: i64) -> Res<()> {
        let count = self.counters[slot].unwrap_or(0);
        self.counters[slot] = Some(count + by);
        self.print(
            Value::Int(if by < 0 { count + by } else { count }),
            MAX_DEPTH,
        )
    }

    /// Whether a condition leads to its block.
    fn holds(&mut self, condition: &'a Condition) -> Res<bool> {
        self.at = condition.at;
        let mut result = false;
        for (comparison, join) in &condition.parts {
            self.pay(STEP)?;
            result = self.compares(comparison)?;
            // Evaluated from the right, `a and rest` is false without `a`, and `a or rest` is true with `a`.
            if (*join == Join::And && !result) || (*join == Join::Or && result) {
                break;
            }
        }
        Ok(result == condition.wanted)
    }

    fn compares(&mut self, comparison: &'a Comparison) -> Res<bool> {
        let left = self.expr(&comparison.left)?;
        let Some((operator, right)) = &comparison.right else {
            return Ok(left.is_true());
        };
        let right = self.expr(right)?;
        match operator {
            Operator::Equal => self.equal(left, right, MAX_DEPTH),
            Operator::Unequal => Ok(!self.equal(left, right, MAX_DEPTH)?),
            Operator::Contains => self.contains(left, right),
            _ => self.ordered(left, *operator, right),
        }
    }

    fn ordered(&mut self, left: Value<'a>, operator: Operator, right: Value<'a>) -> Res<bool> {
        let has_none = |value| {
            matches!(
                value,
                Value::Nil | Value::Empty | Value::Blank | Value::Bool(_)
            )
        };
        if has_none(left) || has_none(right) {
            return Ok(false);
        }
        if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
            self.pay(left.len().min(right.len()))?;
        }
        let order = left
            .compare(right)
            .ok_or(Reason::Failed("values of two kinds have no order"))?;
        Ok(match operator {
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            _ => order.is_ge(),
        })
    }

    fn contains(&mut self, left: Value<'a>, right: Value<'a>) -> Res<bool> {
        if !right.is_true() {
            return Ok(false);
        }
        if let Some(text) = left.as_str() {
            let part = self.text(right)?;
            self.pay(text.len() + part.len())?;
            return Ok(text.contains(part));
        }
        if let (Value::Map(fields), Some(name)) = (left, right.as_str()) {
            self.pay(name.len())?;
            return Ok(fields.contains_key(name));
        }
        for at in 0..left.length().unwrap_or(0) {
            if self.equal(left.item(at), right, MAX_DEPTH)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether two values are equal, and their items and fields, `depth` deep.
    pub fn equal(&mut self, left: Value<'a>, right: Value<'a>, depth: usize) -> Res<bool> {
        self.pay(STEP)?;
        let depth = depth.checked_sub(1).ok_or(Reason::DataTooDeep)?;
        if let (Value::Map(left), Value::Map(right)) = (left, right) {
            for (name, value) in left {
                let Some(other) = right.get(name) else {
                    return Ok(false);
                };
                if !self.equal(value.into(), other.into(), depth)? {
                    return Ok(false);
                }
            }
            return Ok(left.len() == right.len());
        }
        match (left.as_str(), right.as_str()) {
            (Some(text), Some(other)) => self.pay(text.len().min(other.len()))?,
            // Such as a text of blanks that is compared with `blank`.
            (Some(text), None) | (None, Some(text)) => self.pay(text.len())?,
            (None, None) => {}
        }
        let is_list = |value| matches!(value, Value::List(_) | Value::Array(_));
        if !is_list(left) || !is_list(right) {
            return Ok(left.equals(right));
        }
        if left.length() != right.length() {
            return Ok(false);
        }
        for at in 0..left.length().unwrap_or(0) {
            if !self.equal(left.item(at), right.item(at), depth)? {
                return Ok(false);
            }
        }
        Ok(true)
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
