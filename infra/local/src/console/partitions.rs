//! The hottest partitions, so that a design that cannot scale is found before the deployment.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::html::{Column, Html, grouped, table};
use super::{answer_json, page};
use crate::aws::{MOST_READS, MOST_WRITES, Partition, PartitionUsage};
use crate::runtime::LocalStack;

/// Partitions that are shown.
const SHOWN: usize = 50;

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    partition: Partition,
    #[serde(flatten)]
    usage: PartitionUsage,
    heat: f64,
}

/// The hottest partitions since the start, hottest first.
pub fn show(stack: &LocalStack, json: bool) -> Response<Bytes> {
    let partitions = stack.aws().meter().partitions().into_iter();
    let mut rows: Vec<Row> = partitions
        .map(|(partition, usage)| Row {
            partition,
            usage,
            heat: usage.heat(),
        })
        .collect();
    rows.sort_by(|a, b| b.heat.total_cmp(&a.heat));
    rows.truncate(SHOWN);
    if json {
        return answer_json(StatusCode::OK, &rows);
    }
    let columns = [
        Column::Text("Table or index"),
        Column::Text("Partition key"),
        Column::Number("Write units"),
        Column::Number("most in a second"),
        Column::Number("Read units"),
        Column::Number("most in a second"),
        Column::Number("Of the limit"),
    ];
    let rows: Vec<_> = rows.iter().map(cells).collect();
    let note = format!(
        "Since this start, by the stack's own clock. The design allows a partition {MOST_WRITES} write and \
         {MOST_READS} read units a second, half of DynamoDB's limit."
    );
    let html = Html::element("p", "quiet", &Html::text(note));
    page(html.and(&table(&columns, &rows)), "Hottest partitions")
}

fn cells(row: &Row) -> Vec<Html> {
    let Row {
        partition,
        usage,
        heat,
    } = row;
    let index = partition.index.as_ref();
    let index = index.map(|index| format!(" / {index}")).unwrap_or_default();
    let units = |n: f64| Html::text(grouped(n, 0));
    let class = if *heat > 1.0 { "bad" } else { "" };
    let share = Html::text(format!("{:.0} %", heat * 100.0));
    vec![
        Html::text(format!("{}{index}", partition.table)),
        Html::element("code", "", &Html::text(&partition.key)),
        units(usage.writes),
        units(usage.peak_writes),
        units(usage.reads),
        units(usage.peak_reads),
        Html::element("span", class, &share),
    ]
}
