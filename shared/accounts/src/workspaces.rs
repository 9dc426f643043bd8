//! Workspaces: the tenants. Each belongs to one account and keeps its data apart from all others.
//!
//! The settings are stored in the workspace's own partition, where senders find them by the tenant. The account's
//! partition holds one pointer for each workspace, for lists, and one claim for each name.

use std::collections::BTreeMap;

use cloud::{Created, Error, Query, Resources, Table, Update};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{AccountId, Cursor, Limit, Origin, TenantKey, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::{LEASE, keys};

mod settings;

pub use settings::{
    CampaignApprovalRule, DefaultSender, FrequencyCap, QuietHours, WorkspaceSettings,
};

/// Whether a workspace is worked in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkspaceStatus {
    /// It is.
    #[default]
    Active,
    /// Closed to everybody until it is restored.
    Archived,
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Id.
    pub id: WorkspaceId,
    /// Its account.
    pub account: AccountId,
    /// The settings.
    #[serde(flatten)]
    pub settings: WorkspaceSettings,
    /// Whether it is worked in.
    #[serde(default)]
    pub status: WorkspaceStatus,
    /// When it was made.
    pub created_at: Timestamp,
    version: u64,
}

impl Workspace {
    /// The key to its data.
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the workspace was read from the directory, for its account or its tenant"
    )]
    pub fn tenant(&self) -> TenantKey {
        TenantKey::authenticated(self.id)
    }

    /// Whether it is closed to everybody; nothing is sent for it.
    pub fn is_archived(&self) -> bool {
        self.status == WorkspaceStatus::Archived
    }
}

#[derive(Serialize, Deserialize)]
struct Pointer {
    workspace: WorkspaceId,
}

/// The workspace that has a name, or is about to have it.
#[derive(Serialize, Deserialize)]
struct NameClaim {
    workspace: WorkspaceId,
    claimed_at: Timestamp,
}

/// A workspace's checklist: its stored part.
#[derive(Debug, Default)]
pub struct Checklist {
    /// When it was put away.
    pub dismissed_at: Option<Timestamp>,
    /// When each step was first seen done, by its key.
    pub done_at: BTreeMap<String, Timestamp>,
}

/// Prefix of the attributes that hold the time of a step.
const DONE_AT: &str = "done_at_";

/// All workspaces.
#[derive(Clone, Debug)]
pub struct Workspaces {
    directory: Table,
}

impl Workspaces {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// Makes a workspace; `None` if another workspace of the account has the name.
    pub async fn create(
        &self,
        account: AccountId,
        settings: WorkspaceSettings,
    ) -> Result<Option<TenantKey>, Error> {
        let origin = Origin::fresh(self.directory.clock(), self.directory.entropy());
        match self.reserve(account, &settings.name, &origin).await? {
            Some(id) => self.make(account, id, origin.at, settings).await,
            None => Ok(None),
        }
    }

    /// The workspace of this name that an earlier run of the request made.
    pub async fn made_by(
        &self,
        account: AccountId,
        name: &str,
        origin: &Origin,
    ) -> Result<Option<Workspace>, Error> {
        if !origin.is_repeatable {
            return Ok(None);
        }
        let key = keys::workspace_name(account, &fold(name));
        let Some(claim) = self.directory.get::<NameClaim>(&key).await? else {
            return Ok(None);
        };
        let found = self.of_account(account, claim.workspace).await?;
        let is_its = |found: &Workspace| {
            found.created_at == origin.at && fold(&found.settings.name) == fold(name)
        };
        Ok(found.filter(is_its))
    }

    /// Claims a name and draws the id of its workspace; `None` if a workspace has the name. A claim without a
    /// workspace comes from a call that crashed, or another call is about to use it. Its id is returned again, and
    /// the first caller makes the workspace.
    pub async fn reserve(
        &self,
        account: AccountId,
        name: &str,
        origin: &Origin,
    ) -> Result<Option<WorkspaceId>, Error> {
        for id in origin.draws(WorkspaceId::of) {
            if self.get(tenant(id)).await?.is_none() {
                return self.claim_name(account, name, id, true).await;
            }
        }
        Err(Error::Conflict)
    }

    /// Makes the reserved workspace; `at` is its `created_at`. `None` if another call has just done so. The pointer is written before the
    /// settings; lists skip a pointer without settings.
    pub async fn make(
        &self,
        account: AccountId,
        id: WorkspaceId,
        at: Timestamp,
        settings: WorkspaceSettings,
    ) -> Result<Option<TenantKey>, Error> {
        let pointer = keys::workspace_of(account, id);
        self.directory
            .create(&pointer, &Pointer { workspace: id })
            .await?;
        let workspace = Workspace {
            id,
            account,
            settings,
            status: WorkspaceStatus::Active,
            created_at: at,
            version: 1,
        };
        let tenant = tenant(id);
        let key = keys::workspace(tenant);
        match self.directory.create(&key, &workspace).await? {
            Created::New => Ok(Some(tenant)),
            Created::Existing(other) if other.account == account => Ok(None),
            // Another account drew the id in the same millisecond: the name gets another id.
            Created::Existing(_) => {
                let key = keys::workspace_name(account, &fold(&workspace.settings.name));
                let fresh = WorkspaceId::new(self.directory.clock(), self.directory.entropy());
                let update = Update::new()
                    .set("workspace", fresh)
                    .when_equals("workspace", id);
                self.directory.update(&key, update).await?;
                Err(Error::Conflict)
            }
        }
    }

    /// Claims a name for an existing or a new workspace. A claim whose workspace has another name was released, or
    /// belongs to a call that is about to set the name. That call ends before the lease does. `None`: another
    /// workspace has the name, or is about to have it.
    async fn claim_name(
        &self,
        account: AccountId,
        name: &str,
        id: WorkspaceId,
        is_new: bool,
    ) -> Result<Option<WorkspaceId>, Error> {
        let key = keys::workspace_name(account, &fold(name));
        let now = self.directory.clock().now();
        let claim = NameClaim {
            workspace: id,
            claimed_at: now,
        };
        let held = match self.directory.create(&key, &claim).await? {
            Created::New => return Ok(Some(id)),
            Created::Existing(held) => held,
        };
        let in_lease = held.claimed_at + LEASE > now;
        let other = self.of_account(account, held.workspace).await?;
        let has_name =
            |other: &Workspace| other.id != id && fold(&other.settings.name) == fold(name);
        let next = match other {
            Some(other) if has_name(&other) => return Ok(None),
            Some(other) if other.id != id && in_lease => return Ok(None),
            // The claim's workspace was never made. A new workspace may use its id; an existing one waits for the
            // lease.
            None if is_new => held.workspace,
            None if in_lease => return Ok(None),
            _ => id,
        };
        let update = Update::new()
            .set("workspace", next)
            .set("claimed_at", now)
            .when_equals("workspace", held.workspace)
            .when_equals("claimed_at", held.claimed_at);
        let applied = self.directory.update(&key, update).await?.applied();
        Ok(applied.then_some(next))
    }

    /// Releases a name at once that its workspace no longer has, unless it was claimed again.
    async fn free_name(&self, key: &cloud::Key, held: &NameClaim) -> Result<(), Error> {
        let update = Update::new()
            .set("claimed_at", Timestamp::UNIX_EPOCH)
            .when_equals("workspace", held.workspace)
            .when_equals("claimed_at", held.claimed_at);
        self.directory.update(key, update).await?;
        Ok(())
    }

    /// The workspace of a tenant.
    pub async fn get(&self, tenant: TenantKey) -> Result<Option<Workspace>, Error> {
        self.directory.get(&keys::workspace(tenant)).await
    }

    /// The same, eventually consistent: for [`RecentWorkspaces`](crate::RecentWorkspaces).
    pub(crate) async fn look_up(&self, tenant: TenantKey) -> Result<Option<Workspace>, Error> {
        self.directory.look_up(&keys::workspace(tenant)).await
    }

    /// A workspace, if it belongs to the account.
    pub async fn of_account(
        &self,
        account: AccountId,
        id: WorkspaceId,
    ) -> Result<Option<Workspace>, Error> {
        let found = self.get(tenant(id)).await?;
        Ok(found.filter(|workspace| workspace.account == account))
    }

    /// One page of an account's workspaces, oldest first. A page may be shorter than requested.
    pub async fn page(
        &self,
        account: AccountId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Workspace>, Error> {
        let query = Query::partition(account.to_string())
            .begins_with(keys::WORKSPACES)
            .limit(limit.get())
            .cursor(cursor);
        let page: Page<Pointer> = self.directory.query(query).await?;
        let wanted = page
            .data
            .iter()
            .map(|row| keys::workspace(tenant(row.workspace)));
        let found = self
            .directory
            .get_many::<Workspace>(wanted.collect())
            .await?;
        let mut data: Vec<_> = found.into_iter().map(|(_, workspace)| workspace).collect();
        data.retain(|workspace| workspace.account == account);
        data.sort_unstable_by_key(|workspace| workspace.id);
        Ok(Page {
            data,
            next: page.next,
        })
    }

    /// Dismisses the workspace's checklist; the first time stays.
    pub async fn dismiss_onboarding(&self, tenant: TenantKey) -> Result<(), Error> {
        let now = self.directory.clock().now();
        let update = Update::new().set_if_absent("dismissed_at", now);
        self.directory
            .update(&keys::onboarding(tenant), update)
            .await?;
        Ok(())
    }

    /// The workspace's checklist.
    pub async fn onboarding(&self, tenant: TenantKey) -> Result<Checklist, Error> {
        type Row = BTreeMap<String, serde_json::Value>;
        let row: Option<Row> = self.directory.get(&keys::onboarding(tenant)).await?;
        let mut checklist = Checklist::default();
        for (name, value) in row.unwrap_or_default() {
            let at = value.as_str().and_then(|text| text.parse().ok());
            if name == "dismissed_at" {
                checklist.dismissed_at = at;
            } else if let (Some(step), Some(at)) = (name.strip_prefix(DONE_AT), at) {
                checklist.done_at.insert(step.to_owned(), at);
            }
        }
        Ok(checklist)
    }

    /// Records that a step is done; returns when it was first recorded.
    pub async fn note_done(&self, tenant: TenantKey, step: &str) -> Result<Timestamp, Error> {
        let now = self.directory.clock().now();
        let update = Update::new().set_if_absent(&format!("{DONE_AT}{step}"), now);
        self.directory
            .update(&keys::onboarding(tenant), update)
            .await?;
        let noted = self.onboarding(tenant).await?.done_at.remove(step);
        Ok(noted.unwrap_or(now))
    }

    /// Changes settings and status. `None`: another workspace of the account has the name.
    pub async fn change(
        &self,
        before: Workspace,
        settings: WorkspaceSettings,
        status: WorkspaceStatus,
    ) -> Result<Option<Workspace>, Error> {
        let renamed = fold(&settings.name) != fold(&before.settings.name);
        let mut old = None;
        if renamed {
            let claimed = self.claim_name(before.account, &settings.name, before.id, false);
            if claimed.await?.is_none() {
                return Ok(None);
            }
            let key = keys::workspace_name(before.account, &fold(&before.settings.name));
            let held: Option<NameClaim> = self.directory.get(&key).await?;
            old = held.map(|held| (key, held));
        }
        let after = Workspace {
            settings,
            status,
            version: before.version + 1,
            ..before.clone()
        };
        let key = keys::workspace(tenant(after.id));
        self.directory.replace(&key, &after, before.version).await?;
        if let Some((key, held)) = old {
            self.free_name(&key, &held).await?;
        }
        Ok(Some(after))
    }
}

/// Names that differ only in case or in Unicode composition are the same.
fn fold(name: &str) -> String {
    kernel::text::nfc(name.trim()).to_lowercase()
}

#[expect(
    clippy::disallowed_methods,
    reason = "door: whoever calls has the id from the account's own rows, or checks the account after"
)]
pub(crate) fn tenant(id: WorkspaceId) -> TenantKey {
    TenantKey::authenticated(id)
}
