//! Makes files of contacts for people, a thousand contacts a message.
//!
//! Trigger: queue contact-export, [`contacts::export::Step`]. Effects: the export's progress and its files; then the
//! message of the next step. A repeated message of the last finished step sends the next message again.

use contacts::export::{Exports, Progress, Step};
use lambda::sqs::{Order, Record};
use lambda::{ConfigError, Failure, Function, Setup, metrics};
use segments::{Finder, JobId};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let exports = Exports::over(setup.resources());
    let finder = Finder::over(setup.resources());
    Function::sqs(setup, Order::Any { concurrency: 1 }, move |record| {
        let (exports, finder) = (exports.clone(), finder.clone());
        async move { handle(&exports, &finder, &record).await }
    })
}

async fn handle(exports: &Exports, finder: &Finder, record: &Record) -> Result<(), Failure> {
    let (tenant, step) = record.open::<Step>()?;
    match exports
        .step(tenant, &step, |asked| finder.page(asked))
        .await?
    {
        Progress::Done => metrics::count("ExportSteps", 1),
        Progress::Over(id, choice) => {
            metrics::count("ExportSteps", 1);
            finder.release(tenant, JobId::Export(id), choice).await?;
        }
        Progress::Missing => {
            return Err(Failure::reject("Export.Missing", "there is no such export"));
        }
    }
    Ok(())
}
