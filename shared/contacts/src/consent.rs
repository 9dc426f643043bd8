//! The consent of a contact per channel and purpose: who decided what, and how the shop knows. Pure but for `store`.
//!
//! | module | holds |
//! |---|---|
//! | `marks` | the state, as times of decisions |
//! | `statement` | a decision with its proof |
//! | `change` | the part of an upsert that concerns consent |
//! | `records` | the append-only rows |
//! | `store` | decisions outside an upsert, and the history |

pub(crate) mod change;
pub(crate) mod marks;
mod records;
mod statement;
mod store;

use serde::{Deserialize, Serialize};

pub use kernel::Channel;
pub use marks::{Consents, State};
pub(crate) use records::COUNT;
pub(crate) use records::{DECIDED, Told};
pub use records::{MAX_RECORDS, Record, SUBSCRIBED, UNSUBSCRIBED};
pub use statement::{Decision, Evidence, MAX_NOTE, MAX_TEXT, Method, Promise, Statement};
pub use store::Stated;

/// The purpose of messages. Consent is given for each purpose alone.
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
#[schema(as = ConsentPurpose)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Advertising.
    Marketing,
    /// Advertising by what the person did on the shop's pages.
    BehaviouralAds,
    /// Messages about an order or a request. Nobody needs to agree; a withdrawal stops them.
    Service,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Marketing, Self::BehaviouralAds, Self::Service];

    /// The purpose's name in attributes and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::BehaviouralAds => "behavioural_ads",
            Self::Service => "service",
        }
    }
}

/// Whether a channel may be used for a purpose.
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
    /// Order by how much a status refuses: an unsubscribed contact still gets mails about orders, a bounced address
    /// gets none. It joins the consent of a person with the state of an address.
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
