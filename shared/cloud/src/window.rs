//! Counts of calls in a fixed period, shared by all functions.
//!
//! [`Window`] writes each call and is exact. [`Sampled`] counts in the process and writes one call in so many. It is
//! for calls that are not worth a write unit each. Counting is one `ADD`, so a repeated call counts twice: the safe
//! side for a limit. At the border of two windows twice the limit can pass, which is acceptable for limits of
//! requests and sign-ins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::item::Key;
use crate::{Error, Resources, Table, Update};

/// A queue keeps a message 14 days and its dead-letter queue 14 more.
const REDELIVERED: Duration = Duration::from_hours(28 * 24);

/// Counters in the table of limits.
#[derive(Clone, Debug)]
pub struct Window {
    table: Table,
}

/// The state of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Calls counted so far, this call included.
    pub used: u32,
    /// Time until the next window begins at 0.
    pub resets_in: Duration,
}

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    #[serde(default)]
    used: i64,
}

#[derive(Serialize, Deserialize)]
struct Mark {
    /// Seconds since the epoch.
    until: i64,
}

fn mark(scope: &str) -> Key {
    Key::new(format!("LIM#{scope}"), "MARK")
}

impl Window {
    /// Over the table Limits.
    pub fn over(resources: &Resources) -> Self {
        let table = resources.table("Limits");
        Self { table }
    }

    /// Adds `by`, which may be negative, to the current window of `scope`; windows are whole multiples of `period`.
    pub async fn count(&self, scope: &str, period: Duration, by: i32) -> Result<Usage, Error> {
        let (key, resets_in) = self.current(scope, period);
        let expires = self.table.clock().now().as_second() + resets_in.as_secs() as i64 + 60;
        let update = Update::new().add("used", i64::from(by)).set("ttl", expires);
        let counter: Option<Counter> = self.table.update(&key, update).await?.item()?;
        let used = counter.unwrap_or_default().used;
        let used = u32::try_from(used.max(0)).unwrap_or(u32::MAX);
        Ok(Usage { used, resets_in })
    }

    /// Whether `id` is among the first `most` ids that the window of `at` in `scope` has counted. Repeated calls get
    /// the same answer. One write unit.
    pub async fn admits(
        &self,
        scope: &str,
        period: Duration,
        at: Timestamp,
        id: &str,
        most: u32,
    ) -> Result<bool, Error> {
        let (key, ends) = window(scope, period, at);
        // A message may be redelivered for weeks, from a dead-letter queue.
        let update = Update::new()
            .add_to_set("ids", [id])
            .set("ttl", ends + REDELIVERED.as_secs() as i64)
            .when_has_or_fits("ids", id, most);
        Ok(self.table.update(&key, update).await?.applied())
    }

    /// Remembers `scope` for this long from now on. One write unit.
    pub async fn mark(&self, scope: &str, keep: Duration) -> Result<(), Error> {
        let until = self.table.clock().now().as_second() + keep.as_secs() as i64;
        let update = Update::new().set("until", until).set("ttl", until);
        self.table.update(&mark(scope), update).await?;
        Ok(())
    }

    /// Whether `scope` was marked and is still remembered. Half a read unit.
    pub async fn is_marked(&self, scope: &str) -> Result<bool, Error> {
        let row: Option<Mark> = self.table.look_up(&mark(scope)).await?;
        let now = self.table.clock().now().as_second();
        Ok(row.is_some_and(|row| row.until > now))
    }

    /// Counts in the process and writes one call in `every`.
    pub fn sampled(&self, every: u32) -> Sampled {
        Sampled {
            window: self.clone(),
            every,
            local: Arc::default(),
        }
    }

    fn current(&self, scope: &str, period: Duration) -> (Key, Duration) {
        let now = self.table.clock().now();
        let (key, ends) = window(scope, period, now);
        (key, Duration::from_secs((ends - now.as_second()) as u64))
    }
}

/// Key of the window of an instant, and its end, in seconds since the epoch.
fn window(scope: &str, period: Duration, at: Timestamp) -> (Key, i64) {
    let (period, at) = (period.as_secs().max(1) as i64, at.as_second());
    let start = at - at.rem_euclid(period);
    let key = Key::new(format!("LIM#{scope}#{start}"), "WINDOW");
    (key, start + period)
}

/// Scopes that a process counts; beyond that it drops all of them and starts again.
const SCOPES: usize = 10_000;

/// A [`Window`] that costs a write unit for `every` calls of a scope, and none for fewer. Each process keeps up to
/// `every - 1` calls to itself. So each active process can exceed the limit by as many calls.
#[derive(Clone, Debug)]
pub struct Sampled {
    window: Window,
    every: u32,
    local: Arc<Mutex<HashMap<String, Local>>>,
}

/// A process's counts of a scope.
#[derive(Debug, Default)]
struct Local {
    /// Key of the window.
    window: String,
    /// Calls counted by all processes at the last write of this one.
    known: u32,
    /// Calls counted here since that write.
    pending: u32,
}

impl Sampled {
    /// Counts a call in the current window of `scope`.
    pub async fn count(&self, scope: &str, period: Duration) -> Result<Usage, Error> {
        let (key, resets_in) = self.window.current(scope, period);
        let (used, is_due) = self.note(scope, &key.pk);
        if !is_due {
            return Ok(Usage { used, resets_in });
        }
        let by = i32::try_from(self.every).unwrap_or(i32::MAX);
        let usage = self.window.count(scope, period, by).await?;
        if let Some(local) = self.local().get_mut(scope) {
            local.known = local.known.max(usage.used);
        }
        Ok(usage)
    }

    /// Counts a call in this process: the known use, and whether it is time to write.
    fn note(&self, scope: &str, window: &str) -> (u32, bool) {
        let mut scopes = self.local();
        if scopes.len() >= SCOPES {
            scopes.clear();
        }
        let local = scopes.entry(scope.to_owned()).or_default();
        if local.window != window {
            *local = Local {
                window: window.to_owned(),
                ..Local::default()
            };
        }
        local.pending += 1;
        let used = local.known + local.pending;
        let is_due = local.pending >= self.every;
        if is_due {
            (local.known, local.pending) = (used, 0);
        }
        (used, is_due)
    }

    fn local(&self) -> std::sync::MutexGuard<'_, HashMap<String, Local>> {
        // The numbers of the map are valid at any moment, also after a panic in another thread.
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Aws, resources::Vars};

    const MINUTE: Duration = Duration::from_mins(1);

    /// Windows whose clock stands at this second. Their table answers no call.
    fn at(second: i64) -> Window {
        let config = aws_types::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .build();
        let clock = kernel::Clock::from_fn(move || Timestamp::from_second(second).unwrap());
        let aws = Aws::new(config, clock, kernel::Entropy::seeded(1));
        Window::over(&Resources::new(aws, Vars::from_map(BTreeMap::new())))
    }

    #[test]
    fn windows_are_whole_multiples_of_their_period() {
        for (second, start) in [(120, 120), (179, 120), (180, 180), (-1, -60)] {
            let (key, ends) = window("a", MINUTE, Timestamp::from_second(second).unwrap());
            assert_eq!(key, Key::new(format!("LIM#a#{start}"), "WINDOW"));
            assert_eq!(ends, start + 60, "{second}");
        }
        let (key, ends) = window("a", Duration::ZERO, Timestamp::from_second(5).unwrap());
        assert_eq!((key.pk.as_str(), ends), ("LIM#a#5", 6));
        let (key, resets_in) = at(130).current("a", MINUTE);
        assert_eq!(
            (key.pk.as_str(), resets_in),
            ("LIM#a#120", Duration::from_secs(50))
        );
        assert_eq!(mark("a"), Key::new("LIM#a", "MARK"));
        assert_eq!(REDELIVERED, Duration::from_hours(28 * 24));
    }

    #[test]
    fn a_process_writes_one_call_in_so_many() {
        let sampled = at(130).sampled(3);
        let calls: Vec<_> = (0..7).map(|_| sampled.note("a", "1")).collect();
        let (kept, due) = (false, true);
        assert_eq!(
            calls,
            [
                (1, kept),
                (2, kept),
                (3, due),
                (4, kept),
                (5, kept),
                (6, due),
                (7, kept)
            ]
        );
        assert_eq!(sampled.note("b", "1"), (1, kept), "another scope");
        assert_eq!(sampled.note("a", "2"), (1, kept), "another window");
        assert_eq!(sampled.note("a", "2"), (2, kept));
    }

    #[test]
    fn a_process_counts_a_bounded_number_of_scopes() {
        let sampled = at(130).sampled(3);
        for n in 0..SCOPES {
            assert_eq!(sampled.note(&n.to_string(), "1"), (1, false));
        }
        assert_eq!(sampled.local().len(), SCOPES);
        assert_eq!(sampled.note("0", "1"), (1, false));
        assert_eq!(sampled.local().len(), 1);
    }

    #[tokio::test]
    async fn a_call_that_is_not_due_calls_no_table() {
        let usage = at(130).sampled(3).count("a", MINUTE).await.unwrap();
        let resets_in = Duration::from_secs(50);
        assert_eq!(usage, Usage { used: 1, resets_in });
    }
}
