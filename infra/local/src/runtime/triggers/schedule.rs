//! Schedules: invokes functions at their rate, and at once when the clock was moved past a scheduled time.
//!
//! If the clock jumped over several scheduled times, a schedule fires once, with the current time. The
//! scheduled functions read the clock and the stored rows, not the event.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::runtime::clock::VirtualClock;
use crate::runtime::functions::Functions;

/// One schedule and the function it fires.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Logical id of the function.
    pub function: String,
    /// Time between two invocations.
    pub period: SignedDuration,
    /// The event, when the template sets one.
    pub input: Option<Value>,
}

impl Schedule {
    /// Reads a schedule of the template; only `rate(...)` is understood.
    pub fn read(function: &str, expression: &str, input: Option<&str>) -> Result<Self> {
        let period =
            rate(expression).with_context(|| format!("schedule {expression:?} of {function}"))?;
        let input = input.map(serde_json::from_str).transpose();
        let input = input.with_context(|| format!("Input of the schedule of {function}"))?;
        Ok(Self {
            function: function.to_owned(),
            period,
            input,
        })
    }
}

fn rate(expression: &str) -> Result<SignedDuration> {
    const EXPECTED: &str = "only rate(<number> minutes|hours|days) is understood";
    let inner = expression
        .strip_prefix("rate(")
        .and_then(|rest| rest.strip_suffix(')'))
        .context(EXPECTED)?;
    let (number, unit) = inner.trim().split_once(' ').context(EXPECTED)?;
    let number: i64 = number.parse().context(EXPECTED)?;
    let seconds = match unit.trim() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3600,
        "day" | "days" => 86_400,
        _ => bail!(EXPECTED),
    };
    if !(1..=10_000).contains(&number) {
        bail!(EXPECTED);
    }
    Ok(SignedDuration::from_secs(number * seconds))
}

/// All schedules of the stack.
pub struct Schedules {
    beats: Vec<(Schedule, Mutex<Timestamp>)>,
    functions: Arc<Functions>,
    clock: VirtualClock,
    tasks: TaskTracker,
}

impl Schedules {
    /// Schedules that first fire at the next whole multiple of their period.
    pub fn new(
        schedules: Vec<Schedule>,
        functions: Arc<Functions>,
        clock: VirtualClock,
        tasks: TaskTracker,
    ) -> Self {
        let now = clock.now();
        let beats = schedules
            .into_iter()
            .map(|schedule| {
                let first = next_beat(now, schedule.period);
                (schedule, Mutex::new(first))
            })
            .collect();
        Self {
            beats,
            functions,
            clock,
            tasks,
        }
    }

    /// Fires every schedule that is due. When this returns, the invocations count as under way.
    pub fn fire_due(&self) {
        let now = self.clock.now();
        for (schedule, next) in &self.beats {
            let Ok(mut next) = next.lock() else { continue };
            if *next > now {
                continue;
            }
            *next = next_beat(now, schedule.period);
            drop(next);
            let event = self.event(schedule, now);
            let (functions, name) = (Arc::clone(&self.functions), schedule.function.clone());
            let busy = functions.begin();
            self.tasks.spawn(async move {
                // The function's statistics show a failure; the next invocation does the remaining work.
                let _ = functions.invoke(&name, event, None).await;
                drop(busy);
            });
        }
    }

    /// Fires schedules until the stack stops.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let beats = self.beats.iter().filter_map(|(_, at)| at.lock().ok());
            let Some(next) = beats.map(|at| *at).min() else {
                return;
            };
            tokio::select! {
                () = self.clock.sleep_until(next) => self.fire_due(),
                () = stop.cancelled() => return,
            }
        }
    }

    fn event(&self, schedule: &Schedule, now: Timestamp) -> Value {
        schedule.input.clone().unwrap_or_else(|| {
            json!({
                "version": "0",
                "id": self.functions.request_id(),
                "detail-type": "Scheduled Event",
                "source": "aws.scheduler",
                "account": crate::runtime::ACCOUNT,
                "time": format!("{now:.0}"),
                "region": crate::runtime::REGION,
                "resources": [],
                "detail": "{}",
            })
        })
    }
}

/// The first whole multiple of `period` after `now`.
fn next_beat(now: Timestamp, period: SignedDuration) -> Timestamp {
    let period = period.as_secs();
    let beat = (now.as_second().div_euclid(period) + 1) * period;
    Timestamp::from_second(beat).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_other_expressions_refused() {
        assert_eq!(
            rate("rate(1 minute)").unwrap(),
            SignedDuration::from_secs(60)
        );
        assert_eq!(
            rate("rate(2 hours)").unwrap(),
            SignedDuration::from_hours(2)
        );
        for bad in [
            "cron(0 2 * * ? *)",
            "rate(0 minutes)",
            "rate(1 week)",
            "1 minute",
        ] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn beats_fall_on_whole_multiples() {
        let minute = SignedDuration::from_secs(60);
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(next_beat(at(119), minute), at(120));
        assert_eq!(next_beat(at(120), minute), at(180));
    }
}
