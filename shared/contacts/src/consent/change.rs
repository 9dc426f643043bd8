//! The part of an upsert that concerns consent: which marks and rows the input adds to a profile. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cloud::Update;
use jiff::{SignedDuration, Timestamp};

use super::marks::{Kind, Mark};
use super::records::{COUNT, MAX_RECORDS, Record};
use super::{Channel, ChannelStatus, Purpose, Statement};
use crate::mention;
use crate::model::{Identity, Incoming};
use crate::rows::Profile;

/// The marks and rows that an upsert adds.
#[derive(Debug, Default)]
pub(crate) struct Agreed {
    marks: Vec<(Mark, i64)>,
    /// Rows, to be stored before the marks.
    pub records: Vec<Record>,
    /// The number of rows that was read.
    stored: Option<u64>,
}

/// A refusal that goes with an address to its next owner: the status, and since when in milliseconds.
pub(crate) type Inherited = (ChannelStatus, Option<i64>);

/// The channels that an address serves.
pub(crate) fn channels(address: &Identity) -> &'static [Channel] {
    match address {
        Identity::Email(_) => &[Channel::Email],
        Identity::Phone(_) => &[Channel::Sms, Channel::Zalo],
        _ => &[],
    }
}

impl Agreed {
    /// Compares the statements with the profile. `shown` holds the addresses of the input that the profile shows
    /// after the write: a consent counts only for those. `also` holds its further addresses: a stop counts for them too.
    pub fn of(
        profile: Option<&Profile>,
        incoming: &Incoming,
        shown: &[(Identity, Inherited)],
        also: &[Identity],
    ) -> Self {
        let mut known = profile.map(Profile::consents).unwrap_or_default();
        let mut agreed = Self {
            stored: profile.and_then(|row| row.consent_records),
            ..Self::default()
        };
        let mut addresses: BTreeMap<Channel, String> = BTreeMap::new();
        for (address, (status, since)) in shown {
            for &channel in channels(address) {
                addresses.insert(channel, crate::keys::value(address));
            }
            let channel = channels(address).first();
            for mark in channel
                .into_iter()
                .filter_map(|one| inherited(*one, *status))
            {
                let at = since.unwrap_or(1);
                if known.raise(mark, at) {
                    agreed.marks.push((mark, at));
                }
            }
        }
        let mut stopping: BTreeMap<Channel, String> = BTreeMap::new();
        for address in also {
            let value = crate::keys::value(address);
            stopping.extend(channels(address).iter().map(|one| (*one, value.clone())));
        }
        stopping.extend(addresses.clone());
        for (n, statement) in incoming.consent.iter().enumerate() {
            let given = statement.channels.iter().copied();
            let addresses = if statement.decision.stops() {
                &stopping
            } else {
                &addresses
            };
            // The addresses of push are devices, which come and go: its consent counts without one.
            let is_shown = |one: &Channel| *one == Channel::Push || addresses.contains_key(one);
            let given: Vec<Channel> = given.filter(is_shown).collect();
            let Some(at) = statement.at.filter(|_| !given.is_empty()) else {
                continue;
            };
            let is_full =
                agreed.stored.unwrap_or_default() + agreed.records.len() as u64 >= MAX_RECORDS;
            if statement.is_stale(&known, &given) || (is_full && !statement.decision.stops()) {
                continue;
            }
            let ms = at.as_millisecond();
            let mut grew = false;
            for mark in statement.marks(&given) {
                let number = statement.number(mark, ms);
                if known.raise(mark, number) {
                    agreed.marks.push((mark, number));
                    grew = true;
                }
            }
            if grew && !is_full {
                let named = given.iter().filter_map(|one| addresses.get(one).cloned());
                let cause = incoming.operation.as_deref().unwrap_or_default();
                let cause = format!("{cause}#{n}#{:?}#{:?}", statement.way, statement.decision);
                let record = Record::of(statement, &given, named.collect(), (at, &cause));
                agreed.records.push(record);
            }
        }
        // A mark that two statements raise is written once.
        let mut highest = BTreeMap::new();
        for (mark, at) in agreed.marks.drain(..) {
            let entry = highest.entry(mark).or_insert(at);
            *entry = at.max(*entry);
        }
        agreed.marks = highest.into_iter().collect();
        agreed
    }

    /// The names by which a segment mentions what changes.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let marks = self.marks.iter();
        marks.flat_map(|(mark, _)| mention::consent(mark.channel, mark.purpose))
    }

    /// Whether the consent stays as it is.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Writes the marks, each only if it grows, and the number of rows, only if it is the one that was read.
    pub fn onto(&self, update: Update) -> Update {
        let update = self.marks.iter().fold(update, |update, (mark, at)| {
            let name = mark.attribute();
            update.set(&name, at).when_absent_or_less(&name, at)
        });
        if self.records.is_empty() {
            return update;
        }
        let count = self.stored.unwrap_or_default() + self.records.len() as u64;
        update.set(COUNT, count).when_as_read(COUNT, self.stored)
    }
}

/// The mark of a refusal that came with an address.
fn inherited(channel: Channel, status: ChannelStatus) -> Option<Mark> {
    match status {
        ChannelStatus::Unsubscribed => Some(Mark::of(channel, Purpose::Marketing, Kind::Withdrawn)),
        ChannelStatus::Complained => Some(Mark::whole(channel, Kind::Complained)),
        ChannelStatus::Suppressed => Some(Mark::whole(channel, Kind::Suppressed)),
        ChannelStatus::None
        | ChannelStatus::Pending
        | ChannelStatus::Subscribed
        | ChannelStatus::Bounced => None,
    }
}

/// The condition that the refusals of a channel are still those that were read.
pub(crate) fn as_read(update: Update, profile: &Profile, channel: Channel) -> Update {
    let known = profile.consents();
    let own = |kind| Mark::of(channel, Purpose::Marketing, kind);
    let marks = [
        Mark::whole(channel, Kind::Complained),
        Mark::whole(channel, Kind::Suppressed),
        Mark::whole(channel, Kind::Lifted),
        own(Kind::Withdrawn),
        own(Kind::Verified),
    ];
    marks.into_iter().fold(update, |update, mark| {
        update.when_as_read(&mark.attribute(), known.at(mark))
    })
}

/// How far ahead of a machine's clock another machine's clock may be.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

/// The time of a decision. A decision of the future would outlast every real one, so the present time is used for it. A
/// decision that is ahead by the difference of two clocks keeps its time, so that each run of it is the same decision.
pub(super) fn believed(at: Timestamp, now: Timestamp) -> Timestamp {
    if at.duration_since(now) > AHEAD {
        now
    } else {
        at
    }
}

/// The input with the present time for statements that name none, or one of the future.
pub(crate) fn dated(incoming: &Incoming, now: Timestamp) -> Cow<'_, Incoming> {
    let is_dated = |one: &Statement| one.at.is_some_and(|at| believed(at, now) == at);
    if incoming.consent.iter().all(is_dated) {
        return Cow::Borrowed(incoming);
    }
    let mut dated = incoming.clone();
    for statement in &mut dated.consent {
        statement.at = Some(statement.at.map_or(now, |at| believed(at, now)));
    }
    Cow::Owned(dated)
}
