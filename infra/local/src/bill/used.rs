//! Units that a run used, from the meter.

use super::Units;
use crate::aws::MeterSnapshot;
use crate::template::Billed;

/// API Gateway's access log has one line of about so many bytes for each HTTP request.
const ACCESS_LOG_BYTES: f64 = 300.0;

/// Units used, by the key of their price. Unused prices are listed with zero units.
pub fn used_units(used: &MeterSnapshot, billed: &Billed) -> Units {
    let api = |kind: &str| used.api_requests.get(kind).copied().unwrap_or(0) as f64;
    let requests = |fifo: bool| {
        let queues = used.queues.values().filter(|queue| queue.fifo == fifo);
        queues.map(|queue| queue.requests).sum::<u64>() as f64
    };
    let fair: u64 = used.queues.values().map(|queue| queue.fair_messages).sum();
    let invocations: u64 = used.functions.values().map(|f| f.invocations).sum();
    let gb_seconds: f64 = used.functions.values().map(|f| f.gb_seconds).sum();
    let mut units = Units::from([
        ("http_api_request", api("http")),
        (
            "websocket_message",
            api("websocket") + used.socket_posts as f64,
        ),
        ("websocket_connection_minute", api("websocket_minute")),
        ("lambda_request", invocations as f64),
        ("lambda_gb_second_arm64", gb_seconds),
        ("dynamodb_write_unit", 0.0),
        ("dynamodb_read_unit", 0.0),
        ("sqs_request", requests(false)),
        ("sqs_fifo_request", requests(true)),
        ("sqs_fair_surcharge", fair as f64),
        ("s3_put_request", used.s3_writes as f64),
        ("s3_get_request", used.s3_reads as f64),
        ("ses_mail", used.mails as f64),
        (
            "logs_gb",
            (used.log_bytes as f64 + ACCESS_LOG_BYTES * api("http")) / 1e9,
        ),
    ]);
    for (name, table) in &used.tables {
        let keeping = billed.tables.get(name).copied().unwrap_or_default();
        let (write, read) = if keeping.infrequent {
            ("dynamodb_ia_write_unit", "dynamodb_ia_read_unit")
        } else {
            ("dynamodb_write_unit", "dynamodb_read_unit")
        };
        let indexes = || table.indexes.values();
        let writes = table.writes + indexes().map(|index| index.writes).sum::<f64>();
        let reads = table.reads + indexes().map(|index| index.reads).sum::<f64>();
        *units.entry(write).or_default() += writes;
        *units.entry(read).or_default() += reads;
    }
    units
}
