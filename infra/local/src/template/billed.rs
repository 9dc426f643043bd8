//! Resources of the template that cost money by the month, used or not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::functions::setting;
use super::intrinsics::text_of;
use super::resources::property;
use super::scope::Stacks;

/// Resources that AWS bills even without use, and settings that raise the price of use.
#[derive(Debug, Clone, Default)]
pub struct Billed {
    /// CloudWatch alarms.
    pub alarms: u32,
    /// Metrics of each dashboard.
    pub dashboards: Vec<usize>,
    /// Secrets of Secrets Manager.
    pub secrets: u32,
    /// Functions whose invocations are traced by X-Ray.
    pub traced: u32,
    /// How each table is kept, by physical name.
    pub tables: BTreeMap<String, Keeping>,
}

/// How a table is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Class Standard-Infrequent Access: storage costs less, units cost more.
    pub infrequent: bool,
    /// Point-in-time recovery.
    pub recovery: bool,
    /// Encrypted by the key that AWS manages in the account, whose use KMS bills.
    pub managed_key: bool,
}

impl Billed {
    pub(super) fn of(stacks: &Stacks) -> anyhow::Result<Self> {
        let mut billed = Self::default();
        for resource in stacks.resources()? {
            match resource.kind {
                "AWS::CloudWatch::Alarm" => billed.alarms += 1,
                "AWS::CloudWatch::Dashboard" => {
                    let body = resource.property("DashboardBody");
                    billed.dashboards.push(metrics_of(body));
                }
                "AWS::SecretsManager::Secret" => billed.secrets += 1,
                "AWS::Serverless::Function" => {
                    let tracing = setting(stacks, &resource, "Tracing")?;
                    billed.traced += u32::from(tracing.is_some_and(|mode| mode == "Active"));
                }
                "AWS::DynamoDB::Table" => {
                    let part = |name: &str| property(stacks, &resource, name);
                    let is = |value: Option<Value>, field: &str| {
                        let value = value.as_ref().and_then(|value| value.get(field));
                        value.and_then(text_of).as_deref() == Some("true")
                    };
                    let class = part("TableClass")?;
                    let keeping = Keeping {
                        infrequent: class
                            .is_some_and(|class| class == "STANDARD_INFREQUENT_ACCESS"),
                        recovery: is(
                            part("PointInTimeRecoverySpecification")?,
                            "PointInTimeRecoveryEnabled",
                        ),
                        managed_key: is(part("SSESpecification")?, "SSEEnabled"),
                    };
                    let name = super::names::physical(stacks, &resource)?;
                    billed.tables.insert(name, keeping);
                }
                _ => {}
            }
        }
        Ok(billed)
    }
}

/// Metrics of a dashboard: entries of its widgets' `metrics` that name a namespace.
fn metrics_of(body: Option<&Value>) -> usize {
    let text = match body {
        Some(Value::String(text)) => Some(text.as_str()),
        Some(body) => body.get("Fn::Sub").and_then(Value::as_str),
        None => None,
    };
    let body: Value = text
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let widgets = body["widgets"].as_array().into_iter().flatten();
    let metrics = widgets.filter_map(|widget| widget["properties"]["metrics"].as_array());
    metrics
        .flatten()
        .filter(|metric| metric[0].is_string())
        .count()
}
