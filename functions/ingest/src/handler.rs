//! Writes a contact, then its event. The messages of the queue are sorted here by kind.

use std::time::Duration;

use cloud::{Blobs, Error, QueueOf, Window};
use commerce::Orders;
use contacts::{Contacts, Event, Incoming};
use jiff::Timestamp;
use kernel::{ContactId, SourceId, TenantKey};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use serde_json::json;
use sources::activity::Tally;
use sources::{Activity, FailedRequests, Inbound, SyncTask};

use crate::goods::{self, Goods};
use crate::opt_in::{self, OptInDesk};
use crate::{request, signup};

/// Key in an event's data: how many tags and lists the full contact had no room for.
const LEFT_OUT: &str = "_left_out";
/// Key in an event's data: the identities that are not the contact's, with their place, reason and owner.
const NOT_TAKEN: &str = "_not_taken";
/// Key in an event's data: why the event started no workflow.
const NOT_TRIGGERED: &str = "_not_triggered";
const SUPPRESSED: &str = "too_many_forms";
/// Forms of one source that may start workflows for one contact in an hour. Anybody can fill in a form with
/// somebody else's address, and each start may be a mail to it.
const TRIGGERS: u32 = 3;
const TRIGGERS_PERIOD: Duration = Duration::from_hours(1);

pub struct Intake {
    pub contacts: Contacts,
    pub orders: Orders,
    pub goods: Goods,
    pub failed: FailedRequests,
    pub window: Window,
    /// Large bodies of requests.
    pub files: Blobs,
    /// Objects to fetch from the provider's API.
    pub fetches: QueueOf<SyncTask>,
    pub opt_in: OptInDesk,
}

/// A person's event, with what the contact learns from it.
pub struct Taken {
    pub incoming: Incoming,
    pub event: Event,
    /// When it was accepted.
    pub received_at: Timestamp,
}

impl Intake {
    /// Whether the form may start workflows: the first few of an hour may. Counted by contact, since a stranger who
    /// knows a phone number could vary the email address. Counted at the time the form came in, so that each
    /// delivery of its message has the same answer. Costs one write unit.
    async fn admits(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
        received_at: Timestamp,
    ) -> Result<bool, Error> {
        let scope = format!("{tenant}#FORM#{}#{contact}", event.source);
        let id = format!("{}#{}", event.id, event.at);
        let admits = self
            .window
            .admits(&scope, TRIGGERS_PERIOD, received_at, &id, TRIGGERS);
        admits.await
    }

    /// Writes the contact, then the event. Returns the contact.
    pub async fn write(&self, tenant: TenantKey, taken: Taken) -> Result<ContactId, Failure> {
        let Taken {
            incoming,
            mut event,
            received_at,
        } = taken;
        let upserted = self.contacts.upsert(tenant, &incoming).await?;
        let contact = upserted.contact;
        if !upserted.surplus.is_empty() {
            metrics::incident("ContactsFull", 1);
            event.data[LEFT_OUT] = upserted.surplus.count().into();
        }
        if !upserted.not_taken.is_empty() {
            metrics::incident("IdentitiesNotTaken", upserted.not_taken.len() as u64);
            event.data[NOT_TAKEN] = json!(upserted.not_taken);
        }
        let heard = self.contacts.hears(tenant, &event).await?;
        let admitted = !heard || self.admits(tenant, contact, &event, received_at).await?;
        if !admitted {
            metrics::count("TriggersSuppressed", 1);
            event.data[NOT_TRIGGERED] = SUPPRESSED.into();
        }
        let recorded = self
            .contacts
            .record_as(tenant, contact, &event, heard && admitted);
        let new = recorded.await?;
        metrics::count("ContactsCreated", u64::from(upserted.created));
        metrics::count("EventsRecorded", u64::from(new));
        metrics::count("EventsRepeated", u64::from(!new));
        Ok(contact)
    }
}

/// The share of one request in its source's activity.
pub struct Done {
    tenant: TenantKey,
    source: SourceId,
    received_at: Timestamp,
    tally: Tally,
    message: String,
}

/// Handles a message. A source's request gives what its source did.
pub async fn handle(intake: &Intake, record: &Record) -> Result<Option<Done>, Failure> {
    let (tenant, inbound) = record.open::<Inbound>()?;
    match inbound {
        Inbound::Request(request) => {
            let (source, received_at) = (request.source, request.received_at);
            let tally = request::handle(intake, tenant, *request).await?;
            return Ok(Some(Done {
                tenant,
                source,
                received_at,
                tally,
                message: record.message_id.clone(),
            }));
        }
        Inbound::Confirmation(confirmation) => {
            opt_in::confirm(intake, tenant, *confirmation).await?;
        }
        Inbound::CartDue(due) => goods::fall_due(&intake.goods, tenant, *due).await?,
        Inbound::Form(submission) => signup::handle(intake, tenant, *submission).await?,
    }
    Ok(None)
}

/// The source whose requests are counted together.
#[expect(
    clippy::ref_option,
    reason = "the parts of a batch are named by their results"
)]
pub fn source_of(done: &Option<Done>) -> Option<SourceId> {
    done.as_ref().map(|done| done.source)
}

/// Counts the requests of one source. A lost count must repeat no request.
pub async fn count(activity: &Activity, done: Vec<Option<Done>>) {
    let mut done = done.into_iter().flatten();
    let Some(mut sum) = done.next() else {
        return;
    };
    for one in done {
        sum.tally += one.tally;
        sum.received_at = sum.received_at.max(one.received_at);
    }
    let counted = activity.count(
        sum.tenant,
        sum.source,
        sum.received_at,
        sum.tally,
        &sum.message,
    );
    if counted.await.is_err() {
        metrics::count("CountsLost", 1);
    }
}
