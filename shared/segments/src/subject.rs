//! A contact with its facts, as the predicate reads it. Pure.

use contacts::consent::Consents;
use contacts::{Channel, ChannelStatus, Contact, Purpose};

use crate::facts::Facts;

/// The contact that a predicate is checked for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The profile.
    pub contact: &'a Contact,
    /// The facts beside the profile.
    pub facts: &'a Facts,
    /// The lead score; absent if nothing was scored.
    pub score: Option<i64>,
    /// Whether the contact agreed that their behaviour on the website is followed. Without this consent no condition
    /// on page views holds the contact.
    pub may_track: bool,
}

impl<'a> Subject<'a> {
    /// A contact with its facts.
    pub fn new(contact: &'a Contact, facts: &'a Facts) -> Self {
        Self {
            contact,
            facts,
            score: contact.lead_score,
            may_track: may_track(contact),
        }
    }
}

/// Whether the contact agreed, for any channel, to messages by what they did on the website. An assumed consent is none.
fn may_track(contact: &Contact) -> bool {
    if contact.consents == Consents::default() {
        return false;
    }
    let agreed = |channel| {
        let state = contact.consents.state(channel, Purpose::BehaviouralAds);
        state.status == ChannelStatus::Subscribed && !state.is_assumed
    };
    Channel::ALL.into_iter().any(agreed)
}
