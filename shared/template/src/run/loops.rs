//! Loops, tables, cycles and counters.

use super::{Flow, Res, Run, STEP};
use crate::MAX_DEPTH;
use crate::tree::{Cycle, Expr, Loop, Offset, Slot};
use crate::value::{Frame, Value};

/// Largest width and number of columns of a table.
const MAX_COLUMNS: usize = 1_000;

impl<'a> Run<'a> {
    pub(super) fn each(&mut self, each: &'a Loop) -> Res<Flow> {
        self.at = each.at;
        let (list, from, length) = self.part(each)?;
        if length == 0 && each.table.is_none() {
            return self.block(&each.otherwise);
        }
        let columns = match &each.table {
            None => None,
            Some(Expr::Nil) => Some(length),
            Some(columns) => Some(self.whole(columns)?),
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

    pub(super) fn cycle(&mut self, key: &'a Cycle, values: &'a [Expr]) -> Res<()> {
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

    pub(super) fn count(&mut self, slot: Slot, by: i64) -> Res<()> {
        let count = self.counters[slot].unwrap_or(0);
        self.counters[slot] = Some(count + by);
        self.print(
            Value::Int(if by < 0 { count + by } else { count }),
            MAX_DEPTH,
        )
    }
}
