//! Units of a stage in a month in which nobody uses it, from the template alone.

use super::{DAYS, Units};
use crate::template::model::{Stack, Trigger};

/// Largest number of metrics of a free dashboard; three dashboards are free.
const FREE_METRICS: usize = 50;
/// Least number of Lambda pollers of a queue; a `MaximumConcurrency` keeps all five.
const POLLERS: (f64, f64) = (2.0, 5.0);
/// Time that a poll waits for a message.
const POLL_SECONDS: f64 = 20.0;
/// The service asks KMS for a table's key again after this time, for each caller.
const KEY_SECONDS: f64 = 300.0;

/// Alarms, dashboards, secrets, polling, and ticks of schedules.
pub fn stage_units(stack: &Stack) -> Units {
    let billed = &stack.billed;
    let seconds = DAYS * 86_400.0;
    let mut units = Units::from([
        ("alarm_month", f64::from(billed.alarms)),
        ("secret_month", f64::from(billed.secrets)),
        ("dashboard_month", 0.0),
        ("kms_request", 0.0),
        ("schedule_invocation", 0.0),
        ("lambda_request", 0.0),
        ("sqs_request", 0.0),
        ("sqs_fifo_request", 0.0),
    ]);
    let mut add = |key: &'static str, n: f64| *units.entry(key).or_default() += n;
    let large = |metrics: &&usize| **metrics > FREE_METRICS;
    let small = billed
        .dashboards
        .iter()
        .filter(|metrics| !large(metrics))
        .count();
    let dashboards = billed.dashboards.iter().filter(large).count() + small.saturating_sub(3);
    add("dashboard_month", dashboards as f64);
    let keys = billed.tables.values().filter(|table| table.managed_key);
    add("kms_request", keys.count() as f64 * seconds / KEY_SECONDS);
    for trigger in stack
        .functions
        .iter()
        .flat_map(|function| &function.triggers)
    {
        match trigger {
            Trigger::Sqs {
                queue,
                maximum_concurrency,
                ..
            } => {
                let pollers = maximum_concurrency.map_or(POLLERS.0, |_| POLLERS.1);
                let key = request_key(stack, queue);
                add(key, pollers * seconds / POLL_SECONDS);
            }
            Trigger::Schedule { .. } => {
                add("schedule_invocation", seconds / 60.0);
                add("lambda_request", seconds / 60.0);
            }
            _ => {}
        }
    }
    units
}

/// Price of a request to this queue, by its physical name.
pub fn request_key(stack: &Stack, queue: &str) -> &'static str {
    let queue = stack.queues.iter().find(|one| one.name == queue);
    if queue.is_some_and(|queue| queue.fifo) {
        "sqs_fifo_request"
    } else {
        "sqs_request"
    }
}

/// X-Ray's traces of this number of invocations in a month: one a second, and a twentieth of the others. Where
/// they are spread evenly, each is the only one in its second.
pub fn trace_units(stack: &Stack, invocations: f64) -> Units {
    let sampled = invocations.min(DAYS * 86_400.0);
    let traced = if stack.billed.traced > 0 {
        sampled + (invocations - sampled) / 20.0
    } else {
        0.0
    };
    Units::from([("xray_trace", traced)])
}
