//! The state of a contact's consent, as the latest time of each kind of decision. Pure.
//!
//! A mark is such a time. Marks only grow, so decisions that arrive late, twice or in any order end in the same
//! marks, and so in the same state. The state is computed from the marks and never stored. A verified act opens a
//! new epoch: it ends withdrawals that are older.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::statement::Promise;
use super::{Channel, ChannelStatus, Purpose};

/// Prefix of the profile's attributes that hold marks, in milliseconds.
const PREFIX: &str = "c.";

/// A kind of decision whose latest time is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Asked by double opt-in.
    Pending,
    /// Agreed according to a file without proof.
    Assumed,
    /// Agreed.
    Granted,
    /// Agreed by a verified act of the person.
    Verified,
    /// Asked, and did not agree.
    Refused,
    /// Took the consent back.
    Withdrawn,
    /// Reported as spam; holds for the whole channel.
    Complained,
    /// Blocked by the shop or by law; holds for the whole channel.
    Suppressed,
    /// An administrator ended the complaint or the block; holds for the whole channel.
    Lifted,
    /// How often messages were promised to come: the time, then the promise in the last bits.
    Promised,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Pending,
        Self::Assumed,
        Self::Granted,
        Self::Verified,
        Self::Refused,
        Self::Withdrawn,
        Self::Complained,
        Self::Suppressed,
        Self::Lifted,
        Self::Promised,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Assumed => "assumed",
            Self::Granted => "granted",
            Self::Verified => "verified",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Complained => "complained",
            Self::Suppressed => "suppressed",
            Self::Lifted => "lifted",
            Self::Promised => "promised",
        }
    }
}

/// The place of a time: a channel, a purpose unless it holds for the whole channel, and the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub channel: Channel,
    pub purpose: Option<Purpose>,
    pub kind: Kind,
}

impl Mark {
    /// A decision about one purpose.
    pub fn of(channel: Channel, purpose: Purpose, kind: Kind) -> Self {
        Self {
            channel,
            purpose: Some(purpose),
            kind,
        }
    }

    /// A decision about the whole channel.
    pub fn whole(channel: Channel, kind: Kind) -> Self {
        Self {
            channel,
            purpose: None,
            kind,
        }
    }

    /// The name of the profile's attribute.
    pub fn attribute(self) -> String {
        let purpose = self.purpose.map_or("all", Purpose::name);
        format!(
            "{PREFIX}{}.{purpose}.{}",
            self.channel.name(),
            self.kind.name()
        )
    }

    fn parse(attribute: &str) -> Option<Self> {
        let mut parts = attribute.strip_prefix(PREFIX)?.split('.');
        let (channel, purpose, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let purpose = match purpose {
            "all" => None,
            name => Some(Purpose::ALL.into_iter().find(|one| one.name() == name)?),
        };
        Some(Self {
            channel: Channel::ALL.into_iter().find(|one| one.name() == channel)?,
            purpose,
            kind: Kind::ALL.into_iter().find(|one| one.name() == kind)?,
        })
    }
}

/// The consent for one channel and purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// The status.
    pub status: ChannelStatus,
    /// When the decision was made that counts.
    pub since: Option<Timestamp>,
    /// When the present epoch began: the last verified act of the person.
    pub epoch: Option<Timestamp>,
    /// Whether the consent is assumed only: no proof of it was given.
    pub is_assumed: bool,
}

/// Bits of the days of a promise.
const DAY_BITS: u32 = 7;
/// Bits of a promise: its messages, then its days.
const PROMISE_BITS: u32 = 12;

impl Promise {
    /// Its mark. A later promise has a greater number, so that it counts.
    pub(crate) fn number(self, at: i64) -> i64 {
        let bits = (i64::from(self.messages) << DAY_BITS) | i64::from(self.days);
        (at << PROMISE_BITS) | bits
    }

    fn of_number(number: i64) -> Option<Self> {
        let part = |shift: u32, bits: u32| u8::try_from((number >> shift) & ((1 << bits) - 1));
        Some(Self {
            messages: part(DAY_BITS, PROMISE_BITS - DAY_BITS).ok()?,
            days: part(0, DAY_BITS).ok()?,
        })
    }
}

/// All marks of a contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consents(Vec<(Mark, i64)>);

impl Consents {
    /// The marks among a profile's attributes.
    pub(crate) fn of_attributes(attributes: &HashMap<String, Value>) -> Self {
        let marks = attributes
            .iter()
            .filter_map(|(name, value)| Some((Mark::parse(name)?, value.as_i64()?)));
        let mut marks: Vec<_> = marks.collect();
        marks.sort_unstable();
        Self(marks)
    }

    /// The latest time of a kind of decision, in milliseconds.
    pub(crate) fn at(&self, mark: Mark) -> Option<i64> {
        let found = self.0.iter().find(|(one, _)| *one == mark);
        found.map(|(_, at)| *at)
    }

    /// Takes a decision in; returns whether the mark grew.
    pub(crate) fn raise(&mut self, mark: Mark, at: i64) -> bool {
        match self.0.iter_mut().find(|(one, _)| *one == mark) {
            Some((_, known)) if *known >= at => false,
            Some((_, known)) => {
                *known = at;
                true
            }
            None => {
                self.0.push((mark, at));
                self.0.sort_unstable();
                true
            }
        }
    }

    /// All marks.
    pub(crate) fn marks(&self) -> &[(Mark, i64)] {
        &self.0
    }

    /// The consent of two records of one person. Every stop that is in force in one of them is in force for
    /// both. No verified act of one ends a stop of the other.
    pub(crate) fn merged(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for (mark, at) in &other.0 {
            all.raise(*mark, *at);
        }
        for channel in Channel::ALL {
            for kind in [Kind::Complained, Kind::Suppressed] {
                let blocked = self.is_blocked(channel, kind) || other.is_blocked(channel, kind);
                let lifted = all.at(Mark::whole(channel, Kind::Lifted));
                if let Some(lifted) = lifted.filter(|_| blocked) {
                    all.raise(Mark::whole(channel, kind), lifted);
                }
            }
            for purpose in Purpose::ALL {
                let left = self.is_left(channel, purpose) || other.is_left(channel, purpose);
                let verified = all.at(Mark::of(channel, purpose, Kind::Verified));
                if let Some(verified) = verified.filter(|_| left && !all.is_left(channel, purpose))
                {
                    all.raise(Mark::of(channel, purpose, Kind::Withdrawn), verified);
                }
            }
        }
        all
    }

    /// Only the stops that are in force for the channel, and everything for the other channels.
    pub(crate) fn stops_of(&self, channel: Channel) -> Self {
        let mut kept = Self(self.0.clone());
        kept.0.retain(
            |(mark, _)| match (mark.channel == channel, mark.kind, mark.purpose) {
                (false, ..) => true,
                (_, Kind::Complained | Kind::Suppressed, _) => self.is_blocked(channel, mark.kind),
                (_, Kind::Withdrawn, Some(purpose)) => self.is_left(channel, purpose),
                _ => false,
            },
        );
        // A complaint that an administrator ended is a withdrawal still.
        for purpose in Purpose::ALL {
            let verified = self.at(Mark::of(channel, purpose, Kind::Verified));
            if let Some(at) = self
                .left_at(channel, purpose)
                .filter(|at| Some(*at) >= verified)
            {
                kept.raise(Mark::of(channel, purpose, Kind::Withdrawn), at);
            }
        }
        kept
    }

    fn is_blocked(&self, channel: Channel, kind: Kind) -> bool {
        let at = self.at(Mark::whole(channel, kind));
        at.is_some() && at >= self.at(Mark::whole(channel, Kind::Lifted))
    }

    /// When advertising was refused: a complaint or a block is a refusal of it too.
    fn left_at(&self, channel: Channel, purpose: Purpose) -> Option<i64> {
        let whole = |kind| self.at(Mark::whole(channel, kind));
        let refusal = whole(Kind::Complained).max(whole(Kind::Suppressed));
        let refusal = refusal.filter(|_| purpose != Purpose::Service);
        let own = self.at(Mark::of(channel, purpose, Kind::Withdrawn));
        own.max(refusal)
    }

    fn is_left(&self, channel: Channel, purpose: Purpose) -> bool {
        let left = self.left_at(channel, purpose);
        left.is_some() && left >= self.at(Mark::of(channel, purpose, Kind::Verified))
    }

    /// The consent for a channel and a purpose. Whether the address works is another question.
    pub fn state(&self, channel: Channel, purpose: Purpose) -> State {
        let whole = |kind| self.at(Mark::whole(channel, kind));
        let own = |kind| self.at(Mark::of(channel, purpose, kind));
        let (complained, suppressed) = (whole(Kind::Complained), whole(Kind::Suppressed));
        let verified = own(Kind::Verified);
        let is = |status, since: Option<i64>| State {
            status,
            since: since.and_then(time),
            epoch: verified.and_then(time),
            is_assumed: false,
        };
        if self.is_blocked(channel, Kind::Suppressed) {
            return is(ChannelStatus::Suppressed, suppressed);
        }
        if self.is_blocked(channel, Kind::Complained) {
            return is(ChannelStatus::Complained, complained);
        }
        // An administrator lifts the block only; the person agrees again.
        if self.is_left(channel, purpose) {
            let withdrawn = self.left_at(channel, purpose);
            return is(ChannelStatus::Unsubscribed, withdrawn);
        }
        if let Some(at) = verified.or_else(|| own(Kind::Granted)) {
            return is(ChannelStatus::Subscribed, Some(at));
        }
        match (own(Kind::Assumed), own(Kind::Refused), own(Kind::Pending)) {
            (Some(at), None, _) => State {
                is_assumed: true,
                ..is(ChannelStatus::Subscribed, Some(at))
            },
            (_, _, Some(at)) => is(ChannelStatus::Pending, Some(at)),
            (_, refused, None) => is(ChannelStatus::None, refused),
        }
    }

    /// How often messages were promised to come at most, by the latest consent that promised it.
    pub fn promise(&self, channel: Channel, purpose: Purpose) -> Option<Promise> {
        let number = self.at(Mark::of(channel, purpose, Kind::Promised))?;
        Promise::of_number(number)
    }

    /// The status for marketing: the one that a contact shows.
    pub fn marketing(&self, channel: Channel) -> ChannelStatus {
        self.state(channel, Purpose::Marketing).status
    }
}

fn time(at: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(at).ok()
}

#[cfg(test)]
mod tests;
