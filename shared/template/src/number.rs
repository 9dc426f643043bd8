//! Numbers as a reader of a bill expects them: whole numbers stay whole, and fractions are calculated in decimals.
//!
//! A fraction is kept as a float and prints its shortest decimal text, so a result is exact to 15 digits.

use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};

/// A number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

const TOO_LARGE: &str = "a number is too large";
const BY_ZERO: &str = "a number is divided by zero";

/// A calculation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Number {
    /// The number that `text` starts with: `12`, `-5.1`; 0 if there is none. Only a text that is a fraction as a
    /// whole has one.
    pub fn read(text: &str) -> Number {
        let text = text.trim();
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let sign = usize::from(text.starts_with('-'));
        let whole = sign + digits(&text[sign..]);
        if let Some(fraction) = text[whole..].strip_prefix('.')
            && whole > sign
            && !fraction.is_empty()
            && digits(fraction) == fraction.len()
        {
            return text.parse().map_or(Number::Int(0), Number::Float);
        }
        let number = &text[..whole];
        let float = || number.parse().map_or(Number::Int(0), Number::Float);
        if whole == sign {
            Number::Int(0)
        } else {
            number.parse().map_or_else(|_| float(), Number::Int)
        }
    }

    pub fn float(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
        }
    }

    /// The number if it is whole.
    pub fn int(self) -> Result<i64, &'static str> {
        match self {
            Number::Int(value) => Ok(value),
            Number::Float(_) => Err("a whole number is expected"),
        }
    }

    fn decimal(self) -> Option<Decimal> {
        match self {
            Number::Int(value) => Some(value.into()),
            Number::Float(value) => Decimal::from_str(&value.to_string()).ok(),
        }
    }

    /// Calculates. Division and modulo of whole numbers round down, as in Ruby.
    pub fn calculate(self, operation: Operation, other: Number) -> Result<Number, &'static str> {
        use Operation::{Add, Divide, Modulo, Multiply, Subtract};
        if matches!(operation, Divide | Modulo) && other.float() == 0.0 {
            return Err(BY_ZERO);
        }
        if let (Number::Int(a), Number::Int(b)) = (self, other) {
            let result = match operation {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                Multiply => a.checked_mul(b),
                Divide => a
                    .checked_div_euclid(b)
                    .map(|q| q - i64::from(b < 0 && a.rem_euclid(b) != 0)),
                Modulo => a
                    .checked_rem_euclid(b)
                    .map(|r| if b < 0 && r != 0 { r + b } else { r }),
            };
            return result.map(Number::Int).ok_or(TOO_LARGE);
        }
        let exact = self
            .decimal()
            .zip(other.decimal())
            .and_then(|(a, b)| match operation {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                Multiply => a.checked_mul(b),
                Divide => a.checked_div(b),
                Modulo => {
                    let rest = a.checked_rem(b)?;
                    let is_other_side =
                        !rest.is_zero() && rest.is_sign_negative() != b.is_sign_negative();
                    if is_other_side {
                        rest.checked_add(b)
                    } else {
                        Some(rest)
                    }
                }
            });
        let (a, b) = (self.float(), other.float());
        let result = match (exact, operation) {
            (Some(exact), _) => exact.to_string().parse().unwrap_or(f64::NAN),
            (None, Add) => a + b,
            (None, Subtract) => a - b,
            (None, Multiply) => a * b,
            (None, Divide) => a / b,
            (None, Modulo) => a - b * (a / b).floor(),
        };
        if result.is_finite() {
            Ok(Number::Float(result))
        } else {
            Err(TOO_LARGE)
        }
    }

    pub fn abs(self) -> Result<Number, &'static str> {
        match self {
            Number::Int(value) => value.checked_abs().map(Number::Int).ok_or(TOO_LARGE),
            Number::Float(value) => Ok(Number::Float(value.abs())),
        }
    }

    /// Rounds to `digits` after the point; half is rounded away from zero. Without digits it is a whole number.
    pub fn round(self, digits: i64) -> Result<Number, &'static str> {
        let Number::Float(value) = self else {
            return Ok(self);
        };
        let half_up = RoundingStrategy::MidpointAwayFromZero;
        if digits > 0 {
            let digits = digits.min(28) as u32;
            let exact = self
                .decimal()
                .map(|exact| exact.round_dp_with_strategy(digits, half_up));
            let rounded = exact.and_then(|exact| exact.to_string().parse().ok());
            return Ok(Number::Float(rounded.unwrap_or(value)));
        }
        let unit = 10_f64.powi(digits.clamp(-20, 0).unsigned_abs() as i32);
        Number::Float((value / unit).round() * unit).whole(f64::round)
    }

    /// The whole number that `rounding` gives.
    pub fn whole(self, rounding: fn(f64) -> f64) -> Result<Number, &'static str> {
        let Number::Float(value) = self else {
            return Ok(self);
        };
        let whole = rounding(value);
        // 2^63: the first float above all whole numbers.
        if whole.abs() < 9_223_372_036_854_775_808.0 {
            Ok(Number::Int(whole as i64))
        } else {
            Err(TOO_LARGE)
        }
    }
}
