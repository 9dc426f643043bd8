//! Turns a submission of a signup form into a contact and an event.

use contacts::consent::{Decision, Evidence, Method};
use contacts::{Event, Identity, Incoming, Merge, Source, Statement, Trust};
use forms::OptIn;
use jiff::{SignedDuration, Timestamp};
use kernel::{Channel, FormId, TenantKey};
use lambda::{Failure, metrics};
use sources::{Confirming, ConsentAnswer, FormSubmission};

use crate::handler::{Intake, Taken};
use crate::opt_in::{self, Request};

/// A repeated submission finds the time of the first, and so its event.
pub async fn handle(
    intake: &Intake,
    tenant: TenantKey,
    submission: FormSubmission,
) -> Result<(), Failure> {
    let FormSubmission {
        id, received_at, ..
    } = &submission;
    let within = SignedDuration::from_secs(submission.same_within_seconds);
    let contacts = &intake.contacts;
    let arrival = contacts.arrival(tenant, id, *received_at, Some(within));
    let Some(at) = arrival.await? else {
        metrics::count("EventsOfErased", 1);
        return Ok(());
    };
    let request = request(&submission, at);
    let answers = submission.consent.iter();
    let consent = answers
        .map(|answer| said(answer, &submission, at))
        .collect();
    let event = Event {
        id: id.clone(),
        name: "form.submitted".to_owned(),
        at,
        source: submission.form.to_string(),
        data: submission.data.clone(),
    };
    let received_at = submission.received_at;
    let incoming = Incoming {
        consent,
        ..person(submission, at)
    };
    let taken = Taken {
        incoming,
        event,
        received_at,
    };
    let contact = intake.write(tenant, taken).await?;
    let Some((form, confirming, opt_in)) = request else {
        return Ok(());
    };
    let known = intake.contacts.get(tenant, contact).await?;
    if known.is_none_or(|known| opt_in::is_subscribed(&known, &opt_in.email)) {
        return Ok(());
    }
    let request = Request {
        form,
        contact,
        confirming,
        opt_in,
    };
    opt_in::ask(intake, tenant, request).await
}

/// The consent to mails that the person must confirm, if the form asks so.
fn request(submission: &FormSubmission, at: Timestamp) -> Option<(FormId, Confirming, OptIn)> {
    let confirming = submission.confirming.clone()?;
    let mut answers = submission.consent.iter();
    let answer = answers.find(|one| one.channel == Channel::Email && one.ticked)?;
    let opt_in = OptIn {
        id: submission.id.clone(),
        email: submission.email.clone()?,
        text: answer.text.clone(),
        form: answer.form.clone(),
        asked_at: at,
        confirmed_at: None,
    };
    Some((submission.form, confirming, opt_in))
}

/// The answer to one question. An empty box takes nothing back.
fn said(answer: &ConsentAnswer, submission: &FormSubmission, at: Timestamp) -> Statement {
    let waits = submission.confirming.is_some() && answer.channel == Channel::Email;
    let decision = match (answer.ticked, waits) {
        (true, true) => Decision::Pending,
        (true, false) => Decision::Granted,
        (false, _) => Decision::Refused,
    };
    Statement {
        text: Some(answer.text.clone()),
        evidence: Evidence {
            form: Some(answer.form.clone()),
            ip: submission.ip.clone(),
            user_agent: submission.user_agent.clone(),
            ..Evidence::default()
        },
        at: Some(at),
        ..Statement::new(Method::FormTick, decision, [answer.channel])
    }
}

/// The person who filled in the form. Anybody can type anybody's address.
fn person(submission: FormSubmission, at: Timestamp) -> Incoming {
    let email = submission.email.map(Identity::Email);
    let phone = submission.phone.map(Identity::Phone);
    Incoming {
        identities: email.into_iter().chain(phone).collect(),
        person: submission.person,
        custom: submission.custom,
        tags: submission.tags,
        lists: submission.lists,
        source: Source::Form,
        merge: Merge::FillEmpty,
        trust: Trust::Anybody,
        operation: Some(format!("{}#{at}", submission.id)),
        ..Incoming::default()
    }
}
