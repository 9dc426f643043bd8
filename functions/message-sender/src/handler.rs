//! One message makes one send to one contact, by the channel of its content. The handler reserves a slot before it reads
//! the content, so a message that must wait costs only its reservation.

use std::sync::Arc;

use accounts::{RecentWorkspaces, Workspace};
use channels::gate::Gate;
use channels::push::PushChannel;
use channels::rate::{SendRate, Turn};
use channels::sms::SmsChannel;
use channels::{
    Class, Content, Delivery, EmailChannel, Ledger, LedgerKey, Letterhead, NotReady, Send,
    SendChannel, SendMachine, SendMessage, Test,
};
use cloud::{Counters, QueueOf, SendOptions, Timers};
use contacts::{ChannelStatus, Contact, Profiles};
use forms::OptIns;
use jiff::{SignedDuration, Timestamp};
use kernel::{EmailAddress, TenantKey};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use workflows::WorkflowStore;

/// How old a message may be. It is about something that has just happened; after an outage of days it would come out of
/// the blue.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How often a message of an archived workspace is looked at again, until it is too old: a row in Timers, no message.
const ARCHIVED: SignedDuration = SignedDuration::from_hours(24);

/// Seconds until a message that the provider had no room for is tried again.
const BACK_OFF: u16 = 30;

/// One channel: its machine and its share of the provider's rate.
#[derive(Clone)]
pub struct Route<C> {
    pub machine: SendMachine<C>,
    pub rate: SendRate,
}

/// The state of the handler.
#[derive(Clone)]
pub struct Messenger {
    pub contacts: Profiles,
    pub workspaces: RecentWorkspaces,
    pub email: Route<EmailChannel>,
    pub sms: Route<SmsChannel>,
    pub push: Route<PushChannel>,
    pub queue: QueueOf<SendMessage>,
    pub ledger: Ledger,
    pub workflows: WorkflowStore,
    pub timers: Timers,
    /// Transactional messages by reason.
    pub counters: Counters,
    /// Requests of signup forms that wait for a confirmation.
    pub opt_ins: OptIns,
}

/// Sends the message unless that was done before.
pub async fn handle(messenger: &Messenger, record: &Record) -> Result<(), Failure> {
    let (tenant, SendMessage::V1(send)) = record.open::<SendMessage>()?;
    let send = *send;
    let key = ledger_key(&send)?;
    if let Some(reason) = messenger.stale(tenant, &send).await? {
        messenger.ledger.cancel(tenant, &key, reason).await?;
        metrics::incident("MessagesExpired", 1);
        return Ok(());
    }
    let workspace = messenger.workspaces.get(tenant).await?;
    if workspace.as_ref().is_some_and(Workspace::is_archived) {
        return messenger.wait_for_restoration(tenant, send, &key).await;
    }
    match send.content {
        Content::Email { .. } => {
            let route = &messenger.email;
            messenger.go(route, tenant, send, &key, workspace).await
        }
        Content::Sms { .. } => {
            let route = &messenger.sms;
            messenger.go(route, tenant, send, &key, workspace).await
        }
        Content::Zns(_) => Err(Failure::reject(
            "Content.Channel",
            "no single messages of Zalo templates",
        )),
        Content::Push { .. } => {
            let route = &messenger.push;
            messenger.go(route, tenant, send, &key, workspace).await
        }
    }
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

/// The send's name in the ledger.
fn ledger_key(send: &Send) -> Result<LedgerKey, Failure> {
    let key = send.key();
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
    /// Sends by the channel of the content, at its turn.
    async fn go<C: SendChannel>(
        &self,
        route: &Route<C>,
        tenant: TenantKey,
        send: Send,
        key: &LedgerKey,
        workspace: Option<Workspace>,
    ) -> Result<(), Failure> {
        let (class, machine) = (send.class, &route.machine);
        let mut rules = sending::rules(workspace.as_ref());
        if send.test.is_some() {
            // Its reader asked for it now.
            rules.gate = Gate::default();
        }
        let now = self.timers.clock().now();
        if class == Class::Marketing
            && let Some(until) = rules.gate.closed_until(C::LAW, now)
        {
            return self.wait_until(tenant, send, key, until).await;
        }
        if let Turn::Later { delay, slot } = route.rate.turn(tenant, class, 1, send.slot).await? {
            return self.put_back(tenant, send, delay, slot).await;
        }
        let to = match self.asked(tenant, &send).await? {
            Asked::Nobody => None,
            Asked::At(address) => Some(address),
            // Confirmed meanwhile, or erased.
            Asked::Over => return Ok(()),
        };
        let delivery = match ready(route, tenant, &send, &rules.letterhead).await? {
            Ok(ready) => {
                let contact = match &send.test {
                    Some(test) => Some(self.stand_in(tenant, key, test).await?),
                    None => self.contacts.current(tenant, key.contact).await?,
                };
                let contact = contact.map(|contact| at(contact, to));
                let contact = contact.as_ref();
                machine
                    .deliver(tenant, key, &ready, contact, &send.data, &rules.gate)
                    .await?
            }
            Err(reason) => machine.refuse(tenant, key, class, reason).await?,
        };
        self.note(tenant, send, delivery).await
    }

    /// Counts the outcome, or returns the message to the queue if there is none.
    async fn note(&self, tenant: TenantKey, send: Send, delivery: Delivery) -> Result<(), Failure> {
        match delivery {
            Delivery::Sent => {
                metrics::count("MessagesSent", 1);
                self.count_reason(tenant, &send).await;
            }
            Delivery::SentBefore => metrics::count("MessagesSentBefore", 1),
            Delivery::Skipped(_) => metrics::count("MessagesSkipped", 1),
            Delivery::Failed(_) | Delivery::Replaced { .. } => {
                metrics::incident("MessagesFailed", 1);
            }
            Delivery::Unknown | Delivery::NoAnswer => metrics::incident("MessagesUnknown", 1),
            Delivery::InFlight => {
                return Err(Failure::retry(
                    "Send.InFlight",
                    "claimed; its outcome is not known",
                ));
            }
            Delivery::Throttled => return self.put_back(tenant, send, BACK_OFF, None).await,
            Delivery::Later(delay) => return self.put_back(tenant, send, delay, None).await,
            Delivery::Stopped(code) => {
                metrics::incident("SendingStopped", 1);
                tracing::warn!(code, "the account may not send now");
                let delay = cloud::queue::MAX_DELAY_SECONDS;
                return self.put_back(tenant, send, delay, None).await;
            }
        }
        Ok(())
    }

    /// Counts a transactional message of a workflow by its reason.
    async fn count_reason(&self, tenant: TenantKey, send: &Send) {
        let (Some(reason), Some(workflow)) = (send.reason, send.workflow) else {
            return;
        };
        let counted = workflows::count_sent(&self.counters, tenant, workflow, reason, send.at);
        // The message is out: a redelivery would not count it either.
        if let Err(error) = counted.await {
            metrics::incident("CountsLost", 1);
            tracing::warn!(%error, "a transactional message was not counted");
        }
    }

    /// The reader of a test mail.
    async fn stand_in(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        test: &Test,
    ) -> Result<Contact, Failure> {
        let like = match test.like {
            Some(like) => self.contacts.current(tenant, like).await?,
            None => None,
        };
        let now = self.timers.clock().now();
        Ok(Contact::stand_in(key.contact, like, test.to.clone(), now))
    }

    async fn asked(&self, tenant: TenantKey, send: &Send) -> Result<Asked, Failure> {
        let contact = send.contact;
        let Some(id) = &send.opt_in else {
            return Ok(Asked::Nobody);
        };
        let mut request = self.opt_ins.get(tenant, contact, id).await?;
        if request.is_none()
            && let Some(now) = self.contacts.forward(tenant, contact).await?
        {
            // Merged meanwhile.
            request = self.opt_ins.get(tenant, now, id).await?;
        }
        let open = request.filter(|request| request.confirmed_at.is_none());
        Ok(open.map_or(Asked::Over, |request| Asked::At(request.email)))
    }

    /// Why the message is not sent any more.
    async fn stale(&self, tenant: TenantKey, send: &Send) -> Result<Option<&'static str>, Failure> {
        if self.timers.clock().now().duration_since(send.at) >= MAX_AGE {
            return Ok(Some("expired"));
        }
        let Some(workflow) = send.workflow else {
            return Ok(None);
        };
        let is_archived = self.workflows.is_archived(tenant, workflow).await?;
        Ok(is_archived.then_some("workflow_archived"))
    }

    /// The enrollment has moved on already, so the message itself waits.
    async fn wait_for_restoration(
        &self,
        tenant: TenantKey,
        send: Send,
        key: &LedgerKey,
    ) -> Result<(), Failure> {
        // A grid from the send's own time: repeated messages write the same timer.
        let at = send.at;
        let periods = self.timers.clock().now().duration_since(at).as_secs() / ARCHIVED.as_secs();
        let due = at + ARCHIVED * i32::try_from(periods + 1).unwrap_or(i32::MAX);
        metrics::count("MessagesOfArchived", 1);
        self.wait_until(tenant, send, key, due).await
    }

    /// Leaves the message to a timer. A repeated message writes the same timer.
    async fn wait_until(
        &self,
        tenant: TenantKey,
        mut send: Send,
        key: &LedgerKey,
        due: Timestamp,
    ) -> Result<(), Failure> {
        send.slot = None;
        let id = format!("{}#{}#{}", key.scope, key.contact, key.step);
        let message = SendMessage::V1(Box::new(send));
        self.timers.schedule(tenant, &id, due, &message).await?;
        metrics::count("MessagesWaiting", 1);
        Ok(())
    }

    /// Sends a delayed copy of the message and completes this one. So waiting uses none of the few receives after
    /// which SQS dead-letters a message.
    async fn put_back(
        &self,
        tenant: TenantKey,
        mut send: Send,
        delay_seconds: u16,
        slot: Option<Timestamp>,
    ) -> Result<(), Failure> {
        send.slot = slot;
        let options = SendOptions {
            delay_seconds,
            ..SendOptions::default()
        };
        let message = SendMessage::V1(Box::new(send));
        self.queue.send(tenant, &message, options).await?;
        metrics::count("MessagesPutBack", 1);
        Ok(())
    }
}

/// The content, ready to be filled in, or why no later try could send it.
async fn ready<C: SendChannel>(
    route: &Route<C>,
    tenant: TenantKey,
    send: &Send,
    letterhead: &Letterhead,
) -> Result<Result<Arc<C::Prepared>, &'static str>, Failure> {
    let channel = route.machine.channel();
    let found = channel.prepare(tenant, &send.content, send.class, letterhead);
    match found.await {
        Ok(ready) => Ok(Ok(ready)),
        Err(NotReady::Missing(problem)) => Err(Failure::reject("Content.Missing", problem)),
        Err(NotReady::Later(_)) => Err(Failure::retry("Content.Later", "not now")),
        Err(NotReady::Invalid(problem, error) | NotReady::Blocked(problem, error)) => {
            tracing::warn!(problem, error, "the content cannot be sent");
            Ok(Err(problem))
        }
        Err(NotReady::Store(error)) => Err(error.into()),
    }
}
