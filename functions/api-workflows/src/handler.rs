//! Requests to use cases. Another tenant's workflow is not found, since keys begin with the caller's
//! tenant.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kernel::WorkflowId;
use kernel::page::Page;
use lambda::http::{Caller, Code, Json, Operation, Path, Problem, Query};
use workflows::{Change, Draft, Refusal, Report, Workflow, Workflows};

use crate::shape::{ListQuery, WorkflowView};

pub fn router(workflows: Workflows) -> Router {
    Router::new()
        .route("/v1/workflows", get(list).post(create))
        .route("/v1/workflows/{id}", get(one))
        .route("/v1/workflows/{id}/activate", post(activate))
        .route("/v1/workflows/{id}/pause", post(pause))
        .route("/v1/workflows/{id}/archive", post(archive))
        .route("/v1/workflows/{id}/report", get(report))
        .with_state(workflows)
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
