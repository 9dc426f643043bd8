//! The report of a campaign: figures, hours, links, receivers and their file. Each answer reads a bounded number of rows.

use access::op;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use campaigns::{Bounds, Campaign, HourFigures, Receiver, ReceiverSet, Report};
use channels::consent::address_of;
use channels::{Fact, Link, Row};
use contacts::{Contact, csv_out};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{CampaignId, ContactId, Cursor, Limit};
use lambda::http::{Caller, ClientIp, Json, May, Path, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::{Api, no_campaign};

/// Receivers that one answer looks at.
const LOOKED: usize = 500;
/// Lines of one answer of the file.
const LINES: usize = 1_000;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(report))
        .routes(routes!(hours))
        .routes(routes!(links))
        .routes(routes!(receivers))
        .routes(routes!(file))
}

/// `GET …/report/hours`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HoursQuery {
    /// Hours from this time on.
    from: Option<Timestamp>,
    /// Hours up to this time.
    to: Option<Timestamp>,
}

/// `GET …/receivers`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReceiversQuery {
    /// Only this set of receivers.
    status: Option<ReceiverSet>,
    limit: Option<Limit>,
    cursor: Option<Cursor>,
}

/// `GET …/receivers/file`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FileQuery {
    /// Only this set of receivers.
    status: Option<ReceiverSet>,
    cursor: Option<Cursor>,
}

/// The hours of a report.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignHours)]
pub struct Hours {
    /// Hours with at least one event, oldest first.
    data: Vec<HourFigures>,
}

/// The links of a report.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignLinks)]
pub struct LinksView {
    /// The links that people followed, the most followed first.
    data: Vec<Link>,
}

/// A receiver of a campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Receiver)]
pub struct ReceiverView {
    contact_id: ContactId,
    /// The contact's name and address of today; null if the contact is gone.
    name: Option<String>,
    address: Option<String>,
    /// `queued`, `skipped`, or the status of the message.
    #[schema(example = "delivered")]
    status: &'static str,
    /// Why the message failed.
    reason: Option<String>,
    #[serde(serialize_with = "kernel::clock::millis")]
    sent_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    delivered_at: Option<Timestamp>,
    /// The first open by a person.
    #[serde(serialize_with = "kernel::clock::millis")]
    opened_at: Option<Timestamp>,
    /// The first click of a person.
    #[serde(serialize_with = "kernel::clock::millis")]
    clicked_at: Option<Timestamp>,
    /// The last thing that is known about the message.
    #[serde(serialize_with = "kernel::clock::millis")]
    last_at: Option<Timestamp>,
}

/// The status of a receiver in the API.
pub fn status_of(row: Option<&Row>, is_done: bool) -> &'static str {
    match row {
        Some(row) if row.is_duplicate() => "skipped",
        Some(row) => row.status().name(),
        None if is_done => "skipped",
        None => "queued",
    }
}

impl ReceiverView {
    fn new(campaign: &Campaign, receiver: &Receiver, contact: Option<&Contact>) -> Self {
        let row = receiver.row.as_ref();
        let at = |fact| row.and_then(|row| row.facts.at(fact));
        let channel = campaign.content.channel();
        let address = contact.and_then(|contact| address_of(contact, channel));
        Self {
            contact_id: receiver.contact,
            name: contact.and_then(|contact| contact.person.full_name.clone()),
            address: address.map(|address| address.as_str().to_owned()),
            status: status_of(row, receiver.is_done),
            reason: row.and_then(|row| row.reason.clone()),
            sent_at: at(Fact::Accepted),
            delivered_at: at(Fact::Delivered),
            opened_at: at(Fact::Opened),
            clicked_at: at(Fact::Clicked).filter(|_| row.is_some_and(Row::is_clicked)),
            last_at: row.map(Row::last_at),
        }
    }

    /// The cells of a line of the file.
    fn cells(&self) -> [String; 10] {
        let time = |at: Option<Timestamp>| at.map(|at| format!("{at:.0}")).unwrap_or_default();
        [
            self.contact_id.to_string(),
            self.name.clone().unwrap_or_default(),
            self.address.clone().unwrap_or_default(),
            self.status.to_owned(),
            self.reason.clone().unwrap_or_default(),
            time(self.sent_at),
            time(self.delivered_at),
            time(self.opened_at),
            time(self.clicked_at),
            time(self.last_at),
        ]
    }
}

/// The headings of the file.
const HEADINGS: [&str; 10] = [
    "contact_id",
    "name",
    "address",
    "status",
    "reason",
    "sent_at",
    "delivered_at",
    "opened_at",
    "clicked_at",
    "last_at",
];

impl Api {
    /// A campaign of the caller's workspace.
    pub async fn campaign(&self, caller: &Caller, id: CampaignId) -> Result<Campaign, Problem> {
        let campaign = self.campaigns.get(caller.tenant, id).await?;
        campaign.ok_or_else(no_campaign)
    }

    async fn receivers_of(
        &self,
        caller: &Caller,
        campaign: &Campaign,
        set: Option<ReceiverSet>,
        (bounds, cursor): (Bounds, Option<&Cursor>),
    ) -> Result<Page<ReceiverView>, Problem> {
        let page = self
            .receivers
            .page(caller.tenant, campaign, set, bounds, cursor);
        let page = page.await?;
        let ids: Vec<ContactId> = page.data.iter().map(|one| one.contact).collect();
        let contacts = self.profiles.glance(caller.tenant, &ids).await?;
        Ok(page.map(|one| ReceiverView::new(campaign, &one, contacts.get(&one.contact))))
    }
}

/// Show the figures of a campaign.
///
/// Once it is sent, `sent` + `skipped` + `failed` + `unknown` is `audience`. While more than 100,000 contacts are sent to, the figures
/// are up to 8,000 contacts behind.
#[utoipa::path(
    get,
    path = "/v1/campaigns/{id}/report",
    operation_id = "showCampaignReport",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "The figures", body = Report)),
)]
async fn report(
    State(api): State<Api>,
    caller: May<op::ShowCampaignReport>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Report>, Problem> {
    let report = api
        .campaigns
        .report(&api.counters, caller.tenant, id)
        .await?;
    report.map(Json).ok_or_else(no_campaign)
}

/// Show the figures of a campaign by hour.
///
/// An event counts in the hour in which it happened. Hours without an event are left out.
#[utoipa::path(
    get,
    path = "/v1/campaigns/{id}/report/hours",
    operation_id = "listCampaignHours",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign"), HoursQuery),
    responses((status = 200, description = "The hours", body = Hours)),
)]
async fn hours(
    State(api): State<Api>,
    caller: May<op::ListCampaignHours>,
    Path(id): Path<CampaignId>,
    Query(query): Query<HoursQuery>,
) -> Result<Json<Hours>, Problem> {
    let range = (query.from, query.to);
    let hours = api
        .campaigns
        .hours(&api.counters, caller.tenant, id, range)
        .await?;
    let data = hours.ok_or_else(no_campaign)?;
    Ok(Json(Hours { data }))
}

/// Show the links of a campaign that people followed.
///
/// A link stands without its query, which may name a person.
#[utoipa::path(
    get,
    path = "/v1/campaigns/{id}/links",
    operation_id = "listCampaignLinks",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "The links", body = LinksView)),
)]
async fn links(
    State(api): State<Api>,
    caller: May<op::ListCampaignLinks>,
    Path(id): Path<CampaignId>,
) -> Result<Json<LinksView>, Problem> {
    let campaign = api.campaign(&caller, id).await?;
    let data = api.links.of(caller.tenant, campaign.id).await?;
    Ok(Json(LinksView { data }))
}

/// List the receivers of a campaign.
///
/// An answer looks at 500 receivers at most, so it may hold fewer than `limit`, also none. `next` is absent at the end only. The rows
/// of messages are kept for 120 days.
#[utoipa::path(
    get,
    path = "/v1/campaigns/{id}/receivers",
    operation_id = "listReceivers",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign"), ReceiversQuery),
    responses((status = 200, description = "A page of receivers", body = Page<ReceiverView>)),
)]
async fn receivers(
    State(api): State<Api>,
    caller: May<op::ListReceivers>,
    Path(id): Path<CampaignId>,
    Query(query): Query<ReceiversQuery>,
) -> Result<Json<Page<ReceiverView>>, Problem> {
    let campaign = api.campaign(&caller, id).await?;
    let bounds = Bounds {
        looked: LOOKED,
        found: query.limit.unwrap_or_default().get() as usize,
    };
    let place = (bounds, query.cursor.as_ref());
    let page = api.receivers_of(&caller, &campaign, query.status, place);
    Ok(Json(page.await?))
}

/// Download the receivers of a campaign.
///
/// A CSV file in parts of up to 1,000 receivers. While a part follows, the header `Link` names its address with the relation `next`. Only
/// the first part has headings. No cell is a formula. The audit log has an entry for each hour of downloads.
#[utoipa::path(
    get,
    path = "/v1/campaigns/{id}/receivers/file",
    operation_id = "downloadReceivers",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign"), FileQuery),
    responses((status = 200, description = "A part of the file", body = String, content_type = "text/csv")),
)]
async fn file(
    State(api): State<Api>,
    caller: May<op::DownloadReceivers>,
    ip: ClientIp,
    Path(id): Path<CampaignId>,
    Query(query): Query<FileQuery>,
) -> Result<Response, Problem> {
    let campaign = api.campaign(&caller, id).await?;
    let is_first = query.cursor.is_none();
    let (grant, permission) = (caller.grant(), caller.permission());
    let objects = format!("receivers of {id}");
    let noted = api.audit.note_hourly(grant, permission, &objects, &ip.0);
    noted.await?;
    let bounds = Bounds {
        looked: LINES,
        found: LINES,
    };
    let place = (bounds, query.cursor.as_ref());
    let page = api.receivers_of(&caller, &campaign, query.status, place);
    let page = page.await?;
    let mut text = String::new();
    if is_first {
        // lambda_http drops one mark when it reads the answer as text.
        text.push_str(csv_out::MARK);
        text.push_str(csv_out::MARK);
        text.push_str(&csv_out::line(HEADINGS));
    }
    for receiver in &page.data {
        text.push_str(&csv_out::line(receiver.cells()));
    }
    let name = format!("attachment; filename=\"{id}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    let mut response = (headers, text).into_response();
    if let Some(Cursor(next)) = page.next {
        let status = serde_json::to_value(query.status).unwrap_or_default();
        let status = status.as_str().map(|status| format!("&status={status}"));
        let status = status.unwrap_or_default();
        let link =
            format!("</v1/campaigns/{id}/receivers/file?cursor={next}{status}>; rel=\"next\"");
        if let Ok(link) = link.parse() {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}
