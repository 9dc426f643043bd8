//! Changes many contacts, some hundred a message. Deletes the rows of erased contacts, moves those of merged ones, and
//! counts the contacts of tags and lists.
//!
//! Trigger: queue contact-bulk, [`contacts::bulk::Step`]. Effects: tags, lists, archive and erasure of contacts, and
//! the job's progress; then the message of the next slice. Only the attempt that wins the job's versioned write counts. A
//! repeated message of the last finished slice sends the next message again. An erasure deletes until nothing is left.
//! A merge moves until nothing is left.

use campaigns::Receivers;
use contacts::bulk::{Bulk, Progress, Step};
use lambda::sqs::{Order, Record};
use lambda::{ConfigError, Failure, Function, Setup, metrics};
use segments::{Finder, JobId};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let bulk = Bulk::over(setup.resources());
    let finder = Finder::over(setup.resources());
    let receivers = Receivers::over(setup.resources());
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let (bulk, finder, receivers) = (bulk.clone(), finder.clone(), receivers.clone());
        async move { handle(&bulk, (&finder, &receivers), &record).await }
    })
}

async fn handle(
    bulk: &Bulk,
    (finder, receivers): (&Finder, &Receivers),
    record: &Record,
) -> Result<(), Failure> {
    let (tenant, step) = record.open::<Step>()?;
    let find = |asked| receivers.find(finder, asked);
    match bulk.step(tenant, &step, find).await? {
        Progress::Done => metrics::count("BulkSlices", 1),
        Progress::Over(id, choice) => {
            metrics::count("BulkSlices", 1);
            finder.release(tenant, JobId::Bulk(id), choice).await?;
        }
        Progress::Missing => {
            return Err(Failure::reject("Bulk.Missing", "there is no such job"));
        }
    }
    Ok(())
}
