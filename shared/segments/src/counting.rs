//! The counts of events in a contact's state, made from the timeline.
//!
//! A count is read from the timeline and set, never increased. So a repeated or late message sets the same number.

use std::collections::{BTreeMap, BTreeSet};

use cloud::Error;
use contacts::{Contact, Event, Mentions as Interest};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use kernel::{SegmentId, TenantKey};

use crate::definitions::Defined;
use crate::facts::KEPT_DAYS;
use crate::keeper::Keeper;
use crate::predicate::day_of;
use crate::state::State;
use crate::tracked::Tracked;

/// Events of a contact that are read when counting begins; older ones do not count.
pub(crate) const MOST: usize = 5_000;

/// Events before this time do not count.
pub(crate) fn since(now: Timestamp) -> Timestamp {
    now - SignedDuration::from_hours(i64::from(KEPT_DAYS) * 24)
}

impl Keeper {
    /// Counts what the affected segments count: the days of these events, or everything if the counts are older than
    /// a segment that counts.
    #[expect(clippy::too_many_arguments, reason = "the parts of one run")]
    pub(crate) async fn count_events(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        defined: &Defined,
        interest: &Interest,
        affected: &BTreeSet<SegmentId>,
        events: &[Event],
        state: &mut State,
    ) -> Result<(), Error> {
        let (tracked, zone) = tracked(defined);
        let counts = affected.iter().filter_map(|one| defined.get(*one));
        let counts = counts.flat_map(super::definitions::Definition::versions);
        let mut counts = counts.map(|version| version.predicate.mentions());
        let is_counting = counts.any(|mentions| !mentions.event_names().is_empty());
        if !is_counting {
            return Ok(());
        }
        let now = self.table.clock().now();
        let is_filled = match (interest.reported_since(), state.filled_at) {
            (Some(since), Some(filled)) => filled >= since,
            (None, _) => true,
            (Some(_), None) => false,
        };
        for event in events {
            state.facts.last.observe(&event.name, event.at);
        }
        if !is_filled {
            let all = self
                .contacts
                .events_since(tenant, contact, since(now), MOST);
            count_all(state, &tracked, &all.await?, &zone, now);
            state.filled_at = Some(now);
            return Ok(());
        }
        let counted = events.iter().filter(|event| {
            tracked
                .values()
                .any(|one| one.matches(&event.name, &event.data))
        });
        let days: BTreeSet<i32> = counted.map(|event| day_of(event.at, &zone)).collect();
        for day in days {
            let Some((from, to)) = bounds(day, &zone) else {
                continue;
            };
            let all = self
                .contacts
                .events_between(tenant, contact, from, to)
                .await?;
            set(state, &tracked, &all, day, &zone, now);
        }
        Ok(())
    }
}

/// Sets the counts of these events, and the last times of acts.
pub(crate) fn count_all(
    state: &mut State,
    tracked: &BTreeMap<u32, Tracked>,
    events: &[Event],
    zone: &TimeZone,
    now: Timestamp,
) {
    for event in events {
        state.facts.last.observe(&event.name, event.at);
    }
    let days: BTreeSet<i32> = events.iter().map(|event| day_of(event.at, zone)).collect();
    for day in days {
        set(state, tracked, events, day, zone, now);
    }
}

fn tracked(defined: &Defined) -> (BTreeMap<u32, Tracked>, TimeZone) {
    let versions = defined
        .all
        .iter()
        .flat_map(super::definitions::Definition::versions);
    let mut zone = TimeZone::UTC;
    let mut all = BTreeMap::new();
    for version in versions {
        zone = version.zone.clone();
        let events = version.predicate.mentions().events.iter();
        all.extend(events.map(|event| (event.hash, event.clone())));
    }
    (all, zone)
}

fn set(
    state: &mut State,
    tracked: &BTreeMap<u32, Tracked>,
    events: &[Event],
    day: i32,
    zone: &TimeZone,
    now: Timestamp,
) {
    let number = |day: i32| u16::try_from(day).unwrap_or_default();
    for (hash, one) in tracked {
        let same = events.iter().filter(|event| day_of(event.at, zone) == day);
        let count = same
            .filter(|event| one.matches(&event.name, &event.data))
            .count();
        let count = u8::try_from(count).unwrap_or(u8::MAX);
        let today = number(day_of(now, zone));
        state.facts.ring.set(*hash, number(day), count, today);
    }
}

/// When a local day begins and ends.
fn bounds(day: i32, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let date = Date::constant(1970, 1, 1).checked_add(day.days()).ok()?;
    let begin = |date: Date| Some(date.to_zoned(zone.clone()).ok()?.timestamp());
    Some((begin(date)?, begin(date.tomorrow().ok()?)?))
}
