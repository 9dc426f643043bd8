//! Maps requests to use cases. Another tenant's segment is not found.

use std::collections::BTreeMap;

use access::op;
use accounts::{Audit, Workspaces};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cloud::{QueueOf, SendOptions};
use contacts::{ContactChanged, Profiles};
use jiff::tz::TimeZone;
use kernel::page::Page;
use kernel::{Needs, SegmentId};
use lambda::http::{Caller, ClientIp, Code, Creation, DRAWS, Json, May, Path, Problem, Query};
use segments::{Kind, Members, Of, Previews, Refused, Segment, Segments};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::shape::{
    ListQuery, NewSegment, NewSegmentPreview, OfferedSegments, SegmentMember, SegmentMembersUpdate,
    SegmentPreview, SegmentUpdate, SegmentView, refused,
};

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub audit: Audit,
    pub workspaces: Workspaces,
    pub segments: Segments,
    pub members: Members,
    pub previews: Previews,
    pub profiles: Profiles,
    pub changes: QueueOf<ContactChanged>,
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(preview))
        .routes(routes!(offered))
        .routes(routes!(one, update, remove))
        .routes(routes!(members, change_members))
}

fn no_segment() -> Problem {
    Problem::not_found("segment")
}

impl Api {
    async fn segment(&self, caller: &Caller, id: SegmentId) -> Result<Segment, Problem> {
        let segment = self.segments.get(caller.tenant, id).await?;
        segment.ok_or_else(no_segment)
    }

    async fn zone(&self, caller: &Caller) -> Result<String, Problem> {
        let workspace = self.workspaces.get(caller.tenant).await?;
        let workspace = workspace.ok_or_else(|| Problem::not_found("workspace"))?;
        Ok(workspace.settings.time_zone)
    }

    async fn note<P: Needs>(
        &self,
        caller: &May<P>,
        id: SegmentId,
        ip: &ClientIp,
    ) -> Result<(), Problem> {
        let permission = caller.permission();
        let noted = self.audit.note(caller.grant(), permission, id, &ip.0);
        Ok(noted.await?)
    }

    async fn views(&self, caller: &Caller, all: Vec<Segment>) -> Result<Vec<SegmentView>, Problem> {
        let texts = self.segments.conditions(caller.tenant, &all).await?;
        let texts: BTreeMap<SegmentId, String> = texts.into_iter().collect();
        let views = all.into_iter().map(|one| {
            let text = texts.get(&one.segment).map(String::as_str);
            SegmentView::new(one, text)
        });
        Ok(views.collect())
    }

    async fn view(&self, caller: &Caller, segment: Segment) -> Result<SegmentView, Problem> {
        let mut views = self.views(caller, vec![segment]).await?;
        views.pop().ok_or_else(no_segment)
    }
}

/// List segments, oldest first.
#[utoipa::path(
    get,
    path = "/v1/segments",
    operation_id = "listSegments",
    tag = "segments",
    params(ListQuery),
    responses((status = 200, description = "A page of segments", body = Page<SegmentView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListSegments>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<SegmentView>>, Problem> {
    let page = api
        .segments
        .page(caller.tenant, query.limit, query.cursor)
        .await?;
    Ok(Json(Page {
        data: api.views(&caller, page.data).await?,
        next: page.next,
    }))
}

/// Make a segment.
///
/// A dynamic segment is `building` until the members among all contacts are found. From then on each change of a
/// contact, and time itself, moves contacts in and out within seconds.
#[utoipa::path(
    post,
    path = "/v1/segments",
    operation_id = "createSegment",
    tag = "segments",
    request_body = NewSegment,
    responses((status = 201, description = "Made", body = SegmentView)),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreateSegment>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(new): Json<NewSegment>,
) -> Result<Response, Problem> {
    let new = new.check(api.zone(&caller).await?)?;
    for draw in 0..DRAWS {
        let id = SegmentId::of(&origin, draw);
        api.note(&caller, id, &ip).await?;
        match api
            .segments
            .create(caller.tenant, id, origin.at, &new)
            .await?
        {
            Err(Refused::IdTaken) => {}
            Err(reason) => return Err(refused(reason)),
            Ok(segment) => {
                let location = format!("/v1/segments/{id}");
                let view = Json(api.view(&caller, segment).await?);
                let answer = (StatusCode::CREATED, [(header::LOCATION, location)], view);
                return Ok(answer.into_response());
            }
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// Try conditions: how many contacts they find, and ten of them.
///
/// The count is scaled from a sample where the workspace has more contacts than the sample.
#[utoipa::path(
    post,
    path = "/v1/segments/preview",
    operation_id = "previewSegment",
    tag = "segments",
    request_body = NewSegmentPreview,
    responses((status = 200, description = "What the conditions find", body = SegmentPreview)),
)]
async fn preview(
    State(api): State<Api>,
    caller: May<op::PreviewSegment>,
    Json(new): Json<NewSegmentPreview>,
) -> Result<Json<SegmentPreview>, Problem> {
    let conditions = new.check()?;
    let zone = TimeZone::get(&api.zone(&caller).await?);
    let zone = zone.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    let found = api.previews.of(caller.tenant, &conditions, &zone).await?;
    Ok(Json(SegmentPreview {
        count: found.count,
        is_estimate: found.sampled,
        checked: found.checked,
        contacts: found.contacts,
    }))
}

/// Make the offered segments that the workspace does not have, such as contacts of the last seven days.
#[utoipa::path(
    post,
    path = "/v1/segments/offered",
    operation_id = "createOfferedSegments",
    tag = "segments",
    responses((status = 200, description = "Those that were made", body = OfferedSegments)),
)]
async fn offered(
    State(api): State<Api>,
    caller: May<op::CreateOfferedSegments>,
    ip: ClientIp,
    Creation(origin): Creation,
) -> Result<Json<OfferedSegments>, Problem> {
    let zone = api.zone(&caller).await?;
    let mut made = Vec::new();
    for (n, one) in segments::system::segments().into_iter().enumerate() {
        let conditions = segments::parse(&one.conditions, &segments::Bounds::default());
        let conditions = conditions.map_err(|_| Problem::new(Code::Internal, one.key))?;
        let new = segments::NewSegment {
            name: one.name_vi.to_owned(),
            description: Some(one.name_en.to_owned()),
            conditions: Some(conditions),
            system: Some(one.key.to_owned()),
            zone: zone.clone(),
        };
        let id = SegmentId::of(&origin, 100 + n as u32);
        api.note(&caller, id, &ip).await?;
        match api
            .segments
            .create(caller.tenant, id, origin.at, &new)
            .await?
        {
            Ok(segment) => made.push(segment),
            Err(Refused::NameTaken) => {}
            Err(reason) => return Err(refused(reason)),
        }
    }
    let data = api.views(&caller, made).await?;
    Ok(Json(OfferedSegments { data }))
}

/// Show a segment.
#[utoipa::path(
    get,
    path = "/v1/segments/{id}",
    operation_id = "showSegment",
    tag = "segments",
    params(("id" = SegmentId, Path, description = "The segment")),
    responses((status = 200, description = "The segment", body = SegmentView)),
)]
async fn one(
    State(api): State<Api>,
    caller: May<op::ShowSegment>,
    Path(id): Path<SegmentId>,
) -> Result<Json<SegmentView>, Problem> {
    let segment = api.segment(&caller, id).await?;
    Ok(Json(api.view(&caller, segment).await?))
}

/// Change a segment. The members of the former conditions are shown until those of the new ones are found.
#[utoipa::path(
    patch,
    path = "/v1/segments/{id}",
    operation_id = "updateSegment",
    tag = "segments",
    params(("id" = SegmentId, Path, description = "The segment")),
    request_body = SegmentUpdate,
    responses(
        (status = 200, description = "Changed", body = SegmentView),
        (status = 422, description = "The segments of the workspace name too much"),
    ),
)]
async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateSegment>,
    ip: ClientIp,
    Path(id): Path<SegmentId>,
    Json(update): Json<SegmentUpdate>,
) -> Result<Json<SegmentView>, Problem> {
    let changes = update.check(api.zone(&caller).await?)?;
    api.segment(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    let changed = api.segments.change(caller.tenant, id, &changes).await?;
    Ok(Json(api.view(&caller, changed.map_err(refused)?).await?))
}

/// Delete a segment. A segment that another segment, a campaign or a workflow uses stays, and the answer names them.
#[utoipa::path(
    delete,
    path = "/v1/segments/{id}",
    operation_id = "removeSegment",
    tag = "segments",
    params(("id" = SegmentId, Path, description = "The segment")),
    responses((status = 204, description = "Deleted")),
)]
async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveSegment>,
    ip: ClientIp,
    Path(id): Path<SegmentId>,
) -> Result<StatusCode, Problem> {
    api.segment(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    let deleted = api.segments.delete(caller.tenant, id).await?;
    deleted.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the members of a segment. A page may hold fewer than `limit`; `next` says whether there are more.
#[utoipa::path(
    get,
    path = "/v1/segments/{id}/members",
    operation_id = "listSegmentMembers",
    tag = "segments",
    params(("id" = SegmentId, Path, description = "The segment"), ListQuery),
    responses((status = 200, description = "A page of members", body = Page<SegmentMember>)),
)]
async fn members(
    State(api): State<Api>,
    caller: May<op::ListSegmentMembers>,
    Path(id): Path<SegmentId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<SegmentMember>>, Problem> {
    let segment = api.segment(&caller, id).await?;
    let Some(version) = segment.live else {
        return Ok(Json(Page {
            data: Vec::new(),
            next: None,
        }));
    };
    let of = Of {
        segment: id,
        version,
    };
    let (limit, cursor) = (query.limit.get(), query.cursor);
    let page = api.members.all(caller.tenant, of, limit, cursor).await?;
    Ok(Json(page.map(|contact_id| SegmentMember { contact_id })))
}

/// Add contacts to a static segment, and remove contacts from it. The latest request about a contact wins.
///
/// A contact that enters or leaves has the event `segment.entered` or `segment.left`, as with conditions.
#[utoipa::path(
    post,
    path = "/v1/segments/{id}/members",
    operation_id = "updateSegmentMembers",
    tag = "segments",
    params(("id" = SegmentId, Path, description = "The segment")),
    request_body = SegmentMembersUpdate,
    responses((status = 202, description = "The members follow within seconds")),
)]
async fn change_members(
    State(api): State<Api>,
    caller: May<op::UpdateSegmentMembers>,
    ip: ClientIp,
    Path(id): Path<SegmentId>,
    Creation(origin): Creation,
    Json(update): Json<SegmentMembersUpdate>,
) -> Result<StatusCode, Problem> {
    update.check()?;
    let segment = api.segment(&caller, id).await?;
    if segment.kind != Kind::Static {
        let detail = "the members of a dynamic segment follow from its conditions";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let known = api
        .profiles
        .get_many(caller.tenant, &update.add_contact_ids)
        .await?;
    for (n, contact) in update.add_contact_ids.iter().enumerate() {
        if !known.contains_key(contact) {
            return Err(Problem::invalid(
                format!("/add_contact_ids/{n}"),
                "no such contact",
            ));
        }
    }
    api.note(&caller, id, &ip).await?;
    let at = origin.at;
    let placed = |contact, is_in| ContactChanged::Placed {
        contact,
        segment: id,
        is_in,
        at,
    };
    let added = update.add_contact_ids.iter().map(|one| placed(*one, true));
    let removed = update.remove_contact_ids.iter();
    let removed = removed.map(|one| placed(*one, false));
    let messages: Vec<ContactChanged> = added.chain(removed).collect();
    let sends = messages.iter().map(|message| {
        let options = SendOptions::default();
        api.changes.send(caller.tenant, message, options)
    });
    futures::future::try_join_all(sends).await?;
    Ok(StatusCode::ACCEPTED)
}
