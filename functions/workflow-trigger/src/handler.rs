//! Handles one event.

use contacts::EventHappened;
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use workflows::Workflows;

pub async fn handle(workflows: &Workflows, record: &Record) -> Result<(), Failure> {
    let (tenant, happened) = record.open()?;
    let EventHappened::V1 {
        contact,
        event,
        recorded_at,
    } = happened;
    let entered = workflows
        .happened(tenant, contact, &event, recorded_at)
        .await?;
    metrics::count("Enrolled", entered);
    Ok(())
}
