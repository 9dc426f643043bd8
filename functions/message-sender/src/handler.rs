//! One message: one mail to one contact.

use std::time::Duration;

use channels::{Delivery, EmailChannel, LedgerKey, MailStore, Prepared, SendMessage};
use cloud::Limiter;
use cloud::limiter::Slot;
use contacts::Contacts;
use kernel::{Clock, TenantKey};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// The account's one limit, shared with campaigns.
const SCOPE: &str = "ses";
/// Longest wait for the rate; half of the function's time-out.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the handler works with.
#[derive(Clone)]
pub struct Messenger {
    pub contacts: Contacts,
    pub mails: MailStore,
    pub channel: EmailChannel,
    pub limiter: Limiter,
    pub rate: f64,
    pub clock: Clock,
}

/// Sends the message unless that was done before.
pub async fn handle(messenger: &Messenger, record: &Record) -> Result<(), Failure> {
    let (tenant, message) = record.open::<SendMessage>()?;
    let SendMessage::Email {
        scope,
        step,
        contact,
        mail,
        data,
        class,
    } = message;
    let key = LedgerKey {
        scope,
        contact,
        step,
    };
    if !key.is_taggable() {
        // SES would refuse the mail, and its events could not be told apart.
        return Err(Failure::reject(
            "Message.Key",
            "scope or step is not a plain name",
        ));
    }
    let stored = messenger.mails.get(tenant, &mail).await?;
    let stored = stored.ok_or_else(|| Failure::reject("Mail.Missing", mail.as_str()))?;
    let prepared = Prepared::compile(&stored, class)
        .map_err(|error| Failure::reject("Mail.Invalid", error))?;
    messenger.send(tenant, &key, &prepared, &data).await
}

impl Messenger {
    async fn send(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        mail: &Prepared,
        data: &serde_json::Value,
    ) -> Result<(), Failure> {
        self.wait_for_slot().await?;
        let contact = self.contacts.get(tenant, key.contact).await?;
        let delivery = self
            .channel
            .deliver(tenant, key, mail, contact.as_ref(), data)
            .await?;
        match delivery {
            Delivery::Sent => metrics::count("MailsSent", 1),
            Delivery::Skipped(_) => metrics::count("MailsSkipped", 1),
            Delivery::Failed(_) => metrics::count("MailsFailed", 1),
            Delivery::Unknown => metrics::count("MailsUnknown", 1),
            Delivery::InFlight => {
                return Err(Failure::retry(
                    "Send.InFlight",
                    "claimed; its outcome is not known",
                ));
            }
            Delivery::Throttled => {
                return Err(Failure::retry(
                    "Send.Throttled",
                    "the provider said not now",
                ));
            }
            Delivery::Stopped(code) => return Err(Failure::retry("Send.Stopped", code)),
        }
        Ok(())
    }

    async fn wait_for_slot(&self) -> Result<(), Failure> {
        let wait = match self.limiter.reserve(SCOPE, 1, self.rate).await? {
            Slot::At(at) => Duration::try_from(at.duration_since(self.clock.now())),
            Slot::Full(wait) => Ok(wait),
        };
        // A slot in the past gives no duration: it may go at once.
        let wait = wait.unwrap_or_default();
        if wait > PATIENCE {
            return Err(Failure::retry(
                "Rate.Full",
                "every slot of the near future is taken",
            ));
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }
}
