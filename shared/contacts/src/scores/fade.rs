//! Points that fade while a contact does nothing that gives points. Pure.
//!
//! Nothing is written when points fade. The profile holds the rule and the time of the last points, and a reader computes the
//! score of the present. So a score at an instant is the same for every reader.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Most idle days until points fade.
pub const MAX_IDLE_DAYS: i64 = 365;
const DAY: i64 = 24 * 3600;

/// How the points of an idle contact fade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ScoreDecay)]
#[serde(deny_unknown_fields)]
pub struct Decay {
    /// Points that a contact loses each time. A score above 0 fades to 0 and no further.
    #[schema(minimum = 1, maximum = 1000, example = 5)]
    pub points: i64,
    /// Days of 24 hours without points. After as many days again, the contact loses points again.
    #[schema(minimum = 1, maximum = 365, example = 30)]
    pub idle_days: i64,
}

/// The decay of one contact's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fade {
    /// The rule at the time of the last points.
    #[serde(flatten)]
    pub decay: Decay,
    /// When the last points were given: the time of the event.
    pub at: Timestamp,
}

/// A score that fades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fading {
    /// The score at the time of the last points.
    pub score: i64,
    /// How the score fades.
    pub fade: Fade,
}

impl Fade {
    /// The score at an instant, of `score` at the time of the last points.
    pub fn of(&self, score: i64, now: Timestamp) -> i64 {
        if score <= 0 {
            return score;
        }
        let idle = now.as_millisecond() - self.at.as_millisecond();
        let times = idle.div_euclid(self.millis()).max(0);
        let lost = times.saturating_mul(self.decay.points);
        score.saturating_sub(lost).max(0)
    }

    /// The place of a decay among others: the later one holds, of two of one time the stronger one.
    pub(crate) fn order(&self) -> (Timestamp, i64, i64) {
        (self.at, self.decay.points, -self.decay.idle_days)
    }

    fn millis(&self) -> i64 {
        self.decay.idle_days.max(1) * DAY * 1000
    }
}

impl Fading {
    /// The score at an instant, in milliseconds, and the instant at which the score is less. None: it stays.
    pub fn at(&self, now: i64) -> (i64, Option<i64>) {
        let at = Timestamp::from_millisecond(now).unwrap_or(self.fade.at);
        let score = self.fade.of(self.score, at);
        if score <= 0 {
            return (score, None);
        }
        let start = self.fade.at.as_millisecond();
        let times = (now - start).div_euclid(self.fade.millis()).max(0);
        (score, Some(start + (times + 1) * self.fade.millis()))
    }
}

impl Decay {
    /// The decay from the time of an event on. An event that arrives late does not set the time back, and one of the
    /// future counts as of now.
    pub(crate) fn from(self, event: Timestamp, before: Option<&Fade>, now: Timestamp) -> Fade {
        let last = before.map_or(event, |fade| fade.at.max(event));
        let at = last.min(now);
        // Profiles hold whole milliseconds.
        let part = SignedDuration::from_nanos(i64::from(at.subsec_nanosecond()) % 1_000_000);
        Fade {
            decay: self,
            at: at - part,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fade(points: i64, idle_days: i64) -> Fade {
        Fade {
            decay: Decay { points, idle_days },
            at: Timestamp::from_second(1_800_000_000).unwrap(),
        }
    }

    #[test]
    fn points_fade_after_each_idle_period_and_stop_at_zero() {
        let fade = fade(5, 30);
        let after = |score, days: i64, seconds: i64| {
            let time = SignedDuration::from_secs(days * DAY + seconds);
            fade.of(score, fade.at + time)
        };
        assert_eq!(after(12, 0, 0), 12);
        assert_eq!(after(12, 30, -1), 12);
        assert_eq!(after(12, 30, 0), 7);
        assert_eq!(after(12, 60, 0), 2);
        assert_eq!(after(12, 90, 0), 0);
        assert_eq!(after(12, 9_000, 0), 0);
        assert_eq!(after(-4, 9_000, 0), -4);
        assert_eq!(after(12, -90, 0), 12);
    }

    proptest! {
        #[test]
        fn a_score_stays_until_the_named_instant(score in -50_i64..200, points in 1_i64..40, days in 1_i64..60, since in 0_i64..400) {
            let fading = Fading { score, fade: fade(points, days) };
            let now = fading.fade.at.as_millisecond() + since * DAY * 1000;
            let (value, next) = fading.at(now);
            match next {
                None => prop_assert_eq!(fading.at(now + 4_000 * DAY * 1000).0, value),
                Some(next) => {
                    prop_assert_eq!(fading.at(next - 1).0, value);
                    prop_assert!(fading.at(next).0 < value);
                }
            }
        }
    }
}
