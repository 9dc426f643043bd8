//! What the run would have cost in AWS: the meter's units times `infra/prices.yaml`.
//!
//! Storage, logs, alarms and transfer are not in it: they do not follow from what was called.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::html::{Column, Html, table};
use super::{answer_json, page};
use crate::aws::MeterSnapshot;
use crate::runtime::{LocalStack, REGION};

/// `infra/prices.yaml`.
#[derive(Debug, Deserialize)]
pub struct Prices {
    as_of: String,
    currency: String,
    regions: BTreeMap<String, BTreeMap<String, Price>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Price {
    price: f64,
    confidence: String,
}

/// A priced use of the stack.
#[derive(Debug, Clone, Serialize)]
pub struct Bill {
    /// `USD`.
    pub currency: String,
    /// Region whose prices these are.
    pub region: &'static str,
    /// Date of the prices.
    pub prices_as_of: String,
    /// One line per price, also where nothing was used.
    pub lines: Vec<Line>,
    /// Sum of the lines.
    pub total: f64,
}

/// Units of one thing and what they cost.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Key in `prices.yaml`.
    pub key: &'static str,
    /// What it is.
    pub name: &'static str,
    /// How many.
    pub units: f64,
    /// Price of one.
    pub price: f64,
    /// Units times price.
    pub amount: f64,
    /// How far the price can be trusted.
    pub confidence: String,
}

impl Prices {
    /// Reads the file of the project.
    pub fn read(stack: &LocalStack) -> Result<Self> {
        let file = stack.root().join("infra/prices.yaml");
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        serde_yaml_ng::from_str(&text).with_context(|| format!("{}", file.display()))
    }

    /// Prices a use. A price that the file lacks is an error that names it.
    pub fn bill(&self, used: &MeterSnapshot) -> Result<Bill> {
        let prices = self.regions.get(REGION);
        let prices = prices.with_context(|| format!("prices.yaml has no region {REGION}"))?;
        let lines: Result<Vec<Line>> = units(used)
            .into_iter()
            .map(|(key, name, units)| {
                let price = prices.get(key);
                let price = price.with_context(|| format!("prices.yaml has no {key}"))?;
                Ok(Line {
                    key,
                    name,
                    units,
                    price: price.price,
                    amount: units * price.price,
                    confidence: price.confidence.clone(),
                })
            })
            .collect();
        let lines = lines?;
        Ok(Bill {
            currency: self.currency.clone(),
            region: REGION,
            prices_as_of: self.as_of.clone(),
            total: lines.iter().map(|line| line.amount).sum(),
            lines,
        })
    }
}

/// What was used, by the key of its price.
fn units(used: &MeterSnapshot) -> Vec<(&'static str, &'static str, f64)> {
    let api = |kind: &str| used.api_requests.get(kind).copied().unwrap_or(0) as f64;
    let requests = |fifo: bool| {
        let queues = used.queues.values().filter(|queue| queue.fifo == fifo);
        queues.map(|queue| queue.requests).sum::<u64>() as f64
    };
    let fair: u64 = used.queues.values().map(|queue| queue.fair_messages).sum();
    let invocations: u64 = used.functions.values().map(|f| f.invocations).sum();
    let gb_seconds: f64 = used.functions.values().map(|f| f.gb_seconds).sum();
    let pushes = used.socket_posts as f64;
    vec![
        ("http_api_request", "HTTP API requests", api("http")),
        (
            "websocket_message",
            "WebSocket messages, both ways",
            api("websocket") + pushes,
        ),
        (
            "websocket_connection_minute",
            "WebSocket minutes",
            api("websocket_minute"),
        ),
        ("lambda_request", "Lambda invocations", invocations as f64),
        ("lambda_gb_second_arm64", "Lambda GB-seconds", gb_seconds),
        (
            "dynamodb_write_unit",
            "DynamoDB write units",
            used.write_units(),
        ),
        (
            "dynamodb_read_unit",
            "DynamoDB read units",
            used.read_units(),
        ),
        ("sqs_request", "SQS requests, standard", requests(false)),
        ("sqs_fifo_request", "SQS requests, FIFO", requests(true)),
        (
            "sqs_fair_surcharge",
            "SQS messages in fair groups",
            fair as f64,
        ),
        ("s3_put_request", "S3 writes", used.s3_writes as f64),
        ("s3_get_request", "S3 reads", used.s3_reads as f64),
        ("ses_mail", "Mails", used.mails as f64),
    ]
}

/// What everything since the start would have cost.
pub fn total(stack: &LocalStack) -> Result<f64> {
    let used = stack.aws().meter().snapshot();
    Ok(Prices::read(stack)?.bill(&used)?.total)
}

/// The bill since the stack started.
pub fn show(stack: &LocalStack, json: bool) -> Response<Bytes> {
    let used = stack.aws().meter().snapshot();
    let bill = match Prices::read(stack).and_then(|prices| prices.bill(&used)) {
        Ok(bill) => bill,
        Err(error) => {
            let message = serde_json::json!({"message": format!("{error:#}")});
            return answer_json(StatusCode::INTERNAL_SERVER_ERROR, &message);
        }
    };
    if json {
        return answer_json(
            StatusCode::OK,
            &serde_json::json!({"bill": bill, "usage": used}),
        );
    }
    let money = |amount: f64| Html::text(format!("{amount:.6}"));
    let columns = [
        Column::Text("What"),
        Column::Number("Units"),
        Column::Number("Price of a million"),
        Column::Number("Cost"),
        Column::Text("Price is"),
    ];
    let row = |line: &Line| {
        vec![
            Html::text(line.name),
            Html::text(number(line.units)),
            Html::text(format!("{:.4}", line.price * 1e6)),
            money(line.amount),
            Html::text(&line.confidence),
        ]
    };
    let mut rows: Vec<_> = bill.lines.iter().map(row).collect();
    let total = Html::element("strong", "", &money(bill.total));
    rows.push(vec![
        Html::text("Total"),
        Html::default(),
        Html::default(),
        total,
        Html::default(),
    ]);
    let note = format!(
        "Since this start, in {} for {}, prices of {}. Without storage, logs, alarms and transfer. \
         Lambda time is this machine's, not AWS's.",
        bill.currency, bill.region, bill.prices_as_of
    );
    let html = Html::element("p", "quiet", &Html::text(note))
        .and(&table(&columns, &rows))
        .and(&by_table(&used));
    page(html, "Bill")
}

fn by_table(used: &MeterSnapshot) -> Html {
    let columns = [
        Column::Text("Table or index"),
        Column::Number("Requests"),
        Column::Number("Write units"),
        Column::Number("Read units"),
    ];
    let mut rows = Vec::new();
    for (name, table) in &used.tables {
        let cells = [number(table.writes), number(table.reads)].map(Html::text);
        let mut row = vec![Html::text(name), Html::text(table.requests)];
        row.extend(cells);
        rows.push(row);
        for (index, usage) in &table.indexes {
            let mut row = vec![Html::text(format!("{name} / {index}")), Html::default()];
            row.extend([number(usage.writes), number(usage.reads)].map(Html::text));
            rows.push(row);
        }
    }
    Html::literal("<h2>DynamoDB by table</h2>").and(&table(&columns, &rows))
}

fn number(units: f64) -> String {
    if units.fract().abs() < 1e-9 {
        format!("{units:.0}")
    } else {
        format!("{units:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_of_the_meter_has_a_price_in_the_file() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../prices.yaml");
        let prices: Prices =
            serde_yaml_ng::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let used = MeterSnapshot {
            mails: 1000,
            ..MeterSnapshot::default()
        };
        let bill = prices.bill(&used).unwrap();
        assert!((bill.total - 0.1).abs() < 1e-9, "{}", bill.total);
    }
}
