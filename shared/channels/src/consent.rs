//! Whether a contact may be sent this mail. Pure; asked before a ledger row is claimed.

use contacts::{ChannelStatus, Contact};
use serde::{Deserialize, Serialize};

use crate::send::Class;

/// Why nothing is sent to a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The contact was deleted in the meantime.
    Gone,
    /// No email address.
    NoAddress,
    /// Never agreed to marketing, or has not yet confirmed.
    NotOptedIn,
    /// The contact unsubscribed.
    Unsubscribed,
    /// The address does not work.
    Bounced,
    /// The contact reported an earlier mail as spam.
    Complained,
    /// Blocked by the shop or by law.
    Suppressed,
}

impl SkipReason {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::NoAddress => "no_address",
            Self::NotOptedIn => "not_opted_in",
            Self::Unsubscribed => "unsubscribed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Suppressed => "suppressed",
        }
    }
}

/// Why this contact gets no mail of this class; `None`: it may be sent.
pub fn refusal(contact: Option<&Contact>, class: Class) -> Option<SkipReason> {
    let Some(contact) = contact else {
        return Some(SkipReason::Gone);
    };
    if contact.email.is_none() {
        return Some(SkipReason::NoAddress);
    }
    of_status(contact.email_status, class)
}

fn of_status(status: ChannelStatus, class: Class) -> Option<SkipReason> {
    match (status, class) {
        (ChannelStatus::Bounced, _) => Some(SkipReason::Bounced),
        (ChannelStatus::Complained, _) => Some(SkipReason::Complained),
        (ChannelStatus::Suppressed, _) => Some(SkipReason::Suppressed),
        (_, Class::Transactional) | (ChannelStatus::Subscribed, Class::Marketing) => None,
        (ChannelStatus::Unsubscribed, Class::Marketing) => Some(SkipReason::Unsubscribed),
        (ChannelStatus::None | ChannelStatus::Pending, Class::Marketing) => {
            Some(SkipReason::NotOptedIn)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marketing_needs_consent_and_an_order_mail_needs_a_living_address() {
        use ChannelStatus as S;
        for (status, marketing, transactional) in [
            (S::Subscribed, None, None),
            (S::None, Some(SkipReason::NotOptedIn), None),
            (S::Pending, Some(SkipReason::NotOptedIn), None),
            (S::Unsubscribed, Some(SkipReason::Unsubscribed), None),
            (
                S::Bounced,
                Some(SkipReason::Bounced),
                Some(SkipReason::Bounced),
            ),
            (
                S::Complained,
                Some(SkipReason::Complained),
                Some(SkipReason::Complained),
            ),
            (
                S::Suppressed,
                Some(SkipReason::Suppressed),
                Some(SkipReason::Suppressed),
            ),
        ] {
            assert_eq!(of_status(status, Class::Marketing), marketing, "{status:?}");
            assert_eq!(
                of_status(status, Class::Transactional),
                transactional,
                "{status:?}"
            );
        }
        assert_eq!(refusal(None, Class::Transactional), Some(SkipReason::Gone));
    }
}
