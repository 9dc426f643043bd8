//! Token buckets in the memory of one process: the first limit on a flood, before anything is read or written.
//!
//! Each process has its own buckets. So the whole installation admits the rate times the number of processes. A
//! limit that must hold for all processes together is a [`crate::Window`].

use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use kernel::Clock;

/// From this number of keys on, each call deletes full buckets.
const MANY: usize = 10_000;

/// Nanoseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(u64);

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0.saturating_add(other.as_u64()))
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.as_u64()))
    }
}

#[derive(Debug, Clone)]
struct Time(Clock);

impl governor::clock::Clock for Time {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.0.now().as_nanosecond()).unwrap_or(0))
    }
}

type Limiter = RateLimiter<String, HashMapStateStore<String>, Time, NoOpMiddleware<Moment>>;

/// Buckets by key; cheap to clone.
#[derive(Clone, Debug)]
pub struct Buckets(Arc<Limiter>);

impl Buckets {
    /// Full buckets of `burst` tokens, refilled at `per_second` tokens a second.
    pub fn new(clock: &Clock, per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let limiter = RateLimiter::hashmap_with_clock(quota, Time(clock.clone()));
        Self(Arc::new(limiter))
    }

    /// Takes a token of the key's bucket. An empty bucket returns the time until the next token.
    pub fn take(&self, key: &str) -> Result<(), Duration> {
        if self.0.len() >= MANY {
            self.0.retain_recent();
        }
        let taken = self.0.check_key(&key.to_owned());
        taken.map_err(|refusal| refusal.wait_time_from(self.0.clock().now()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again_and_no_other_with_it() {
        let ms = Arc::new(AtomicI64::new(1_772_438_400_000));
        let source = ms.clone();
        let clock = Clock::from_fn(move || {
            jiff::Timestamp::from_millisecond(source.load(Ordering::SeqCst)).unwrap()
        });
        let number = |n| NonZeroU32::new(n).unwrap();
        let buckets = Buckets::new(&clock, number(5), number(10));
        let taken = || (0..100).filter(|_| buckets.take("a").is_ok()).count();
        assert_eq!(taken(), 10);
        assert_eq!(buckets.take("a"), Err(Duration::from_millis(200)));
        assert!(buckets.take("b").is_ok());
        ms.fetch_add(1_000, Ordering::SeqCst);
        assert_eq!(taken(), 5);
        ms.fetch_add(60_000, Ordering::SeqCst);
        assert_eq!(taken(), 10, "no more than the burst is saved up");
        for n in 0..3 * MANY {
            ms.fetch_add(1, Ordering::SeqCst);
            buckets.take(&format!("one of many {n}")).unwrap();
        }
        assert!(buckets.0.len() <= MANY, "{} are kept", buckets.0.len());
    }
}
