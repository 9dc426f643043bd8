//! The price of an unused stage.

use crate::assert_none;
use crate::template::{DATA, OBSERVABILITY, functions};

/// CloudWatch bills each metric of an alarm: 10 cents a month after the first ten.
fn alarms() -> usize {
    let alarms = OBSERVABILITY.of_kind("AWS::CloudWatch::Alarm");
    let metric_math = alarms
        .iter()
        .any(|alarm| !alarm.get(&["Metrics"]).is_null());
    assert!(
        !metric_math,
        "count the metrics of an alarm with metric math"
    );
    10 * alarms.len().saturating_sub(10)
}

/// SQS bills requests: 40 cents a million after the first. Lambda keeps five pollers on a quiet queue with a cap,
/// two on one without, and each asks three times a minute.
fn polling() -> usize {
    let pollers: usize = functions()
        .iter()
        .flat_map(|function| function.events("SQS"))
        .map(|(_, event)| {
            if event["ScalingConfig"].is_null() {
                2
            } else {
                5
            }
        })
        .sum();
    let requests = pollers * 3 * 60 * 24 * 30;
    40 * requests.saturating_sub(1_000_000) / 1_000_000
}

/// Secrets Manager: 40 cents a month each.
fn secrets() -> usize {
    40 * DATA.of_kind("AWS::SecretsManager::Secret").len()
}

/// US cents a month, prices of ap-southeast-1 on 2026-11-22. Tables, log groups, streams, APIs and the schedule
/// cost nothing while idle, and dashboards up to 50 metrics neither.
#[test]
fn an_idle_stage_costs_at_most_five_dollars_a_month() {
    let (alarms, polling, secrets) = (alarms(), polling(), secrets());
    let sum = alarms + polling + secrets;
    assert!(
        sum <= 500,
        "alarms {alarms}, polling {polling}, secrets {secrets}: {sum} cents"
    );
}

#[test]
fn a_dashboard_is_free_of_charge() {
    let dashboards = OBSERVABILITY.of_kind("AWS::CloudWatch::Dashboard");
    assert!(dashboards.len() <= 3, "three dashboards are free");
    let mut violations = Vec::new();
    for dashboard in dashboards {
        let body = dashboard
            .get(&["DashboardBody", "Fn::Sub"])
            .as_str()
            .unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap();
        let metrics = body.matches("[\"AWS/").count();
        if !(1..=50).contains(&metrics) {
            violations.push(format!("{}: {metrics} metrics", dashboard.id));
        }
    }
    assert_none("up to 50 metrics are free", &violations);
}

/// X-Ray bills each trace.
#[test]
fn traces_are_off_unless_asked_for() {
    let parameters = &crate::template::ROOT.document["Parameters"];
    assert_eq!(parameters["Traces"]["Default"], "false");
}
