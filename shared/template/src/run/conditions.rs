//! Conditions, cases and the equality of values.

use super::{Flow, Res, Run, STEP};
use crate::tree::{Arm, Chain, Comparison, Condition, Join, Operator};
use crate::value::Value;
use crate::{MAX_DEPTH, Reason};

impl<'a> Run<'a> {
    pub(super) fn case(&mut self, value: &'a Chain, arms: &'a [Arm]) -> Res<Flow> {
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

    /// Whether a condition leads to its block.
    pub(super) fn holds(&mut self, condition: &'a Condition) -> Res<bool> {
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
}
