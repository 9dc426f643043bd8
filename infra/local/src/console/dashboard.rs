//! The current state of the stack: functions, queues, tables, timers, links.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::html::{Column, Html, definitions, grouped, span, table};
use super::{answer_json, page, reference};
use crate::aws::Depth;
use crate::runtime::LocalStack;
use crate::runtime::ledger::Statistics;
use crate::template::model::Trigger;

/// Timers that the page lists.
const TIMERS: usize = 20;

#[derive(Serialize)]
struct FunctionRow {
    name: String,
    #[serde(flatten)]
    statistics: Statistics,
}

#[derive(Serialize)]
struct QueueRow {
    name: String,
    depth: Depth,
    dead_letter_queue: Option<String>,
    dead_letters: usize,
}

#[derive(Serialize)]
struct TimerRow {
    due: String,
    queue: String,
    id: String,
}

/// The dashboard.
pub fn show(stack: &LocalStack, json: bool) -> Response<Bytes> {
    let (functions, queues) = (functions(stack), queues(stack));
    let (tables, timers) = (tables(stack), timers(stack));
    if json {
        let all = json!({
            "functions": functions,
            "queues": queues,
            "tables": tables,
            "timers": timers,
            "now": kernel::clock::sortable(stack.clock().now()),
        });
        return answer_json(StatusCode::OK, &all);
    }
    let html = overview(stack)
        .and(&function_table(&functions))
        .and(&queue_table(&queues))
        .and(&table_table(&tables))
        .and(&timer_table(&timers));
    page(html, "Dashboard")
}

fn overview(stack: &LocalStack) -> Html {
    let addresses = stack.addresses();
    let ahead = stack.clock().offset().as_secs();
    let state = if stack.is_ready() {
        "ready"
    } else {
        "starting"
    };
    let ahead = format!(", {} ahead of this machine", span(ahead));
    let now = Html::time(stack.clock().now()).and(&Html::text(ahead));
    let credentials = stack.credentials();
    let widget = credentials.pointer("/widget/url");
    let widget = widget.and_then(Value::as_str).unwrap_or_default();
    let facts = definitions(&[
        ("State", Html::text(state)),
        ("Time", now),
        ("Chat page", Html::link(widget, "write as a visitor")),
        (
            "Log-in",
            Html::link("/_local/credentials", "e-mail, password, API key"),
        ),
        ("Guides", reference::links()),
        (
            "Messages sent",
            Html::link("/_local/outbox", stack.aws().outbox().count(None)),
        ),
        ("API", Html::text(&addresses.api)),
        ("WebSocket", Html::text(&addresses.websocket)),
        ("AWS endpoint", Html::text(&addresses.aws)),
        ("Sockets open", Html::text(stack.aws().sockets().count())),
    ]);
    facts.and(&Html::literal(
        "<p><form method=\"post\" action=\"/_local/clock\"><label for=\"advance\">Move the time by\
         </label><input id=\"advance\" name=\"advance\" value=\"1d\" size=\"6\" required \
         pattern=\"[0-9]+[smhdw]\" title=\"a number and s, m, h, d or w\"><button>Move</button></form></p>",
    ))
}

fn functions(stack: &LocalStack) -> Vec<FunctionRow> {
    let row = |function: &crate::runtime::functions::Deployed| FunctionRow {
        name: function.handler.clone(),
        statistics: function.statistics(),
    };
    let mut rows: Vec<_> = stack.functions().all().map(row).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn function_table(rows: &[FunctionRow]) -> Html {
    let columns = [
        Column::Text("Function"),
        Column::Number("Invocations"),
        Column::Number("Errors"),
        Column::Number("Mean ms"),
        Column::Text("Last run"),
        Column::Text("Last error"),
    ];
    let row = |row: &FunctionRow| {
        let stats = &row.statistics;
        let mean = stats.total_ms.checked_div(stats.invocations).unwrap_or(0);
        let class = if stats.errors > 0 { "bad" } else { "" };
        let error = stats.last_error.as_ref();
        let error = error
            .map(|(at, text)| Html::time(*at).and(&Html::text(format!(" {text}"))))
            .unwrap_or_default();
        vec![
            Html::text(&row.name),
            Html::text(grouped(stats.invocations as f64, 0)),
            Html::element("span", class, &Html::text(stats.errors)),
            Html::text(mean),
            stats.last_run.map(Html::time).unwrap_or_default(),
            error,
        ]
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    Html::literal("<h2>Functions</h2>").and(&table(&columns, &rows))
}

/// Queues that are not themselves dead-letter queues of another, each with its own.
fn queues(stack: &LocalStack) -> Vec<QueueRow> {
    let (queues, sqs) = (&stack.template().queues, stack.aws().sqs());
    let dead = |name: &str| {
        let mut targets = queues.iter().filter_map(|queue| queue.redrive.as_ref());
        targets.any(|(target, _)| target == name)
    };
    let mut rows: Vec<_> = queues
        .iter()
        .filter(|queue| !dead(&queue.name))
        .map(|queue| {
            let dlq = queue.redrive.as_ref().map(|(target, _)| target.clone());
            QueueRow {
                name: queue.name.clone(),
                depth: sqs.depth(&queue.name),
                dead_letters: dlq.as_ref().map_or(0, |dlq| sqs.depth(dlq).total()),
                dead_letter_queue: dlq,
            }
        })
        .collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn queue_table(rows: &[QueueRow]) -> Html {
    let columns = [
        Column::Text("Queue"),
        Column::Number("Visible"),
        Column::Number("In flight"),
        Column::Number("Delayed"),
        Column::Number("Dead letters"),
        Column::Text(""),
    ];
    let row = |row: &QueueRow| {
        let class = if row.dead_letters > 0 { "bad" } else { "" };
        let redrive = match &row.dead_letter_queue {
            Some(queue) if row.dead_letters > 0 => {
                Html::post_button(&format!("/_local/queues/{queue}/redrive"), "Redrive")
            }
            _ => Html::default(),
        };
        vec![
            Html::text(&row.name),
            Html::text(row.depth.visible),
            Html::text(row.depth.in_flight),
            Html::text(row.depth.delayed),
            Html::element("span", class, &Html::text(row.dead_letters)),
            redrive,
        ]
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    Html::literal("<h2>Queues</h2>").and(&table(&columns, &rows))
}

fn tables(stack: &LocalStack) -> BTreeMap<String, Value> {
    let stats = stack.aws().database().table_stats();
    let stats = stats.unwrap_or_else(|error| {
        tracing::warn!(%error, "tables not counted");
        Vec::new()
    });
    stats
        .into_iter()
        .map(|table| {
            let lag = stream_lag(stack, &table.table_name);
            let facts = json!({"items": table.item_count, "stream_lag": lag});
            (table.table_name, facts)
        })
        .collect()
}

/// Records that the slowest consumer of the table's stream has not yet committed; none without a consumer.
fn stream_lag(stack: &LocalStack, name: &str) -> Option<usize> {
    let functions = stack.template().functions.iter();
    let readers = functions.filter(|function| {
        let mut triggers = function.triggers.iter();
        triggers.any(|trigger| matches!(trigger, Trigger::Stream { table, .. } if table == name))
    });
    let streams = stack.aws().streams();
    readers
        .map(|function| streams.lag(name, &function.logical_id))
        .max()
}

fn table_table(tables: &BTreeMap<String, Value>) -> Html {
    let columns = [
        Column::Text("Table"),
        Column::Number("Items"),
        Column::Number("Stream records waiting"),
    ];
    let lag = |value: &Value| match &value["stream_lag"] {
        Value::Null => "no reader".to_owned(),
        lag => lag.to_string(),
    };
    let rows: Vec<_> = tables
        .iter()
        .map(|(name, value)| {
            vec![
                Html::text(name),
                Html::text(grouped(value["items"].as_f64().unwrap_or(0.0), 0)),
                Html::text(lag(value)),
            ]
        })
        .collect();
    Html::literal("<h2>Tables</h2>").and(&table(&columns, &rows))
}

/// The next timers, earliest first.
fn timers(stack: &LocalStack) -> Vec<TimerRow> {
    let timers = stack
        .template()
        .tables
        .iter()
        .find(|table| table.logical_id == "Timers");
    let Some(timers) = timers else {
        return Vec::new();
    };
    let request = json!({"TableName": timers.name, "Limit": 500});
    let Ok(request) = serde_json::from_value(request) else {
        return Vec::new();
    };
    let items = stack.aws().database().scan(request).ok();
    let items = items
        .and_then(|found| serde_json::to_value(found).ok())
        .unwrap_or_default();
    let text = |item: &Value, path: &str| {
        item.pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let items = items["Items"].as_array().into_iter().flatten();
    let mut rows: Vec<_> = items
        .map(|item| TimerRow {
            due: text(item, "/due/S"),
            queue: text(item, "/effect/M/queue/S"),
            id: text(item, "/effect/M/id/S"),
        })
        // The table also holds the sweep's own marks, which are due at no time.
        .filter(|row| !row.due.is_empty())
        .collect();
    rows.sort_by(|a, b| a.due.cmp(&b.due));
    rows.truncate(TIMERS);
    rows
}

fn timer_table(rows: &[TimerRow]) -> Html {
    let columns = [
        Column::Text("Due"),
        Column::Text("Goes to"),
        Column::Text("Timer"),
    ];
    let row = |row: &TimerRow| {
        vec![
            row.due
                .parse()
                .map_or_else(|_| Html::text(&row.due), Html::time),
            Html::text(&row.queue),
            Html::text(&row.id),
        ]
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    Html::literal("<h2>Next timers</h2>").and(&table(&columns, &rows))
}
