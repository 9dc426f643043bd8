//! One message builds some pages of one contact shard.

use lambda::sqs::Record;
use lambda::{Failure, metrics};
use segments::{BuildMessage, Builder};

/// Builds or clears what the message asks for.
pub async fn handle(builder: &Builder, record: &Record) -> Result<(), Failure> {
    let (tenant, message) = record.open::<BuildMessage>()?;
    let checked = builder.handle(tenant, message).await?;
    metrics::count("ContactsChecked", checked);
    Ok(())
}
