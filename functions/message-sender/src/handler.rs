//! One message sends one mail to one contact. The handler reserves a slot before it reads the mail, so a message
//! that must wait costs only its reservation.

use std::sync::Arc;

use accounts::{RecentWorkspaces, Workspace};
use channels::rate::{SendRate, Turn};
use channels::{
    CompiledMails, Delivery, EmailChannel, Ledger, LedgerKey, Letterhead, Prepared, SendMessage,
    Uncompiled,
};
use cloud::{Counters, QueueOf, SendOptions, Timers};
use contacts::{ChannelStatus, Contact, Profiles};
use forms::OptIns;
use jiff::{SignedDuration, Timestamp};
use kernel::{EmailAddress, TenantKey};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use workflows::WorkflowStore;

/// How old a mail may be. It is about something that has just happened; after an outage of days it would come out of
/// the blue.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How often a mail of an archived workspace is looked at again, until it is too old: a row in Timers, no message.
const ARCHIVED: SignedDuration = SignedDuration::from_hours(24);

/// Seconds until a mail that the provider had no room for is tried again.
const BACK_OFF: u16 = 30;

/// The state of the handler.
#[derive(Clone)]
pub struct Messenger {
    pub contacts: Profiles,
    pub workspaces: RecentWorkspaces,
    pub mails: CompiledMails,
    pub channel: EmailChannel,
    pub rate: SendRate,
    pub queue: QueueOf<SendMessage>,
    pub ledger: Ledger,
    pub workflows: WorkflowStore,
    pub timers: Timers,
    /// Transactional mails by reason.
    pub counters: Counters,
    /// Requests of signup forms that wait for a confirmation.
    pub opt_ins: OptIns,
}

/// Sends the message unless that was done before.
pub async fn handle(messenger: &Messenger, record: &Record) -> Result<(), Failure> {
    let (tenant, mut message) = record.open::<SendMessage>()?;
    let key = ledger_key(&message)?;
    if let Some(reason) = messenger.stale(tenant, &message).await? {
        messenger.ledger.cancel(tenant, &key, reason).await?;
        metrics::incident("MailsExpired", 1);
        return Ok(());
    }
    let workspace = messenger.workspaces.get(tenant).await?;
    if workspace.as_ref().is_some_and(Workspace::is_archived) {
        return messenger.wait_for_restoration(tenant, message, &key).await;
    }
    let SendMessage::Email { class, slot, .. } = &message;
    if let Turn::Later { delay, slot } = messenger.rate.turn(*class, 1, *slot).await? {
        return messenger.put_back(tenant, &mut message, delay, slot).await;
    }
    let SendMessage::Email {
        data,
        class,
        reason,
        at: step_at,
        workflow,
        ..
    } = &message;
    let to = match messenger.asked(tenant, &message).await? {
        Asked::Nobody => None,
        Asked::At(address) => Some(address),
        // Confirmed meanwhile, or erased.
        Asked::Over => return Ok(()),
    };
    let channel = &messenger.channel;
    let delivery = match messenger.mail(tenant, &message, workspace).await? {
        Some(mail) => {
            let contact = messenger.contacts.current(tenant, key.contact).await?;
            let contact = contact.map(|contact| at(contact, to));
            let contact = contact.as_ref();
            channel.deliver(tenant, &key, &mail, contact, data).await?
        }
        None => channel.refuse(tenant, &key, *class, "mail_invalid").await?,
    };
    match delivery {
        Delivery::Sent => {
            metrics::count("MailsSent", 1);
            if let (Some(reason), Some(workflow)) = (*reason, *workflow) {
                let counted =
                    workflows::count_sent(&messenger.counters, tenant, workflow, reason, *step_at);
                // The mail is out: a redelivery would not count it either.
                if let Err(error) = counted.await {
                    metrics::incident("CountsLost", 1);
                    tracing::warn!(%error, "a transactional mail was not counted");
                }
            }
        }
        Delivery::SentBefore => metrics::count("MailsSentBefore", 1),
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

/// The request of a signup form that a mail is about.
enum Asked {
    /// The mail is about no request.
    Nobody,
    /// The mail goes to this address.
    At(EmailAddress),
    /// There is nothing to confirm any more.
    Over,
}

/// The contact as the reader of this address. The status of the contact's own address says nothing
/// about another.
fn at(mut contact: Contact, to: Option<EmailAddress>) -> Contact {
    if let Some(to) = to
        && contact.email.as_ref() != Some(&to)
    {
        contact.email = Some(to);
        contact.email_status = ChannelStatus::None;
    }
    contact
}

/// The mail's name in the send ledger.
fn ledger_key(message: &SendMessage) -> Result<LedgerKey, Failure> {
    let SendMessage::Email {
        scope,
        step,
        contact,
        ..
    } = message;
    let key = LedgerKey {
        scope: scope.clone(),
        contact: *contact,
        step: step.clone(),
    };
    if key.is_taggable() {
        return Ok(key);
    }
    // SES would refuse the mail, and its events could not be distinguished.
    Err(Failure::reject(
        "Message.Key",
        "scope or step is not a plain name",
    ))
}

impl Messenger {
    async fn asked(&self, tenant: TenantKey, message: &SendMessage) -> Result<Asked, Failure> {
        let SendMessage::Email {
            contact, opt_in, ..
        } = message;
        let Some(id) = opt_in else {
            return Ok(Asked::Nobody);
        };
        let mut request = self.opt_ins.get(tenant, *contact, id).await?;
        if request.is_none()
            && let Some(now) = self.contacts.forward(tenant, *contact).await?
        {
            // Merged meanwhile.
            request = self.opt_ins.get(tenant, now, id).await?;
        }
        let open = request.filter(|request| request.confirmed_at.is_none());
        Ok(open.map_or(Asked::Over, |request| Asked::At(request.email)))
    }

    /// The mail, ready to be filled in. `None`: it does not compile, and no later try would change that.
    async fn mail(
        &self,
        tenant: TenantKey,
        message: &SendMessage,
        workspace: Option<Workspace>,
    ) -> Result<Option<Arc<Prepared>>, Failure> {
        let SendMessage::Email { mail, class, .. } = message;
        let settings = workspace.map(|workspace| workspace.settings);
        let letterhead = settings.map(|settings| Letterhead {
            postal_address: settings.postal_address,
            permission_reminder: settings.permission_reminder,
            takes_assumed: !settings.strict_consent,
            is_labelled: settings.advertising_label,
        });
        let letterhead = letterhead.unwrap_or_default();
        let found = self.mails.get(tenant, mail, *class, &letterhead).await;
        match found {
            Ok(mail) => Ok(Some(mail)),
            Err(Uncompiled::Missing) => Err(Failure::reject("Mail.Missing", mail.as_str())),
            Err(Uncompiled::Invalid(error)) => {
                tracing::warn!(mail = mail.as_str(), error, "the mail does not compile");
                Ok(None)
            }
            Err(Uncompiled::Store(error)) => Err(error.into()),
        }
    }

    /// Why the mail is not sent any more.
    async fn stale(
        &self,
        tenant: TenantKey,
        message: &SendMessage,
    ) -> Result<Option<&'static str>, Failure> {
        let SendMessage::Email { at, workflow, .. } = message;
        if self.timers.clock().now().duration_since(*at) >= MAX_AGE {
            return Ok(Some("expired"));
        }
        let Some(workflow) = *workflow else {
            return Ok(None);
        };
        let is_archived = self.workflows.is_archived(tenant, workflow).await?;
        Ok(is_archived.then_some("workflow_archived"))
    }

    /// The enrollment has moved on already, so the mail itself waits.
    async fn wait_for_restoration(
        &self,
        tenant: TenantKey,
        mut message: SendMessage,
        key: &LedgerKey,
    ) -> Result<(), Failure> {
        let SendMessage::Email { at, slot, .. } = &mut message;
        *slot = None;
        // A grid from the mail's own time: repeated messages write the same timer.
        let periods = self.timers.clock().now().duration_since(*at).as_secs() / ARCHIVED.as_secs();
        let due = *at + ARCHIVED * i32::try_from(periods + 1).unwrap_or(i32::MAX);
        let id = format!("{}#{}#{}", key.scope, key.contact, key.step);
        self.timers.schedule(tenant, &id, due, &message).await?;
        metrics::count("MailsOfArchived", 1);
        Ok(())
    }

    /// Sends a delayed copy of the message and completes this one. So waiting uses none of the few receives after
    /// which SQS dead-letters a message.
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
