//! Money in Vietnamese dong, which has no decimals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount of VND.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(i64);

/// Why a text is not an amount of dong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an amount in VND, such as 350000 or 350000.0000")]
pub struct MoneyError;

impl Money {
    /// An amount of whole dong.
    pub fn vnd(amount: i64) -> Self {
        Self(amount)
    }

    /// Whole dong.
    pub fn amount(self) -> i64 {
        self.0
    }

    /// The sum, or `None` if it exceeds 64 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads decimal text as shops send it: `600000.0000` (Haravan), `-35000`. A fraction that is
    /// not zero is refused: dong has none, so it would be another currency.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        if fraction.bytes().any(|digit| digit != b'0') || whole.starts_with('+') {
            return Err(MoneyError);
        }
        whole.parse().map(Self).map_err(|_| MoneyError)
    }
}

impl fmt::Display for Money {
    /// In the format of Vietnamese readers: `1.350.000 ₫`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.unsigned_abs().to_string();
        let mut grouped = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                grouped.push('.');
            }
            grouped.push(digit);
        }
        write!(f, "{}{grouped} ₫", if self.0 < 0 { "-" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_shops_send() {
        assert_eq!("600000.0000".parse(), Ok(Money::vnd(600_000)));
        assert_eq!("-35000".parse(), Ok(Money::vnd(-35_000)));
        for bad in ["", "12.5", "1,000", "abc", "+5", "99999999999999999999"] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }

    #[test]
    fn writes_thousands_with_dots() {
        assert_eq!(Money::vnd(1_350_000).to_string(), "1.350.000 ₫");
        assert_eq!(Money::vnd(-500).to_string(), "-500 ₫");
    }
}
