//! The report of a form, and the QR code of its page.

use access::op;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use forms::Report;
use forms::report::MAX_DAYS;
use jiff::tz::TimeZone;
use kernel::FormId;
use lambda::http::{Code, Json, May, Path, Problem, Query};

use crate::handler::{Api, base};
use crate::shape::ReportQuery;

/// Show how often a signup form was opened, sent and confirmed.
///
/// The days are those of the workspace's time zone. The figures are for reports: a crash may lose a count, and a page that
/// is sent twice counts twice. Counts are kept for three years.
#[utoipa::path(
    get,
    path = "/v1/forms/{id}/report",
    operation_id = "showFormReport",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form"), ReportQuery),
    responses((status = 200, description = "The report", body = Report)),
)]
pub async fn report(
    State(api): State<Api>,
    caller: May<op::ShowFormReport>,
    Path(id): Path<FormId>,
    Query(query): Query<ReportQuery>,
) -> Result<Json<Report>, Problem> {
    let days = query.days.unwrap_or(30);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(Problem::invalid("/days", "must be between 1 and 92"));
    }
    api.form(&caller, id).await?;
    let workspace = api.workspaces.get(caller.tenant).await?;
    let zone = workspace.and_then(|found| TimeZone::get(&found.settings.time_zone).ok());
    let (now, zone) = (api.clock.now(), zone.unwrap_or(TimeZone::UTC));
    let report = api.tallies.report(caller.tenant, id, days, now, &zone);
    Ok(Json(report.await?))
}

/// Show the QR code of a signup form's page, as a picture in SVG.
///
/// The code holds the page's address under the host that the request named.
#[utoipa::path(
    get,
    path = "/v1/forms/{id}/qr",
    operation_id = "showFormQr",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    responses((status = 200, description = "The picture", body = String, content_type = "image/svg+xml")),
)]
pub async fn qr(
    State(api): State<Api>,
    caller: May<op::ShowFormQr>,
    headers: HeaderMap,
    Path(id): Path<FormId>,
) -> Result<Response, Problem> {
    api.form(&caller, id).await?;
    let url = format!("{}/f/{id}", base(&headers));
    let svg = forms::qr::svg(&url);
    let svg = svg.ok_or_else(|| Problem::new(Code::Malformed, "the host's name is too long"))?;
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, svg).into_response())
}
