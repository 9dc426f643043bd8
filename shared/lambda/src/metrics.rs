//! Counts of one invocation, written as one line in CloudWatch's embedded metric format.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//! `PutMetricData` is never called: a log line costs nothing extra and cannot fail the work.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;

use serde_json::{Value, json};

const NAMESPACE: &str = "Tanigo";

pub(crate) type Counts = BTreeMap<&'static str, f64>;

tokio::task_local! {
    static COUNTS: RefCell<Counts>;
}

/// Adds to a metric of the invocation at hand; `PascalCase` names. Outside an invocation it does nothing.
pub fn count(name: &'static str, n: u64) {
    add(name, n as f64);
}

pub(crate) fn add(name: &'static str, n: f64) {
    // Outside an invocation (a unit test) there is nothing to count for.
    let _ = COUNTS.try_with(|counts| *counts.borrow_mut().entry(name).or_default() += n);
}

pub(crate) fn highest(name: &'static str, n: f64) {
    let _ = COUNTS.try_with(|counts| {
        let mut counts = counts.borrow_mut();
        let value = counts.entry(name).or_insert(n);
        *value = value.max(n);
    });
}

pub(crate) async fn scope<F: Future>(work: F) -> (F::Output, Counts) {
    COUNTS
        .scope(RefCell::default(), async {
            let output = work.await;
            (output, COUNTS.with(RefCell::take))
        })
        .await
}

/// The line itself. `DurationMs` and `ColdStart` are always there.
pub(crate) fn line(
    function: &str,
    at_ms: i64,
    duration_ms: i64,
    cold: bool,
    counts: &Counts,
) -> String {
    let mut values = serde_json::Map::new();
    let mut metrics = vec![];
    let always = [
        ("DurationMs", duration_ms as f64, "Milliseconds"),
        ("ColdStart", f64::from(u8::from(cold)), "Count"),
    ];
    let counted = counts.iter().map(|(name, n)| {
        (
            *name,
            *n,
            if name.ends_with("Ms") {
                "Milliseconds"
            } else {
                "Count"
            },
        )
    });
    for (name, n, unit) in always.into_iter().chain(counted) {
        metrics.push(json!({ "Name": name, "Unit": unit }));
        values.insert(name.to_owned(), Value::from(n));
    }
    let directive =
        json!([{ "Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": metrics }]);
    values.insert(
        "_aws".into(),
        json!({ "Timestamp": at_ms, "CloudWatchMetrics": directive }),
    );
    values.insert("Function".into(), Value::from(function));
    Value::Object(values).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_names_every_metric_it_carries() {
        let ((), counts) = scope(async {
            count("ContactsCreated", 2);
            count("ContactsCreated", 1);
            highest("LagMs", 5.0);
            highest("LagMs", 3.0);
        })
        .await;
        let line: Value = serde_json::from_str(&line("ingest", 1_000, 7, true, &counts)).unwrap();
        assert_eq!(line["ContactsCreated"], 3.0);
        assert_eq!(line["LagMs"], 5.0);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        for dimension in directive["Dimensions"][0].as_array().unwrap() {
            assert!(line[dimension.as_str().unwrap()].is_string());
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(
                line[metric["Name"].as_str().unwrap()].is_number(),
                "{metric}"
            );
        }
    }
}
