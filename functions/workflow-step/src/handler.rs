//! One step message.

use lambda::sqs::Record;
use lambda::{Failure, metrics};
use workflows::{Advanced, StepMessage, Stepper};

pub async fn handle(stepper: &Stepper, record: &Record) -> Result<(), Failure> {
    let (tenant, message) = record.open::<StepMessage>()?;
    let metric = match stepper.advance(tenant, &message).await? {
        Advanced::Moved => "StepsMoved",
        Advanced::Ignored => "StepsIgnored",
        Advanced::Parked => "StepsParked",
    };
    metrics::count(metric, 1);
    Ok(())
}
