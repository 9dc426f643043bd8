//! Units of storage for the rows of the tables.

use anyhow::Result;
use serde::Serialize;

use super::{GIGABYTE, MONTH, Prices, Units};
use crate::aws::Kept;
use crate::template::Keeping;
use crate::template::model::Stack;

/// Months for which a row that never expires is billed.
const YEAR: f64 = 12.0;

/// Cost of the rows of one kind until they expire; for a year, if they never expire.
#[derive(Debug, Clone, Serialize)]
pub struct KeptRow {
    /// The rows.
    #[serde(flatten)]
    pub kept: Kept,
    /// Months that a byte of these rows is kept, on average.
    pub months: f64,
    /// Price of all these rows.
    pub amount: f64,
    /// Price of a million such rows.
    pub per_million: f64,
}

/// Storage settings of a table of the stack, by logical id.
fn keeping_of(stack: &Stack, table: &str) -> Keeping {
    let table = stack.tables.iter().find(|one| one.logical_id == table);
    let keeping = table.and_then(|table| stack.billed.tables.get(&table.name));
    keeping.copied().unwrap_or_default()
}

fn months(kept: &Kept) -> f64 {
    let bytes = kept.bytes.max(1) as f64;
    let stays = kept.bytes.saturating_sub(kept.expiring_bytes) as f64;
    (kept.byte_seconds / MONTH + stays * YEAR) / bytes
}

/// Prices of keeping, by kind of row, dearest first.
pub fn kept_rows(stack: &Stack, prices: &Prices, kept: Vec<Kept>) -> Result<Vec<KeptRow>> {
    let mut rows = Vec::new();
    for kept in kept {
        let keeping = keeping_of(stack, &kept.table);
        let storage = prices.price(storage_key(keeping))?;
        let recovery = if keeping.recovery {
            prices.price("dynamodb_pitr_gb_month")?
        } else {
            0.0
        };
        let months = months(&kept);
        let amount = kept.bytes as f64 / GIGABYTE * months * (storage + recovery);
        let per_million = amount / kept.rows.max(1) as f64 * 1e6;
        rows.push(KeptRow {
            kept,
            months,
            amount,
            per_million,
        });
    }
    rows.sort_by(|a, b| b.amount.total_cmp(&a.amount));
    Ok(rows)
}

/// Units of storage in the twelfth month, if each month writes the same rows again.
pub fn kept_units(stack: &Stack, each_month: &[Kept]) -> Units {
    let mut units = Units::from([
        ("dynamodb_storage_gb_month", 0.0),
        ("dynamodb_pitr_gb_month", 0.0),
    ]);
    for kept in each_month {
        let keeping = keeping_of(stack, &kept.table);
        let gigabytes = kept.bytes as f64 / GIGABYTE * months(kept).min(YEAR);
        *units.entry(storage_key(keeping)).or_default() += gigabytes;
        if keeping.recovery {
            *units.entry("dynamodb_pitr_gb_month").or_default() += gigabytes;
        }
    }
    units
}

fn storage_key(keeping: Keeping) -> &'static str {
    if keeping.infrequent {
        "dynamodb_ia_storage_gb_month"
    } else {
        "dynamodb_storage_gb_month"
    }
}
