//! One queued body.

use std::collections::BTreeMap;

use accounts::Doors;
use contacts::{ChannelStatus, Contacts, Event, Identity, Incoming, Merge, Source};
use jiff::Timestamp;
use kernel::TenantKey;
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use serde_json::Value;
use sources::inbound::Provider;
use sources::{Arrival, Inbound, ParseError, ladipage};

/// In an event's data: the fields that did not fit. Folded names never begin so.
const SHORTENED: &str = "_shortened";

pub struct Intake {
    pub contacts: Contacts,
    pub doors: Doors,
}

pub async fn handle(intake: &Intake, record: &Record) -> Result<(), Failure> {
    let (tenant, inbound) = record.open::<Inbound>()?;
    let arrival = match read(intake, tenant, &inbound).await? {
        Ok(arrival) => arrival,
        // Pages have forms for a name only. Nobody can mend them, so they wake nobody.
        Err(ParseError::NoAddress) => {
            metrics::incident("FormsWithoutAddress", 1);
            return Ok(());
        }
        Err(error) => return Err(Failure::reject("Source.Malformed", error)),
    };
    let Inbound::V1 {
        source,
        tags,
        lists,
        ..
    } = inbound;
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
    let incoming = Incoming {
        tags,
        lists,
        ..person(arrival, at)
    };
    let upserted = intake.contacts.upsert(tenant, &incoming).await?;
    let recorded = intake.contacts.record(tenant, upserted.contact, &event);
    let new = recorded.await?;
    metrics::count("ContactsCreated", u64::from(upserted.created));
    metrics::count("EventsRecorded", u64::from(new));
    metrics::count("EventsRepeated", u64::from(!new));
    Ok(())
}

/// Reads the body with the mapping that it brought along, and if that finds no address, with the one that
/// its source has now: whoever mends a mapping may then redrive what was parked.
async fn read(
    intake: &Intake,
    tenant: TenantKey,
    inbound: &Inbound,
) -> Result<Result<Arrival, ParseError>, Failure> {
    let Inbound::V1 {
        source, mapping, ..
    } = inbound;
    let parsed = parse(inbound, mapping).await;
    if !matches!(
        parsed,
        Err(ParseError::BrokenAddress(_) | ParseError::UnmappedAddress)
    ) {
        return Ok(parsed);
    }
    let door = intake.doors.source(*source).await?;
    match door.filter(|door| door.tenant == tenant) {
        Some(door) => Ok(parse(inbound, &door.settings.mapping).await),
        None => Ok(parsed),
    }
}

async fn parse(
    inbound: &Inbound,
    mapping: &BTreeMap<String, String>,
) -> Result<Arrival, ParseError> {
    let Inbound::V1 {
        provider,
        received_at,
        content_type,
        body,
        ..
    } = inbound;
    match provider {
        Provider::Ladipage => ladipage::parse(content_type, body, *received_at, mapping).await,
    }
}

/// What the form said, and what of it could not be kept.
fn told(arrival: &Arrival) -> Value {
    let mut data = arrival.data.clone();
    if let Value::Object(fields) = &mut data
        && !arrival.shortened.is_empty()
    {
        fields.insert(SHORTENED.to_owned(), arrival.shortened.clone().into());
    }
    data
}

/// What the form says about its sender. Who fills in a form asks to be contacted.
fn person(arrival: Arrival, at: Timestamp) -> Incoming {
    let email = arrival.email.map(Identity::Email);
    let phone = arrival.phone.map(Identity::Phone);
    Incoming {
        email_status: email.is_some().then_some(ChannelStatus::Subscribed),
        sms_status: phone.is_some().then_some(ChannelStatus::Subscribed),
        identities: email.into_iter().chain(phone).collect(),
        full_name: arrival.full_name,
        source: Source::Ladipage,
        merge: Merge::FillEmpty,
        operation: Some(format!("{}#{at}", arrival.event_id)),
        ..Incoming::default()
    }
}
