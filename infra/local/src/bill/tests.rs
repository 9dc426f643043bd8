//! Prices of the file, of the templates, and of a few units.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::aws::{Kept, MeterSnapshot};
use crate::template::model::Stack;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn prices() -> Prices {
    let text = std::fs::read_to_string(root().join("infra/prices.yaml")).unwrap();
    Prices::parse(&text).unwrap()
}

fn stack() -> Stack {
    let identity = BTreeMap::from([
        ("EmailIdentity".to_owned(), "example.vn".to_owned()),
        (
            "PublicBaseUrl".to_owned(),
            "https://shop.example.vn".to_owned(),
        ),
    ]);
    crate::template::read(&root(), &identity).unwrap()
}

#[test]
fn every_unit_of_the_meter_has_a_price_in_the_file() {
    let used = MeterSnapshot {
        mails: 1000,
        ..MeterSnapshot::default()
    };
    let bill = prices().bill(&used_units(&used, &stack().billed)).unwrap();
    assert!((bill.total - 0.1).abs() < 1e-9, "{}", bill.total);
}

#[test]
fn every_unit_of_a_stage_has_a_price_and_what_is_free_is_free() {
    let (stack, prices) = (stack(), prices());
    assert!(
        stack.billed.alarms > 0 && stack.billed.secrets > 0,
        "{:?}",
        stack.billed
    );
    assert!(
        stack.billed.dashboards.iter().all(|metrics| *metrics > 5),
        "{:?}",
        stack.billed
    );
    let units = stage_units(&stack);
    let (list, month) = (prices.bill(&units).unwrap(), prices.month(&units).unwrap());
    assert!(
        month.total < list.total && month.total > 1.0,
        "{} {}",
        month.total,
        list.total
    );
    let traces = trace_units(&stack, 1e6);
    prices.month(&traces).unwrap();
}

#[test]
fn another_alarm_shows_in_the_bill_of_the_stage() {
    let (mut stack, prices) = (stack(), prices());
    stack.billed.alarms = 20;
    let before = prices.month(&stage_units(&stack)).unwrap().total;
    stack.billed.alarms += 10;
    let after = prices.month(&stage_units(&stack)).unwrap().total;
    assert!((after - before - 1.0).abs() < 1e-9, "{before} {after}");
}

#[test]
fn recovery_and_class_make_the_price_of_keeping() {
    let (mut stack, prices) = (stack(), prices());
    let timeline = stack
        .tables
        .iter()
        .find(|table| table.logical_id == "Timeline");
    let name = timeline.unwrap().name.clone();
    let kept = Kept {
        table: "Timeline".into(),
        rows: 1_000_000,
        bytes: 1_073_741_824,
        expiring_bytes: 1_073_741_824,
        byte_seconds: GIGABYTE * MONTH * 3.0,
        ..Kept::default()
    };
    let mut cost = |infrequent, recovery| {
        let keeping = stack.billed.tables.get_mut(&name).unwrap();
        (keeping.infrequent, keeping.recovery) = (infrequent, recovery);
        let rows = kept_rows(&stack, &prices, vec![kept.clone()]).unwrap();
        let month = prices
            .month(&kept_units(&stack, std::slice::from_ref(&kept)))
            .unwrap();
        assert!(
            (rows[0].amount - month.total).abs() < 1e-9,
            "three months at once are three months"
        );
        rows[0].per_million
    };
    let (dear, plain, cheap) = (cost(false, true), cost(false, false), cost(true, false));
    assert!((dear - 3.0 * (0.285 + 0.228)).abs() < 1e-6, "{dear}");
    assert!((plain - 3.0 * 0.285).abs() < 1e-6, "{plain}");
    assert!(cheap < plain / 2.0, "{cheap}");
}
