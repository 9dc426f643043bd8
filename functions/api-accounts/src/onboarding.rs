//! The checklist of a new workspace, computed from stored data. The step "build a segment" comes
//! with segments.

use access::op;
use accounts::User;
use axum::extract::State;
use jiff::Timestamp;
use kernel::Limit;
use lambda::http::{Caller, ClientIp, Json, May, Problem};
use serde::Serialize;
use workflows::Status;

use crate::api::Api;

/// Pages that are read to find an active workflow, a sent campaign or an agent of an inbox.
const PAGES: usize = 10;

/// The checklist.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Onboarding {
    /// In the recommended order.
    steps: Vec<Step>,
    /// When somebody dismissed the checklist.
    #[serde(serialize_with = "kernel::clock::millis")]
    dismissed_at: Option<Timestamp>,
}

/// One line of the checklist.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OnboardingStep)]
pub struct Step {
    key: Key,
    done: bool,
    /// When it was first seen done. A step that was done stays so.
    #[serde(serialize_with = "kernel::clock::millis")]
    done_at: Option<Timestamp>,
}

/// A step of the set-up.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OnboardingKey)]
pub enum Key {
    /// Make a workspace.
    Workspace,
    /// Connect a source or import a file: the workspace has a contact.
    Data,
    /// Set up a channel to send by: the workspace has a default sender, or has sent with another one.
    SendingChannel,
    /// Fill in the permission reminder and the postal address.
    SenderDetails,
    /// Send a campaign.
    Campaign,
    /// Activate a workflow.
    Workflow,
    /// Open an inbox and add an agent to it.
    Chat,
}

impl Key {
    fn name(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Data => "data",
            Self::SendingChannel => "sending_channel",
            Self::SenderDetails => "sender_details",
            Self::Campaign => "campaign",
            Self::Workflow => "workflow",
            Self::Chat => "chat",
        }
    }
}

/// Show what is left to set up in a workspace.
#[utoipa::path(
    get,
    path = "/v1/onboarding",
    operation_id = "showOnboarding",
    tag = "workspaces",
    responses((status = 200, description = "The checklist", body = Onboarding))
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowOnboarding>,
) -> Result<Json<Onboarding>, Problem> {
    onboarding(&api, &caller).await
}

/// Dismiss the checklist.
#[utoipa::path(
    post,
    path = "/v1/onboarding/dismiss",
    operation_id = "dismissOnboarding",
    tag = "workspaces",
    responses((status = 200, description = "The checklist", body = Onboarding))
)]
pub async fn dismiss(
    State(api): State<Api>,
    caller: May<op::DismissOnboarding>,
    ip: ClientIp,
) -> Result<Json<Onboarding>, Problem> {
    api.note(&caller, "onboarding", &ip).await?;
    api.workspaces.dismiss_onboarding(caller.tenant).await?;
    onboarding(&api, &caller).await
}

async fn onboarding(api: &Api, caller: &Caller) -> Result<Json<Onboarding>, Problem> {
    let tenant = caller.tenant;
    let workspace = api.workspaces.get(tenant).await?;
    let settings = workspace.map(|workspace| workspace.settings);
    let one = Limit::new(1).unwrap_or_default();
    let contacts = api.contacts.search(tenant, "", one, None).await?;
    let has_sender = settings
        .as_ref()
        .is_some_and(|settings| settings.default_sender.is_some());
    let has_details = settings.is_some_and(|settings| {
        !settings.permission_reminder.is_empty() && !settings.postal_address.is_empty()
    });
    let inboxes = api.inboxes.page(tenant, Limit::default(), None).await?;
    let has_chat = !inboxes.data.is_empty() && has_staff(api, caller).await?;
    let has_sent = sent_a_campaign(api, caller).await?;
    let steps = [
        (Key::Workspace, true),
        (Key::Data, !contacts.data.is_empty()),
        (Key::SendingChannel, has_sender || has_sent),
        (Key::SenderDetails, has_details),
        (Key::Campaign, has_sent),
        (Key::Workflow, activated_a_workflow(api, caller).await?),
        (Key::Chat, has_chat),
    ];
    let kept = api.workspaces.onboarding(tenant).await?;
    let mut shown = Vec::with_capacity(steps.len());
    for (key, done) in steps {
        let done_at = match kept.done_at.get(key.name()) {
            Some(&at) => Some(at),
            None if done => Some(api.workspaces.note_done(tenant, key.name()).await?),
            None => None,
        };
        shown.push(Step {
            key,
            done: done_at.is_some(),
            done_at,
        });
    }
    Ok(Json(Onboarding {
        steps: shown,
        dismissed_at: kept.dismissed_at,
    }))
}

/// Whether the inbox has an agent.
async fn has_staff(api: &Api, caller: &Caller) -> Result<bool, Problem> {
    let mut cursor = None;
    for _ in 0..PAGES {
        let account = caller.member().grant.account;
        let page = api.users.page(account, Limit::default(), cursor).await?;
        let workspace = caller.tenant.workspace();
        let answers = |user: &User| user.chat_role.is_some() && user.may_enter(workspace);
        if page.data.iter().any(answers) {
            return Ok(true);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(false)
}

async fn sent_a_campaign(api: &Api, caller: &Caller) -> Result<bool, Problem> {
    let mut cursor = None;
    for _ in 0..PAGES {
        let filter = campaigns::Filter::default();
        let page = api
            .campaigns
            .page(caller.tenant, Limit::default(), cursor, filter);
        let page = page.await?;
        if page
            .data
            .iter()
            .any(|campaign| campaign.started_at.is_some())
        {
            return Ok(true);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(false)
}

async fn activated_a_workflow(api: &Api, caller: &Caller) -> Result<bool, Problem> {
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = api.workflows.page(caller.tenant, Limit::default(), cursor);
        let page = page.await?;
        if page
            .data
            .iter()
            .any(|workflow| workflow.status != Status::Draft)
        {
            return Ok(true);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(false)
}
