//! Takes a file of contacts in, some hundred rows a message.
//!
//! Trigger: the import queue. Idempotent by the job's version: only the attempt that wins the versioned
//! write counts its rows, and the rows themselves merge. The next message is sent after that write; any
//! message that finds its step just done sends it again, also one that was redriven.

use contacts::import::{Imports, Progress, Step};
use lambda::sqs::{Order, Record};
use lambda::{ConfigError, Failure, Function, Setup, metrics};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let imports = Imports::over(setup.resources());
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
