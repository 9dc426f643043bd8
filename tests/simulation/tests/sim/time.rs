//! One clock: the paused time of tokio. Nothing here reads the machine's clock.

use jiff::{SignedDuration, Timestamp};
use kernel::Clock;
use tokio::time::Instant;

/// 2026-03-02T08:00:00Z, a Monday.
const START_MS: i64 = 1_772_438_400_000;

/// The clock of a seed, counted from the moment at which it was made.
#[derive(Clone, Copy)]
pub struct Time(Instant);

impl Time {
    /// Begins now. Only inside a paused runtime.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn passed(self) -> SignedDuration {
        SignedDuration::try_from(self.0.elapsed()).expect("a short run")
    }

    /// The clock of a process whose own time differs by so many milliseconds.
    pub fn clock(self, skew_ms: i64) -> Clock {
        let start = Timestamp::from_millisecond(START_MS + skew_ms).expect("a valid time");
        Clock::from_fn(move || start + self.passed())
    }
}
