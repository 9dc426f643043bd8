//! Filters of numbers.

use crate::Reason;
use crate::number::{Number, Operation};
use crate::run::{Res, Run};
use crate::value::Value;

fn answer<'a>(result: Result<Number, &'static str>) -> Res<Value<'a>> {
    result.map(Value::from).map_err(Reason::Failed)
}

fn calculate<'a>(input: Value<'a>, operation: Operation, arguments: &[Value<'a>]) -> Res<Value<'a>> {
    let other = super::argument(arguments, 0).to_number();
    answer(input.to_number().calculate(operation, other))
}

pub(super) fn plus<'a>(_: &mut Run<'a>, input: Value<'a>, arguments: &[Value<'a>]) -> Res<Value<'a>> {
    calculate(input, Operation::Add, arguments)
}

pub(super) fn minus<'a>(_: &mut Run<'a>, input: Value<'a>, arguments: &[Value<'a>]) -> Res<Value<'a>> {
    calculate(input, Operation::Subtract, arguments)
}

pub(super) fn times<'a>(_: &mut Run<'a>, input: Value<'a>, arguments: &[Value<'a>]) -> Res<Value<'a>> {
    calculate(input, Operation::Multiply, arguments)
}

pub(super) fn divided_by<'a>(
    _: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    calculate(input, Operation::Divide, arguments)
}

pub(super) fn modulo<'a>(_: &mut Run<'a>, input: Value<'a>, arguments: &[Value<'a>]) -> Res<Value<'a>> {
    calculate(input, Operation::Modulo, arguments)
}

pub(super) fn abs<'a>(_: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    answer(input.to_number().abs())
}

pub(super) fn ceil<'a>(_: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    answer(input.to_number().whole(f64::ceil))
}

pub(super) fn floor<'a>(_: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    answer(input.to_number().whole(f64::floor))
}

pub(super) fn round<'a>(_: &mut Run<'a>, input: Value<'a>, arguments: &[Value<'a>]) -> Res<Value<'a>> {
    let digits = super::argument(arguments, 0).to_number().float();
    answer(input.to_number().round(digits as i64))
}

pub(super) fn at_least<'a>(_: &mut Run<'a>, input: Value<'a>, arguments: &[Value<'a>]) -> Res<Value<'a>> {
    let (value, least) = (input.to_number(), super::argument(arguments, 0).to_number());
    Ok(if value.float() < least.float() { least } else { value }.into())
}

pub(super) fn at_most<'a>(_: &mut Run<'a>, input: Value<'a>, arguments: &[Value<'a>]) -> Res<Value<'a>> {
    let (value, most) = (input.to_number(), super::argument(arguments, 0).to_number());
    Ok(if value.float() > most.float() { most } else { value }.into())
}
