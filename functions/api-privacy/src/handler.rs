//! Maps requests to use cases. Another tenant's request is not found.

use access::{Operation, op};
use accounts::privacy::{Extension, Kind, PrivacyRequest, Status, Stored, Task};
use accounts::{Audit, PrivacyRequests, Senders};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chat::{Chat, Inboxes};
use cloud::Blobs;
use contacts::consent::{Decision, Method, Stated};
use contacts::{Channel, Contact, Contacts, Notes, Purpose, Statement};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{Clock, ContactId, Needs, PrivacyRequestId, TenantKey};
use lambda::http::{
    Caller, ClientIp, Code, Creation, DRAWS, Json, May, Path, Problem, Query, Secret,
};
use sources::Sources;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::shape::{
    End, ListQuery, NewPrivacyRequest, PrivacyExtensionReason, PrivacyOutcome,
    PrivacyRequestUpdate, PrivacyRun, Shown, text,
};
use crate::{file, register};

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub requests: PrivacyRequests,
    pub contacts: Contacts,
    pub notes: Notes,
    pub chat: Chat,
    pub audit: Audit,
    pub clock: Clock,
    pub files: Blobs,
    pub sources: Sources,
    pub senders: Senders,
    pub inboxes: Inboxes,
    /// The AWS region that holds the data.
    pub region: String,
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, update))
        .routes(routes!(extend))
        .routes(routes!(run))
        .routes(routes!(close))
        .routes(routes!(register::show))
}

impl Api {
    async fn find(&self, caller: &Caller, id: PrivacyRequestId) -> Result<Stored, Problem> {
        let found = self.requests.get(caller.tenant, id).await?;
        found.ok_or_else(|| Problem::not_found("privacy request"))
    }

    /// An open request.
    async fn open(&self, caller: &Caller, id: PrivacyRequestId) -> Result<Stored, Problem> {
        let found = self.find(caller, id).await?;
        match found.request.status {
            Status::Open => Ok(found),
            Status::Done | Status::Refused => Err(conflict("the request is closed")),
        }
    }

    async fn contact(
        &self,
        caller: &Caller,
        contact: Option<ContactId>,
    ) -> Result<Option<Contact>, Problem> {
        let Some(id) = contact else { return Ok(None) };
        let found = self.contacts.get(caller.tenant, id).await?;
        let absent = || Problem::invalid("/contact_id", "no such contact");
        found.map(Some).ok_or_else(absent)
    }

    async fn note<P: Needs>(
        &self,
        caller: &May<P>,
        id: PrivacyRequestId,
        ip: &ClientIp,
    ) -> Result<(), Problem> {
        let noted = self
            .audit
            .note(caller.grant(), caller.permission(), id, &ip.0);
        Ok(noted.await?)
    }

    /// Stores a change, after its entry in the audit log.
    async fn save<P: Needs>(
        &self,
        caller: &May<P>,
        ip: &ClientIp,
        before: &Stored,
        after: PrivacyRequest,
    ) -> Result<PrivacyRequest, Problem> {
        self.note(caller, after.id, ip).await?;
        Ok(self.requests.change(caller.tenant, before, after).await?)
    }
}

/// The time in whole milliseconds, as it is stored: a repetition compares it.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

fn conflict(detail: &str) -> Problem {
    Problem::new(Code::Conflict, detail)
}

/// List requests about personal data, the earliest date first.
#[utoipa::path(
    get,
    path = "/v1/privacy-requests",
    operation_id = "listPrivacyRequests",
    tag = "privacy",
    params(ListQuery),
    responses((status = 200, description = "A page of requests", body = Page<PrivacyRequest>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListPrivacyRequests>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<PrivacyRequest>>, Problem> {
    let (tenant, limit, cursor) = (caller.tenant, query.limit, query.cursor);
    let page = match query.status {
        Shown::Open => api.requests.open(tenant, limit, cursor).await?,
        Shown::All => api.requests.all(tenant, limit, cursor).await?,
    };
    Ok(Json(page))
}

/// Enter a request of a person about their own data, or a breach of personal data.
///
/// The authority is to be notified of a breach within 72 hours of its discovery, `received_at`: see `breach.notify_by`.
/// The answer holds the last days to acknowledge and to fulfil it. They follow from the type, from the day of receipt in Viet
/// Nam, and from whether third parties take part (docs/compliance-vn.md).
#[utoipa::path(
    post,
    path = "/v1/privacy-requests",
    operation_id = "createPrivacyRequest",
    tag = "privacy",
    request_body = NewPrivacyRequest,
    responses((status = 201, description = "Entered", body = PrivacyRequest)),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreatePrivacyRequest>,
    Creation(origin): Creation,
    ip: ClientIp,
    Json(new): Json<NewPrivacyRequest>,
) -> Result<Response, Problem> {
    new.check(origin.at)?;
    api.contact(&caller, new.contact_id).await?;
    for draw in 0..DRAWS {
        let id = PrivacyRequestId::of(&origin, draw);
        let processors = new.processors.iter().map(|one| one.trim().to_owned());
        let mut request = PrivacyRequest {
            id,
            kind: new.kind,
            contact_id: new.contact_id,
            requester: new.requester.trim().to_owned(),
            received_at: new.received_at.map_or(origin.at, whole),
            verified_at: None,
            acknowledged_at: None,
            ack_due: jiff::civil::Date::MIN,
            due: jiff::civil::Date::MIN,
            calendar_due: jiff::civil::Date::MIN,
            third_parties: new.third_parties,
            extension: None,
            tasks: processors
                .map(|processor| Task {
                    processor,
                    done_at: None,
                    note: None,
                })
                .collect(),
            ran_at: None,
            outcome: None,
            evidence: Vec::new(),
            breach: new.facts(origin.at),
            notices: Vec::new(),
            status: Status::Open,
            closed_at: None,
            created_at: origin.at,
            created_by: caller.actor.clone(),
        };
        request.date();
        api.note(&caller, id, &ip).await?;
        if api.requests.create(caller.tenant, &request).await? {
            let location = format!("/v1/privacy-requests/{id}");
            let headers = [(header::LOCATION, location)];
            return Ok((StatusCode::CREATED, headers, Json(request)).into_response());
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// Show a request about personal data.
#[utoipa::path(
    get,
    path = "/v1/privacy-requests/{id}",
    operation_id = "showPrivacyRequest",
    tag = "privacy",
    params(("id" = PrivacyRequestId, Path, description = "The request")),
    responses((status = 200, description = "The request", body = PrivacyRequest)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowPrivacyRequest>,
    Path(id): Path<PrivacyRequestId>,
) -> Result<Json<PrivacyRequest>, Problem> {
    Ok(Json(api.find(&caller, id).await?.request))
}

/// Record what was done for a request: verified, acknowledged, tasks of processors, evidence, facts of a breach.
#[utoipa::path(
    patch,
    path = "/v1/privacy-requests/{id}",
    operation_id = "updatePrivacyRequest",
    tag = "privacy",
    params(("id" = PrivacyRequestId, Path, description = "The request")),
    request_body = PrivacyRequestUpdate,
    responses((status = 200, description = "Changed", body = PrivacyRequest)),
)]
async fn update(
    State(api): State<Api>,
    caller: May<op::UpdatePrivacyRequest>,
    ip: ClientIp,
    Path(id): Path<PrivacyRequestId>,
    Json(update): Json<PrivacyRequestUpdate>,
) -> Result<Json<PrivacyRequest>, Problem> {
    let before = api.open(&caller, id).await?;
    api.contact(&caller, update.contact_id).await?;
    let after = update.onto(before.request.clone(), api.clock.now())?;
    Ok(Json(api.save(&caller, &ip, &before, after).await?))
}

/// Extend the term of a request, once. The person must be told why.
#[utoipa::path(
    post,
    path = "/v1/privacy-requests/{id}/extend",
    operation_id = "extendPrivacyRequest",
    tag = "privacy",
    params(("id" = PrivacyRequestId, Path, description = "The request")),
    request_body = PrivacyExtensionReason,
    responses((status = 200, description = "Extended", body = PrivacyRequest)),
)]
async fn extend(
    State(api): State<Api>,
    caller: May<op::ExtendPrivacyRequest>,
    ip: ClientIp,
    Path(id): Path<PrivacyRequestId>,
    Json(body): Json<PrivacyExtensionReason>,
) -> Result<Json<PrivacyRequest>, Problem> {
    let reason = text("/reason", &body.reason)?;
    let before = api.open(&caller, id).await?;
    if before.request.breach.is_some() {
        return Err(conflict("the term of a breach is not extended"));
    }
    if before.request.extension.is_some() {
        return Err(conflict("the law allows one extension"));
    }
    let mut after = before.request.clone();
    let at = api.clock.now();
    after.extension = Some(Extension { reason, at });
    after.date();
    Ok(Json(api.save(&caller, &ip, &before, after).await?))
}

/// Do the product's own part of a request.
///
/// `access` and `copy` write a file with the contact's data; the answer holds a link to it. `withdraw` and `object` end the
/// consent to advertising on every channel. `erase` erases the contact, and `restrict` archives it. `correct` is done if the
/// contact was changed since the request. The person must be verified first. A repetition does the same again.
#[utoipa::path(
    post,
    path = "/v1/privacy-requests/{id}/run",
    operation_id = "runPrivacyRequest",
    tag = "privacy",
    params(("id" = PrivacyRequestId, Path, description = "The request")),
    responses((status = 200, description = "Done", body = PrivacyRun)),
)]
async fn run(
    State(api): State<Api>,
    caller: May<op::RunPrivacyRequest>,
    ip: ClientIp,
    Path(id): Path<PrivacyRequestId>,
) -> Result<Response, Problem> {
    let before = api.open(&caller, id).await?;
    if before.request.breach.is_some() {
        return Err(conflict("a breach has no part that the product does"));
    }
    let Some(named) = before.request.contact_id else {
        return Err(conflict("the request names no contact"));
    };
    if before.request.verified_at.is_none() {
        return Err(conflict("the person is not verified"));
    }
    let (tenant, now) = (caller.tenant, api.clock.now());
    let is_erasure = before.request.kind == Kind::Erase;
    // A repetition finds the contact erased.
    let contact = match api.contacts.get(tenant, named).await? {
        Some(contact) => contact,
        None if is_erasure => return erased(&api, &caller, &ip, &before, named).await,
        None => return Err(conflict("the contact is gone")),
    };
    if before.request.kind == Kind::Correct && contact.updated_at < before.request.received_at {
        return Err(conflict(
            "the contact was not changed since the request: change it first",
        ));
    }
    if is_erasure {
        return erased(&api, &caller, &ip, &before, named).await;
    }
    api.note(&caller, id, &ip).await?;
    let file_url = match before.request.kind {
        Kind::Access | Kind::Copy => Some(file::write(&api, tenant, id, &contact, now).await?),
        Kind::Withdraw | Kind::Object => {
            withdraw(&api, tenant, contact.id, &before.request, &caller.actor).await?;
            None
        }
        Kind::Restrict => {
            api.contacts.archive(tenant, contact.id).await?;
            None
        }
        Kind::Correct | Kind::Erase | Kind::Breach => None,
    };
    let mut after = before.request.clone();
    after.ran_at = Some(now);
    let request = api.requests.change(tenant, &before, after).await?;
    let mut response = Json(PrivacyRun { request, file_url }).into_response();
    // The link opens personal data.
    response.extensions_mut().insert(Secret);
    Ok(response)
}

/// Erases the contact of a request. The contact may be erased already: by this request, or by hand.
async fn erased(
    api: &Api,
    caller: &May<op::RunPrivacyRequest>,
    ip: &ClientIp,
    before: &Stored,
    contact: ContactId,
) -> Result<Response, Problem> {
    if !caller.grant().may(Operation::EraseContact) {
        let detail = "an erasure needs the right to erase contacts";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    api.note(caller, before.request.id, ip).await?;
    api.contacts.erase(caller.tenant, contact).await?;
    let mut after = before.request.clone();
    after.ran_at = Some(api.clock.now());
    let request = api.requests.change(caller.tenant, before, after).await?;
    let file_url = None;
    Ok(Json(PrivacyRun { request, file_url }).into_response())
}

/// Records that the person asked for no more advertising on any channel, at the time of the request. A consent that they
/// give later stays.
async fn withdraw(
    api: &Api,
    tenant: TenantKey,
    contact: ContactId,
    request: &PrivacyRequest,
    actor: &str,
) -> Result<(), Problem> {
    let mut statement = Statement::new(Method::Staff, Decision::Withdrawn, Channel::ALL);
    statement.purposes = [Purpose::Marketing, Purpose::BehaviouralAds].into();
    statement.actor = Some(actor.to_owned());
    statement.at = Some(request.received_at);
    let cause = request.id.to_string();
    let stated = api
        .contacts
        .declare(tenant, contact, &statement, &cause, None);
    match stated.await? {
        Stated::Yes { .. } => Ok(()),
        Stated::NoContact | Stated::OtherAddress | Stated::Full => {
            Err(conflict("the contact is gone"))
        }
    }
}

/// Close a request, with what came of it.
#[utoipa::path(
    post,
    path = "/v1/privacy-requests/{id}/close",
    operation_id = "closePrivacyRequest",
    tag = "privacy",
    params(("id" = PrivacyRequestId, Path, description = "The request")),
    request_body = PrivacyOutcome,
    responses((status = 200, description = "Closed", body = PrivacyRequest)),
)]
async fn close(
    State(api): State<Api>,
    caller: May<op::ClosePrivacyRequest>,
    ip: ClientIp,
    Path(id): Path<PrivacyRequestId>,
    Json(body): Json<PrivacyOutcome>,
) -> Result<Json<PrivacyRequest>, Problem> {
    let outcome = text("/outcome", &body.outcome)?;
    let before = api.open(&caller, id).await?;
    let is_left = before
        .request
        .tasks
        .iter()
        .any(|task| task.done_at.is_none());
    if body.status == End::Done && is_left {
        return Err(conflict("a task of a processor is open"));
    }
    let breach = before.request.breach.as_ref();
    let is_untold = breach.is_some_and(|breach| breach.authority_notified_at.is_none());
    if body.status == End::Done && is_untold {
        return Err(conflict("the authority was not notified of the breach"));
    }
    let mut after = before.request.clone();
    after.status = body.status.into();
    after.outcome = Some(outcome);
    after.closed_at = Some(api.clock.now());
    Ok(Json(api.save(&caller, &ip, &before, after).await?))
}
