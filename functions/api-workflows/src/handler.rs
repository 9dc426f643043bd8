//! Maps requests to use cases. Another tenant's workflow is not found, since keys begin with the caller's
//! tenant.

use access::op;
use accounts::{Audit, Senders, Workspaces};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use campaigns::Campaigns;
use channels::MailStore;
use channels::sms::{Brandnames, Kind};
use chat::Inboxes;
use cloud::{Counters, Timers};
use contacts::Lists;
use kernel::page::Page;
use kernel::{BrandnameId, EmailAddress, Needs, TransactionalReason, WorkflowId};
use lambda::http::{Caller, ClientIp, Code, Creation, DRAWS, Json, May, Path, Problem, Query};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::{Change, Definition, Draft, Flaw, Node, Refusal, Report, Workflow, Workflows};

use crate::shape::{ListQuery, WorkflowView};
use crate::trigger;

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    /// Transactional mails by reason.
    pub counters: Counters,
    /// Only read: whether a trigger's campaign, list and inbox exist.
    pub campaigns: Campaigns,
    pub lists: Lists,
    pub inboxes: Inboxes,
    pub workflows: Workflows,
    pub audit: Audit,
    pub workspaces: Workspaces,
    pub timers: Timers,
    pub senders: Senders,
    pub mails: MailStore,
    pub brandnames: Brandnames,
    /// Domain or address that mails are sent from.
    pub identity: String,
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one))
        .routes(routes!(activate))
        .routes(routes!(pause))
        .routes(routes!(archive))
        .routes(routes!(report))
}

fn no_workflow() -> Problem {
    Problem::not_found("workflow")
}

fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Flawed(flaws) => flaws.into_iter().fold(
            Problem::new(Code::Invalid, "the workflow is not valid"),
            |problem, flaw| problem.at(flaw.pointer, flaw.message),
        ),
        Refusal::Unknown => no_workflow(),
        Refusal::Illegal(_) | Refusal::Crowded => Problem::new(Code::Conflict, refusal.to_string()),
        Refusal::Store(error) => error.into(),
    }
}

/// Make a workflow.
///
/// The workflow is a draft until it is activated. One answer names everything that is wrong with the workflow.
#[utoipa::path(
    post,
    path = "/v1/workflows",
    operation_id = "createWorkflow",
    tag = "workflows",
    request_body = Draft,
    responses((status = 201, description = "Made", body = WorkflowView)),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreateWorkflow>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(wanted): Json<Draft>,
) -> Result<Response, Problem> {
    // Refused before the entry in the audit log: a flawed draft changes nothing. Compiling its mails takes the
    // processor; other requests of a local stack go on meanwhile.
    let identity = api.identity.clone();
    let checked = tokio::task::spawn_blocking(move || (wanted.check(&identity), wanted)).await;
    let (mut flaws, wanted) =
        checked.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    flaws.extend(trigger::flaw(&api, caller.tenant, &wanted.trigger).await?);
    flaws.extend(brandname_flaws(&api, &caller, wanted.brandnames()).await?);
    if !flaws.is_empty() {
        return Err(problem(Refusal::Flawed(flaws)));
    }
    know_senders(&api, &caller, wanted.senders()).await?;
    allow_reasons(&api, &caller, wanted.reasons().collect()).await?;
    for draw in 0..DRAWS {
        let id = WorkflowId::of(&origin, draw);
        note(&api, &caller, &ip, id).await?;
        let created = api
            .workflows
            .create(caller.tenant, id, origin.at, &wanted, &api.identity)
            .await;
        if let Some(workflow) = created.map_err(problem)? {
            let location = format!("/v1/workflows/{id}");
            let view = view(&api.workflows, &caller, workflow).await?;
            return Ok((StatusCode::CREATED, [(header::LOCATION, location)], view).into_response());
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// List workflows, newest first, without their graphs.
#[utoipa::path(
    get,
    path = "/v1/workflows",
    operation_id = "listWorkflows",
    tag = "workflows",
    params(ListQuery),
    responses((status = 200, description = "A page of workflows", body = Page<WorkflowView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListWorkflows>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<WorkflowView>>, Problem> {
    let limit = query.limit.unwrap_or_default();
    let page = api
        .workflows
        .list(caller.tenant, limit, query.cursor)
        .await?;
    Ok(Json(page.map(WorkflowView::from)))
}

/// Show a workflow with its graph.
#[utoipa::path(
    get,
    path = "/v1/workflows/{id}",
    operation_id = "showWorkflow",
    tag = "workflows",
    params(("id" = WorkflowId, Path, description = "The workflow")),
    responses((status = 200, description = "The workflow", body = WorkflowView)),
)]
async fn one(
    State(api): State<Api>,
    caller: May<op::ShowWorkflow>,
    Path(id): Path<WorkflowId>,
) -> Result<Json<WorkflowView>, Problem> {
    let workflow = api.workflows.get(caller.tenant, id).await?;
    view(&api.workflows, &caller, workflow.ok_or_else(no_workflow)?).await
}

async fn view(
    workflows: &Workflows,
    caller: &Caller,
    workflow: Workflow,
) -> Result<Json<WorkflowView>, Problem> {
    let definition = workflows.definition(caller.tenant, &workflow).await?;
    let view = WorkflowView::from(workflow);
    Ok(Json(match definition {
        Some(definition) => view.with_graph(definition.graph),
        None => view,
    }))
}

/// Let a workflow take contacts in.
///
/// Events count from `active_since` on, 15 seconds after the request. Events that were recorded during a pause never
/// count. Contacts that a pause has stopped go on about half a minute after the request.
#[utoipa::path(
    post,
    path = "/v1/workflows/{id}/activate",
    operation_id = "activateWorkflow",
    tag = "workflows",
    params(("id" = WorkflowId, Path, description = "The workflow")),
    responses((status = 200, description = "The workflow", body = WorkflowView)),
)]
async fn activate(
    State(api): State<Api>,
    caller: May<op::ActivateWorkflow>,
    ip: ClientIp,
    Path(id): Path<WorkflowId>,
) -> Result<Json<WorkflowView>, Problem> {
    let workflow = api.workflows.get(caller.tenant, id).await?;
    let workflow = workflow.ok_or_else(no_workflow)?;
    let definition = api.workflows.definition(caller.tenant, &workflow).await?;
    if let Some(definition) = &definition {
        let flaws = brandname_flaws(&api, &caller, brandnames_of(definition)).await?;
        if !flaws.is_empty() {
            return Err(problem(Refusal::Flawed(flaws)));
        }
        let senders = senders_of(&api.mails, &caller, definition).await?;
        know_senders(&api, &caller, senders).await?;
        allow_reasons(&api, &caller, reasons_of(definition)).await?;
    }
    if definition.is_some_and(|definition| definition.has_marketing()) {
        let workspace = api.workspaces.get(caller.tenant).await?;
        let workspace = workspace.ok_or_else(|| Problem::not_found("workspace"))?;
        Problem::settings_missing(&workspace.settings.missing_for_marketing())?;
    }
    change(&api, &caller, &ip, id, Change::Activate).await
}

/// Stop a workflow for now; contacts inside stay where they are.
///
/// Contacts stop within ten seconds. Events that are recorded up to 15 seconds after the request still count.
#[utoipa::path(
    post,
    path = "/v1/workflows/{id}/pause",
    operation_id = "pauseWorkflow",
    tag = "workflows",
    params(("id" = WorkflowId, Path, description = "The workflow")),
    responses((status = 200, description = "The workflow", body = WorkflowView)),
)]
async fn pause(
    State(api): State<Api>,
    caller: May<op::PauseWorkflow>,
    ip: ClientIp,
    Path(id): Path<WorkflowId>,
) -> Result<Json<WorkflowView>, Problem> {
    change(&api, &caller, &ip, id, Change::Pause).await
}

/// End a workflow for good; contacts inside leave.
///
/// In force within ten seconds.
#[utoipa::path(
    post,
    path = "/v1/workflows/{id}/archive",
    operation_id = "archiveWorkflow",
    tag = "workflows",
    params(("id" = WorkflowId, Path, description = "The workflow")),
    responses((status = 200, description = "The workflow", body = WorkflowView)),
)]
async fn archive(
    State(api): State<Api>,
    caller: May<op::ArchiveWorkflow>,
    ip: ClientIp,
    Path(id): Path<WorkflowId>,
) -> Result<Json<WorkflowView>, Problem> {
    change(&api, &caller, &ip, id, Change::Archive).await
}

/// The senders of a workflow's mails, each with its place in the graph.
async fn senders_of(
    mails: &MailStore,
    caller: &Caller,
    definition: &Definition,
) -> Result<Vec<(String, EmailAddress)>, Problem> {
    let mut senders = Vec::new();
    for (name, node) in &definition.graph.nodes {
        if let Node::SendEmail { mail, .. } = node
            && let Some(mail) = mails.get(caller.tenant, mail).await?
        {
            let place = format!("/graph/nodes/{name}/sender/from_email");
            senders.push((place, mail.sender.from_email));
        }
    }
    Ok(senders)
}

/// The brandnames of a workflow's text messages, each with its place in the graph.
fn brandnames_of(definition: &Definition) -> Vec<(String, BrandnameId)> {
    let nodes = definition.graph.nodes.iter();
    let brandnames = nodes.filter_map(|(name, node)| match node {
        Node::SendSms { brandname_id, .. } => {
            Some((format!("/graph/nodes/{name}/brandname_id"), *brandname_id))
        }
        _ => None,
    });
    brandnames.collect()
}

/// Brandnames that the workspace does not have for customer care; each comes with its place.
async fn brandname_flaws(
    api: &Api,
    caller: &Caller,
    brandnames: impl IntoIterator<Item = (String, BrandnameId)>,
) -> Result<Vec<Flaw>, Problem> {
    let mut flaws = Vec::new();
    for (place, id) in brandnames {
        let found = api.brandnames.get(caller.tenant, id).await?;
        match found.map(|brandname| brandname.settings.kind) {
            Some(Kind::Care) => {}
            Some(Kind::Advertising) => {
                flaws.push(Flaw::new(place, "expected a brandname of kind care"));
            }
            None => flaws.push(Flaw::new(place, "no such brandname")),
        }
    }
    Ok(flaws)
}

/// The reasons of a workflow's transactional messages, each with its place in the graph.
fn reasons_of(definition: &Definition) -> Vec<(String, TransactionalReason)> {
    let nodes = definition.graph.nodes.iter();
    let reasons = nodes.filter_map(|(name, node)| match node {
        Node::SendEmail { reason, .. } | Node::SendPush { reason, .. } => {
            Some((format!("/graph/nodes/{name}/reason"), (*reason)?))
        }
        Node::SendSms { reason, .. } => Some((format!("/graph/nodes/{name}/reason"), *reason)),
        _ => None,
    });
    reasons.collect()
}

/// Refuses reasons that the workspace's settings do not list.
async fn allow_reasons(
    api: &Api,
    caller: &Caller,
    reasons: Vec<(String, TransactionalReason)>,
) -> Result<(), Problem> {
    if reasons.is_empty() {
        return Ok(());
    }
    let workspace = api.workspaces.get(caller.tenant).await?;
    let workspace = workspace.ok_or_else(|| Problem::not_found("workspace"))?;
    let allowed = workspace.settings.transactional_reasons;
    let refused = reasons
        .into_iter()
        .filter(|(_, reason)| !allowed.contains(reason));
    let problem = refused.fold(None, |problem: Option<Problem>, (place, reason)| {
        let detail = "the workspace's settings do not allow this reason";
        let problem = problem.unwrap_or_else(|| Problem::new(Code::Unprocessable, detail));
        let message = format!(
            "{} is not among transactional_reasons of the workspace",
            reason.name()
        );
        Some(problem.at(place, message))
    });
    problem.map_or(Ok(()), Err)
}

/// Refuses senders that the workspace has not proven; each comes with its place.
async fn know_senders(
    api: &Api,
    caller: &Caller,
    senders: impl IntoIterator<Item = (String, EmailAddress)>,
) -> Result<(), Problem> {
    let mut unproven = Vec::new();
    for (place, email) in senders {
        if !api.senders.may_send(caller.tenant, &email).await? {
            unproven.push(place);
        }
    }
    if unproven.is_empty() {
        return Ok(());
    }
    Err(Problem::unproven_sender(unproven))
}

async fn change<P: Needs>(
    api: &Api,
    caller: &May<P>,
    ip: &ClientIp,
    id: WorkflowId,
    change: Change,
) -> Result<Json<WorkflowView>, Problem> {
    let known = api.workflows.get(caller.tenant, id).await?;
    known.ok_or_else(no_workflow)?;
    note(api, caller, ip, id).await?;
    let changed = api
        .workflows
        .change(&api.timers, caller.tenant, id, change)
        .await;
    Ok(Json(changed.map_err(problem)?.into()))
}

async fn note<P: Needs>(
    api: &Api,
    caller: &May<P>,
    ip: &ClientIp,
    id: WorkflowId,
) -> Result<(), Problem> {
    let noted = api
        .audit
        .note(caller.grant(), caller.permission(), id, &ip.0);
    Ok(noted.await?)
}

/// Count the contacts of a workflow by status.
#[utoipa::path(
    get,
    path = "/v1/workflows/{id}/report",
    operation_id = "showWorkflowReport",
    tag = "workflows",
    params(("id" = WorkflowId, Path, description = "The workflow")),
    responses((status = 200, description = "The counts", body = Report)),
)]
async fn report(
    State(api): State<Api>,
    caller: May<op::ShowWorkflowReport>,
    Path(id): Path<WorkflowId>,
) -> Result<Json<Report>, Problem> {
    let workflow = api.workflows.get(caller.tenant, id).await?;
    workflow.ok_or_else(no_workflow)?;
    Ok(Json(
        api.workflows
            .report(caller.tenant, id, &api.counters)
            .await?,
    ))
}
