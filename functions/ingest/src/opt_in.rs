//! Double opt-in: the mail that asks a person to confirm, its reminder, and the confirmation.

use std::sync::Arc;
use std::time::Duration;

use accounts::Senders;
use channels::{Class, Content, MailStore, Send, SendMessage, Sender, StoredMail};
use cloud::{QueueOf, SendOptions, Timers};
use contacts::consent::{Decision, Evidence, MAX_NOTE, Method};
use contacts::{
    Channel, ChannelStatus, Contact, Event, Identity, Incoming, Purpose, Source, Statement,
};
use forms::{Link, LinkKey, OptIn, OptIns};
use jiff::{SignedDuration, Timestamp};
use kernel::{ContactId, EmailAddress, FormId, TenantKey, TransactionalReason};
use lambda::{Failure, metrics};
use serde_json::json;
use sources::{Confirming, FormConfirmation};

use crate::handler::{Intake, Taken};

/// The life of a link.
const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The wait until the reminder.
const REMINDER: SignedDuration = SignedDuration::from_hours(24);
/// Requests of one address and form that are mailed in a day: anybody can type anybody's address.
const MAILS: u32 = 2;
const MAILS_PERIOD: Duration = Duration::from_hours(24);

/// The stores and the key that the mails need.
pub struct OptInDesk {
    pub requests: OptIns,
    pub senders: Senders,
    pub mails: MailStore,
    pub timers: Timers,
    pub queue: QueueOf<SendMessage>,
    pub link_key: LinkKey,
    /// Public address of the API.
    pub base_url: Arc<str>,
}

/// A consent to mails that somebody gave in a form.
pub struct Request {
    pub form: FormId,
    pub contact: ContactId,
    pub confirming: Confirming,
    pub opt_in: OptIn,
}

/// Sends the mail that asks the person to confirm. Each step may be repeated: the row, the timer and the message follow
/// from the submission. The reminder's timer is written before the message.
pub async fn ask(intake: &Intake, tenant: TenantKey, request: Request) -> Result<(), Failure> {
    let desk = &intake.opt_in;
    let Request {
        form,
        contact,
        confirming,
        opt_in,
    } = request;
    let is_proven = desk.senders.may_send(tenant, &confirming.from_email);
    if !is_proven.await? {
        metrics::incident("ConfirmationsWithoutSender", 1);
        return Ok(());
    }
    let mark = kernel::hash::name(&["opt-in", opt_in.email.as_str()]);
    let scope = format!("{tenant}#OPTIN#{form}#{mark}");
    let (window, at) = (&intake.window, opt_in.asked_at);
    let admits = window.admits(&scope, MAILS_PERIOD, at, &opt_in.id, MAILS);
    if !admits.await? {
        metrics::count("ConfirmationsSuppressed", 1);
        return Ok(());
    }
    let id = opt_in.id.clone();
    let request = desk.requests.create(tenant, contact, opt_in).await?;
    if request.confirmed_at.is_some() {
        return Ok(());
    }
    let link = Link {
        tenant,
        contact,
        id: id.clone(),
        ends: at + LIFE,
    };
    let token = link.encode(form, &desk.link_key);
    let url = format!(
        "{}/f/{form}/confirm/{token}?lang={}",
        desk.base_url, confirming.language
    );
    let mail = desk.mails.put(tenant, &letter(&confirming)).await?;
    let data = json!({ "trigger": {
        "confirm_url": url, "shop": confirming.from_name, "text": request.text,
    } });
    let send = |step: &str, at: Timestamp| Send {
        scope: form.to_string(),
        step: format!("{step}-{id}"),
        contact,
        content: Content::Email { mail: mail.clone() },
        data: data.clone(),
        class: Class::Transactional,
        reason: Some(TransactionalReason::FormAnswer),
        workflow: None,
        opt_in: Some(id.clone()),
        test: None,
        at,
        slot: None,
    };
    let message = |step: &str, at| SendMessage::V1(Box::new(send(step, at)));
    if confirming.reminder {
        let due = at + REMINDER;
        let name = format!("{form}#{contact}#{id}");
        let reminder = message("r", due);
        desk.timers.schedule(tenant, &name, due, &reminder).await?;
    }
    let first = message("c", at);
    let sent = desk.queue.send(tenant, &first, SendOptions::default());
    sent.await?;
    metrics::count("ConfirmationsAsked", 1);
    Ok(())
}

/// The mail. The shop's own words are merge data, so that none of them is a template.
fn letter(confirming: &Confirming) -> StoredMail {
    let (subject, text) = match confirming.language.as_str() {
        "en" => (
            "Please confirm your subscription to {{ trigger.shop }}",
            "Hello,\n\nSomebody, we think you, asked {{ trigger.shop }} for mails:\n\n\
             {{ trigger.text }}\n\nOpen this page within 7 days and press the button to confirm:\n\n\
             {{ trigger.confirm_url }}\n\nIf it was not you, ignore this mail: you will get no others.\n",
        ),
        _ => (
            "Vui lòng xác nhận đăng ký nhận email của {{ trigger.shop }}",
            "Xin chào,\n\nAi đó, có lẽ là bạn, đã đăng ký nhận email của {{ trigger.shop }}:\n\n\
             {{ trigger.text }}\n\nMở trang sau trong vòng 7 ngày và bấm nút để xác nhận:\n\n\
             {{ trigger.confirm_url }}\n\nNếu không phải bạn, hãy bỏ qua thư này: chúng tôi sẽ không gửi thêm.\n",
        ),
    };
    StoredMail {
        sender: Sender {
            from_name: confirming.from_name.clone(),
            from_email: confirming.from_email.clone(),
            reply_to: None,
        },
        subject: subject.to_owned(),
        preview_text: None,
        html: None,
        text: Some(text.to_owned()),
        track_opens: false,
        track_clicks: false,
    }
}

/// Whether the contact gets marketing mails at this address already.
pub fn is_subscribed(contact: &Contact, email: &EmailAddress) -> bool {
    let state = contact.consents.state(Channel::Email, Purpose::Marketing);
    contact.email.as_ref() == Some(email) && state.status == ChannelStatus::Subscribed
}

/// The person proved the address: it becomes an identity, and the consent is a verified act.
pub async fn confirm(
    intake: &Intake,
    tenant: TenantKey,
    confirmation: FormConfirmation,
) -> Result<(), Failure> {
    let (requests, FormConfirmation { contact, id, .. }) = (&intake.opt_in.requests, &confirmation);
    let mut known = intake.contacts.get(tenant, *contact).await?;
    let mut contact = *contact;
    let mut request = requests.get(tenant, contact, id).await?;
    if known.is_none()
        && let Some(now) = intake.contacts.forward(tenant, contact).await?
    {
        // Merged meanwhile. The request follows the contact within moments.
        known = intake.contacts.get(tenant, now).await?;
        if let Some(moved) = requests.get(tenant, now, id).await? {
            (contact, request) = (now, Some(moved));
        }
    }
    let (Some(request), Some(known)) = (request, known) else {
        // Erased meanwhile.
        metrics::incident("ConfirmationsUnknown", 1);
        return Ok(());
    };
    // A second press is the same act.
    let at = request.confirmed_at.unwrap_or(confirmation.at);
    if request.confirmed_at.is_none() {
        requests.note_confirmed(tenant, contact, id, at).await?;
    }
    let stored = requests.get(tenant, contact, id).await?;
    let at = stored.and_then(|stored| stored.confirmed_at).unwrap_or(at);
    let statement = Statement {
        text: Some(request.text.clone()),
        evidence: Evidence {
            form: Some(request.form.clone()),
            ip: confirmation.ip.clone(),
            user_agent: confirmation.user_agent.as_deref().map(short),
            message_id: Some(format!("{}#c-{id}", confirmation.form)),
            ..Evidence::default()
        },
        at: Some(at),
        ..Statement::new(Method::DoubleOptIn, Decision::Granted, [Channel::Email])
    };
    let event = Event {
        id: kernel::hash::name(&["form-confirmed", id]),
        name: "form.confirmed".to_owned(),
        at,
        source: confirmation.form.to_string(),
        data: json!({ "form_id": confirmation.form.to_string() }),
    };
    let incoming = Incoming {
        identities: identities(&known, request.email),
        consent: vec![statement],
        source: Source::Form,
        operation: Some(format!("{}#{at}", event.id)),
        ..Incoming::default()
    };
    let taken = Taken {
        incoming,
        event,
        received_at: at,
    };
    intake.write(tenant, taken).await.map(drop)
}

fn short(text: &str) -> String {
    text.chars().take(MAX_NOTE).collect()
}

/// The proven address, beside an identity that names the contact. A contact that shows another address meanwhile keeps
/// that one: the proven address is then of a person of its own.
fn identities(known: &Contact, email: EmailAddress) -> Vec<Identity> {
    let mut all = vec![Identity::Email(email)];
    if known.email.is_none() {
        all.extend(known.external_id.clone().map(Identity::own));
        all.extend(known.phone.clone().map(Identity::Phone));
    }
    all
}
