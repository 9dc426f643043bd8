//! The calls that own systems tracked lately, counted.

use access::op;
use axum::extract::State;
use lambda::http::{Json, May, Problem, Query};
use serde::Deserialize;
use tracking::{MAX_DAYS, Report};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;

const DAYS: u16 = 7;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Query of the counts.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TrackingQuery {
    /// The last days.
    #[serde(default = "days")]
    #[param(minimum = 1, maximum = 31, default = 7)]
    days: u16,
}

fn days() -> u16 {
    DAYS
}

/// Show what own systems tracked lately.
///
/// The figures follow a request within seconds. They are for people: a request that was delivered twice may count twice.
#[utoipa::path(
    get,
    path = "/v1/tracking",
    operation_id = "showTracking",
    tag = "tracking",
    params(TrackingQuery),
    responses((status = 200, description = "The counts", body = Report)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowTracking>,
    Query(query): Query<TrackingQuery>,
) -> Result<Json<Report>, Problem> {
    if !(1..=MAX_DAYS).contains(&query.days) {
        return Err(Problem::invalid("/days", "must be 1 to 31"));
    }
    Ok(Json(api.tracked.report(caller.tenant, query.days).await?))
}
