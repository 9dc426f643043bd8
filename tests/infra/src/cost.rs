//! Dashboards stay within the part that is free of charge. `scale::bill` of the integration tests holds the price of an
//! idle stage.

use crate::assert_none;
use crate::template::OBSERVABILITY;

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
