//! Whether a contact may be sent a message of a channel. Pure; asked before a ledger row is claimed.

use contacts::consent::State;
use contacts::{Channel, ChannelStatus, Contact, Identity, Purpose};
use kernel::{EmailAddress, Phone};
use serde::{Deserialize, Serialize};

use crate::send::{Class, Terms};

/// Why nothing is sent to a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The contact was deleted in the meantime.
    Gone,
    /// The contact is archived.
    Archived,
    /// No address of the channel.
    NoAddress,
    /// Never agreed to marketing, or has not yet confirmed.
    NotOptedIn,
    /// The consent is only assumed, and the workspace asks for proof.
    Assumed,
    /// The contact unsubscribed.
    Unsubscribed,
    /// The address does not work.
    Bounced,
    /// The contact reported an earlier mail as spam.
    Complained,
    /// Blocked by the shop or by law.
    Suppressed,
    /// Another contact with the same address got this campaign.
    DuplicateAddress,
    /// The contact is in the control group of the workspace.
    Holdout,
    /// The contact or the number got as many marketing messages as it may get.
    FrequencyCap,
    /// The number is on the shop's list of those that get no advertising.
    DoNotAdvertise,
    /// The provider takes messages in groups, and too few were left for one.
    TooFew,
}

impl SkipReason {
    /// Whether the person or the address itself refuses.
    pub(crate) fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::Unsubscribed | Self::Bounced | Self::Complained | Self::Suppressed
        )
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Archived => "archived",
            Self::NoAddress => "no_address",
            Self::NotOptedIn => "not_opted_in",
            Self::Assumed => "assumed",
            Self::Unsubscribed => "unsubscribed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Suppressed => "suppressed",
            Self::DuplicateAddress => "duplicate_address",
            Self::Holdout => "holdout",
            Self::FrequencyCap => "frequency_cap",
            Self::DoNotAdvertise => "do_not_advertise",
            Self::TooFew => "too_few",
        }
    }
}

/// The address that a message goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Of a mail.
    Email(EmailAddress),
    /// Of a text message.
    Phone(Phone),
}

impl Address {
    /// The address as text, in its one form.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(address) => address.as_str(),
            Self::Phone(phone) => phone.e164(),
        }
    }

    /// The identity of its owner.
    pub fn identity(&self) -> Identity {
        match self {
            Self::Email(address) => Identity::Email(address.clone()),
            Self::Phone(phone) => Identity::Phone(phone.clone()),
        }
    }
}

/// The address that mail to the contact goes to: its own, else the first of those that it shares with others. An
/// unconfirmed address gets no mail.
pub fn email_of(contact: &Contact) -> Option<&EmailAddress> {
    let own = contact.email.as_ref();
    own.or_else(|| contact.shared_emails.first())
}

/// The number that text messages to the contact go to: its own, else the first of those that it shares with others.
pub fn phone_of(contact: &Contact) -> Option<&Phone> {
    let own = contact.phone.as_ref();
    own.or_else(|| contact.shared_phones.first())
}

/// The address of the contact that no other contact has.
pub fn own_address(contact: &Contact, channel: Channel) -> Option<Address> {
    match channel {
        Channel::Email => contact.email.clone().map(Address::Email),
        // ZNS goes to a phone number.
        Channel::Sms | Channel::Zalo => contact.phone.clone().map(Address::Phone),
        Channel::Push => None,
    }
}

/// The address that messages of the channel to the contact go to.
pub fn address_of(contact: &Contact, channel: Channel) -> Option<Address> {
    match channel {
        Channel::Email => email_of(contact).cloned().map(Address::Email),
        Channel::Sms | Channel::Zalo => phone_of(contact).cloned().map(Address::Phone),
        Channel::Push => None,
    }
}

/// Why this contact gets no message of this channel and class; `None`: it may be sent. In a strict workspace an assumed
/// consent is none.
pub fn refusal(
    contact: Option<&Contact>,
    channel: Channel,
    Terms { class, is_strict }: Terms,
) -> Option<SkipReason> {
    let Some(contact) = contact else {
        return Some(SkipReason::Gone);
    };
    if contact.is_archived() {
        return Some(SkipReason::Archived);
    }
    // The devices of push notifications are no part of the profile: the send machine reads them.
    if channel != Channel::Push && address_of(contact, channel).is_none() {
        return Some(SkipReason::NoAddress);
    }
    let purpose = match class {
        Class::Marketing => Purpose::Marketing,
        Class::Transactional => Purpose::Service,
    };
    let mut state = contact.consents.state(channel, purpose);
    if channel == Channel::Email && contact.email_status == ChannelStatus::Bounced {
        state.status = state.status.merge(ChannelStatus::Bounced);
    }
    of_state(state, class, is_strict)
}

fn of_state(state: State, class: Class, is_strict: bool) -> Option<SkipReason> {
    match (state.status, class) {
        (ChannelStatus::Bounced, _) => Some(SkipReason::Bounced),
        (ChannelStatus::Complained, _) => Some(SkipReason::Complained),
        (ChannelStatus::Suppressed, _) => Some(SkipReason::Suppressed),
        (ChannelStatus::Unsubscribed, _) => Some(SkipReason::Unsubscribed),
        (ChannelStatus::Subscribed, Class::Marketing) => {
            (is_strict && state.is_assumed).then_some(SkipReason::Assumed)
        }
        (_, Class::Transactional) => None,
        (ChannelStatus::None | ChannelStatus::Pending, Class::Marketing) => {
            Some(SkipReason::NotOptedIn)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marketing_needs_consent_and_a_service_mail_needs_no_refusal() {
        use ChannelStatus as S;
        for (status, marketing, service) in [
            (S::Subscribed, None, None),
            (S::None, Some(SkipReason::NotOptedIn), None),
            (S::Pending, Some(SkipReason::NotOptedIn), None),
            (
                S::Unsubscribed,
                Some(SkipReason::Unsubscribed),
                Some(SkipReason::Unsubscribed),
            ),
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
            let state = State {
                status,
                ..State::default()
            };
            let of = |class| of_state(state, class, true);
            assert_eq!(of(Class::Marketing), marketing, "{status:?}");
            assert_eq!(of(Class::Transactional), service, "{status:?}");
        }
        let terms = Terms {
            class: Class::Transactional,
            is_strict: true,
        };
        assert_eq!(refusal(None, Channel::Email, terms), Some(SkipReason::Gone));
    }

    #[test]
    fn an_assumed_consent_counts_only_without_the_strict_setting() {
        let state = State {
            status: ChannelStatus::Subscribed,
            is_assumed: true,
            ..State::default()
        };
        let of = |is_strict| of_state(state, Class::Marketing, is_strict);
        assert_eq!((of(true), of(false)), (Some(SkipReason::Assumed), None));
    }
}
