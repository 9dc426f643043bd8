//! The time of an event. Pure.
//!
//! Segment's rule: the sender's clock is as wrong as its `sentAt` differs from our receipt
//! (segment.com/docs/connections/spec/common, "Timestamps"). A request that is sent again has another `sentAt`, so a
//! corrected time differs a little each time. A clock that is right is therefore not corrected.

use jiff::{SignedDuration, Timestamp};

/// A clock that differs by no more is right: the difference is the way of the request.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// Days after which an event is too old: no class of events is kept longer.
pub const OLDEST_DAYS: i64 = contacts::KEPT_DAYS_OTHERWISE;

/// The time of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// The time.
    pub at: Timestamp,
    /// Whether a repetition of the request gives the same time.
    pub is_stable: bool,
}

/// The time of an event that happened at `original` by the sender's clock, which was at `sent` when we received the
/// request. It is never later than the receipt by more than [`TOLERANCE`].
pub fn when(original: Option<Timestamp>, sent: Option<Timestamp>, received: Timestamp) -> When {
    let arrived = When {
        at: received,
        is_stable: false,
    };
    let Some(original) = original else {
        return arrived;
    };
    let skew = sent.map_or(SignedDuration::ZERO, |sent| received.duration_since(sent));
    if skew.abs() > TOLERANCE {
        let corrected = original.checked_add(skew).unwrap_or(received);
        return When {
            at: corrected.min(received),
            is_stable: false,
        };
    }
    if original.duration_since(received) > TOLERANCE {
        return arrived;
    }
    When {
        at: original,
        is_stable: true,
    }
}

/// Whether an event of this time is too old to be kept.
pub fn is_too_old(at: Timestamp, received: Timestamp) -> bool {
    received.duration_since(at) > SignedDuration::from_hours(OLDEST_DAYS * 24)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_772_438_400 + seconds).unwrap()
    }

    #[test]
    fn a_wrong_clock_is_corrected_and_a_right_one_is_believed() {
        let hour = 3600;
        let wrong = when(Some(at(7 * hour)), Some(at(7 * hour + 10)), at(12));
        assert_eq!((wrong.at, wrong.is_stable), (at(2), false));
        let right = when(Some(at(0)), Some(at(10)), at(12));
        assert_eq!((right.at, right.is_stable), (at(0), true));
        let queued = when(Some(at(-2 * hour)), Some(at(10)), at(12));
        assert_eq!((queued.at, queued.is_stable), (at(-2 * hour), true));
        let none = when(None, Some(at(10)), at(12));
        assert_eq!((none.at, none.is_stable), (at(12), false));
        let future = when(Some(at(2 * hour)), None, at(12));
        assert_eq!((future.at, future.is_stable), (at(12), false));
    }

    proptest! {
        #[test]
        fn no_event_is_of_the_future(
            original in -1_000_000i64..1_000_000,
            sent in prop::option::of(-1_000_000i64..1_000_000),
            received in -1_000_000i64..1_000_000,
        ) {
            let received = at(received);
            let found = when(Some(at(original)), sent.map(at), received);
            prop_assert!(found.at.duration_since(received) <= TOLERANCE);
        }

        /// The clock of the sender may be wrong: an event that waited for `age` is dated `age` before the receipt.
        #[test]
        fn the_age_of_an_event_is_kept(skew in -1_000_000i64..1_000_000, age in 0i64..1_000_000) {
            let received = at(0);
            let sent = at(-skew);
            let found = when(Some(at(-skew - age)), Some(sent), received);
            let error = found.at.duration_since(at(-age)).abs();
            prop_assert!(error <= TOLERANCE);
            prop_assert_eq!(found.is_stable, skew.abs() <= 60);
        }

        #[test]
        fn a_repetition_within_the_tolerance_has_the_same_time(
            original in -1_000_000i64..0,
            way in 0i64..=60,
            later in 0i64..1_000_000,
        ) {
            let first = when(Some(at(original)), Some(at(0)), at(way));
            let again = when(Some(at(original)), Some(at(later)), at(later + way));
            prop_assert_eq!(first, again);
        }
    }
}
