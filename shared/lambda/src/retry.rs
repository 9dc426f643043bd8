//! The wait before a failed message is redelivered, and the age at which the runner gives it up.
//!
//! Pure. The receive count decides only the wait: invocations that were throttled or died count as receives, so the
//! count says nothing about the message (docs/adr/0024).

use std::time::Duration;

use kernel::Entropy;

/// Longest wait between two tries.
const LONGEST_SECONDS: u32 = 900;
/// A message that has failed for so long is dead-lettered with its reason.
const GIVE_UP: Duration = Duration::from_hours(12);
/// Overload never gives up before the retention of the queue (14 days) is near.
const GIVE_UP_OVERLOAD: Duration = Duration::from_hours(13 * 24);
/// Fewest receives of a message that is given up: after an outage its first try is not its last.
const FEWEST_RECEIVES: u32 = 5;

/// Seconds until the next try after this number of receives: 2 x 2^n up to 900, of which a random half is left out.
pub(crate) fn wait_seconds(receives: u32, entropy: &Entropy) -> u32 {
    let ceiling = 2u32
        .saturating_mul(1 << receives.clamp(1, 9))
        .min(LONGEST_SECONDS);
    let half = ceiling / 2;
    ceiling - (entropy.u64() % u64::from(half + 1)) as u32
}

/// Whether a message of this age whose last failure has this name is given up.
pub(crate) fn is_over(name: &str, age: Duration, receives: u32) -> bool {
    let limit = match name {
        "Store.Throttled" | "Store.Conflict" | "Deadline.NotBegun" => GIVE_UP_OVERLOAD,
        _ => GIVE_UP,
    };
    age >= limit && receives >= FEWEST_RECEIVES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_differ() {
        let entropy = Entropy::seeded(1);
        let ceilings = [4, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900];
        for (receives, ceiling) in (0..).zip(ceilings) {
            let waits: std::collections::BTreeSet<u32> =
                (0..500).map(|_| wait_seconds(receives, &entropy)).collect();
            assert_eq!(waits.last(), Some(&ceiling), "{receives}");
            assert!(
                *waits.first().unwrap() <= ceiling / 2 + ceiling / 8,
                "{receives}"
            );
            assert!(*waits.first().unwrap() >= ceiling / 2, "{receives}");
        }
        assert!(wait_seconds(u32::MAX, &entropy) <= 900);
    }

    #[test]
    fn age_gives_up_and_receives_do_not() {
        let hours = |hours| Duration::from_hours(hours);
        for name in [
            "Panic",
            "Deadline.TooSlow",
            "Store.Misconfigured",
            "Store.Unknown",
        ] {
            assert!(is_over(name, hours(12), 5), "{name}");
            assert!(
                !is_over(name, hours(12), 4),
                "{name}: its first try after an outage"
            );
            let less = hours(12).saturating_sub(Duration::from_millis(1));
            assert!(!is_over(name, less, 999), "{name}");
        }
        for name in ["Store.Throttled", "Store.Conflict", "Deadline.NotBegun"] {
            assert!(!is_over(name, hours(13 * 24 - 1), 999), "{name}");
            assert!(is_over(name, hours(13 * 24), 5), "{name}");
        }
    }
}
