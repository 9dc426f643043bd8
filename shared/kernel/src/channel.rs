//! The channels by which a contact is reached, and the field of a form that asks for consent.

use serde::{Deserialize, Serialize};

/// A way to reach a contact.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Mail.
    Email,
    /// Text messages.
    Sms,
    /// Zalo OA and ZNS.
    Zalo,
    /// Push notifications.
    Push,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 4] = [Self::Email, Self::Sms, Self::Zalo, Self::Push];

    /// The channel's name in attributes and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Zalo => "zalo",
            Self::Push => "push",
        }
    }
}

/// A field of a source's forms that asks for consent to marketing by one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentField {
    /// The field's name in the form; compared without accents, in lower case.
    #[schema(min_length = 1, max_length = 100, example = "dong_y_nhan_tin")]
    pub field: String,
    /// The values that mean yes; compared without accents, in lower case. Every other value means no.
    #[schema(min_items = 1, max_items = 20, example = json!(["on", "yes", "có", "đồng ý"]))]
    pub yes: Vec<String>,
    /// The text that the form shows beside the field. It is stored as proof.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub text: Option<String>,
}
