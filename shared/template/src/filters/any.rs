//! Filters of values of any kind.

use super::lists::list;
use super::{Out, argument};
use crate::run::{Run, STEP};
use crate::value::Value;

pub(super) fn default<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    run.pay(STEP)?;
    let is_absent = !input.is_true() || input.is_empty();
    Ok(if is_absent { argument(args, 0) } else { input })
}

pub(super) fn first<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    run.pay(2 * STEP)?;
    Ok(run.first(input))
}

pub(super) fn last<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    run.pay(STEP)?;
    Ok(input
        .length()
        .map_or(Value::Nil, |length| input.item(length.wrapping_sub(1))))
}

/// Characters of a text, items of a list, fields of a map.
pub(super) fn size<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    let size = match input {
        Value::Text(text) | Value::Markup(text) => {
            run.pay(text.len())?;
            text.chars().count()
        }
        Value::Map(fields) => fields.len(),
        _ => input.length().unwrap_or(0),
    };
    Ok(Value::Int(size as i64))
}

/// Some characters of a text or items of a list; one without a length.
pub(super) fn slice<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let from = run.int(argument(args, 0))?;
    let length = match argument(args, 1) {
        Value::Nil => 1,
        length => run.int(length)?,
    };
    let text = if matches!(input, Value::List(_) | Value::Array(_) | Value::Range(..)) {
        ""
    } else {
        run.text(input)?
    };
    run.pay(text.len())?;
    let total = input.length().unwrap_or_else(|| text.chars().count());
    let from = if from < 0 {
        from.saturating_add(total as i64)
    } else {
        from
    };
    let (Ok(from), Ok(length)) = (usize::try_from(from), usize::try_from(length)) else {
        return Ok(Value::Text(""));
    };
    let from = from.min(total);
    let length = length.min(total - from);
    if input.length().is_some() {
        run.pay(length * STEP)?;
        let part: Vec<Value<'a>> = (from..from + length).map(|at| input.item(at)).collect();
        return list(run, &part);
    }
    let byte = |at: usize| {
        text.char_indices()
            .nth(at)
            .map_or(text.len(), |(byte, _)| byte)
    };
    Ok(Value::Text(&text[byte(from)..byte(from + length)]))
}
