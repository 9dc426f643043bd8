//! Requests to use cases. Another tenant's workflow is not found, since keys begin with the caller's
//! tenant.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::WorkflowId;
use kernel::page::Page;
use lambda::http::{Caller, Code, Json, Operation, Path, Problem, Query};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflows::{Change, Draft, Refusal, Report, Workflow, Workflows};

use crate::shape::{ListQuery, WorkflowView};

pub fn routes() -> OpenApiRouter<Workflows> {
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
        Refusal::Illegal(_) => Problem::new(Code::Conflict, refusal.to_string()),
        Refusal::Store(error) => error.into(),
    }
}

/// Make a workflow.
///
/// It is a draft until it is activated. Everything wrong with it is named at once.
#[utoipa::path(
    post,
    path = "/v1/workflows",
    operation_id = "createWorkflow",
    tag = "workflows",
    request_body = Draft,
    responses((status = 201, description = "Made", body = WorkflowView)),
)]
async fn create(
    State(workflows): State<Workflows>,
    caller: Caller,
    Json(draft): Json<Draft>,
) -> Result<Response, Problem> {
    caller.may(Operation::CreateWorkflow)?;
    let created = workflows.create(caller.tenant, &draft).await;
    let workflow = created.map_err(problem)?;
    let location = format!("/v1/workflows/{}", workflow.id);
    let view = view(&workflows, &caller, workflow).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], view).into_response())
}

/// List workflows, oldest first, without their graphs.
#[utoipa::path(
    get,
    path = "/v1/workflows",
    operation_id = "listWorkflows",
    tag = "workflows",
    params(ListQuery),
    responses((status = 200, description = "A page of workflows", body = Page<WorkflowView>)),
)]
async fn list(
    State(workflows): State<Workflows>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<WorkflowView>>, Problem> {
    caller.may(Operation::ListWorkflows)?;
    let limit = query.limit.unwrap_or_default();
    let page = workflows.list(caller.tenant, limit, query.cursor).await?;
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
    State(workflows): State<Workflows>,
    caller: Caller,
    Path(id): Path<WorkflowId>,
) -> Result<Json<WorkflowView>, Problem> {
    caller.may(Operation::ShowWorkflow)?;
    let workflow = workflows.get(caller.tenant, id).await?;
    view(&workflows, &caller, workflow.ok_or_else(no_workflow)?).await
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
/// What happened earlier does not count.
#[utoipa::path(
    post,
    path = "/v1/workflows/{id}/activate",
    operation_id = "activateWorkflow",
    tag = "workflows",
    params(("id" = WorkflowId, Path, description = "The workflow")),
    responses((status = 200, description = "The workflow", body = WorkflowView)),
)]
async fn activate(
    workflows: State<Workflows>,
    caller: Caller,
    id: Path<WorkflowId>,
) -> Result<Json<WorkflowView>, Problem> {
    change(
        workflows,
        caller,
        id,
        Operation::ActivateWorkflow,
        Change::Activate,
    )
    .await
}

/// Stop a workflow for now; contacts inside stay where they are.
#[utoipa::path(
    post,
    path = "/v1/workflows/{id}/pause",
    operation_id = "pauseWorkflow",
    tag = "workflows",
    params(("id" = WorkflowId, Path, description = "The workflow")),
    responses((status = 200, description = "The workflow", body = WorkflowView)),
)]
async fn pause(
    workflows: State<Workflows>,
    caller: Caller,
    id: Path<WorkflowId>,
) -> Result<Json<WorkflowView>, Problem> {
    change(
        workflows,
        caller,
        id,
        Operation::PauseWorkflow,
        Change::Pause,
    )
    .await
}

/// End a workflow for good; contacts inside leave.
#[utoipa::path(
    post,
    path = "/v1/workflows/{id}/archive",
    operation_id = "archiveWorkflow",
    tag = "workflows",
    params(("id" = WorkflowId, Path, description = "The workflow")),
    responses((status = 200, description = "The workflow", body = WorkflowView)),
)]
async fn archive(
    workflows: State<Workflows>,
    caller: Caller,
    id: Path<WorkflowId>,
) -> Result<Json<WorkflowView>, Problem> {
    change(
        workflows,
        caller,
        id,
        Operation::ArchiveWorkflow,
        Change::Archive,
    )
    .await
}

async fn change(
    State(workflows): State<Workflows>,
    caller: Caller,
    Path(id): Path<WorkflowId>,
    operation: Operation,
    change: Change,
) -> Result<Json<WorkflowView>, Problem> {
    caller.may(operation)?;
    let changed = workflows.change(caller.tenant, id, change).await;
    Ok(Json(changed.map_err(problem)?.into()))
}

/// Count the contacts of a workflow by where they stand.
#[utoipa::path(
    get,
    path = "/v1/workflows/{id}/report",
    operation_id = "showWorkflowReport",
    tag = "workflows",
    params(("id" = WorkflowId, Path, description = "The workflow")),
    responses((status = 200, description = "The counts", body = Report)),
)]
async fn report(
    State(workflows): State<Workflows>,
    caller: Caller,
    Path(id): Path<WorkflowId>,
) -> Result<Json<Report>, Problem> {
    caller.may(Operation::ShowWorkflowReport)?;
    let workflow = workflows.get(caller.tenant, id).await?;
    workflow.ok_or_else(no_workflow)?;
    Ok(Json(workflows.report(caller.tenant, id).await?))
}
