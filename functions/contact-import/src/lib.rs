//! Takes a file of contacts in, some hundred rows a message.
//!
//! Trigger: the import queue. Idempotent by the job's version: only the attempt that wins the versioned
//! write counts its rows, and the rows themselves merge. The next message is sent after that write; any
//! message that finds its step just done sends it again, also one that was redriven.

use contacts::Contacts;
use contacts::import::{Imports, Progress, Step};
use lambda::sqs::{Order, Record};
use lambda::{ConfigError, Failure, Function, Setup, metrics};

/// Environment.
pub const VARS: &[&str] = &[
    "CONTACTS_TABLE",
    "CONTACT_IMPORT_QUEUE_URL",
    "DLQ_URL",
    "IMPORTS_BUCKET",
    "TIMELINE_TABLE",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "all functions are built alike")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let table = setup.table("CONTACTS_TABLE")?;
    // An import starts no workflow, so nobody is asked who listens.
    let contacts = Contacts::silent(table.clone(), setup.table("TIMELINE_TABLE")?);
    let files = setup.bucket("IMPORTS_BUCKET")?;
    let queue = setup.queue_of()?;
    let imports = Imports::new(contacts, table, files, queue);
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let imports = imports.clone();
        async move { handle(&imports, &record).await }
    })
}

async fn handle(imports: &Imports, record: &Record) -> Result<(), Failure> {
    let (tenant, step) = record.open::<Step>()?;
    match imports.step(tenant, &step).await? {
        Progress::Done => metrics::count("ImportSteps", 1),
        Progress::Missing => {
            return Err(Failure::reject("Import.Missing", "there is no such import"));
        }
    }
    Ok(())
}
