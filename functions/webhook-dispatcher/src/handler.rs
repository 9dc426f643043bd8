//! Handles one message.

use lambda::sqs::Record;
use lambda::{Failure, metrics};
use webhooks::{Delivered, Dispatcher, WebhookTask};

/// Deliveries of a message that has no row. Its writer has failed then, and has told so.
const MOST_EARLY: u32 = 8;

pub async fn handle(dispatcher: &Dispatcher, record: &Record) -> Result<(), Failure> {
    let (tenant, task) = record.open::<WebhookTask>()?;
    match &task {
        WebhookTask::Happened(happened) => {
            let wanted = dispatcher.happened(tenant, happened).await?;
            metrics::count("WebhookEvents", wanted);
        }
        WebhookTask::Deliver {
            webhook,
            delivery,
            turn,
        } => {
            let delivered = dispatcher.deliver(tenant, *webhook, delivery, *turn);
            match delivered.await? {
                Delivered::Yes => metrics::count("WebhooksDelivered", 1),
                Delivered::No => metrics::count("WebhooksFailed", 1),
                Delivered::Later => metrics::count("WebhooksBusy", 1),
                Delivered::Nothing => {}
                Delivered::Early if record.receive_count < MOST_EARLY => {
                    return Err(Failure::retry("Webhook.Early", "its row is not stored yet"));
                }
                Delivered::Early => metrics::count("WebhooksWithoutRow", 1),
            }
        }
        WebhookTask::Redeliver { .. } => {
            let begun = dispatcher.step(tenant, &task).await?;
            metrics::count("WebhooksRedelivered", begun);
        }
    }
    Ok(())
}
