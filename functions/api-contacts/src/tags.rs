//! The vocabulary of tags.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::Tags;
use contacts::bulk::{Action, Selection};
use contacts::tags_vocabulary::{COLOUR, Entered, MAX_VOCABULARY, Tag};
use kernel::page::Page;
use kernel::text::alike;
use kernel::{Patch, TenantKey};
use lambda::http::{ClientIp, Code, Creation, Flaws, Json, May, Path, Problem, Query};
use serde::Deserialize;

use crate::api::Api;
use crate::bulk::{JobView, begin};
use crate::shape::{self, Paging};

/// A tag to add to the vocabulary.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewTag)]
#[serde(deny_unknown_fields)]
pub struct TagIn {
    #[schema(min_length = 1, max_length = 255, example = "VIP")]
    name: String,
    /// A colour as `#rrggbb`; `#1f93ff` if it is absent.
    #[schema(pattern = "^#[0-9a-fA-F]{6}$", max_length = 7)]
    colour: Option<String>,
    #[schema(max_length = 500)]
    description: Option<String>,
}

/// The settings of a tag to change; absent ones stay.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = TagChange)]
#[serde(deny_unknown_fields)]
pub struct TagPatch {
    #[schema(pattern = "^#[0-9a-fA-F]{6}$", max_length = 7)]
    colour: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 500)]
    description: Patch<String>,
}

/// The new name of a tag.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TagRename {
    #[schema(min_length = 1, max_length = 255, example = "Khách VIP")]
    name: String,
}

fn no_tag() -> Problem {
    Problem::not_found("tag")
}

async fn find(api: &Api, tenant: TenantKey, name: &str) -> Result<Tag, Problem> {
    // A text that cannot be a tag can be longer than a key.
    let name = Tags::parse(name).map_err(|_| no_tag())?;
    let tag = api.vocabulary.get(tenant, name.as_str()).await?;
    tag.ok_or_else(no_tag)
}

fn check(tag: &Tag, mut flaws: Flaws) -> Result<(), Problem> {
    flaws.extend(tag.flaws());
    flaws.refuse()
}

fn full() -> Problem {
    let detail = format!("a workspace has at most {MAX_VOCABULARY} tags");
    Problem::new(Code::Unprocessable, detail)
}

fn taken() -> Problem {
    Problem::new(Code::Conflict, "another tag has this name").at("/name", "is in use")
}

/// List the tags of the workspace, in the order of their names.
///
/// A tag that a contact got first at any entry is here too. `contacts_count` is the number at `counted_at`: a reading counts
/// again if the numbers are an hour old, and a day more for each million contacts.
#[utoipa::path(
    get,
    path = "/v1/tags",
    operation_id = "listTags",
    tag = "contacts",
    params(Paging),
    responses((status = 200, description = "A page of tags", body = Page<Tag>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListTags>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Tag>>, Problem> {
    api.counts.refresh(caller.tenant).await?;
    let page = api
        .vocabulary
        .page(caller.tenant, paging.limit, paging.cursor);
    Ok(Json(page.await?))
}

/// Add a tag to the workspace.
#[utoipa::path(
    post,
    path = "/v1/tags",
    operation_id = "createTag",
    tag = "contacts",
    request_body = TagIn,
    responses((status = 201, description = "Made", body = Tag)),
)]
pub async fn create(
    State(api): State<Api>,
    caller: May<op::CreateTag>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(body): Json<TagIn>,
) -> Result<(StatusCode, Json<Tag>), Problem> {
    let mut flaws = Flaws::default();
    let name = flaws.take(shape::tag("/name", &body.name))?;
    let tag = Tag {
        name: name.unwrap_or_default(),
        colour: body.colour.unwrap_or_else(|| COLOUR.to_owned()),
        description: body.description,
        created_at: origin.at,
        contacts_count: None,
        counted_at: None,
    };
    check(&tag, flaws)?;
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, &tag.name, &ip.0).await?;
    match api.vocabulary.add(caller.tenant, &tag).await? {
        Entered::New => {}
        Entered::Known(found) if found.clone().uncounted() == tag => {}
        Entered::Known(_) => return Err(taken()),
        Entered::Full => return Err(full()),
    }
    Ok((StatusCode::CREATED, Json(tag)))
}

/// Show a tag.
#[utoipa::path(
    get,
    path = "/v1/tags/{id}",
    operation_id = "showTag",
    tag = "contacts",
    params(("id" = String, Path, description = "The tag's name", max_length = 255)),
    responses((status = 200, description = "The tag", body = Tag)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowTag>,
    Path(name): Path<String>,
) -> Result<Json<Tag>, Problem> {
    Ok(Json(find(&api, caller.tenant, &name).await?))
}

/// Change the colour or the description of a tag.
#[utoipa::path(
    patch,
    path = "/v1/tags/{id}",
    operation_id = "updateTag",
    tag = "contacts",
    params(("id" = String, Path, description = "The tag's name", max_length = 255)),
    request_body = TagPatch,
    responses((status = 200, description = "Changed", body = Tag)),
)]
pub async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateTag>,
    ip: ClientIp,
    Path(name): Path<String>,
    Json(body): Json<TagPatch>,
) -> Result<Json<Tag>, Problem> {
    let before = find(&api, caller.tenant, &name).await?;
    let tag = Tag {
        colour: body.colour.unwrap_or(before.colour),
        description: body.description.onto(before.description),
        ..before
    };
    check(&tag, Flaws::default())?;
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, &name, &ip.0).await?;
    let changed = api.vocabulary.change(caller.tenant, &tag).await?;
    Ok(Json(changed.ok_or_else(no_tag)?))
}

/// Rename a tag.
///
/// The new name is in the vocabulary at once, and the old one is not. A bulk job replaces the tag on each contact
/// that has it. A source or a workflow that still adds the old name adds it as a tag of its own.
#[utoipa::path(
    post,
    path = "/v1/tags/{id}/rename",
    operation_id = "renameTag",
    tag = "contacts",
    params(("id" = String, Path, description = "The tag's name", max_length = 255)),
    request_body = TagRename,
    responses((status = 202, description = "The job that renames it", body = JobView)),
)]
pub async fn rename(
    State(api): State<Api>,
    caller: May<op::RenameTag>,
    ip: ClientIp,
    Creation(origin): Creation,
    Path(name): Path<String>,
    Json(body): Json<TagRename>,
) -> Result<(StatusCode, Json<JobView>), Problem> {
    let tenant = caller.tenant;
    let before = find(&api, tenant, &name).await?;
    let to = shape::tag("/name", &body.name)?;
    let name = before.name.clone();
    if alike(&to) == alike(&name) {
        let message = "is the present name, except for the case of letters";
        return Err(Problem::invalid("/name", message));
    }
    let new = Tag {
        name: to.clone(),
        created_at: origin.at,
        ..before.uncounted()
    };
    match api.vocabulary.add(tenant, &new).await? {
        Entered::New => {}
        // An interrupted run of the same request has added it.
        Entered::Known(found) if found.clone().uncounted() == new => {}
        Entered::Known(_) => return Err(taken()),
        Entered::Full => return Err(full()),
    }
    let action = Action::RenameTag {
        from: name.clone(),
        to,
    };
    let selection = Selection::Tag { tag: name.clone() };
    let job = begin(&api, &caller, &ip, &origin, action, selection).await?;
    api.vocabulary.remove(tenant, &name).await?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}

/// Remove a tag from the vocabulary and from all contacts.
///
/// A bulk job removes the tag from each contact that has it. A source or a workflow that adds the tag later enters
/// it again.
#[utoipa::path(
    delete,
    path = "/v1/tags/{id}",
    operation_id = "removeTag",
    tag = "contacts",
    params(("id" = String, Path, description = "The tag's name", max_length = 255)),
    responses((status = 202, description = "The job that removes it", body = JobView)),
)]
pub async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveTag>,
    ip: ClientIp,
    Creation(origin): Creation,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<JobView>), Problem> {
    let name = find(&api, caller.tenant, &name).await?.name;
    let action = Action::RemoveTags {
        tags: vec![name.clone()],
    };
    let selection = Selection::Tag { tag: name.clone() };
    let job = begin(&api, &caller, &ip, &origin, action, selection).await?;
    api.vocabulary.remove(caller.tenant, &name).await?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}
