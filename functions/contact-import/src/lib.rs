//! Imports a file of contacts, orders or products, a slice of about 1,000 rows a message.
//!
//! Trigger: queue contact-import, [`contacts::import::Step`]. Effects: contacts, orders, products, the job's progress, the
//! report of bad rows; then the message of the next step. Only the attempt that wins the job's versioned write counts its
//! rows, and rows merge. A repeated message of the last finished step sends the next message again.

use commerce::GoodsDesk;
use contacts::import::{Imports, Progress, Step};
use lambda::sqs::{Order, Record};
use lambda::{ConfigError, Failure, Function, Setup, metrics};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let imports = Imports::over(setup.resources());
    let desk = GoodsDesk::over(setup.resources());
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let (imports, desk) = (imports.clone(), desk.clone());
        async move { handle(&imports, &desk, &record).await }
    })
}

async fn handle(imports: &Imports, desk: &GoodsDesk, record: &Record) -> Result<(), Failure> {
    let (tenant, step) = record.open::<Step>()?;
    let stepped = imports.step(tenant, &step, &record.message_id, |goods| desk.take(goods));
    match stepped.await? {
        Progress::Done => metrics::count("ImportSteps", 1),
        Progress::Missing => {
            return Err(Failure::reject("Import.Missing", "there is no such import"));
        }
    }
    Ok(())
}
