//! The account's workspaces.

use access::op;
use accounts::workspaces::{CampaignApprovalRule, DefaultSender, FrequencyCap, QuietHours};
use accounts::{AuditEntry, Workspace, WorkspaceSettings, WorkspaceStatus};
use axum::extract::State;
use axum::http::StatusCode;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{Needs, Patch, Role, TransactionalReason, WorkspaceId};
use lambda::http::{ClientIp, Code, Creation, Flaws, Json, May, Member, Path, Problem, Query};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::me::myself;
use crate::shape::{self, Paging};

/// Characters of a permission reminder.
const REMINDER: std::ops::RangeInclusive<usize> = 20..=500;
const MAX_ADDRESS: usize = 500;
/// Longest quiet hours. With the hours of the law they leave 3 hours a day for advertising by text message.
const MAX_QUIET: SignedDuration = SignedDuration::from_hours(12);
/// Bounds of the frequency cap.
const CAP_MESSAGES: std::ops::RangeInclusive<u32> = 1..=20;
const CAP_DAYS: std::ops::RangeInclusive<u32> = 1..=90;
/// Largest control group, in percent.
const MAX_HOLDOUT: u8 = 10;

/// A workspace in answers.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Workspace)]
pub struct WorkspaceView {
    id: WorkspaceId,
    #[serde(flatten)]
    settings: WorkspaceSettings,
    status: WorkspaceStatus,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
}

impl From<Workspace> for WorkspaceView {
    fn from(workspace: Workspace) -> Self {
        Self {
            id: workspace.id,
            settings: workspace.settings,
            status: workspace.status,
            created_at: workspace.created_at,
        }
    }
}

/// Settings to change: what is absent stays, `null` clears.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[schema(as = WorkspaceChange)]
#[serde(deny_unknown_fields)]
pub struct WorkspacePatch {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    #[schema(max_length = 64, example = "Asia/Ho_Chi_Minh")]
    time_zone: Option<String>,
    #[schema(max_length = 500)]
    postal_address: Option<String>,
    /// Why readers get the workspace's mails: 20 to 500 characters, or an empty text for none.
    #[schema(max_length = 500, pattern = r"^([\s\S]{20,})?$")]
    permission_reminder: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<DefaultSender>)]
    default_sender: Patch<DefaultSender>,
    /// No marketing of any channel in these hours, at most 12; it waits until they end.
    #[serde(default)]
    #[schema(value_type = Option<QuietHours>)]
    quiet_hours: Patch<QuietHours>,
    /// Most marketing messages that a contact gets by all channels together; the others are skipped.
    #[serde(default)]
    #[schema(value_type = Option<FrequencyCap>)]
    frequency_cap: Patch<FrequencyCap>,
    /// The control group in percent of the contacts, 0 to 10: it gets no marketing. Its members stay the same.
    #[schema(maximum = 10)]
    holdout_percent: Option<u8>,
    /// Whether marketing needs a proven consent; true unless it is switched off.
    strict_consent: Option<bool>,
    /// Whether the subjects of marketing mails begin with `[QC]`, as Decree 91/2020 asks; true unless it is switched
    /// off.
    advertising_label: Option<bool>,
    /// The campaigns that need an approval before they are sent; null: none.
    #[serde(default)]
    #[schema(value_type = Option<CampaignApprovalRule>)]
    campaign_approval: Patch<CampaignApprovalRule>,
    /// The reasons that transactional mails of the workspace may give.
    #[schema(max_items = 4)]
    transactional_reasons: Option<Vec<TransactionalReason>>,
}

impl WorkspacePatch {
    /// `identity` is the domain or address that mails may come from.
    fn onto(
        self,
        mut settings: WorkspaceSettings,
        identity: &str,
    ) -> Result<WorkspaceSettings, Problem> {
        let mut flaws = Flaws::default();
        self.gate_flaws(&mut flaws);
        if let Some(name) = &self.name
            && let Some(name) = flaws.take(shape::name("/name", name))?
        {
            settings.name = name;
        }
        if let Some(zone) = self.time_zone {
            let message = "expected an IANA time zone such as Asia/Ho_Chi_Minh";
            flaws.check(TimeZone::get(&zone).is_err(), "/time_zone", message);
            settings.time_zone = zone;
        }
        if let Some(address) = self.postal_address {
            let is_long = address.chars().count() > MAX_ADDRESS;
            flaws.check(is_long, "/postal_address", "has at most 500 characters");
            address.trim().clone_into(&mut settings.postal_address);
        }
        if let Some(reminder) = self.permission_reminder {
            let length = reminder.trim().chars().count();
            let is_wrong = length != 0 && !REMINDER.contains(&length);
            let message = "must have 20 to 500 characters, or none";
            flaws.check(is_wrong, "/permission_reminder", message);
            reminder
                .trim()
                .clone_into(&mut settings.permission_reminder);
        }
        if let Some(sender) = self.default_sender.value() {
            flaws.take(shape::name("/default_sender/name", &sender.name))?;
            let message =
                format!("expected an address of {identity}, which is verified for sending");
            let is_foreign = !sender.email.is_of(identity);
            flaws.check(is_foreign, "/default_sender/email", &message);
        }
        let above = self.campaign_approval.value().and_then(|rule| rule.above);
        let is_wrong = above.is_some_and(|above| !(1..=1_000_000_000).contains(&above));
        let message = "must be 1 to 1,000,000,000";
        flaws.check(is_wrong, "/campaign_approval/above", message);
        flaws.refuse()?;
        if let Some(mut reasons) = self.transactional_reasons {
            reasons.sort_unstable();
            reasons.dedup();
            settings.transactional_reasons = reasons;
        }
        settings.holdout_percent = self.holdout_percent.unwrap_or(settings.holdout_percent);
        settings.strict_consent = self.strict_consent.unwrap_or(settings.strict_consent);
        settings.advertising_label = self.advertising_label.unwrap_or(settings.advertising_label);
        settings.default_sender = self.default_sender.onto(settings.default_sender);
        settings.campaign_approval = self.campaign_approval.onto(settings.campaign_approval);
        settings.frequency_cap = self.frequency_cap.onto(settings.frequency_cap);
        settings.quiet_hours = self.quiet_hours.onto(settings.quiet_hours);
        Ok(settings)
    }
}

impl WorkspacePatch {
    /// The flaws of the settings that hold marketing back.
    fn gate_flaws(&self, flaws: &mut Flaws) {
        if let Some(quiet) = self.quiet_hours.value() {
            let length = length_of(*quiet);
            let message = "must last at most 12 hours, and may not end when they begin";
            let is_wrong = length.is_zero() || length > MAX_QUIET;
            flaws.check(is_wrong, "/quiet_hours", message);
        }
        if let Some(cap) = self.frequency_cap.value() {
            let is_wrong = !CAP_MESSAGES.contains(&cap.messages);
            flaws.check(is_wrong, "/frequency_cap/messages", "must be 1 to 20");
            let is_wrong = !CAP_DAYS.contains(&cap.days);
            flaws.check(is_wrong, "/frequency_cap/days", "must be 1 to 90");
        }
        let is_large = self
            .holdout_percent
            .is_some_and(|percent| percent > MAX_HOLDOUT);
        flaws.check(is_large, "/holdout_percent", "must be 0 to 10");
    }
}

/// How long the quiet hours last.
fn length_of(quiet: QuietHours) -> SignedDuration {
    let length = quiet.until.duration_since(quiet.from);
    if length.is_negative() {
        length + SignedDuration::from_hours(24)
    } else {
        length
    }
}

/// List the workspaces that the user may enter, oldest first.
///
/// Pages may hold fewer than `limit`.
#[utoipa::path(
    get,
    path = "/v1/workspaces",
    operation_id = "listWorkspaces",
    tag = "workspaces",
    params(Paging),
    responses((status = 200, description = "A page of workspaces", body = Page<WorkspaceView>)),
)]
pub async fn list(
    State(api): State<Api>,
    member: May<op::ListWorkspaces, Member>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<WorkspaceView>>, Problem> {
    let user = myself(&api, &member).await?;
    let page = api
        .workspaces
        .page(member.grant.account, paging.limit, paging.cursor);
    let mut page = page.await?;
    page.data.retain(|workspace| user.may_enter(workspace.id));
    Ok(Json(page.map(WorkspaceView::from)))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspace {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(max_length = 64, example = "Asia/Ho_Chi_Minh")]
    time_zone: Option<String>,
    #[schema(max_length = 500)]
    postal_address: Option<String>,
    /// Why readers get the workspace's mails: 20 to 500 characters, or an empty text for none.
    #[schema(max_length = 500, pattern = r"^([\s\S]{20,})?$")]
    permission_reminder: Option<String>,
}

/// Make a workspace; its name is unique in the account.
#[utoipa::path(
    post,
    path = "/v1/workspaces",
    operation_id = "createWorkspace",
    tag = "workspaces",
    request_body = NewWorkspace,
    responses((status = 201, description = "Made", body = WorkspaceView)),
)]
pub async fn create(
    State(api): State<Api>,
    member: May<op::CreateWorkspace, Member>,
    Creation(origin): Creation,
    ip: ClientIp,
    Json(new): Json<NewWorkspace>,
) -> Result<(StatusCode, Json<WorkspaceView>), Problem> {
    let change = WorkspacePatch {
        name: Some(new.name),
        time_zone: new.time_zone,
        postal_address: new.postal_address,
        permission_reminder: new.permission_reminder,
        ..WorkspacePatch::default()
    };
    let settings = change.onto(WorkspaceSettings::named(""), &api.identity)?;
    let account = member.grant.account;
    let workspaces = &api.workspaces;
    if let Some(made) = workspaces.made_by(account, &settings.name, &origin).await? {
        return Ok((StatusCode::CREATED, Json(made.into())));
    }
    let id = workspaces.reserve(account, &settings.name, &origin).await?;
    let id = id.ok_or_else(name_taken)?;
    note(&api, &member, id, &ip).await?;
    let made = workspaces.make(account, id, origin.at, settings).await?;
    let tenant = made.ok_or_else(name_taken)?;
    let workspace = find(&api, &member, tenant.workspace()).await?;
    Ok((StatusCode::CREATED, Json(workspace.into())))
}

/// Show a workspace.
#[utoipa::path(
    get,
    path = "/v1/workspaces/{id}",
    operation_id = "showWorkspace",
    tag = "workspaces",
    params(("id" = WorkspaceId, Path, description = "The workspace")),
    responses((status = 200, description = "The workspace", body = WorkspaceView)),
)]
pub async fn show(
    State(api): State<Api>,
    member: May<op::ShowWorkspace, Member>,
    Path(id): Path<WorkspaceId>,
) -> Result<Json<WorkspaceView>, Problem> {
    Ok(Json(find(&api, &member, id).await?.into()))
}

/// Change a workspace's settings: what is absent stays, `null` clears.
#[utoipa::path(
    patch,
    path = "/v1/workspaces/{id}",
    operation_id = "updateWorkspace",
    tag = "workspaces",
    params(("id" = WorkspaceId, Path, description = "The workspace")),
    request_body = WorkspacePatch,
    responses((status = 200, description = "The workspace", body = WorkspaceView)),
)]
pub async fn update(
    State(api): State<Api>,
    member: May<op::UpdateWorkspace, Member>,
    ip: ClientIp,
    Path(id): Path<WorkspaceId>,
    Json(change): Json<WorkspacePatch>,
) -> Result<Json<WorkspaceView>, Problem> {
    let before = find(&api, &member, id).await?;
    let settings = change.onto(before.settings.clone(), &api.identity)?;
    let status = before.status;
    save(&api, &member, &ip, before, settings, status).await
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = ArchiveConfirmation)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    #[schema(max_length = 255)]
    name: String,
}

/// Close a workspace to everybody until it is restored.
///
/// The body repeats the name, so that nobody closes the wrong one. The API refuses at once; forms, chats and
/// sends stop within ten seconds.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{id}/archive",
    operation_id = "archiveWorkspace",
    tag = "workspaces",
    params(("id" = WorkspaceId, Path, description = "The workspace")),
    request_body = Confirmation,
    responses((status = 200, description = "The workspace", body = WorkspaceView)),
)]
pub async fn archive(
    State(api): State<Api>,
    member: May<op::ArchiveWorkspace, Member>,
    ip: ClientIp,
    Path(id): Path<WorkspaceId>,
    Json(confirmation): Json<Confirmation>,
) -> Result<Json<WorkspaceView>, Problem> {
    let before = find(&api, &member, id).await?;
    if confirmation.name != before.settings.name {
        return Err(Problem::invalid("/name", "must be the workspace's name"));
    }
    let (settings, status) = (before.settings.clone(), WorkspaceStatus::Archived);
    save(&api, &member, &ip, before, settings, status).await
}

/// Open an archived workspace again. Forms, chats and sends work again within ten seconds, and contacts in workflows
/// go on about half a minute after the request.
#[utoipa::path(
    post,
    path = "/v1/workspaces/{id}/restore",
    operation_id = "restoreWorkspace",
    tag = "workspaces",
    params(("id" = WorkspaceId, Path, description = "The workspace")),
    responses((status = 200, description = "The workspace", body = WorkspaceView)),
)]
pub async fn restore(
    State(api): State<Api>,
    member: May<op::RestoreWorkspace, Member>,
    ip: ClientIp,
    Path(id): Path<WorkspaceId>,
) -> Result<Json<WorkspaceView>, Problem> {
    let before = find(&api, &member, id).await?;
    // Written first: if the restoration is lost, the release finds the workspace archived and does nothing.
    workflows::restore_later(&api.timers, before.tenant()).await?;
    let (settings, status) = (before.settings.clone(), WorkspaceStatus::Active);
    save(&api, &member, &ip, before, settings, status).await
}

async fn save<P: Needs>(
    api: &Api,
    member: &May<P, Member>,
    ip: &ClientIp,
    before: Workspace,
    settings: WorkspaceSettings,
    status: WorkspaceStatus,
) -> Result<Json<WorkspaceView>, Problem> {
    note(api, member, before.id, ip).await?;
    let saved = api.workspaces.change(before, settings, status).await?;
    Ok(Json(saved.ok_or_else(name_taken)?.into()))
}

/// Writes a change of a workspace to the audit log. The workspace may be another than that of the
/// request.
async fn note<P: Needs>(
    api: &Api,
    member: &May<P, Member>,
    id: WorkspaceId,
    ip: &ClientIp,
) -> Result<(), Problem> {
    let grant = member.grant();
    let operation = member.permission();
    let entry = api
        .audit
        .entry(&grant.actor, operation.id, &id.to_string(), &ip.0);
    let entry = AuditEntry {
        workspace_id: Some(id),
        ..entry
    };
    Ok(api.audit.add(grant.account, &entry).await?)
}

fn name_taken() -> Problem {
    Problem::new(
        Code::Conflict,
        "another workspace of the account has this name",
    )
}

/// A workspace of the account that the person may enter.
async fn find(api: &Api, member: &Member, id: WorkspaceId) -> Result<Workspace, Problem> {
    let absent = || Problem::not_found("workspace");
    if member.grant.role != Some(Role::AccountAdmin) && !myself(api, member).await?.may_enter(id) {
        return Err(absent());
    }
    let found = api.workspaces.of_account(member.grant.account, id).await?;
    found.ok_or_else(absent)
}
