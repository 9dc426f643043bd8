//! Filters of lists.
//!
//! A list in a list counts as its items, and a value that is no list as a list of one.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::{Out, argument};
use crate::number::{Number, Operation};
use crate::run::{Res, Run, STEP};
use crate::value::Value;
use crate::{MAX_DEPTH, Reason};

/// The items of a value.
fn items<'a>(run: &mut Run<'a>, value: Value<'a>) -> Res<Vec<Value<'a>>> {
    let mut items = Vec::new();
    if !value.is_nil() {
        collect(run, value, &mut items, MAX_DEPTH)?;
    }
    Ok(items)
}

fn collect<'a>(
    run: &mut Run<'a>,
    value: Value<'a>,
    items: &mut Vec<Value<'a>>,
    depth: usize,
) -> Res<()> {
    let depth = depth.checked_sub(1).ok_or(Reason::DataTooDeep)?;
    run.pay(STEP)?;
    match value.length() {
        None => items.push(value),
        Some(length) => {
            for at in 0..length {
                collect(run, value.item(at), items, depth)?;
            }
        }
    }
    Ok(())
}

pub(super) fn list<'a>(run: &mut Run<'a>, items: &[Value<'a>]) -> Out<'a> {
    run.pay(items.len() * STEP)?;
    Ok(Value::List(run.arena.alloc_slice_copy(items)))
}

/// The meaning of `item[name]` in Liquid: the field of a map, the part of a text, the bit of a number.
fn property<'a>(item: Value<'a>, name: Value<'a>) -> Out<'a> {
    match (item, name) {
        (Value::Map(fields), _) => {
            let field = name.as_str().and_then(|name| fields.get(name));
            Ok(field.map_or(Value::Nil, Value::from))
        }
        (Value::Text(text) | Value::Markup(text), _) => {
            let is_part = name.as_str().is_some_and(|name| text.contains(name));
            Ok(if is_part { name } else { Value::Nil })
        }
        (Value::Int(value), Value::Int(bit)) => Ok(Value::Int(i64::from(
            bit < 64 && value >> bit.max(0) & 1 == 1,
        ))),
        (Value::Int(_) | Value::Float(_), Value::Text(_)) => {
            Err(Reason::Failed("a number has no fields"))
        }
        _ => Ok(Value::Nil),
    }
}

fn length(value: Value<'_>) -> usize {
    value.as_str().map_or(0, str::len)
}

/// The property of each item.
fn properties<'a>(run: &mut Run<'a>, items: &[Value<'a>], name: Value<'a>) -> Res<Vec<Value<'a>>> {
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        run.pay(STEP + length(*item) + length(name))?;
        found.push(if name.is_nil() {
            *item
        } else {
            property(*item, name)?
        });
    }
    Ok(found)
}

/// The items whose property equals the second argument, or is true without one; `None` if an item has no properties.
fn matched<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    args: &[Value<'a>],
) -> Res<Option<Vec<(Value<'a>, bool)>>> {
    let (name, wanted) = (argument(args, 0), argument(args, 1));
    let items = items(run, input)?;
    if name.is_nil() {
        return Ok(None);
    }
    let mut matched = Vec::with_capacity(items.len());
    for item in items {
        if matches!(item, Value::Nil | Value::Bool(_)) {
            return Ok(None);
        }
        run.pay(STEP + length(item) + length(name))?;
        let found = property(item, name)?;
        let is_match = if wanted.is_nil() {
            found.is_true()
        } else {
            run.equal(found, wanted, MAX_DEPTH)?
        };
        matched.push((item, is_match));
    }
    Ok(Some(matched))
}

fn picked<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>], wanted: bool) -> Out<'a> {
    let Some(matched) = matched(run, input, args)? else {
        return Ok(Value::Nil);
    };
    let picked: Vec<Value<'a>> = matched
        .iter()
        .filter(|(_, is_match)| *is_match == wanted)
        .map(|(item, _)| *item)
        .collect();
    list(run, &picked)
}

pub(super) fn filter_where<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    picked(run, input, args, true)
}

pub(super) fn reject<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    picked(run, input, args, false)
}

/// The first match and its place.
fn found<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    args: &[Value<'a>],
) -> Res<Option<(usize, Value<'a>)>> {
    let matched = matched(run, input, args)?.unwrap_or_default();
    let mut all = matched.iter().enumerate();
    Ok(all.find_map(|(at, (item, is_match))| is_match.then_some((at, *item))))
}

pub(super) fn has<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    if !input.is_nil() && argument(args, 0).is_nil() {
        return Ok(Value::Bool(false));
    }
    Ok(match matched(run, input, args)? {
        Some(matched) => Value::Bool(matched.iter().any(|(_, is_match)| *is_match)),
        None => Value::Nil,
    })
}

pub(super) fn find<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    Ok(found(run, input, args)?.map_or(Value::Nil, |(_, item)| item))
}

pub(super) fn find_index<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    Ok(found(run, input, args)?.map_or(Value::Nil, |(at, _)| Value::Int(at as i64)))
}

pub(super) fn compact<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let items = items(run, input)?;
    let keys = properties(run, &items, argument(args, 0))?;
    let kept = items
        .into_iter()
        .zip(keys)
        .filter(|(_, key)| !key.is_nil())
        .map(|(item, _)| item);
    let kept: Vec<Value<'a>> = kept.collect();
    list(run, &kept)
}

pub(super) fn concat<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let mut all = items(run, input)?;
    let other = argument(args, 0);
    let length = other
        .length()
        .ok_or(Reason::Failed("concat takes a list"))?;
    run.pay(length.saturating_mul(STEP))?;
    all.extend((0..length).map(|at| other.item(at)));
    list(run, &all)
}

pub(super) fn map<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let items = items(run, input)?;
    let name = argument(args, 0);
    let name = if name.is_nil() { Value::Empty } else { name };
    let found = properties(run, &items, name)?;
    list(run, &found)
}

pub(super) fn reverse<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    let mut items = items(run, input)?;
    items.reverse();
    list(run, &items)
}

pub(super) fn join<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let separator = match args.first() {
        None => " ",
        Some(separator) => run.text(*separator)?,
    };
    let mut out = String::new();
    for (at, item) in items(run, input)?.into_iter().enumerate() {
        let text = run.text(item)?;
        run.pay(separator.len() + text.len())?;
        out.push_str(if at == 0 { "" } else { separator });
        out.push_str(text);
    }
    Ok(Value::Text(run.keep(&out)?))
}

/// Adds up the items or one property of each.
pub(super) fn sum<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let items = items(run, input)?;
    let mut sum = Number::Int(0);
    for value in properties(run, &items, argument(args, 0))? {
        let value = run.number(value)?;
        run.pay(STEP)?;
        sum = sum
            .calculate(Operation::Add, value)
            .map_err(Reason::Failed)?;
    }
    Ok(sum.into())
}

/// Keeps the first item of each kind.
pub(super) fn uniq<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let items = items(run, input)?;
    let keys = properties(run, &items, argument(args, 0))?;
    let (mut seen, mut kept) = (BTreeSet::new(), Vec::new());
    for (item, key) in items.into_iter().zip(keys) {
        let mut shown = String::new();
        run.inspect(key, &mut shown, MAX_DEPTH)?;
        if seen.insert(shown) {
            kept.push(item);
        }
    }
    list(run, &kept)
}

/// Sorts numbers or texts, or items by such a property; nil comes last.
pub(super) fn sort<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let items = items(run, input)?;
    let keys = properties(run, &items, argument(args, 0))?;
    let count = |is_kind: fn(&Value<'a>) -> bool| keys.iter().filter(|key| is_kind(key)).count();
    let wholes = count(|key| matches!(key, Value::Int(_)));
    let numbers = wholes + count(|key| matches!(key, Value::Float(_)));
    let texts = count(|key| key.as_str().is_some());
    let known = numbers.max(texts) + count(|key| key.is_nil());
    if known < keys.len() {
        return Err(Reason::Failed("values of two kinds have no order"));
    }
    // Between whole numbers and fractions only the order of floats is total.
    let by_float = wholes < numbers;
    ordered(run, items, keys, |a, b| match (a, b) {
        (Value::Int(_) | Value::Float(_), _) if by_float => {
            a.to_number().float().total_cmp(&b.to_number().float())
        }
        _ => a.compare(*b).unwrap_or(Ordering::Equal),
    })
}

/// Sorts by text without regard to case; nil comes last.
pub(super) fn sort_natural<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let items = items(run, input)?;
    let mut keys = properties(run, &items, argument(args, 0))?;
    for key in keys.iter_mut().filter(|key| !key.is_nil()) {
        let lower = run.text(*key)?.to_lowercase();
        *key = Value::Text(run.keep(&lower)?);
    }
    ordered(run, items, keys, |a, b| {
        a.compare(*b).unwrap_or(Ordering::Equal)
    })
}

fn ordered<'a>(
    run: &mut Run<'a>,
    items: Vec<Value<'a>>,
    keys: Vec<Value<'a>>,
    compare: impl Fn(&Value<'a>, &Value<'a>) -> Ordering,
) -> Out<'a> {
    // Each of n keys is compared about log n times.
    let bytes: usize = keys
        .iter()
        .map(|key| STEP + key.as_str().map_or(0, str::len))
        .sum();
    run.pay(bytes.saturating_mul(items.len().max(1).ilog2() as usize + 1))?;
    let mut pairs: Vec<_> = keys.into_iter().zip(items).collect();
    pairs.sort_by(|(a, _), (b, _)| match (a.is_nil(), b.is_nil()) {
        (false, false) => compare(a, b),
        (a, b) => a.cmp(&b),
    });
    let sorted: Vec<Value<'a>> = pairs.into_iter().map(|(_, item)| item).collect();
    list(run, &sorted)
}
