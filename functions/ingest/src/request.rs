//! Turns a request of a source into contacts and events. The provider's file in `sources` has read it: nothing here
//! depends on the provider.

use cloud::SendOptions;
use commerce::Outcome;
use contacts::consent::{Decision, Evidence, MAX_NOTE, Method};
use contacts::{Event, Identity, Incoming, Merge, Source, Statement, Trust};
use jiff::Timestamp;
use kernel::{ContactId, EmailAddress, Phone, TenantKey};
use lambda::{Failure, metrics};
use sources::activity::Tally;
use sources::{
    Answer, Customer, Fact, ParseError, Provider, RawRequest, Submission, SyncTask, Wanted,
};

use crate::goods;
use crate::handler::{Intake, Taken};

/// Handles a request, and returns what it held.
pub async fn handle(
    intake: &Intake,
    tenant: TenantKey,
    mut request: RawRequest,
) -> Result<Tally, Failure> {
    if !request.fetch(&intake.files).await? {
        return Err(Failure::reject("Source.BodyGone", "its file was deleted"));
    }
    let facts = match request.provider.parse(&request) {
        Ok(facts) => facts,
        Err(error) => {
            if request.file.is_some() {
                // The file keeps the body.
                request.body.clear();
            }
            fail(intake, tenant, &request, error).await?;
            return Ok(Tally::FAILED);
        }
    };
    let tally = Tally::of(&facts);
    metrics::count("RequestsWithoutFacts", u64::from(facts.is_empty()));
    for fact in facts {
        match fact {
            Fact::Submission(submission) => submit(intake, tenant, *submission, &request).await?,
            Fact::Customer(customer) => {
                know(intake, tenant, *customer, &request).await?;
            }
            Fact::Order { buyer, order } => {
                let contact = match buyer {
                    Some(buyer) => Some(know(intake, tenant, *buyer, &request).await?),
                    None => None,
                };
                intake.goods.carts.ordered(tenant, &order).await?;
                let recorded = intake.orders.record(tenant, contact, &order).await?;
                count(recorded.outcome);
            }
            Fact::Fetch(Wanted { object, id }) => {
                let task = SyncTask::Fetch {
                    source: request.source,
                    object,
                    id,
                    asked_at: request.received_at,
                    slot: None,
                };
                let options = SendOptions::default();
                intake.fetches.send(tenant, &task, options).await?;
                metrics::count("FetchesAsked", 1);
            }
            Fact::Cart { buyer, cart } => {
                let contact = match buyer {
                    Some(buyer) => Some(know(intake, tenant, *buyer, &request).await?),
                    None => None,
                };
                goods::cart(&intake.goods, tenant, contact, &cart, &request).await?;
            }
            fact @ (Fact::Product(_) | Fact::Stock(_) | Fact::ProductGone(_)) => {
                goods::product(&intake.goods, tenant, &fact).await?;
            }
        }
    }
    if let Some(id) = &request.replay_of {
        intake.failed.remove(tenant, request.source, id).await?;
    }
    Ok(tally)
}

fn count(outcome: Outcome) {
    let name = match outcome {
        Outcome::Created => "OrdersCreated",
        Outcome::Changed => "OrdersChanged",
        Outcome::Older | Outcome::Same => "OrdersRepeated",
    };
    metrics::count(name, 1);
}

/// A form: a contact and its event.
async fn submit(
    intake: &Intake,
    tenant: TenantKey,
    submission: Submission,
    request: &RawRequest,
) -> Result<(), Failure> {
    metrics::incident("FormsShortened", u64::from(submission.event.is_shortened));
    let told = &submission.event;
    let contacts = &intake.contacts;
    let arrival = contacts.arrival(tenant, &told.id, told.at, told.same_within);
    let Some(at) = arrival.await? else {
        metrics::count("EventsOfErased", 1);
        return Ok(());
    };
    intake.write(tenant, taken(submission, request, at)).await?;
    Ok(())
}

/// A customer of a shop: a contact. A repeated or older request changes nothing and costs no write.
async fn know(
    intake: &Intake,
    tenant: TenantKey,
    customer: Customer,
    request: &RawRequest,
) -> Result<ContactId, Failure> {
    let upserted = intake
        .contacts
        .upsert(tenant, &incoming(customer, request))
        .await?;
    if !upserted.surplus.is_empty() {
        metrics::incident("ContactsFull", 1);
    }
    let not_taken = upserted.not_taken.len() as u64;
    metrics::incident("IdentitiesNotTaken", not_taken);
    metrics::count("ContactsCreated", u64::from(upserted.created));
    Ok(upserted.contact)
}

/// The contact of a shop's customer. The shop signed the request, so its values replace older ones.
fn incoming(customer: Customer, request: &RawRequest) -> Incoming {
    let at = customer.at.unwrap_or(request.received_at);
    let at = at.min(request.received_at);
    let form = format!("{}#{}", request.source, customer.scope);
    let id = customer.id.map(|id| Identity::External {
        scope: customer.scope,
        id,
    });
    let mut identities: Vec<Identity> = id.into_iter().collect();
    identities.extend(customer.sender.email.map(Identity::Email));
    identities.extend(customer.sender.phone.map(Identity::Phone));
    let said = |answer| said(Method::Api, answer, &form, at);
    let mut tags = request.settings.tags.clone();
    tags.extend(customer.tags);
    Incoming {
        identities,
        person: customer.sender.person,
        tags,
        lists: request.settings.lists.clone(),
        consent: customer.consent.into_iter().map(said).collect(),
        source: origin(request.provider),
        merge: Merge::Overwrite,
        trust: Trust::Shop,
        at: Some(at),
        ..Incoming::default()
    }
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
fn taken(submission: Submission, request: &RawRequest, at: Timestamp) -> Taken {
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
        .map(|answer| said(Method::FormTick, answer, &form, said_at));
    let incoming = Incoming {
        identities: identities(sender.email, sender.phone, &event),
        person: sender.person,
        tags: request.settings.tags.clone(),
        lists: request.settings.lists.clone(),
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

/// The answer to a question about consent. A no takes nothing back: nobody withdraws by an empty box.
fn said(method: Method, answer: Answer, form: &str, at: Timestamp) -> Statement {
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
        ..Statement::new(method, decision, [answer.channel])
    }
}

/// The origin that a new contact shows.
fn origin(provider: Provider) -> Source {
    match provider {
        Provider::Custom => Source::Api,
        Provider::Getfly => Source::Getfly,
        Provider::Haravan => Source::Haravan,
        Provider::Kiotviet => Source::Kiotviet,
        Provider::Ladipage => Source::Ladipage,
        Provider::Sapo => Source::Sapo,
        Provider::Shopee => Source::Shopee,
    }
}
