//! One message plans some pages of one contact shard.

use campaigns::{PlanMessage, Planner};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// Plans the shard or the dispatch that the message asks for.
pub async fn handle(planner: &Planner, record: &Record) -> Result<(), Failure> {
    let (tenant, message) = record.open::<PlanMessage>()?;
    let planned = planner.handle(tenant, message).await?;
    metrics::count("RecipientsPlanned", planned);
    Ok(())
}
