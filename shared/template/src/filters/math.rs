//! Filters of numbers.

use super::Out;
use crate::Reason;
use crate::number::{Number, Operation};
use crate::run::Run;
use crate::value::Value;

fn answer<'a>(result: Result<Number, &'static str>) -> Out<'a> {
    result.map(Value::from).map_err(Reason::Failed)
}

/// Price of a calculation in decimals.
const DECIMAL: usize = 64;

fn calculate<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    operation: Operation,
    args: &[Value<'a>],
) -> Out<'a> {
    run.pay(DECIMAL)?;
    let (value, other) = (run.number(input)?, run.number(super::argument(args, 0))?);
    answer(value.calculate(operation, other))
}

pub(super) fn plus<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    calculate(run, input, Operation::Add, args)
}

pub(super) fn minus<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    calculate(run, input, Operation::Subtract, args)
}

pub(super) fn times<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    calculate(run, input, Operation::Multiply, args)
}

pub(super) fn divided_by<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    calculate(run, input, Operation::Divide, args)
}

pub(super) fn modulo<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    calculate(run, input, Operation::Modulo, args)
}

pub(super) fn abs<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    answer(run.number(input)?.abs())
}

pub(super) fn ceil<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    answer(run.number(input)?.whole(f64::ceil))
}

pub(super) fn floor<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    answer(run.number(input)?.whole(f64::floor))
}

pub(super) fn round<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    run.pay(DECIMAL)?;
    let digits = run.number(super::argument(args, 0))?.float();
    answer(run.number(input)?.round(digits as i64))
}

pub(super) fn at_least<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let (value, least) = (run.number(input)?, run.number(super::argument(args, 0))?);
    Ok(if value.float() < least.float() {
        least
    } else {
        value
    }
    .into())
}

pub(super) fn at_most<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let (value, most) = (run.number(input)?, run.number(super::argument(args, 0))?);
    Ok(if value.float() > most.float() {
        most
    } else {
        value
    }
    .into())
}
