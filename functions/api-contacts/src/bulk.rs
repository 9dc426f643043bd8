//! Changes of many contacts.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::bulk::{Action, Job, MAX_RUNNING, Selection, Started, Status};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{BulkId, ContactId, ListId, Needs, Origin, TenantKey};
use lambda::http::{ClientIp, Code, Creation, DRAWS, Flaws, Json, May, Path, Problem, Query};
use serde::{Deserialize, Serialize};

use crate::api::{Api, known_list};
use crate::shape::{self, Paging};

/// Most contacts that a request names.
const MAX_SELECTED: usize = 500;

/// The change that each contact gets: exactly one of these.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkChange {
    /// Tags that each contact gets.
    #[schema(min_items = 1, max_items = 50)]
    add_tags: Option<Vec<String>>,
    /// Tags that each contact loses.
    #[schema(min_items = 1, max_items = 50)]
    remove_tags: Option<Vec<String>>,
    /// A list that each contact joins.
    add_to_list_id: Option<ListId>,
    /// A list that each contact leaves.
    remove_from_list_id: Option<ListId>,
}

/// The contacts that are changed: exactly one of these.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkSelection {
    /// These contacts.
    #[schema(min_items = 1, max_items = 500)]
    contact_ids: Option<Vec<ContactId>>,
    /// Every contact of this list.
    list_id: Option<ListId>,
    /// Every contact that has this tag.
    #[schema(min_length = 1, max_length = 255)]
    tag: Option<String>,
    /// `true`: every contact of the workspace.
    everybody: Option<bool>,
}

/// A change of many contacts.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewBulkJob)]
#[serde(deny_unknown_fields)]
pub struct JobIn {
    change: BulkChange,
    selection: BulkSelection,
}

/// A bulk job as clients see it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkJob)]
pub struct JobView {
    id: BulkId,
    /// `add_tags`, `remove_tags`, `add_to_list`, `remove_from_list` or `rename_tag`.
    action: &'static str,
    status: Status,
    /// Contacts that are done.
    processed: u64,
    /// Contacts that have the change now.
    changed: u64,
    /// Contacts that do not exist.
    missing: u64,
    /// Contacts without room for the change.
    full: u64,
    /// The user or the key that asked for it.
    actor_id: String,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    finished_at: Option<Timestamp>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            processed: job.processed(),
            action: match job.action {
                Action::AddTags { .. } => "add_tags",
                Action::RemoveTags { .. } => "remove_tags",
                Action::AddToList { .. } => "add_to_list",
                Action::RemoveFromList { .. } => "remove_from_list",
                Action::RenameTag { .. } => "rename_tag",
            },
            status: job.status,
            changed: job.changed,
            missing: job.missing,
            full: job.full,
            actor_id: job.actor,
            created_at: job.created_at,
            finished_at: job.finished_at,
        }
    }
}

/// Starts a job, after its entry in the audit log.
pub async fn begin<P: Needs>(
    api: &Api,
    caller: &May<P>,
    ip: &ClientIp,
    origin: &Origin,
    action: Action,
    selection: Selection,
) -> Result<JobView, Problem> {
    for draw in 0..DRAWS {
        let id = BulkId::of(origin, draw);
        let (grant, operation) = (caller.grant(), caller.permission());
        api.audit.note(grant, operation, id, &ip.0).await?;
        let (action, selection) = (action.clone(), selection.clone());
        let started = api.bulk.start(
            caller.tenant,
            id,
            origin.at,
            &caller.actor,
            action,
            selection,
        );
        match started.await? {
            Started::Job(job) => return Ok((*job).into()),
            Started::Busy => {
                let detail = format!("{MAX_RUNNING} bulk jobs are running; wait until one ends");
                return Err(Problem::new(Code::Conflict, detail));
            }
            Started::Taken => {}
        }
    }
    Err(cloud::Error::Conflict.into())
}

impl BulkChange {
    async fn check(
        self,
        api: &Api,
        tenant: TenantKey,
        flaws: &mut Flaws,
    ) -> Result<Option<Action>, Problem> {
        let mut actions = Vec::new();
        if let Some(tags) = self.add_tags {
            let tags = shape::some_tags("/change/add_tags", &tags, flaws)?;
            actions.push(Action::AddTags { tags });
        }
        if let Some(tags) = self.remove_tags {
            let tags = shape::some_tags("/change/remove_tags", &tags, flaws)?;
            actions.push(Action::RemoveTags { tags });
        }
        if let Some(list_id) = self.add_to_list_id {
            let known = known_list(api, tenant, list_id, "/change/add_to_list_id").await;
            flaws.take(known)?;
            actions.push(Action::AddToList { list_id });
        }
        if let Some(list_id) = self.remove_from_list_id {
            actions.push(Action::RemoveFromList { list_id });
        }
        let is_one = actions.len() == 1;
        flaws.check(!is_one, "/change", "give exactly one change");
        Ok(actions.pop())
    }
}

impl BulkSelection {
    async fn check(
        self,
        api: &Api,
        tenant: TenantKey,
        flaws: &mut Flaws,
    ) -> Result<Option<Selection>, Problem> {
        let mut selections = Vec::new();
        if let Some(mut contact_ids) = self.contact_ids {
            let is_wrong = !(1..=MAX_SELECTED).contains(&contact_ids.len());
            let message = "holds 1 to 500 contacts";
            flaws.check(is_wrong, "/selection/contact_ids", message);
            contact_ids.sort_unstable();
            contact_ids.dedup();
            selections.push(Selection::Contacts { contact_ids });
        }
        if let Some(list_id) = self.list_id {
            let known = known_list(api, tenant, list_id, "/selection/list_id").await;
            flaws.take(known)?;
            selections.push(Selection::List { list_id });
        }
        if let Some(tag) = self.tag {
            let tag = flaws.take(shape::tag("/selection/tag", &tag))?;
            let tag = tag.unwrap_or_default();
            selections.push(Selection::Tag { tag });
        }
        if let Some(everybody) = self.everybody {
            flaws.check(!everybody, "/selection/everybody", "must be true");
            selections.push(Selection::Everybody);
        }
        let is_one = selections.len() == 1;
        flaws.check(!is_one, "/selection", "give exactly one selection");
        Ok(selections.pop())
    }
}

/// Change many contacts.
///
/// The answer comes before the contacts are changed: read the job to see its progress. At most four jobs of a
/// workspace run at a time. A bulk job starts no workflow.
#[utoipa::path(
    post,
    path = "/v1/contacts/bulk",
    operation_id = "startBulkJob",
    tag = "contacts",
    request_body = JobIn,
    responses((status = 202, description = "Accepted", body = JobView)),
)]
pub async fn start(
    State(api): State<Api>,
    caller: May<op::StartBulkJob>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(body): Json<JobIn>,
) -> Result<(StatusCode, Json<JobView>), Problem> {
    let mut flaws = Flaws::default();
    let action = body.change.check(&api, caller.tenant, &mut flaws).await?;
    let selection = body
        .selection
        .check(&api, caller.tenant, &mut flaws)
        .await?;
    flaws.refuse()?;
    let (Some(action), Some(selection)) = (action, selection) else {
        return Err(Problem::invalid("", "give a change and a selection"));
    };
    let job = begin(&api, &caller, &ip, &origin, action, selection).await?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}

/// List the bulk jobs, newest first.
#[utoipa::path(
    get,
    path = "/v1/contacts/bulk",
    operation_id = "listBulkJobs",
    tag = "contacts",
    params(Paging),
    responses((status = 200, description = "A page of jobs", body = Page<JobView>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListBulkJobs>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<JobView>>, Problem> {
    let page = api.bulk.page(caller.tenant, paging.limit, paging.cursor);
    Ok(Json(page.await?.map(JobView::from)))
}

/// Show the progress of a bulk job.
#[utoipa::path(
    get,
    path = "/v1/contacts/bulk/{id}",
    operation_id = "showBulkJob",
    tag = "contacts",
    params(("id" = BulkId, Path, description = "The job")),
    responses((status = 200, description = "The job", body = JobView)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowBulkJob>,
    Path(id): Path<BulkId>,
) -> Result<Json<JobView>, Problem> {
    let job = api.bulk.get(caller.tenant, id).await?;
    Ok(Json(job.ok_or_else(|| Problem::not_found("job"))?.into()))
}
