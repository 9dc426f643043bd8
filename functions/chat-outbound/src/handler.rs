//! Maps one queue message to one call of the use case.

use chat::Chat;
use chat::body::OutboundMessage;
use chat::outbound::Delivered;
use lambda::sqs::Record;
use lambda::{Failure, metrics};

pub async fn handle(chat: &Chat, record: &Record) -> Result<(), Failure> {
    let (tenant, OutboundMessage::V1(answer)) = record.open()?;
    match chat.deliver(tenant, &answer).await? {
        Delivered::Sent => metrics::count("AnswersSent", 1),
        Delivered::Failed => metrics::incident("AnswersFailed", 1),
        Delivered::Missing => {
            let reason = format!("{} has no message {}", answer.conversation, answer.message);
            return Err(Failure::reject("Chat.MessageMissing", reason));
        }
    }
    Ok(())
}
