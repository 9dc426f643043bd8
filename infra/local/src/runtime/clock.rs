//! The stack's time: the machine's time plus an offset that only grows.
//!
//! Every part of the stack and every function takes its time from this clock. So when the clock is moved, a wait
//! of three days passes at once. The offset is kept in the data directory: a restarted stack continues at the same
//! time. Nothing here knows which parts wait for a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use kernel::Clock;
use tokio::sync::watch;

/// Largest total offset of the clock, so that expiry arithmetic stays in range.
const MAX_OFFSET: SignedDuration = SignedDuration::from_hours(24 * 365 * 20);
/// A sleep is re-checked at least this often, because the clock of a laptop jumps after a suspend.
const MAX_NAP: std::time::Duration = std::time::Duration::from_mins(1);

/// A clock that can be moved forward; cheap to clone.
#[derive(Clone)]
pub struct VirtualClock(Arc<Inner>);

struct Inner {
    base: Clock,
    offset_ms: Arc<AtomicI64>,
    file: Option<PathBuf>,
    moved: watch::Sender<u64>,
}

impl VirtualClock {
    /// A clock over `base` with the offset kept in `data_dir`, or in memory without one.
    pub fn open(base: Clock, data_dir: Option<&Path>) -> Result<Self> {
        let file = data_dir.map(|dir| dir.join("clock"));
        let offset = match &file {
            Some(file) if file.exists() => {
                let text = std::fs::read_to_string(file)?;
                text.trim().parse().with_context(|| {
                    format!("{} holds no number of milliseconds", file.display())
                })?
            }
            _ => 0,
        };
        Ok(Self(Arc::new(Inner {
            base,
            offset_ms: Arc::new(AtomicI64::new(offset)),
            file,
            moved: watch::Sender::new(0),
        })))
    }

    /// The clock as the rest of the product knows it.
    pub fn clock(&self) -> Clock {
        let (base, offset) = (self.0.base.clone(), Arc::clone(&self.0.offset_ms));
        Clock::from_fn(move || shifted(base.now(), offset.load(Ordering::Acquire)))
    }

    /// The stack's current instant.
    pub fn now(&self) -> Timestamp {
        shifted(self.0.base.now(), self.0.offset_ms.load(Ordering::Acquire))
    }

    /// How far the stack is ahead of the machine.
    pub fn offset(&self) -> SignedDuration {
        SignedDuration::from_millis(self.0.offset_ms.load(Ordering::Acquire))
    }

    /// Moves the time forward and wakes every task that waits for a time.
    pub fn advance(&self, by: SignedDuration) -> Result<Timestamp> {
        let target = self.offset().saturating_add(by);
        if by.is_negative() || target > MAX_OFFSET {
            bail!("the clock only moves forward, and at most 20 years in all");
        }
        if let Some(file) = &self.0.file {
            let next = file.with_extension("next");
            std::fs::write(&next, target.as_millis().to_string())?;
            std::fs::rename(&next, file)?;
        }
        self.0
            .offset_ms
            .fetch_add(by.as_millis() as i64, Ordering::AcqRel);
        self.0.moved.send_modify(|n| *n += 1);
        Ok(self.now())
    }

    /// Returns when the stack's time has reached `at`, by waiting or by moving the clock.
    pub async fn sleep_until(&self, at: Timestamp) {
        let mut moved = self.0.moved.subscribe();
        loop {
            let left = at.duration_since(self.now());
            if !left.is_positive() {
                return;
            }
            let nap = left.unsigned_abs().min(MAX_NAP);
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                _ = moved.changed() => {}
            }
        }
    }

    /// Sleeps for a length of the stack's time.
    pub async fn sleep(&self, length: SignedDuration) {
        let at = self.now().checked_add(length).unwrap_or(Timestamp::MAX);
        self.sleep_until(at).await;
    }
}

fn shifted(base: Timestamp, offset_ms: i64) -> Timestamp {
    base.checked_add(SignedDuration::from_millis(offset_ms))
        .unwrap_or(Timestamp::MAX)
}

/// Reads a length of time such as `90s`, `15m`, `2h`, `3d` or `1w`.
pub fn parse_span(text: &str) -> Result<SignedDuration> {
    const EXPECTED: &str = "expected a whole number and a unit, such as 90s, 15m, 2h, 3d or 1w";
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).context(EXPECTED)?;
    let (number, unit) = text.split_at(split);
    let number: i64 = number.parse().context(EXPECTED)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => bail!(EXPECTED),
    };
    let total = number.checked_mul(seconds).context(EXPECTED)?;
    let span = SignedDuration::from_secs(total);
    if span > MAX_OFFSET {
        bail!("the clock moves at most 20 years");
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_bounded() {
        assert_eq!(parse_span("90s").unwrap(), SignedDuration::from_secs(90));
        assert_eq!(parse_span(" 3d ").unwrap(), SignedDuration::from_hours(72));
        assert_eq!(parse_span("1w").unwrap(), SignedDuration::from_hours(168));
        for bad in [
            "",
            "d",
            "3",
            "3 d",
            "-3d",
            "3y",
            "1.5h",
            "9999999999999999w",
            "99999w",
        ] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_offset_survives_a_restart_and_never_shrinks() {
        let dir = tempfile::tempdir().unwrap();
        let fixed = Clock::from_fn(|| Timestamp::from_second(1_000_000).unwrap());
        let clock = VirtualClock::open(fixed.clone(), Some(dir.path())).unwrap();
        clock.advance(SignedDuration::from_secs(90)).unwrap();
        assert!(clock.advance(SignedDuration::from_secs(-1)).is_err());
        let again = VirtualClock::open(fixed, Some(dir.path())).unwrap();
        assert_eq!(again.clock().now().as_second(), 1_000_090);
    }

    #[tokio::test]
    async fn moving_the_time_ends_a_sleep() {
        let clock = VirtualClock::open(Clock::system(), None).unwrap();
        let sleeper = clock.clone();
        let sleeping = async move { sleeper.sleep(SignedDuration::from_hours(72)).await };
        let moving = async {
            tokio::task::yield_now().await;
            clock.advance(SignedDuration::from_hours(73)).unwrap();
        };
        tokio::join!(sleeping, moving);
    }
}
