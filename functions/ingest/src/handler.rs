//! One queued body.

use contacts::{ChannelStatus, Contacts, Event, Identity, Incoming, Merge, Source};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use serde_json::Value;
use sources::inbound::Provider;
use sources::{Arrival, Inbound, ladipage};

/// In an event's data: the fields that did not fit. Folded names never begin so.
const SHORTENED: &str = "_shortened";

pub(crate) async fn handle(contacts: &Contacts, record: &Record) -> Result<(), Failure> {
    let (tenant, inbound) = record.open::<Inbound>()?;
    let Inbound::V1 {
        source,
        provider,
        received_at,
        content_type,
        body,
        tags,
        lists,
        mapping,
    } = inbound;
    let arrival = match provider {
        Provider::Ladipage => ladipage::parse(&content_type, &body, received_at, &mapping).await,
    };
    let arrival = arrival.map_err(|error| Failure::reject("Source.Malformed", error))?;
    let event = Event {
        id: arrival.event_id.clone(),
        name: arrival.event_name.to_owned(),
        at: arrival.at,
        source: source.to_string(),
        data: told(&arrival),
    };
    metrics::count("FormsShortened", u64::from(!arrival.shortened.is_empty()));
    let incoming = Incoming {
        tags,
        lists,
        ..person(arrival)
    };
    let upserted = contacts.upsert(tenant, &incoming).await?;
    let new = contacts.record(tenant, upserted.contact, &event).await?;
    metrics::count("ContactsCreated", u64::from(upserted.created));
    metrics::count("EventsRecorded", u64::from(new));
    metrics::count("EventsRepeated", u64::from(!new));
    Ok(())
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
fn person(arrival: Arrival) -> Incoming {
    let email = arrival.email.map(Identity::Email);
    let phone = arrival.phone.map(Identity::Phone);
    Incoming {
        email_status: email.is_some().then_some(ChannelStatus::Subscribed),
        sms_status: phone.is_some().then_some(ChannelStatus::Subscribed),
        identities: email.into_iter().chain(phone).collect(),
        full_name: arrival.full_name,
        source: Source::Ladipage,
        merge: Merge::FillEmpty,
        operation: Some(arrival.event_id),
        ..Incoming::default()
    }
}
