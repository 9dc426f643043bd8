//! An unused stage costs little, and so does a small shop.

use std::collections::BTreeSet;

use tanigo_local::aws::Kept;
use tanigo_local::bill::{Bill, DAYS, Prices, Units, kept_units, stage_units, trace_units};

use super::run::{self, Run};

/// Dollars of a month of an unused stage, at most.
const IDLE: f64 = 10.0;
/// Dollars of a month of the small shop, at most.
const SMALL_SHOP: f64 = 12.8;
/// Bytes of the log lines of an HTTP request (access log).
const ACCESS_LOG: f64 = 300.0;
/// Share of the ingested log bytes that CloudWatch stores.
const COMPRESSED: f64 = 0.2;
/// Months of logs that are stored in the twelfth month: `LogRetentionDays` keeps them longer than a year.
const LOG_MONTHS: f64 = 12.0;

/// Usage of the small shop in a month: 5,000 contacts, and these numbers. docs/measurements.md lists them.
const MAILS: f64 = 20_000.0;
const EVENTS: f64 = 20_000.0;
const NEW_CONTACTS: f64 = 500.0;
const JOURNEYS: f64 = 1_000.0;
const CHATS: f64 = 2_000.0;
const API_CALLS: f64 = 15.0 * CHATS;
const WIDGET_PAGES: f64 = 3.0 * CHATS;
/// Three agents for eight hours on 22 days, and five minutes a widget.
const SOCKET_MINUTES: f64 = 3.0 * 8.0 * 60.0 * 22.0 + 5.0 * WIDGET_PAGES;

/// A month: units by price, invocations, bytes of logs, series of custom metrics, rows.
#[derive(Default)]
struct Month {
    units: Units,
    invocations: f64,
    log_bytes: f64,
    series: BTreeSet<String>,
    kept: Vec<Kept>,
}

impl Month {
    fn add(&mut self, key: &'static str, n: f64) {
        *self.units.entry(key).or_default() += n;
    }

    /// So many operations of a scenario.
    fn of(&mut self, run: &Run, operations: f64) {
        let times = operations / run.operations;
        for (key, n) in &run.units {
            self.add(key, n * times);
        }
        self.invocations += run.units["lambda_request"] * times;
        self.log_bytes += run.log_bytes * times;
        self.series.extend(run.series.iter().cloned());
        self.kept.extend(run.kept.iter().map(|kept| Kept {
            rows: (kept.rows as f64 * times) as u64,
            bytes: (kept.bytes as f64 * times) as u64,
            expiring_bytes: (kept.expiring_bytes as f64 * times) as u64,
            byte_seconds: kept.byte_seconds * times,
            ..kept.clone()
        }));
    }

    /// Units of operations that no scenario runs.
    fn assumed(&mut self, operations: f64, writes: f64, reads: f64, http: f64, invocations: f64) {
        self.add("dynamodb_write_unit", writes * operations);
        self.add("dynamodb_read_unit", reads * operations);
        self.http(http * operations);
        self.add("lambda_request", invocations * operations);
        self.invocations += invocations * operations;
    }

    fn http(&mut self, requests: f64) {
        self.add("http_api_request", requests);
        self.log_bytes += requests * ACCESS_LOG;
    }

    fn bill(mut self, prices: &Prices, stack: &tanigo_local::template::model::Stack) -> Bill {
        let logs = self.log_bytes / 1e9;
        self.add("logs_gb", logs);
        self.add("logs_storage_gb_month", logs * COMPRESSED * LOG_MONTHS);
        let series = self.series.len() as f64;
        self.add("custom_metric_month", series);
        let traces = trace_units(stack, self.invocations);
        for units in [kept_units(stack, &self.kept), traces] {
            for (key, n) in units {
                self.add(key, n);
            }
        }
        prices.month(&self.units).unwrap()
    }
}

fn prices() -> Prices {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/prices.yaml");
    Prices::parse(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn lines(bill: &Bill) -> String {
    let lines = bill.lines.iter().filter(|line| line.amount > 0.001);
    let lines = lines.map(|line| format!("{:8.3}  {}", line.amount, line.name));
    lines.collect::<Vec<_>>().join("\n")
}

/// A stage with its ticks.
async fn idle() -> (Month, Run) {
    let ticks = run::ticks().await;
    let mut month = Month::default();
    month.of(&ticks, DAYS * 24.0 * 60.0);
    // The stage's own units have the invocations of the schedule.
    month.units.insert("lambda_request", 0.0);
    for (key, n) in stage_units(&ticks.world.model) {
        month.add(key, n);
    }
    (month, ticks)
}

#[tokio::test]
async fn an_idle_stage_costs_no_more_than_today() {
    let (month, ticks) = idle().await;
    let bill = month.bill(&prices(), &ticks.world.model);
    assert!(bill.total <= IDLE, "${:.2}:\n{}", bill.total, lines(&bill));
}

#[tokio::test]
async fn a_small_shop_costs_no_more_than_today() {
    let (mut month, ticks) = idle().await;
    month.of(&run::mails().await, MAILS);
    month.http(0.2 * MAILS);
    month.of(&run::events(false).await, EVENTS);
    month.http(EVENTS);
    month.of(&run::newcomers().await, NEW_CONTACTS);
    month.of(&Box::pin(run::journeys()).await, JOURNEYS);
    month.of(&run::chats().await, CHATS);
    month.http(9.0 * CHATS);
    month.assumed(API_CALLS, 1.0, 3.0, 1.0, 2.0);
    month.assumed(WIDGET_PAGES, 5.0, 32.0, 10.0, 10.0);
    month.add("websocket_connection_minute", SOCKET_MINUTES);
    let bill = month.bill(&prices(), &ticks.world.model);
    let text = lines(&bill);
    for part in [
        "Mails",
        "DynamoDB write units",
        "DynamoDB storage",
        "HTTP API",
        "Secrets",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    assert!(bill.total <= SMALL_SHOP, "${:.2}:\n{text}", bill.total);
}
