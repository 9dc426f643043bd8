//! One event.

use contacts::EventHappened;
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use workflows::Workflows;

pub async fn handle(workflows: &Workflows, record: &Record) -> Result<(), Failure> {
    let (tenant, EventHappened::V1 { contact, event }) = record.open()?;
    let entered = workflows
        .happened(tenant, contact, &event, record.sent_ms)
        .await?;
    metrics::count("Enrolled", entered);
    Ok(())
}
