//! Why a mail may reach somebody who has not agreed to marketing: a closed list.

use serde::{Deserialize, Serialize};

/// The act of the receiver for which a mail is expected without consent to marketing.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TransactionalReason {
    /// An order: its confirmation, payment, delivery or return.
    Order,
    /// The receiver's own account at the shop.
    Account,
    /// A booking or an appointment.
    Booking,
    /// The answer to a form that the receiver has sent.
    FormAnswer,
}

impl TransactionalReason {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::Order, Self::Account, Self::Booking, Self::FormAnswer];

    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Account => "account",
            Self::Booking => "booking",
            Self::FormAnswer => "form_answer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_requests() {
        for reason in TransactionalReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }
}
