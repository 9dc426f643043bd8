//! The quantity of an item: pieces, or kilograms and metres with up to three decimals. Pure.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Parts of one.
const PARTS: i64 = 1_000;
/// Largest whole quantity.
const MOST: i64 = 1_000_000_000;

/// How much of an item, exact to a thousandth. JSON has it as a number: `2`, `0.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i64);

impl Quantity {
    /// Whole pieces.
    pub fn pieces(count: u32) -> Self {
        Self(i64::from(count) * PARTS)
    }

    /// The quantity that is nearest to a number of a provider's JSON; `None` outside 0 to a thousand million.
    pub fn of(number: f64) -> Option<Self> {
        let is_usable = number.is_finite() && (0.0..=MOST as f64).contains(&number);
        is_usable.then(|| Self((number * PARTS as f64).round() as i64))
    }

    /// Thousandths.
    pub fn thousandths(self) -> i64 {
        self.0
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % PARTS == 0 {
            serializer.serialize_i64(self.0 / PARTS)
        } else {
            serializer.serialize_f64(self.0 as f64 / PARTS as f64)
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        Self::of(number).ok_or_else(|| D::Error::custom("expected a quantity of 0 to 1000000000"))
    }
}

impl utoipa::PartialSchema for Quantity {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some("A quantity with up to three decimals."))
            .minimum(Some(0.0))
            .maximum(Some(MOST as f64))
            .examples([serde_json::json!(2)])
            .into()
    }
}

impl utoipa::ToSchema for Quantity {
    fn name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quantity_is_written_as_people_write_numbers() {
        let text = |quantity: Quantity| serde_json::to_string(&quantity).unwrap();
        assert_eq!(text(Quantity::pieces(2)), "2");
        assert_eq!(text(Quantity::of(0.5).unwrap()), "0.5");
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e10] {
            assert_eq!(Quantity::of(bad), None);
        }
    }

    proptest! {
        #[test]
        fn a_quantity_is_read_as_it_was_written(parts in 0..MOST * PARTS) {
            let quantity = Quantity(parts);
            let text = serde_json::to_string(&quantity).unwrap();
            prop_assert_eq!(serde_json::from_str::<Quantity>(&text).unwrap(), quantity);
        }
    }
}
