//! `infra/prices.yaml`, and units times its prices.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::runtime::{LocalStack, REGION};

/// How many units of each price, by its key.
pub type Units = BTreeMap<&'static str, f64>;

/// The file.
#[derive(Debug, Deserialize)]
pub struct Prices {
    as_of: String,
    currency: String,
    free_each_month: BTreeMap<String, f64>,
    regions: BTreeMap<String, BTreeMap<String, Price>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Price {
    price: f64,
    confidence: String,
}

/// Priced units.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bill {
    /// `USD`.
    pub currency: String,
    /// Region whose prices these are.
    pub region: String,
    /// Date of the prices.
    pub prices_as_of: String,
    /// One line for each price.
    pub lines: Vec<Line>,
    /// Sum of the lines.
    pub total: f64,
}

/// Units of one thing and what they cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// Key in `prices.yaml`.
    pub key: String,
    /// Name of the billed thing.
    pub name: String,
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
        let text = std::fs::read_to_string(&file);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("{}", file.display()))
    }

    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(serde_yaml_ng::from_str(text)?)
    }

    /// Prices units at the list price. A price that the file lacks is an error that names it.
    pub fn bill(&self, units: &Units) -> Result<Bill> {
        self.priced(units, |_| 0.0)
    }

    /// Prices the units of one month of one account, after the monthly free tier of AWS.
    pub fn month(&self, units: &Units) -> Result<Bill> {
        let free = |key: &str| self.free_each_month.get(key).copied().unwrap_or(0.0);
        self.priced(units, free)
    }

    fn priced(&self, units: &Units, free: impl Fn(&str) -> f64) -> Result<Bill> {
        let lines: Vec<Line> = units
            .iter()
            .map(|(key, units)| self.line(key, (units - free(key)).max(0.0)))
            .collect::<Result<_>>()?;
        Ok(Bill {
            currency: self.currency.clone(),
            region: REGION.to_owned(),
            prices_as_of: self.as_of.clone(),
            total: lines.iter().map(|line| line.amount).sum(),
            lines,
        })
    }

    fn line(&self, key: &str, units: f64) -> Result<Line> {
        let price = self.of(key)?;
        Ok(Line {
            key: key.to_owned(),
            name: name_of(key).to_owned(),
            units,
            price: price.price,
            amount: units * price.price,
            confidence: price.confidence.clone(),
        })
    }

    /// Price of one unit.
    pub fn price(&self, key: &str) -> Result<f64> {
        Ok(self.of(key)?.price)
    }

    fn of(&self, key: &str) -> Result<&Price> {
        let prices = self.regions.get(REGION);
        let prices = prices.with_context(|| format!("prices.yaml has no region {REGION}"))?;
        prices
            .get(key)
            .with_context(|| format!("prices.yaml has no {key}"))
    }
}

/// A price's name for a person.
fn name_of(key: &str) -> &str {
    match key {
        "alarm_month" => "Alarms",
        "custom_metric_month" => "Custom metrics",
        "dashboard_month" => "Dashboards of over 50 metrics",
        "dynamodb_ia_read_unit" => "DynamoDB read units, infrequent access",
        "dynamodb_ia_storage_gb_month" => "DynamoDB storage, infrequent access, GB-months",
        "dynamodb_ia_write_unit" => "DynamoDB write units, infrequent access",
        "dynamodb_pitr_gb_month" => "DynamoDB recovery, GB-months",
        "dynamodb_read_unit" => "DynamoDB read units",
        "dynamodb_storage_gb_month" => "DynamoDB storage, GB-months",
        "dynamodb_write_unit" => "DynamoDB write units",
        "http_api_request" => "HTTP API requests",
        "kms_request" => "KMS requests",
        "lambda_gb_second_arm64" => "Lambda GB-seconds",
        "lambda_request" => "Lambda invocations",
        "logs_gb" => "Logs taken in, GB",
        "logs_storage_gb_month" => "Logs kept, GB-months",
        "s3_get_request" => "S3 reads",
        "s3_put_request" => "S3 writes",
        "schedule_invocation" => "Schedule invocations",
        "secret_month" => "Secrets",
        "ses_mail" => "Mails",
        "sqs_fair_surcharge" => "SQS messages in fair groups",
        "sqs_fifo_request" => "SQS requests, FIFO",
        "sqs_request" => "SQS requests, standard",
        "websocket_connection_minute" => "WebSocket minutes",
        "websocket_message" => "WebSocket messages, both ways",
        "xray_trace" => "X-Ray traces",
        other => other,
    }
}
