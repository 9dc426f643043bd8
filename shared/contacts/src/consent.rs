//! The consent of a contact per channel, and the allowed changes. Pure.

use serde::{Deserialize, Serialize};

/// A way to reach a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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

    /// The prefix of the channel's attribute names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Zalo => "zalo",
            Self::Push => "push",
        }
    }
}

/// Whether a channel may be used for marketing.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ChannelStatus {
    /// Never asked.
    #[default]
    None,
    /// Asked by double opt-in, not yet confirmed.
    Pending,
    /// Agreed.
    Subscribed,
    /// Asked for no more messages.
    Unsubscribed,
    /// The address does not exist, whatever its consent. Kept with the address and not as consent: it ends when the
    /// contact gets another address.
    Bounced,
    /// Reported us as spam.
    Complained,
    /// Blocked by the shop or by law.
    Suppressed,
}

impl ChannelStatus {
    /// Order in which statuses may follow each other. Providers' events are repeated, late and out of order. Only a
    /// higher rank wins, so every order ends at the same status. A form or an import never subscribes a contact
    /// again that unsubscribed, bounced or complained. A status that refuses more has a higher rank: an unsubscribed
    /// contact still gets mails about orders, a bounced address gets none.
    pub fn rank(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Pending => 10,
            Self::Subscribed => 20,
            Self::Unsubscribed => 40,
            Self::Bounced => 45,
            Self::Complained => 50,
            Self::Suppressed => 60,
        }
    }

    /// Whether the status is a refusal. A contact that was never asked has not refused.
    pub fn refuses(self) -> bool {
        self.rank() >= Self::Unsubscribed.rank()
    }

    /// This status, or the other if the other has a higher rank.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if other.rank() > self.rank() {
            other
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ChannelStatus::{Bounced, Complained, None, Pending, Subscribed, Unsubscribed};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nobody_is_subscribed_again() {
        for stop in [Bounced, Unsubscribed, Complained] {
            assert_eq!(stop.merge(Subscribed), stop);
            assert_eq!(Subscribed.merge(stop), stop);
        }
        assert_eq!(None.merge(Pending).merge(Subscribed), Subscribed);
    }

    fn any() -> impl Strategy<Value = ChannelStatus> {
        prop::sample::select(vec![
            None,
            Pending,
            Subscribed,
            Bounced,
            Unsubscribed,
            Complained,
            ChannelStatus::Suppressed,
        ])
    }

    proptest! {
        #[test]
        fn merging_does_not_depend_on_order(a in any(), b in any(), c in any()) {
            prop_assert_eq!(a.merge(b), b.merge(a));
            prop_assert_eq!(a.merge(b).merge(c), a.merge(b.merge(c)));
            prop_assert_eq!(a.merge(a), a);
        }
    }
}
