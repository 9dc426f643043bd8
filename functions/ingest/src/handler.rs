//! Turns one queued body into a contact and an event.

use std::collections::BTreeMap;
use std::time::Duration;

use accounts::Doors;
use cloud::{Error, Window};
use contacts::consent::{Decision, Evidence, MAX_NOTE, Method};
use contacts::{Contacts, Event, Identity, Incoming, Merge, Source, Statement, Trust};
use jiff::Timestamp;
use kernel::{Channel, ConsentField, ContactId, TenantKey};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use serde_json::{Value, json};
use sources::inbound::Provider;
use sources::{Arrival, Inbound, ParseError, Posted, ladipage};

use crate::opt_in::{self, OptInDesk};
use crate::signup;

/// Key in an event's data: the names of the fields that did not fit. No folded name begins with `_`.
const SHORTENED: &str = "_shortened";

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
    pub doors: Doors,
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
        Inbound::V1(posted) => handle_posted(intake, tenant, *posted).await,
        Inbound::Confirmation(confirmation) => opt_in::confirm(intake, tenant, *confirmation).await,
        Inbound::Form(submission) => signup::handle(intake, tenant, *submission).await,
    }
}

async fn handle_posted(intake: &Intake, tenant: TenantKey, posted: Posted) -> Result<(), Failure> {
    let arrival = match read(intake, tenant, &posted).await? {
        Ok(arrival) => arrival,
        // Some pages have forms for a name only. Nobody can fix such a form, so it raises no alarm.
        Err(ParseError::NoAddress) => {
            metrics::incident("FormsWithoutAddress", 1);
            return Ok(());
        }
        Err(error) => return Err(Failure::reject("Source.Malformed", error)),
    };
    let Posted {
        source,
        tags,
        lists,
        received_at,
        mapping,
        consent,
        ..
    } = posted;
    let at = match arrival.same_within {
        Some(within) => {
            let contacts = &intake.contacts;
            let first = contacts.first_seen(tenant, &arrival.event_id, arrival.at, within);
            first.await?
        }
        None => arrival.at,
    };
    let event = Event {
        id: arrival.event_id.clone(),
        name: arrival.event_name.to_owned(),
        at,
        source: source.to_string(),
        data: told(&arrival),
    };
    metrics::incident("FormsShortened", u64::from(!arrival.shortened.is_empty()));
    let said = consent.iter().filter_map(|(channel, asked)| {
        let yes = ladipage::answer(&arrival.data, &mapping, asked)?;
        Some(said(*channel, asked, yes, &event, received_at))
    });
    let incoming = Incoming {
        tags,
        lists,
        consent: said.collect(),
        ..person(arrival, at)
    };
    let taken = Taken {
        incoming,
        event,
        received_at,
    };
    intake.write(tenant, taken).await.map(drop)
}

/// Reads the body with the mapping that the message carries. If that finds no address, reads the body with the
/// present mapping of the source. So a redrive uses a mapping that was fixed later.
async fn read(
    intake: &Intake,
    tenant: TenantKey,
    posted: &Posted,
) -> Result<Result<Arrival, ParseError>, Failure> {
    let parsed = parse(posted, &posted.mapping).await;
    if !matches!(
        parsed,
        Err(ParseError::BrokenAddress(_) | ParseError::UnmappedAddress)
    ) {
        return Ok(parsed);
    }
    let door = intake.doors.source(posted.source).await?;
    match door.filter(|door| door.tenant == tenant) {
        Some(door) => Ok(parse(posted, &door.settings.mapping).await),
        None => Ok(parsed),
    }
}

async fn parse(posted: &Posted, mapping: &BTreeMap<String, String>) -> Result<Arrival, ParseError> {
    let (kind, body) = (&posted.content_type, &posted.body);
    match posted.provider {
        Provider::Ladipage => ladipage::parse(kind, body, posted.received_at, mapping).await,
    }
}

/// The answer of the form to its question about consent. A no takes nothing back: nobody withdraws by an empty box.
fn said(
    channel: Channel,
    asked: &ConsentField,
    yes: bool,
    event: &Event,
    received_at: Timestamp,
) -> Statement {
    let decision = if yes {
        Decision::Granted
    } else {
        Decision::Refused
    };
    let form = event.data.get("form_id").and_then(Value::as_str);
    let form = match form {
        Some(form) => format!("{}#{form}", event.source),
        None => event.source.clone(),
    };
    Statement {
        text: asked.text.clone(),
        evidence: Evidence {
            form: Some(form.chars().take(MAX_NOTE).collect()),
            ..Evidence::default()
        },
        at: Some(event.at.min(received_at)),
        ..Statement::new(Method::FormTick, decision, [channel])
    }
}

/// The event of the form, and the names of the fields that could not be kept.
fn told(arrival: &Arrival) -> Value {
    let mut data = arrival.data.clone();
    if let Value::Object(fields) = &mut data
        && !arrival.shortened.is_empty()
    {
        fields.insert(SHORTENED.to_owned(), arrival.shortened.clone().into());
    }
    data
}

/// The person who filled in the form.
fn person(arrival: Arrival, at: Timestamp) -> Incoming {
    let email = arrival.email.map(Identity::Email);
    let phone = arrival.phone.map(Identity::Phone);
    Incoming {
        identities: email.into_iter().chain(phone).collect(),
        person: arrival.person,
        source: Source::Ladipage,
        merge: Merge::FillEmpty,
        trust: Trust::Anybody,
        operation: Some(format!("{}#{at}", arrival.event_id)),
        ..Incoming::default()
    }
}
