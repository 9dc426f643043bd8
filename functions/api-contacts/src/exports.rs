//! Files of contacts for people.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use campaigns::ReceiversOf;
use commerce::Asked;
use commerce::bounds::MAX_CODE;
use commerce::export::{Exported, ProductsAsked};
use contacts::export::{Export, KEPT, Others, Request, Started, Status};
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{ExportId, ListId, Origin, SegmentId, TenantKey};
use lambda::http::{ClientIp, Code, Creation, DRAWS, Flaws, Json, May, Path, Problem, Query};
use segments::{Conditions, JobId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::{Api, known_list};
use crate::choice;
use crate::shape::Paging;

/// The rows of an export: those of at most one of these, or all contacts in use.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewExport)]
#[serde(deny_unknown_fields)]
pub struct ExportIn {
    /// Only members of this list.
    list_id: Option<ListId>,
    /// Only members of this segment.
    segment_id: Option<SegmentId>,
    /// Only contacts that the conditions hold, as for a segment. At most 8,192 bytes.
    #[schema(value_type = Option<Conditions>)]
    conditions: Option<Value>,
    /// Only receivers of a campaign, such as those who have not opened it.
    receivers: Option<ReceiversOf>,
    /// Not contacts but the orders of a list, with the filters of `listOrders`.
    orders: Option<Asked>,
    /// Not contacts but the products of a status.
    products: Option<ProductsAsked>,
}

/// The rows that an export was asked for; all contacts in use without any of these.
#[derive(Default, Serialize, utoipa::ToSchema)]
#[schema(as = ExportRequest)]
pub struct RequestView {
    list_id: Option<ListId>,
    segment_id: Option<SegmentId>,
    #[schema(value_type = Option<Conditions>)]
    conditions: Option<Value>,
    receivers: Option<ReceiversOf>,
    orders: Option<Asked>,
    products: Option<ProductsAsked>,
}

/// The orders or products of an export.
fn exported(others: &Others) -> Option<Exported> {
    serde_json::from_value(others.asked.clone()).ok()
}

impl From<&Request> for RequestView {
    fn from(request: &Request) -> Self {
        let (segment_id, conditions, receivers) = choice::shown(request.choice.as_ref());
        let (orders, products) = match request.others.as_ref().and_then(exported) {
            Some(Exported::Orders(asked)) => (Some(asked), None),
            Some(Exported::Products(asked)) => (None, Some(asked)),
            None => (None, None),
        };
        Self {
            list_id: request.list,
            segment_id,
            conditions,
            receivers,
            orders,
            products,
        }
    }
}

impl ExportIn {
    async fn check(
        self,
        api: &Api,
        tenant: TenantKey,
        origin: &Origin,
    ) -> Result<Request, Problem> {
        let mut flaws = Flaws::default();
        if let Some(list) = self.list_id {
            flaws.take(known_list(api, tenant, list, "/list_id").await)?;
        }
        let receivers = self.receivers.as_ref();
        let chosen = (self.segment_id, self.conditions.as_ref(), receivers);
        let mut choices = choice::check(api, tenant, origin, chosen, "", &mut flaws).await?;
        if let Some(asked) = &self.orders {
            let product = asked
                .product
                .as_ref()
                .map_or(1, |text| text.trim().chars().count());
            let is_long = !(1..=MAX_CODE).contains(&product);
            flaws.check(is_long, "/orders/product", "must have 1 to 100 characters");
            let range = asked.from.zip(asked.before);
            let is_empty = range.is_some_and(|(from, before)| from >= before);
            flaws.check(is_empty, "/orders/before", "must be after from");
        }
        let given = [
            self.list_id.is_some(),
            self.orders.is_some(),
            self.products.is_some(),
        ];
        let given = given.into_iter().filter(|is_given| *is_given).count();
        let are_many = choices.len() + given > 1;
        let message = "give one of list_id, segment_id, conditions, receivers, orders and products";
        flaws.check(are_many, "", message);
        flaws.refuse()?;
        let orders = self.orders.map(Exported::Orders);
        let others = orders.or(self.products.map(Exported::Products));
        let others = others.map(|exported| Others {
            heading: exported.heading(),
            asked: json!(exported),
        });
        Ok(Request {
            list: self.list_id,
            choice: choices.pop(),
            others,
        })
    }
}

/// The rows, as the audit log shows them.
fn detail(request: &Request) -> String {
    if let Some(exported) = request.others.as_ref().and_then(exported) {
        return exported.name().to_owned();
    }
    match (&request.choice, request.list) {
        (Some(choice), _) => choice::detail(choice),
        (None, Some(list)) => format!("list {list}"),
        (None, None) => "everybody".to_owned(),
    }
}

/// An export as clients see it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Export)]
pub struct ExportView {
    id: ExportId,
    request: RequestView,
    /// The person who asked for it.
    requested_by: String,
    status: Status,
    /// Rows so far.
    rows: u64,
    /// The file, while it is kept. The link is valid for an hour; a later answer has a new one.
    url: Option<String>,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    finished_at: Option<Timestamp>,
    /// Until when links to the file are given.
    #[serde(serialize_with = "kernel::clock::millis")]
    expires_at: Option<Timestamp>,
}

async fn view(api: &Api, tenant: TenantKey, export: Export) -> Result<ExportView, Problem> {
    let kept = SignedDuration::from_secs(KEPT.as_secs() as i64);
    Ok(ExportView {
        url: api.exports.link(tenant, &export).await?,
        expires_at: export
            .finished_at
            .map(|at| at.checked_add(kept).unwrap_or(at)),
        id: export.id,
        request: RequestView::from(&export.request),
        requested_by: export.requested_by,
        status: export.status,
        rows: export.rows,
        created_at: export.created_at,
        finished_at: export.finished_at,
    })
}

/// Export contacts, orders or products to a CSV file.
///
/// All contacts in use, the members of a list or a segment, or those that conditions hold. In place of contacts,
/// the orders of a list or the products of a status. The answer comes before the file
/// is made: read the export to see its progress and the link. The audit log names who exported what.
/// At most four exports of a workspace run at a time. docs/export.md describes the file.
#[utoipa::path(
    post,
    path = "/v1/exports",
    operation_id = "startExport",
    tag = "contacts",
    request_body = ExportIn,
    responses(
        (status = 202, description = "Accepted", body = ExportView),
        (status = 409, description = "Four exports run already"),
    ),
)]
pub async fn start(
    State(api): State<Api>,
    caller: May<op::StartExport>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(body): Json<ExportIn>,
) -> Result<(StatusCode, Json<ExportView>), Problem> {
    let mut request = body.check(&api, caller.tenant, &origin).await?;
    let (grant, operation) = (caller.grant(), caller.permission());
    let detail = detail(&request);
    for draw in 0..DRAWS {
        let id = ExportId::of(&origin, draw);
        let noted = api.audit.note_detail(grant, operation, id, &detail, &ip.0);
        noted.await?;
        if let Some(choice) = request.choice.take() {
            let job = JobId::Export(id);
            request.choice = Some(choice::pin(&api, caller.tenant, job, choice).await?);
        }
        let export = api
            .exports
            .start(caller.tenant, id, &origin, &request, &grant.actor);
        match export.await? {
            Started::Export(export) => {
                let view = view(&api, caller.tenant, *export).await?;
                return Ok((StatusCode::ACCEPTED, Json(view)));
            }
            Started::Busy => {
                let detail = "four exports of the workspace run already";
                return Err(Problem::new(Code::Conflict, detail));
            }
            Started::Taken => {}
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// List exports, newest first.
#[utoipa::path(
    get,
    path = "/v1/exports",
    operation_id = "listExports",
    tag = "contacts",
    params(Paging),
    responses((status = 200, description = "A page of exports", body = Page<ExportView>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListExports>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ExportView>>, Problem> {
    let page = api
        .exports
        .page(caller.tenant, paging.limit, paging.cursor)
        .await?;
    let mut data = Vec::with_capacity(page.data.len());
    for export in page.data {
        data.push(view(&api, caller.tenant, export).await?);
    }
    Ok(Json(Page {
        data,
        next: page.next,
    }))
}

/// Show an export, with a link to its file.
#[utoipa::path(
    get,
    path = "/v1/exports/{id}",
    operation_id = "showExport",
    tag = "contacts",
    params(("id" = ExportId, Path, description = "The export")),
    responses((status = 200, description = "The export", body = ExportView)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowExport>,
    Path(id): Path<ExportId>,
) -> Result<Json<ExportView>, Problem> {
    let export = api.exports.get(caller.tenant, id).await?;
    let export = export.ok_or_else(|| Problem::not_found("export"))?;
    Ok(Json(view(&api, caller.tenant, export).await?))
}
