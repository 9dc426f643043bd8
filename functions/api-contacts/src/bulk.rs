//! Changes of many contacts.

use std::collections::BTreeSet;

use access::{Operation, op};
use axum::extract::State;
use axum::http::StatusCode;
use campaigns::ReceiversOf;
use contacts::bulk::{Action, Cancelled, Job, MAX_RUNNING, Selection, Started, Status};
use contacts::{Channel, Purpose};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{BulkId, ContactId, ListId, Needs, Origin, Patch, SegmentId, TenantKey, UserId};
use lambda::http::{ClientIp, Code, Creation, DRAWS, Flaws, Json, May, Path, Problem, Query};
use segments::{Conditions, JobId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{Api, known_list, known_member};
use crate::choice;
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
    /// The member of the workspace who looks after each contact; `null`: nobody.
    #[serde(default)]
    #[schema(value_type = Option<UserId>)]
    set_owner_id: Patch<UserId>,
    /// Each contact gets no more messages of these kinds. The proof is the word of staff; afterwards only a verified act
    /// of the person counts.
    unsubscribe: Option<BulkUnsubscription>,
    /// `true`: each contact is archived.
    archive: Option<bool>,
    /// `true`: each contact is taken out of the archive.
    restore: Option<bool>,
    /// `true`: each contact is erased. Only a person may do this who may erase one contact.
    delete: Option<bool>,
}

/// The messages that contacts get no more.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkUnsubscription {
    #[schema(min_items = 1, max_items = 4)]
    channels: BTreeSet<Channel>,
    /// `marketing` if it is not given.
    #[serde(default = "marketing")]
    #[schema(min_items = 1, max_items = 4)]
    purposes: BTreeSet<Purpose>,
    /// Why, for the proof.
    #[schema(min_length = 1, max_length = 255)]
    reason: Option<String>,
}

fn marketing() -> BTreeSet<Purpose> {
    [Purpose::Marketing].into()
}

/// The contacts that are changed: exactly one of these. Archived contacts are changed only by a restoration, or if
/// their ids are given.
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
    /// Every member of this segment. The segment is not deleted meanwhile.
    segment_id: Option<SegmentId>,
    /// Every contact that the conditions hold, as for a segment. At most 8,192 bytes.
    #[schema(value_type = Option<Conditions>)]
    conditions: Option<Value>,
    /// Receivers of a campaign, such as those who have not opened it.
    receivers: Option<ReceiversOf>,
}

/// The contacts of a bulk job.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BulkJobSelection)]
pub struct SelectionView {
    /// The number of contacts that the request named.
    contacts_count: Option<usize>,
    list_id: Option<ListId>,
    tag: Option<String>,
    everybody: bool,
    segment_id: Option<SegmentId>,
    #[schema(value_type = Option<Conditions>)]
    conditions: Option<Value>,
    receivers: Option<ReceiversOf>,
}

impl SelectionView {
    fn new(selection: &Selection) -> Self {
        let mut view = Self {
            contacts_count: None,
            list_id: None,
            tag: None,
            everybody: *selection == Selection::Everybody,
            segment_id: None,
            conditions: None,
            receivers: None,
        };
        match selection {
            Selection::Contacts { contact_ids } => view.contacts_count = Some(contact_ids.len()),
            Selection::List { list_id } => view.list_id = Some(*list_id),
            Selection::Tag { tag } => view.tag = Some(tag.clone()),
            Selection::Everybody => {}
            Selection::Chosen { choice } => {
                (view.segment_id, view.conditions, view.receivers) = choice::shown(Some(choice));
            }
        }
        view
    }
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
    /// `add_tags`, `remove_tags`, `add_to_list`, `remove_from_list`, `rename_tag`, `set_owner`, `unsubscribe`, `archive`, `restore` or `delete`.
    action: &'static str,
    selection: SelectionView,
    status: Status,
    /// The part of the selection that was searched, in percent; 100 when the job is completed.
    progress: u8,
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
            action: job.action.name(),
            selection: SelectionView::new(&job.selection),
            progress: job.progress(),
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
    let detail = detail(&action, &selection);
    for draw in 0..DRAWS {
        let id = BulkId::of(origin, draw);
        let (grant, operation) = (caller.grant(), caller.permission());
        let noted = api.audit.note_detail(grant, operation, id, &detail, &ip.0);
        noted.await?;
        let (tenant, job) = (caller.tenant, JobId::Bulk(id));
        let selection = match selection.clone() {
            Selection::Chosen { choice } => Selection::Chosen {
                choice: choice::pin(api, tenant, job, choice).await?,
            },
            other => other,
        };
        let (at, actor) = (origin.at, &caller.actor);
        let (action, chosen) = (action.clone(), selection.clone());
        let started = api.bulk.start(tenant, id, at, actor, action, selection);
        match started.await? {
            Started::Job(job) => return Ok((*job).into()),
            Started::Busy => {
                if let Selection::Chosen { choice } = &chosen {
                    choice::unpin(api, tenant, job, choice).await?;
                }
                let detail = format!("{MAX_RUNNING} bulk jobs are running; wait until one ends");
                return Err(Problem::new(Code::Conflict, detail));
            }
            Started::Taken => {}
        }
    }
    Err(cloud::Error::Conflict.into())
}

/// The change and the contacts, as the audit log shows them. The contacts that are erased are named.
fn detail(action: &Action, selection: &Selection) -> String {
    let of = match selection {
        Selection::Contacts { contact_ids } if *action == Action::Delete => {
            let ids = contact_ids.iter().map(ContactId::to_string);
            format!("contacts {}", ids.collect::<Vec<_>>().join(", "))
        }
        Selection::Contacts { contact_ids } => format!("{} contacts", contact_ids.len()),
        Selection::List { list_id } => format!("list {list_id}"),
        Selection::Tag { tag } => format!("tag {tag}"),
        Selection::Everybody => "everybody".to_owned(),
        Selection::Chosen { choice } => choice::detail(choice),
    };
    format!("{}: {of}", action.name())
}

impl BulkChange {
    /// Refuses an erasure to a credential that may not erase one contact.
    async fn permit<P: Needs>(
        &self,
        api: &Api,
        caller: &May<P>,
        ip: &ClientIp,
    ) -> Result<(), Problem> {
        let grant = caller.grant();
        if self.delete.is_none() || grant.may(Operation::EraseContact) {
            return Ok(());
        }
        let erasure = Operation::EraseContact;
        api.audit.note_forbidden(grant, erasure, &ip.0).await;
        let detail = "only an administrator may erase contacts; keys may not";
        Err(Problem::new(Code::Forbidden, detail))
    }

    async fn check<P: Needs>(
        self,
        api: &Api,
        caller: &May<P>,
        flaws: &mut Flaws,
    ) -> Result<Option<Action>, Problem> {
        let tenant = caller.tenant;
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
        match self.set_owner_id {
            Patch::Keep => {}
            Patch::Clear => actions.push(Action::SetOwner { owner_id: None }),
            Patch::Set(owner) => {
                let known = known_member(api, caller, owner, "/change/set_owner_id").await;
                flaws.take(known)?;
                let owner_id = Some(owner);
                actions.push(Action::SetOwner { owner_id });
            }
        }
        if let Some(asked) = self.unsubscribe {
            for (name, is_empty) in [
                ("channels", asked.channels.is_empty()),
                ("purposes", asked.purposes.is_empty()),
            ] {
                let pointer = format!("/change/unsubscribe/{name}");
                flaws.check(is_empty, pointer, "must not be empty");
            }
            let is_bad = asked.reason.as_deref().is_some_and(shape::is_bad);
            let pointer = "/change/unsubscribe/reason";
            flaws.check(is_bad, pointer, "must have 1 to 255 characters");
            actions.push(Action::Unsubscribe {
                channels: asked.channels,
                purposes: asked.purposes,
                reason: asked.reason,
            });
        }
        for (name, given, action) in [
            ("archive", self.archive, Action::Archive),
            ("restore", self.restore, Action::Restore),
            ("delete", self.delete, Action::Delete),
        ] {
            if let Some(given) = given {
                flaws.check(!given, format!("/change/{name}"), "must be true");
                actions.push(action);
            }
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
        origin: &Origin,
        restores: bool,
        flaws: &mut Flaws,
    ) -> Result<Option<Selection>, Problem> {
        let receivers = self.receivers.as_ref();
        let chosen = (self.segment_id, self.conditions.as_ref(), receivers);
        let choices = choice::check(api, tenant, origin, chosen, "/selection", flaws).await?;
        let is_empty = restores && self.segment_id.is_some();
        let message = "archived contacts are in no segment";
        flaws.check(is_empty, "/selection/segment_id", message);
        let is_empty = restores && self.receivers.is_some();
        let message = "no archived contact is found among receivers";
        flaws.check(is_empty, "/selection/receivers", message);
        let choices = choices.into_iter();
        let mut selections: Vec<Selection> =
            choices.map(|choice| Selection::Chosen { choice }).collect();
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
/// workspace run at a time. Its new tags and lists can start workflows. Only people who may erase a contact may `delete`. The audit log
/// names the change and the contacts.
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
    body.change.permit(&api, &caller, &ip).await?;
    let (mut flaws, tenant) = (Flaws::default(), caller.tenant);
    let restores = body.change.restore.is_some();
    let action = body.change.check(&api, &caller, &mut flaws).await?;
    let selection = body.selection;
    let selection = selection.check(&api, tenant, &origin, restores, &mut flaws);
    let selection = selection.await?;
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

/// End a bulk job.
///
/// The job ends after the contacts that are being changed, some hundred at most. The changes so far stay. A job that completes the
/// removal or the renaming of a tag or of a list is not ended: 409. May be repeated.
#[utoipa::path(
    post,
    path = "/v1/contacts/bulk/{id}/cancel",
    operation_id = "cancelBulkJob",
    tag = "contacts",
    params(("id" = BulkId, Path, description = "The job")),
    responses((status = 202, description = "The job ends soon", body = JobView)),
)]
pub async fn cancel(
    State(api): State<Api>,
    caller: May<op::CancelBulkJob>,
    ip: ClientIp,
    Path(id): Path<BulkId>,
) -> Result<(StatusCode, Json<JobView>), Problem> {
    if api.bulk.get(caller.tenant, id).await?.is_none() {
        return Err(Problem::not_found("job"));
    }
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, id, &ip.0).await?;
    match api.bulk.cancel(caller.tenant, id).await? {
        Cancelled::Soon(job) => Ok((StatusCode::ACCEPTED, Json((*job).into()))),
        Cancelled::Over => Err(Problem::new(Code::Conflict, "the job has ended")),
        Cancelled::Never => {
            let detail = "the job completes the change of a tag or a list";
            Err(Problem::new(Code::Conflict, detail))
        }
        Cancelled::Missing => Err(Problem::not_found("job")),
    }
}
