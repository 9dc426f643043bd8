//! The segments that carriers bill, and their price. Pure.
//!
//! A carrier bills a text of the GSM alphabet by steps of its own. A text with diacritics is billed by the technical segments.

use kernel::Money;
use serde::{Deserialize, Serialize};

use super::brandname::{Carrier, CarrierState, Kind};
use super::segments::{Encoding, Length};

/// Most units of a message with a brandname, by the rules of the carriers.
pub const MAX_UNITS: u32 = 459;
/// Steps of a text with 160 units in its first segment.
const WHOLE: [u32; 3] = [160, 306, 459];
/// Steps of advertising where the carrier keeps 38 units for its own label and way out.
const SHORT: [u32; 3] = [122, 268, 421];

/// The most units of 1, 2 and 3 billed segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Steps(pub [u32; 3]);

impl Steps {
    /// The usual steps of a carrier. Those of advertising differ; the shorter ones hold where nothing else is known.
    pub fn of(kind: Kind, carrier: Carrier) -> Self {
        match (kind, carrier) {
            (Kind::Care, _) | (Kind::Advertising, Carrier::Viettel | Carrier::Mobifone) => {
                Self(WHOLE)
            }
            (Kind::Advertising, _) => Self(SHORT),
        }
    }

    /// Whether each step is longer than the one before, and none is longer than a message may be.
    pub fn is_valid(self) -> bool {
        let [one, two, three] = self.0;
        0 < one && one < two && two < three && three <= MAX_UNITS
    }

    /// The billed segments of a text; `None`: it is longer than the carrier takes.
    pub fn billed(self, length: Length) -> Option<u32> {
        match length.encoding {
            Encoding::Ucs2 => (length.units <= MAX_UNITS).then_some(length.segments),
            Encoding::Gsm7 if length.units == 0 => Some(0),
            Encoding::Gsm7 => {
                let step = self.0.iter().position(|most| length.units <= *most)?;
                u32::try_from(step + 1).ok()
            }
        }
    }
}

/// The bill of one message by one carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SmsBill)]
pub struct Bill {
    /// The carrier.
    pub carrier: Carrier,
    /// Billed segments; null if the text is longer than the carrier takes.
    pub segments: Option<u32>,
    /// VND of the message; null without a price of a segment.
    #[schema(value_type = Option<i64>)]
    pub price: Option<Money>,
}

/// The bill of a message of this length by a carrier of a brandname.
pub fn bill(kind: Kind, state: &CarrierState, length: Length) -> Bill {
    let steps = state.steps.unwrap_or(Steps::of(kind, state.carrier));
    let segments = steps.billed(length);
    let price = segments.zip(state.price_per_segment);
    Bill {
        carrier: state.carrier,
        segments,
        price: price.map(|(count, each)| Money::vnd(i64::from(count) * i64::from(each))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::segments::length;

    #[test]
    fn carriers_bill_by_their_steps() {
        let of = |kind, carrier, units: usize| {
            Steps::of(kind, carrier).billed(length(&"a".repeat(units)))
        };
        for (units, care, short) in [
            (0, Some(0), Some(0)),
            (122, Some(1), Some(1)),
            (123, Some(1), Some(2)),
            (160, Some(1), Some(2)),
            (161, Some(2), Some(2)),
            (306, Some(2), Some(3)),
            (421, Some(3), Some(3)),
            (459, Some(3), None),
            (460, None, None),
        ] {
            assert_eq!(of(Kind::Care, Carrier::Vinaphone, units), care, "{units}");
            assert_eq!(
                of(Kind::Advertising, Carrier::Vinaphone, units),
                short,
                "{units}"
            );
            assert_eq!(
                of(Kind::Advertising, Carrier::Viettel, units),
                care,
                "{units}"
            );
        }
        let steps = Steps(WHOLE);
        assert_eq!(steps.billed(length(&"ả".repeat(71))), Some(2));
        assert_eq!(steps.billed(length(&"ả".repeat(460))), None);
        assert!(!Steps([160, 160, 459]).is_valid() && !Steps([0, 1, 2]).is_valid());
        assert!(!Steps([160, 306, 460]).is_valid() && steps.is_valid());
    }

    #[test]
    fn a_price_is_that_of_all_segments() {
        let state = CarrierState {
            price_per_segment: Some(750),
            ..CarrierState::new(Carrier::Viettel)
        };
        let bill = bill(Kind::Care, &state, length(&"a".repeat(200)));
        assert_eq!(
            (bill.segments, bill.price),
            (Some(2), Some(Money::vnd(1500)))
        );
    }
}
