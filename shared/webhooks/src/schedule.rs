//! The waits between the attempts of a delivery: about 28 hours in all, as Standard Webhooks proposes. Pure.

use std::time::Duration;

/// The wait before each repetition. The first attempt is made at once.
pub const WAITS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];
/// A wait is longer by up to a tenth, so that the deliveries of an outage do not come back together.
const SPREAD: u32 = 10;

/// The wait after `failed` failed attempts; `None`: no further attempt. `random` is any number.
pub fn wait(failed: u32, random: u64) -> Option<Duration> {
    let place = usize::try_from(failed).ok()?.checked_sub(1)?;
    let wait = *WAITS.get(place)?;
    let spread = wait / SPREAD;
    let part = u32::try_from(random % 1_001).unwrap_or(0);
    Some(wait + spread * part / 1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The attempts span 27.5 to 30.5 hours at any draw, and each wait has its place.
        #[test]
        fn the_waits_span_about_28_hours(random in proptest::collection::vec(any::<u64>(), 8)) {
            let waits = (1u32..9).zip(&random).map(|(failed, random)| wait(failed, *random));
            let waits: Vec<Option<Duration>> = waits.collect();
            prop_assert_eq!(waits[7], None);
            for (wait, least) in waits.iter().zip(WAITS) {
                let wait = wait.unwrap();
                prop_assert!(wait >= least && wait <= least + least / 10);
            }
            let whole: Duration = waits.into_iter().flatten().sum();
            let hours = whole.as_secs_f64() / 3_600.0;
            prop_assert!((27.5..=30.5).contains(&hours), "{}", hours);
        }
    }

    #[test]
    fn nothing_is_planned_before_the_first_attempt() {
        assert_eq!(wait(0, 0), None);
        assert_eq!(wait(1, 0), Some(Duration::from_secs(5)));
    }
}
