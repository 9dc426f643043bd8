//! The times in which a workflow takes events in. Pure.
//!
//! An event counts by the time at which it was recorded, never by that of its delivery. So a late delivery, a redrive
//! and a pause in between change nothing.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A message of an event lives 4 days in its queue and 14 in the dead-letter queue. No event asks about an interval
/// that ended earlier.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(18 * 24);
/// Most intervals that are kept, so that the item stays small. A workflow that is paused more often within 18 days
/// forgets the oldest interval: an event of that interval that is redriven then does not start the workflow.
const MOST: usize = 50;

/// One stretch of activity, by the millisecond: `from` included, `until` not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Interval {
    from: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

/// The intervals, oldest first. Only the last one can be open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Activity(Vec<Interval>);

impl Activity {
    /// Begins an interval at this instant, unless one is open.
    #[must_use]
    pub fn begun(mut self, from: Timestamp) -> Self {
        if self.since().is_some() {
            return self;
        }
        let is_asked_for = |one: &Interval| {
            one.until
                .is_none_or(|until| from.duration_since(until) < ASKED_FOR)
        };
        self.0.retain(is_asked_for);
        let surplus = (self.0.len() + 1).saturating_sub(MOST);
        self.0.drain(..surplus);
        self.0.push(Interval { from, until: None });
        self
    }

    /// Ends the open interval at this instant, if there is one.
    #[must_use]
    pub fn ended(mut self, until: Timestamp) -> Self {
        if let Some(last) = self.0.last_mut().filter(|last| last.until.is_none()) {
            last.until = Some(until.max(last.from));
        }
        self
    }

    /// Start of the open interval.
    pub fn since(&self) -> Option<Timestamp> {
        let last = self.0.last().filter(|last| last.until.is_none());
        last.map(|last| last.from)
    }

    /// Whether the workflow took in events of this instant.
    pub fn covers(&self, at: Timestamp) -> bool {
        let at = at.as_millisecond();
        self.0.iter().any(|one| {
            let is_before_end = one.until.is_none_or(|until| at < until.as_millisecond());
            one.from.as_millisecond() <= at && is_before_end
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_438_400 + second).unwrap()
    }

    #[test]
    fn an_event_counts_by_its_own_time_after_pauses_and_resumes() {
        let activity = Activity::default().begun(at(10)).ended(at(20));
        let activity = activity
            .begun(at(30))
            .begun(at(40))
            .ended(at(50))
            .ended(at(60));
        for (second, counts) in [(9, false), (10, true), (19, true), (20, false), (30, true)] {
            assert_eq!(activity.covers(at(second)), counts, "{second}");
        }
        assert!(activity.covers(at(49)) && !activity.covers(at(50)));
        assert_eq!(activity.since(), None);
        assert_eq!(activity.begun(at(70)).since(), Some(at(70)));
    }

    #[test]
    fn what_no_message_asks_for_is_forgotten() {
        let day = 24 * 3600;
        let old = Activity::default().begun(at(0)).ended(at(day));
        assert_eq!(old.clone().begun(at(18 * day)).0.len(), 2);
        assert_eq!(old.begun(at(19 * day)).0.len(), 1);
    }

    proptest! {
        #[test]
        fn the_list_is_bounded_and_the_last_interval_is_kept(pauses in 1usize..200) {
            let activity = (0..pauses as i64).fold(Activity::default(), |activity, n| {
                activity.begun(at(20 * n)).ended(at(20 * n + 10))
            });
            prop_assert!(activity.0.len() <= MOST);
            prop_assert!(activity.covers(at(20 * (pauses as i64 - 1))));
        }
    }
}
