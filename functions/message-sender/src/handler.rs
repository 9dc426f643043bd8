//! One message: one mail to one contact.

use accounts::{RecentWorkspaces, Workspace};
use channels::rate::{SendRate, Turn};
use channels::{Delivery, EmailChannel, LedgerKey, Letterhead, MailStore, Prepared, SendMessage};
use cloud::{QueueOf, SendOptions};
use contacts::Profiles;
use jiff::Timestamp;
use kernel::TenantKey;
use lambda::sqs::Record;
use lambda::{Failure, metrics};

/// Seconds until a mail that the provider had no room for is tried again.
const BACK_OFF: u16 = 30;

/// What the handler works with.
#[derive(Clone)]
pub struct Messenger {
    pub contacts: Profiles,
    pub workspaces: RecentWorkspaces,
    pub mails: MailStore,
    pub channel: EmailChannel,
    pub rate: SendRate,
    pub queue: QueueOf<SendMessage>,
}

/// Sends the message unless that was done before.
pub async fn handle(messenger: &Messenger, record: &Record) -> Result<(), Failure> {
    let (tenant, mut message) = record.open::<SendMessage>()?;
    let SendMessage::Email { class, slot, .. } = &message;
    let (class, carried) = (*class, *slot);
    let Some((key, prepared)) = messenger.prepare(tenant, &message).await? else {
        // Its enrollment has moved on already, so the mail waits here until the workspace is restored.
        let delay = cloud::queue::MAX_DELAY_SECONDS;
        return messenger.put_back(tenant, &mut message, delay, None).await;
    };
    if let Turn::Later { delay, slot } = messenger.rate.turn(class, 1, carried).await? {
        return messenger.put_back(tenant, &mut message, delay, slot).await;
    }
    let SendMessage::Email { data, .. } = &message;
    let contact = messenger.contacts.get(tenant, key.contact).await?;
    let delivery = messenger
        .channel
        .deliver(tenant, &key, &prepared, contact.as_ref(), data)
        .await?;
    match delivery {
        Delivery::Sent => metrics::count("MailsSent", 1),
        Delivery::Skipped(_) => metrics::count("MailsSkipped", 1),
        Delivery::Failed(_) => metrics::incident("MailsFailed", 1),
        Delivery::Unknown | Delivery::NoAnswer => metrics::incident("MailsUnknown", 1),
        Delivery::InFlight => {
            return Err(Failure::retry(
                "Send.InFlight",
                "claimed; its outcome is not known",
            ));
        }
        Delivery::Throttled => {
            return messenger
                .put_back(tenant, &mut message, BACK_OFF, None)
                .await;
        }
        Delivery::Stopped(code) => {
            metrics::incident("SendingStopped", 1);
            tracing::warn!(code, "the account may not send now");
            let delay = cloud::queue::MAX_DELAY_SECONDS;
            return messenger.put_back(tenant, &mut message, delay, None).await;
        }
    }
    Ok(())
}

impl Messenger {
    /// What is sent and under which name. `None`: the workspace is archived, and nothing goes out
    /// for it.
    async fn prepare(
        &self,
        tenant: TenantKey,
        message: &SendMessage,
    ) -> Result<Option<(LedgerKey, Prepared)>, Failure> {
        let SendMessage::Email {
            scope,
            step,
            contact,
            mail,
            class,
            ..
        } = message;
        let key = LedgerKey {
            scope: scope.clone(),
            contact: *contact,
            step: step.clone(),
        };
        if !key.is_taggable() {
            // SES would refuse the mail, and its events could not be told apart.
            return Err(Failure::reject(
                "Message.Key",
                "scope or step is not a plain name",
            ));
        }
        let workspace = self.workspaces.get(tenant).await?;
        if workspace.as_ref().is_some_and(Workspace::is_archived) {
            metrics::count("MailsOfArchived", 1);
            return Ok(None);
        }
        let settings = workspace.map(|workspace| workspace.settings);
        let letterhead = settings.map(|settings| Letterhead {
            postal_address: settings.postal_address,
            permission_reminder: settings.permission_reminder,
        });
        let stored = self.mails.get(tenant, mail).await?;
        let stored = stored.ok_or_else(|| Failure::reject("Mail.Missing", mail.as_str()))?;
        let prepared = Prepared::compile(&stored, *class, &letterhead.unwrap_or_default())
            .map_err(|error| Failure::reject("Mail.Invalid", error))?;
        Ok(Some((key, prepared)))
    }

    /// Sends a copy that comes later; this one is done with. Waiting so costs none of the few receives
    /// after which a message is parked.
    async fn put_back(
        &self,
        tenant: TenantKey,
        message: &mut SendMessage,
        delay_seconds: u16,
        at: Option<Timestamp>,
    ) -> Result<(), Failure> {
        let SendMessage::Email { slot, .. } = message;
        *slot = at;
        let options = SendOptions {
            delay_seconds,
            ..SendOptions::default()
        };
        self.queue.send(tenant, message, options).await?;
        metrics::count("MailsPutBack", 1);
        Ok(())
    }
}
