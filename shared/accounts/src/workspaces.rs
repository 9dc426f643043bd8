//! Workspaces: the tenants. Each belongs to one account and keeps its data apart from all others.
//!
//! The settings lie in the workspace's own partition, where senders find them by the tenant; the account's
//! partition holds one pointer a workspace, for lists, and one claim a name.

use cloud::{Created, Error, Query, Table, Update};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{AccountId, Cursor, EmailAddress, Limit, TenantKey, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::keys;

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

/// Who mails come from unless a campaign says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultSender {
    /// Name that readers see.
    pub name: String,
    /// Address.
    pub email: EmailAddress,
}

/// Hours of the day in which no marketing goes out, in the workspace's time zone; may pass midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Begins then.
    #[schema(value_type = String, example = "21:00:00")]
    pub from: jiff::civil::Time,
    /// Ends then.
    #[schema(value_type = String, example = "08:00:00")]
    pub until: jiff::civil::Time,
}

/// How many marketing messages one contact gets at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FrequencyCap {
    /// Messages.
    pub messages: u32,
    /// In this many days.
    pub days: u32,
}

/// What people set about a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkspaceSettings {
    /// Name, unique in the account.
    pub name: String,
    /// IANA time zone of its schedules.
    pub time_zone: String,
    /// Postal address at the foot of mails, as the anti-spam rules ask.
    pub postal_address: String,
    /// Why readers get these mails.
    pub permission_reminder: String,
    /// Who mails come from unless a campaign says otherwise.
    #[serde(default)]
    pub default_sender: Option<DefaultSender>,
    /// No marketing in these hours.
    #[serde(default)]
    pub quiet_hours: Option<QuietHours>,
    /// No more marketing than this.
    #[serde(default)]
    pub frequency_cap: Option<FrequencyCap>,
}

impl WorkspaceSettings {
    /// Settings in Vietnam's time zone with nothing else said.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            time_zone: "Asia/Ho_Chi_Minh".to_owned(),
            postal_address: String::new(),
            permission_reminder: String::new(),
            default_sender: None,
            quiet_hours: None,
            frequency_cap: None,
        }
    }
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Id.
    pub id: WorkspaceId,
    /// Its account.
    pub account: AccountId,
    /// What people set.
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
    /// Closed to everybody: nothing goes out for it.
    pub fn is_archived(&self) -> bool {
        self.status == WorkspaceStatus::Archived
    }
}

#[derive(Serialize, Deserialize)]
struct Pointer {
    workspace: WorkspaceId,
}

#[derive(Serialize, Deserialize)]
struct Dismissed {
    dismissed_at: Timestamp,
}

/// All workspaces.
#[derive(Clone, Debug)]
pub struct Workspaces {
    directory: Table,
}

impl Workspaces {
    /// Over the directory table.
    pub fn new(directory: Table) -> Self {
        Self { directory }
    }

    /// Makes a workspace; `None` if another of the account has the name. The pointer is written before
    /// the claim of the name and the settings last: a pointer to nothing is passed over in lists, and a
    /// name claimed for nothing is free again.
    pub async fn create(
        &self,
        account: AccountId,
        settings: WorkspaceSettings,
    ) -> Result<Option<TenantKey>, Error> {
        let (clock, entropy) = (self.directory.clock(), self.directory.entropy());
        let mut id = WorkspaceId::new(clock, entropy);
        while !self.point(account, id).await? {
            id = WorkspaceId::new(clock, entropy);
        }
        if !self.claim_name(account, &settings.name, id).await? {
            let pointer = keys::workspace_of(account, id);
            self.directory.delete(&pointer).await?;
            return Ok(None);
        }
        let workspace = Workspace {
            id,
            account,
            settings,
            status: WorkspaceStatus::Active,
            created_at: clock.now(),
            version: 1,
        };
        let tenant = tenant(id);
        let made = self
            .directory
            .create(&keys::workspace(tenant), &workspace)
            .await?;
        // Another account drew the id in the same millisecond; the caller tries again with a new one.
        if made.is_new() {
            Ok(Some(tenant))
        } else {
            Err(Error::Conflict)
        }
    }

    async fn point(&self, account: AccountId, id: WorkspaceId) -> Result<bool, Error> {
        let key = keys::workspace_of(account, id);
        let pointer = Pointer { workspace: id };
        Ok(self.directory.create(&key, &pointer).await?.is_new())
    }

    /// Claims a name. A claim whose workspace does not have the name is left from a call that
    /// died; should that call live after all, two workspaces get the name and nothing else breaks.
    async fn claim_name(
        &self,
        account: AccountId,
        name: &str,
        id: WorkspaceId,
    ) -> Result<bool, Error> {
        let key = keys::workspace_name(account, &fold(name));
        let claim = Pointer { workspace: id };
        let holder = match self.directory.create(&key, &claim).await? {
            Created::New => return Ok(true),
            Created::Existing(Pointer { workspace }) => workspace,
        };
        if holder == id {
            return Ok(true);
        }
        let named = self.of_account(account, holder).await?;
        if named.is_some_and(|holder| fold(&holder.settings.name) == fold(name)) {
            return Ok(false);
        }
        let update = Update::new()
            .set("workspace", id)
            .when_equals("workspace", holder);
        Ok(self.directory.update(&key, update).await?.applied())
    }

    /// The workspace of a tenant.
    pub async fn get(&self, tenant: TenantKey) -> Result<Option<Workspace>, Error> {
        self.directory.get(&keys::workspace(tenant)).await
    }

    /// A workspace, if it is the account's.
    pub async fn of_account(
        &self,
        account: AccountId,
        id: WorkspaceId,
    ) -> Result<Option<Workspace>, Error> {
        let found = self.get(tenant(id)).await?;
        Ok(found.filter(|workspace| workspace.account == account))
    }

    /// One page of an account's workspaces, oldest first. Pages may hold less than was asked for.
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

    /// Puts the workspace's checklist away; the first time stays.
    pub async fn dismiss_onboarding(&self, tenant: TenantKey) -> Result<(), Error> {
        let now = self.directory.clock().now();
        let update = Update::new().set_if_absent("dismissed_at", now);
        self.directory
            .update(&keys::onboarding(tenant), update)
            .await?;
        Ok(())
    }

    /// When the workspace's checklist was put away.
    pub async fn onboarding_dismissed_at(
        &self,
        tenant: TenantKey,
    ) -> Result<Option<Timestamp>, Error> {
        let row: Option<Dismissed> = self.directory.get(&keys::onboarding(tenant)).await?;
        Ok(row.map(|row| row.dismissed_at))
    }

    /// Changes settings and status. `None`: another workspace of the account has the name.
    pub async fn change(
        &self,
        before: Workspace,
        settings: WorkspaceSettings,
        status: WorkspaceStatus,
    ) -> Result<Option<Workspace>, Error> {
        let renamed = fold(&settings.name) != fold(&before.settings.name);
        if renamed
            && !self
                .claim_name(before.account, &settings.name, before.id)
                .await?
        {
            return Ok(None);
        }
        let after = Workspace {
            settings,
            status,
            version: before.version + 1,
            ..before.clone()
        };
        let key = keys::workspace(tenant(after.id));
        // The old name's claim is free from here on: its workspace has another name.
        self.directory.replace(&key, &after, before.version).await?;
        Ok(Some(after))
    }
}

/// Names that differ in case or in how their letters are composed are one.
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
