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

    /// The name that attributes begin with.
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
    /// Asked to be left alone.
    Unsubscribed,
    /// The address does not exist, whatever was agreed for it. Kept with the address, not as consent:
    /// it ends when the contact gets another one.
    Bounced,
    /// Reported us as spam.
    Complained,
    /// Blocked by the shop or by law.
    Suppressed,
}

impl ChannelStatus {
    /// Order in which statuses may follow each other. Providers' events come twice, late and out of
    /// order; since only higher ranks win, every order ends at the same status, and nobody who
    /// unsubscribed, bounced or complained is subscribed again by a form or an import. What refuses
    /// more ranks higher: whoever unsubscribed still gets mails about orders, a dead address nothing.
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

    /// Whether it says no, and not only that nobody was asked.
    pub fn refuses(self) -> bool {
        self.rank() >= Self::Unsubscribed.rank()
    }

    /// This status, or the other where that outranks it.
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
