//! Counts of one invocation, written to the log as one line of JSON that CloudWatch Logs Insights reads.
//!
//! - The line is not in the embedded metric format. In that format each name in each function is a custom
//!   metric of $0.30 a month (<https://aws.amazon.com/cloudwatch/pricing/>), and no alarm reads one.
//! - Logs cost $0.70 a gigabyte in Singapore (`infra/prices.yaml`), so a line costs more than its request.
//!   An invocation that started warm and only succeeded therefore writes one for [`SAMPLE`] on average.
//! - `Weight` is the number of invocations that a line represents. A sum over all of them is
//!   `sum(MessagesSent * Weight)`. Incidents are complete: each has its line, of weight 1.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;

use kernel::Entropy;
use serde_json::{Map, Value};

/// One in this many invocations that only succeeded writes its line.
pub(crate) const SAMPLE: u64 = 20;

/// The counts of one invocation.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    values: BTreeMap<&'static str, u64>,
    has_incident: bool,
}

tokio::task_local! {
    static COUNTS: RefCell<Counts>;
}

/// Counts finished work; `PascalCase` names. Outside an invocation it does nothing.
pub fn count(name: &'static str, n: u64) {
    change(|counts| *counts.values.entry(name).or_default() += n);
}

/// Counts an event that an operator looks for: a failure, a refusal, a loss. An invocation with one writes its line.
pub fn incident(name: &'static str, n: u64) {
    count(name, n);
    change(|counts| counts.has_incident |= n > 0);
}

pub(crate) fn highest(name: &'static str, n: u64) {
    change(|counts| {
        let value = counts.values.entry(name).or_default();
        *value = n.max(*value);
    });
}

fn change(change: impl FnOnce(&mut Counts)) {
    // Outside an invocation (a unit test) nothing is counted.
    let _ = COUNTS.try_with(|counts| change(&mut counts.borrow_mut()));
}

pub(crate) async fn scope<F: Future>(work: F) -> (F::Output, Counts) {
    COUNTS
        .scope(RefCell::default(), async {
            let output = work.await;
            (output, COUNTS.with(RefCell::take))
        })
        .await
}

/// The facts of an invocation that has ended.
pub(crate) struct Ended<'a> {
    pub function: &'a str,
    pub duration_ms: i64,
    pub is_cold: bool,
    pub has_failed: bool,
}

impl Ended<'_> {
    /// The invocation's line, or `None` if it is left out.
    pub fn line(&self, counts: &Counts, entropy: &Entropy) -> Option<String> {
        let must = self.is_cold || self.has_failed || counts.has_incident;
        let weight = if must { 1 } else { SAMPLE };
        if !must && !entropy.u64().is_multiple_of(SAMPLE) {
            return None;
        }
        let mut line = Map::new();
        line.insert("Function".to_owned(), self.function.into());
        line.insert("DurationMs".to_owned(), self.duration_ms.into());
        line.insert("ColdStart".to_owned(), self.is_cold.into());
        line.insert("Weight".to_owned(), weight.into());
        let counted = counts.values.iter().filter(|(_, n)| **n > 0);
        line.extend(counted.map(|(name, n)| ((*name).to_owned(), Value::from(*n))));
        Some(Value::Object(line).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM: Ended<'_> = Ended {
        function: "ingest",
        duration_ms: 7,
        is_cold: false,
        has_failed: false,
    };

    fn written(ended: &Ended<'_>, counts: &Counts) -> Vec<Value> {
        let entropy = Entropy::seeded(1);
        let lines = (0..2_000).filter_map(|_| ended.line(counts, &entropy));
        lines
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn a_success_is_sampled_and_its_line_represents_the_others() {
        let ((), counts) = scope(async {
            count("ContactsCreated", 2);
            count("ContactsCreated", 1);
            highest("LagMs", 5);
            highest("LagMs", 3);
            incident("RecordsFailed", 0);
        })
        .await;
        let lines = written(&WARM, &counts);
        assert!((80..120).contains(&lines.len()), "{}", lines.len());
        assert_eq!(
            lines[0],
            serde_json::json!({
                "Function": "ingest", "DurationMs": 7, "ColdStart": false, "Weight": 20,
                "ContactsCreated": 3, "LagMs": 5,
            })
        );
    }

    #[tokio::test]
    async fn anything_but_a_success_always_writes_its_line() {
        let none = Counts::default();
        let ((), counts) = scope(async { incident("RecordsFailed", 1) }).await;
        let cold = Ended {
            is_cold: true,
            ..WARM
        };
        let failed = Ended {
            has_failed: true,
            ..WARM
        };
        for (ended, counts) in [(&WARM, &counts), (&cold, &none), (&failed, &none)] {
            let lines = written(ended, counts);
            assert_eq!(lines.len(), 2_000);
            assert_eq!(lines[0]["Weight"], 1);
            assert!(lines[0].get("_aws").is_none());
        }
    }
}
