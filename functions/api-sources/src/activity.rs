//! The latest requests of a source, counted.

use access::op;
use axum::extract::State;
use kernel::SourceId;
use lambda::http::{Json, May, Path, Problem, Query};
use serde::{Deserialize, Serialize};
use sources::Failed;
use sources::activity::{MAX_DAYS, Report};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;

const DAYS: u16 = 7;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Query of an activity.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ActivityQuery {
    /// The last days.
    #[serde(default = "days")]
    #[param(minimum = 1, maximum = 31, default = 7)]
    days: u16,
}

fn days() -> u16 {
    DAYS
}

/// The activity of a source, and its newest request that could not be read.
#[derive(Serialize, utoipa::ToSchema)]
struct SourceState {
    #[serde(flatten)]
    report: Report,
    /// The newest failed request that still waits for a repair; null without one.
    last_failed: Option<Failed>,
}

/// Show what a source did lately.
///
/// The figures follow a request within seconds. They are for people: a request that was delivered twice may count twice.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/activity",
    operation_id = "showSourceActivity",
    tag = "sources",
    params(("id" = SourceId, Path, description = "The source"), ActivityQuery),
    responses((status = 200, description = "The activity", body = SourceState)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowSourceActivity>,
    Path(id): Path<SourceId>,
    Query(query): Query<ActivityQuery>,
) -> Result<Json<SourceState>, Problem> {
    if !(1..=MAX_DAYS).contains(&query.days) {
        return Err(Problem::invalid("/days", "must be 1 to 31"));
    }
    api.source(&caller, id).await?;
    let (report, newest) = tokio::try_join!(
        api.activity.report(caller.tenant, id, query.days),
        api.failed.newest(caller.tenant, id),
    )?;
    Ok(Json(SourceState {
        report,
        last_failed: newest,
    }))
}
