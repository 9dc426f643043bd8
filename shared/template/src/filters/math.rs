//! Filters of numbers.

use crate::Reason;
use crate::number::{Number, Operation};
use crate::run::{Res, Run};
use crate::value::Value;

fn answer<'a>(result: Result<Number, &'static str>) -> Res<Value<'a>> {
    result.map(Value::from).map_err(Reason::Failed)
}

/// Price of a calculation in decimals.
const DECIMAL: usize = 64;

fn calculate<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    operation: Operation,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    run.pay(DECIMAL)?;
    let (value, other) = (
        run.number(input)?,
        run.number(super::argument(arguments, 0))?,
    );
    answer(value.calculate(operation, other))
}

pub(super) fn plus<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    calculate(run, input, Operation::Add, arguments)
}

pub(super) fn minus<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    calculate(run, input, Operation::Subtract, arguments)
}

pub(super) fn times<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    calculate(run, input, Operation::Multiply, arguments)
}

pub(super) fn divided_by<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    calculate(run, input, Operation::Divide, arguments)
}

pub(super) fn modulo<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    calculate(run, input, Operation::Modulo, arguments)
}

pub(super) fn abs<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    answer(run.number(input)?.abs())
}

pub(super) fn ceil<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    answer(run.number(input)?.whole(f64::ceil))
}

pub(super) fn floor<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    answer(run.number(input)?.whole(f64::floor))
}

pub(super) fn round<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    run.pay(DECIMAL)?;
    let digits = run.number(super::argument(arguments, 0))?.float();
    answer(run.number(input)?.round(digits as i64))
}

pub(super) fn at_least<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    let (value, least) = (
        run.number(input)?,
        run.number(super::argument(arguments, 0))?,
    );
    Ok(if value.float() < least.float() {
        least
    } else {
        value
    }
    .into())
}

pub(super) fn at_most<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    let (value, most) = (
        run.number(input)?,
        run.number(super::argument(arguments, 0))?,
    );
    Ok(if value.float() > most.float() {
        most
    } else {
        value
    }
    .into())
}
