//! The bill page: the cost of the run on AWS, the cost of keeping its rows, and the monthly cost of the unused
//! stage.

use anyhow::Result;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::html::{Column, Html, grouped, table};
use super::{answer_json, page};
use crate::aws::MeterSnapshot;
use crate::bill::{Bill, KeptRow, Line, Prices, kept_rows, stage_units, used_units};
use crate::runtime::LocalStack;

/// The bill of a demo that has ended, in the data folder.
const KEPT: &str = "demo-bill.json";

/// The bill of a run, with the units behind it.
#[derive(Debug, Serialize, Deserialize)]
struct Account {
    bill: Bill,
    usage: MeterSnapshot,
}

/// Everything that the page shows.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    run: Account,
    keeping: Vec<KeptRow>,
    idle_month: Bill,
    demo: Option<Account>,
}

impl Account {
    fn of(stack: &LocalStack, prices: &Prices) -> Result<Self> {
        let usage = stack.aws().meter().snapshot();
        let bill = prices.bill(&used_units(&usage, &stack.template().billed))?;
        Ok(Self { bill, usage })
    }
}

/// Stores the bill of the demo, which is otherwise lost with the process, and gives the total.
pub fn keep(stack: &LocalStack) -> Result<f64> {
    let account = Account::of(stack, &Prices::read(stack)?)?;
    if let Some(folder) = stack.data_dir() {
        std::fs::write(folder.join(KEPT), serde_json::to_string_pretty(&account)?)?;
    }
    Ok(account.bill.total)
}

/// The bill of the last demo on this state.
fn kept(stack: &LocalStack) -> Option<Account> {
    let text = std::fs::read(stack.data_dir()?.join(KEPT)).ok()?;
    serde_json::from_slice(&text).ok()
}

fn answer(stack: &LocalStack) -> Result<Answer> {
    let prices = Prices::read(stack)?;
    let rows = stack.aws().kept(stack.template())?;
    Ok(Answer {
        run: Account::of(stack, &prices)?,
        keeping: kept_rows(stack.template(), &prices, rows)?,
        idle_month: prices.month(&stage_units(stack.template()))?,
        demo: kept(stack),
    })
}

/// The bill since the stack started.
pub fn show(stack: &LocalStack, json: bool) -> Response<Bytes> {
    let all = match answer(stack) {
        Ok(all) => all,
        Err(error) => {
            let message = serde_json::json!({"message": format!("{error:#}")});
            return answer_json(StatusCode::INTERNAL_SERVER_ERROR, &message);
        }
    };
    if json {
        return answer_json(StatusCode::OK, &all);
    }
    let bill = &all.run.bill;
    let note = format!(
        "List prices of {} in {} for {}. Transfer and S3 storage are not included. \
         Lambda time is measured on this machine.",
        bill.prices_as_of, bill.currency, bill.region
    );
    let mut html = quiet(note)
        .and(&Html::literal("<h2>Since this start</h2>"))
        .and(&lines(bill))
        .and(&by_table(&all.run.usage));
    if let Some(demo) = &all.demo {
        html = html
            .and(&Html::literal("<h2>The last demo</h2>"))
            .and(&lines(&demo.bill))
            .and(&by_table(&demo.usage));
    }
    html = html.and(&keeping(&all.keeping));
    let note = "Computed from the template, without the monthly free tier of AWS. Log lines, traces and custom \
                metrics cost nothing while nothing runs.";
    let idle = Html::literal("<h2>A month of this stage, unused</h2>").and(&quiet(note));
    page(html.and(&idle).and(&lines(&all.idle_month)), "Bill")
}

fn quiet(text: impl std::fmt::Display) -> Html {
    Html::element("p", "quiet", &Html::text(text))
}

fn money(amount: f64) -> Html {
    Html::text(grouped(amount, 6))
}

fn lines(bill: &Bill) -> Html {
    let columns = [
        Column::Text("What"),
        Column::Number("Units"),
        Column::Number("Price of a million"),
        Column::Number("Cost"),
        Column::Text("Confidence in the price"),
    ];
    let row = |line: &Line| {
        vec![
            Html::text(&line.name),
            Html::text(number(line.units)),
            Html::text(grouped(line.price * 1e6, 4)),
            money(line.amount),
            Html::text(&line.confidence),
        ]
    };
    let mut rows: Vec<_> = bill.lines.iter().map(row).collect();
    rows.push(total(bill.total, 5));
    table(&columns, &rows)
}

/// A last row with the sum in its fourth cell.
fn total(sum: f64, cells: usize) -> Vec<Html> {
    let mut row = vec![Html::default(); cells];
    row[0] = Html::text("Total");
    row[3] = Html::element("strong", "", &money(sum));
    row
}

fn keeping(rows: &[KeptRow]) -> Html {
    let columns = [
        Column::Text("Kind of row"),
        Column::Number("Rows"),
        Column::Number("Months kept"),
        Column::Number("Cost"),
        Column::Number("Cost of a million"),
        Column::Number("Bytes each"),
    ];
    let sum = rows.iter().map(|row| row.amount).sum();
    let cells = |row: &KeptRow| {
        let bytes = row.kept.bytes as f64 / row.kept.rows.max(1) as f64;
        vec![
            Html::text(format!("{} {}", row.kept.table, row.kept.kind)),
            Html::text(grouped(row.kept.rows as f64, 0)),
            Html::text(grouped(row.months, 1)),
            money(row.amount),
            Html::text(grouped(row.per_million, 2)),
            Html::text(grouped(bytes, 0)),
        ]
    };
    let mut cells: Vec<_> = rows.iter().map(cells).collect();
    cells.push(total(sum, 6));
    let note = "Storage and point-in-time recovery of the current rows, with index entries. A row is counted \
                until it expires, or for twelve months if it never expires.";
    Html::literal("<h2>Cost of keeping the rows</h2>")
        .and(&quiet(note))
        .and(&table(&columns, &cells))
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
        let requests = Html::text(grouped(table.requests as f64, 0));
        let mut row = vec![Html::text(name), requests];
        row.extend([number(table.writes), number(table.reads)].map(Html::text));
        rows.push(row);
        for (index, usage) in &table.indexes {
            let mut row = vec![Html::text(format!("{name} / {index}")), Html::default()];
            row.extend([number(usage.writes), number(usage.reads)].map(Html::text));
            rows.push(row);
        }
    }
    Html::literal("<h3>DynamoDB by table</h3>").and(&table(&columns, &rows))
}

fn number(units: f64) -> String {
    let whole = units.fract().abs() < 1e-9;
    grouped(units, if whole { 0 } else { 2 })
}
