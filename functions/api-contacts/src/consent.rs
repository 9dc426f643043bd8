//! The consent of a contact: its state, its history with the proofs, and new decisions.

use std::collections::BTreeSet;

use access::op;
use axum::extract::State;
use contacts::consent::{Decision, Evidence, MAX_NOTE, MAX_TEXT, Method, Promise, Record, Stated};
use contacts::{Channel, ChannelStatus, Purpose, Statement};
use jiff::Timestamp;
use kernel::ContactId;
use lambda::http::{ClientIp, Code, Creation, Flaws, Json, May, Path, Problem, Query};
use serde::{Deserialize, Serialize};

use crate::api::{Api, note_hourly};
use crate::shape::Paging;

/// The consent for one channel and purpose.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConsentState)]
pub struct StateView {
    channel: Channel,
    purpose: Purpose,
    status: ChannelStatus,
    /// Whether the consent is only assumed: in a strict workspace it counts as none.
    is_assumed: bool,
    /// When the decision was made that counts.
    #[serde(serialize_with = "kernel::clock::millis")]
    since: Option<Timestamp>,
    /// The last verified act of the person. Older withdrawals count no more.
    #[serde(serialize_with = "kernel::clock::millis")]
    epoch_at: Option<Timestamp>,
}

/// The consent of a contact: a page of its decisions, newest first, and the state that follows from all of them.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContactConsent)]
pub struct ConsentView {
    states: Vec<StateView>,
    data: Vec<Record>,
    next: Option<kernel::Cursor>,
}

/// A decision of a person.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewConsent)]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// `granted`, `withdrawn` or `refused`.
    decision: Decision,
    /// `form_tick`, `phone`, `paper`, `chat`, `api` or `assumed`. With `evidence.ip` and `text`, `api` is a verified
    /// act of the person: it counts after an unsubscription too.
    method: Method,
    #[schema(min_items = 1, max_items = 4)]
    channels: BTreeSet<Channel>,
    /// Without it: `marketing`.
    #[serde(default = "marketing")]
    #[schema(min_items = 1, max_items = 3)]
    purposes: BTreeSet<Purpose>,
    /// The text that the person agreed to.
    #[schema(min_length = 1, max_length = 1000)]
    text: Option<String>,
    /// How often messages were promised to come.
    #[schema(min_length = 1, max_length = 255, example = "mỗi tuần một lần")]
    frequency: Option<String>,
    /// The promise as numbers: marketing of the channels keeps it, beside the cap of the workspace. For a grant only.
    at_most: Option<Promise>,
    /// A grant needs a text or a proof, unless it is `assumed`.
    #[serde(default)]
    evidence: Evidence,
    /// When it was decided, not later than now; without it: now.
    decided_at: Option<Timestamp>,
}

fn marketing() -> BTreeSet<Purpose> {
    BTreeSet::from([Purpose::Marketing])
}

impl NewConsent {
    /// Checked, with the caller's name.
    fn statement(self, actor: &str, at: Timestamp) -> Result<Statement, Problem> {
        let mut flaws = Flaws::default();
        let is_open = matches!(
            self.decision,
            Decision::Granted | Decision::Withdrawn | Decision::Refused
        );
        let message = "expected granted, withdrawn or refused";
        flaws.check(!is_open, "/decision", message);
        let is_open = matches!(
            self.method,
            Method::FormTick
                | Method::Phone
                | Method::Paper
                | Method::Chat
                | Method::Api
                | Method::Assumed
        );
        let message = "expected form_tick, phone, paper, chat, api or assumed";
        flaws.check(!is_open, "/method", message);
        flaws.check(self.channels.is_empty(), "/channels", "names at least one");
        flaws.check(self.purposes.is_empty(), "/purposes", "names at least one");
        let evidence = &self.evidence;
        for (pointer, text, most) in [
            ("/text", &self.text, MAX_TEXT),
            ("/frequency", &self.frequency, MAX_NOTE),
            ("/evidence/form", &evidence.form, MAX_NOTE),
            ("/evidence/ip", &evidence.ip, MAX_NOTE),
            ("/evidence/user_agent", &evidence.user_agent, MAX_NOTE),
            ("/evidence/message_id", &evidence.message_id, MAX_NOTE),
            ("/evidence/file", &evidence.file, MAX_NOTE),
            ("/evidence/statement", &evidence.statement, MAX_TEXT),
        ] {
            let is_bad = text
                .as_ref()
                .is_some_and(|text| text.trim().is_empty() || text.chars().count() > most);
            let message = format!("must have 1 to {most} characters");
            flaws.check(is_bad, pointer, &message);
        }
        let is_bare = evidence.is_empty() && self.text.is_none();
        let needs_proof = self.decision == Decision::Granted && self.method != Method::Assumed;
        let message = "a consent needs a proof or the text that the person agreed to";
        flaws.check(is_bare && needs_proof, "/evidence", message);
        if let Some(promise) = self.at_most {
            let is_grant = self.decision == Decision::Granted;
            flaws.check(!is_grant, "/at_most", "only a grant has a promise");
            let is_wrong = !(1..=20).contains(&promise.messages);
            flaws.check(is_wrong, "/at_most/messages", "must be 1 to 20");
            let is_wrong = !(1..=90).contains(&promise.days);
            flaws.check(is_wrong, "/at_most/days", "must be 1 to 90");
        }
        let is_later = self.decided_at.is_some_and(|decided| decided > at);
        flaws.check(is_later, "/decided_at", "must not be later than now");
        flaws.refuse()?;
        Ok(Statement {
            way: self.method,
            decision: self.decision,
            channels: self.channels,
            purposes: self.purposes,
            text: self.text,
            frequency: self.frequency,
            at_most: self.at_most,
            evidence: self.evidence,
            actor: Some(actor.to_owned()),
            at: Some(self.decided_at.unwrap_or(at)),
        })
    }
}

/// Show the consent of a contact, with the proofs.
///
/// Each decision is kept as long as the contact. The states say what may be sent now: without a decision, service
/// messages only. A bounce belongs to the address and not to the person, so it is shown with the contact.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}/consent",
    operation_id = "showConsent",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact"), Paging),
    responses((status = 200, description = "The consent", body = ConsentView)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowConsent>,
    Path(id): Path<ContactId>,
    Query(paging): Query<Paging>,
) -> Result<Json<ConsentView>, Problem> {
    Ok(Json(view(&api, caller.tenant, id, paging).await?))
}

/// Record a decision of a person about messages.
///
/// A withdrawal is in force when 200 is answered. After a withdrawal only a verified act of the person counts: an `api`
/// call with the text and the person's IP address, the link of a confirmation mail, or the preference page. Other
/// grants are recorded and change nothing then.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/consent",
    operation_id = "recordConsent",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    request_body = NewConsent,
    responses((status = 200, description = "Recorded", body = ConsentView)),
)]
pub async fn record(
    State(api): State<Api>,
    caller: May<op::RecordConsent>,
    ip: ClientIp,
    Creation(origin): Creation,
    Path(id): Path<ContactId>,
    Json(body): Json<NewConsent>,
) -> Result<Json<ConsentView>, Problem> {
    let statement = body.statement(&caller.grant().actor, origin.at)?;
    note_hourly(&api, &caller, &ip).await?;
    declare(&api, caller.tenant, id, &statement, &origin.name).await
}

/// Which channel is blocked or opened, and why.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = Suppression)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    channel: Channel,
    #[schema(
        min_length = 1,
        max_length = 255,
        example = "Khách yêu cầu qua điện thoại"
    )]
    reason: String,
}

impl Suppression {
    fn statement(
        self,
        decision: Decision,
        actor: &str,
        at: Timestamp,
    ) -> Result<Statement, Problem> {
        let length = self.reason.trim().chars().count();
        if length == 0 || length > MAX_NOTE {
            return Err(Problem::invalid("/reason", "must have 1 to 255 characters"));
        }
        Ok(Statement {
            purposes: Purpose::ALL.into(),
            evidence: Evidence {
                statement: Some(self.reason),
                ..Evidence::default()
            },
            actor: Some(actor.to_owned()),
            at: Some(at),
            ..Statement::new(Method::Staff, decision, [self.channel])
        })
    }
}

/// Block a channel of a contact: nothing is sent by it, for any purpose.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/suppress",
    operation_id = "suppressContact",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    request_body = Suppression,
    responses((status = 200, description = "Blocked", body = ConsentView)),
)]
pub async fn suppress(
    State(api): State<Api>,
    caller: May<op::SuppressContact>,
    ip: ClientIp,
    Creation(origin): Creation,
    Path(id): Path<ContactId>,
    Json(body): Json<Suppression>,
) -> Result<Json<ConsentView>, Problem> {
    let statement = body.statement(Decision::Suppressed, &caller.grant().actor, origin.at)?;
    note_hourly(&api, &caller, &ip).await?;
    declare(&api, caller.tenant, id, &statement, &origin.name).await
}

/// End a block or a complaint. The contact stays unsubscribed from marketing until the person agrees again.
#[utoipa::path(
    post,
    path = "/v1/contacts/{id}/unsuppress",
    operation_id = "unsuppressContact",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    request_body = Suppression,
    responses((status = 200, description = "Open again", body = ConsentView)),
)]
pub async fn unsuppress(
    State(api): State<Api>,
    caller: May<op::UnsuppressContact>,
    ip: ClientIp,
    Creation(origin): Creation,
    Path(id): Path<ContactId>,
    Json(body): Json<Suppression>,
) -> Result<Json<ConsentView>, Problem> {
    let statement = body.statement(Decision::Lifted, &caller.grant().actor, origin.at)?;
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, id, &ip.0).await?;
    declare(&api, caller.tenant, id, &statement, &origin.name).await
}

async fn declare(
    api: &Api,
    tenant: kernel::TenantKey,
    id: ContactId,
    statement: &Statement,
    cause: &str,
) -> Result<Json<ConsentView>, Problem> {
    let stated = api.contacts.declare(tenant, id, statement, cause, None);
    match stated.await? {
        Stated::Yes { .. } | Stated::OtherAddress => {}
        Stated::NoContact => return Err(Problem::not_found("contact")),
        Stated::Full => {
            let detail = "the contact has as many records of consent as it may have";
            return Err(Problem::new(Code::Conflict, detail));
        }
    }
    let paging = Paging {
        limit: kernel::Limit::default(),
        cursor: None,
    };
    Ok(Json(view(api, tenant, id, paging).await?))
}

async fn view(
    api: &Api,
    tenant: kernel::TenantKey,
    id: ContactId,
    paging: Paging,
) -> Result<ConsentView, Problem> {
    let consents = api.contacts.consents(tenant, id).await?;
    let consents = consents.ok_or_else(|| Problem::not_found("contact"))?;
    let history = api
        .contacts
        .consent_history(tenant, id, paging.limit, paging.cursor);
    let page = history.await?;
    let mut states = Vec::new();
    for channel in Channel::ALL {
        for purpose in Purpose::ALL {
            let state = consents.state(channel, purpose);
            states.push(StateView {
                channel,
                purpose,
                status: state.status,
                is_assumed: state.is_assumed,
                since: state.since,
                epoch_at: state.epoch,
            });
        }
    }
    Ok(ConsentView {
        states,
        data: page.data,
        next: page.next,
    })
}
