//! Turns one queued body into a contact and an event.

use std::time::Duration;

use cloud::{Error, Window};
use contacts::consent::{Decision, Evidence, MAX_NOTE, Method};
use contacts::{Contacts, Event, Identity, Incoming, Merge, Source, Statement, Trust};
use jiff::Timestamp;
use kernel::{ContactId, EmailAddress, Phone, TenantKey};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use serde_json::json;
use sources::{Answer, FailedRequests, Inbound, ParseError, Provider, RawRequest, Submission};

use crate::opt_in::{self, OptInDesk};
use crate::signup;

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
    pub failed: FailedRequests,
    pub window: Window,
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

pub async fn handle(intake: &Intake, record: &Record) -> Result<(), Failure> {
    let (tenant, inbound) = record.open::<Inbound>()?;
    match inbound {
        Inbound::Request(request) => handle_request(intake, tenant, *request).await,
        Inbound::Confirmation(confirmation) => opt_in::confirm(intake, tenant, *confirmation).await,
        Inbound::Form(submission) => signup::handle(intake, tenant, *submission).await,
    }
}

async fn handle_request(
    intake: &Intake,
    tenant: TenantKey,
    request: RawRequest,
) -> Result<(), Failure> {
    let submission = match request.provider.parse(&request) {
        Ok(submission) => submission,
        Err(error) => return fail(intake, tenant, &request, error).await,
    };
    metrics::incident("FormsShortened", u64::from(submission.event.is_shortened));
    let told = &submission.event;
    let contacts = &intake.contacts;
    let arrival = contacts.arrival(tenant, &told.id, told.at, told.same_within);
    let Some(at) = arrival.await? else {
        metrics::count("EventsOfErased", 1);
        return Ok(());
    };
    let (source, replayed) = (request.source, request.replay_of.clone());
    intake.write(tenant, taken(submission, request, at)).await?;
    if let Some(id) = replayed {
        intake.failed.remove(tenant, source, &id).await?;
    }
    Ok(())
}

/// The workspace's people see the request at its source. A flood of them is a matter for the operator.
async fn fail(
    intake: &Intake,
    tenant: TenantKey,
    request: &RawRequest,
    error: ParseError,
) -> Result<(), Failure> {
    let kept = intake.failed.keep(&intake.window, tenant, request, &error);
    if kept.await? {
        metrics::incident("RequestsFailed", 1);
        return Ok(());
    }
    Err(Failure::reject("Source.Malformed", error))
}

/// The person and the event of a submission. Anybody can post to a source's public form.
fn taken(submission: Submission, request: RawRequest, at: Timestamp) -> Taken {
    let Submission {
        sender,
        event: told,
        consent,
    } = submission;
    let event = Event {
        id: told.id,
        name: told.name.to_owned(),
        at,
        source: request.source.to_string(),
        data: told.data,
    };
    let form = match told.form {
        Some(form) => format!("{}#{form}", event.source),
        None => event.source.clone(),
    };
    let said_at = at.min(request.received_at);
    let consent = consent
        .into_iter()
        .map(|answer| said(answer, &form, said_at));
    let incoming = Incoming {
        identities: identities(sender.email, sender.phone, &event),
        person: sender.person,
        tags: request.settings.tags,
        lists: request.settings.lists,
        consent: consent.collect(),
        source: origin(request.provider),
        merge: Merge::FillEmpty,
        trust: Trust::Anybody,
        operation: Some(format!("{}#{at}", event.id)),
        ..Incoming::default()
    };
    Taken {
        incoming,
        event,
        received_at: request.received_at,
    }
}

/// The addresses of a person. Of a person who mistyped all addresses the event itself is the identity, so that the lead
/// is kept.
fn identities(email: Option<EmailAddress>, phone: Option<Phone>, event: &Event) -> Vec<Identity> {
    let email = email.map(Identity::Email);
    let mut all: Vec<Identity> = email
        .into_iter()
        .chain(phone.map(Identity::Phone))
        .collect();
    if all.is_empty() {
        all.push(Identity::External {
            scope: event.source.clone(),
            id: event.id.clone(),
        });
    }
    all
}

/// The answer of the form to its question about consent. A no takes nothing back: nobody withdraws by an empty box.
fn said(answer: Answer, form: &str, at: Timestamp) -> Statement {
    let decision = if answer.yes {
        Decision::Granted
    } else {
        Decision::Refused
    };
    Statement {
        text: answer.text,
        evidence: Evidence {
            form: Some(form.chars().take(MAX_NOTE).collect()),
            ..Evidence::default()
        },
        at: Some(at),
        ..Statement::new(Method::FormTick, decision, [answer.channel])
    }
}

/// The origin that a new contact shows.
fn origin(provider: Provider) -> Source {
    match provider {
        Provider::Ladipage => Source::Ladipage,
    }
}
