//! Maps one queue message to one call of the use case.

use chat::body::InboundMessage;
use chat::inbound::{Inbound, Received};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

pub async fn handle(inbound: &Inbound, record: &Record) -> Result<(), Failure> {
    let (tenant, message) = record.open()?;
    match message {
        InboundMessage::V1(message) => match inbound.receive(tenant, &message).await? {
            Received::Stored => metrics::count("MessagesReceived", 1),
            Received::Known => metrics::count("MessagesRepeated", 1),
        },
        InboundMessage::SnoozeOver(over) => {
            let ended = inbound.end_snooze(tenant, &over).await?;
            metrics::count("SnoozesEnded", u64::from(ended));
        }
    }
    Ok(())
}
