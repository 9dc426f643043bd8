//! The first account of an installation.

use cloud::{Created, Error, Resources, Table};
use kernel::{AccountId, EmailAddress, Role, TenantKey};
use serde::{Deserialize, Serialize};

use crate::users::{NewUser, Users};
use crate::workspaces::WorkspaceSettings;
use crate::{Accounts, Workspaces, keys};

/// The fields of the first account.
#[derive(Clone)]
pub struct FirstAccount {
    /// Its name.
    pub name: String,
    /// Its first workspace.
    pub workspace: WorkspaceSettings,
    /// Its first admin's address.
    pub email: EmailAddress,
    /// The admin's name.
    pub user_name: String,
    /// The admin's password, in clear.
    pub password: String,
}

/// Progress of the set-up. The next call continues where a crashed call stopped.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    /// The account's id, drawn before the account is made. So every call makes the same account.
    pub account: AccountId,
    done: bool,
    version: u64,
}

/// The outcome of a set-up.
#[derive(Debug)]
pub enum SetUp {
    /// Account and workspace exist, and the address's user is the admin.
    Done(AccountId, TenantKey),
    /// The account already has another admin.
    Already,
    /// The address belongs to a user of another account.
    AddressTaken,
}

/// Makes the first account, once.
#[derive(Clone, Debug)]
pub struct FirstSetup {
    directory: Table,
    accounts: Accounts,
    users: Users,
    workspaces: Workspaces,
}

impl FirstSetup {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            accounts: Accounts::over(resources),
            users: Users::over(resources),
            workspaces: Workspaces::over(resources),
            directory: resources.table("Directory"),
        }
    }

    /// Begins the set-up, or finds the progress of an earlier call. `None` once the installation has its first
    /// account.
    pub async fn begin(&self) -> Result<Option<Progress>, Error> {
        let key = keys::setup();
        let fresh = Progress {
            account: self.accounts.draw_id(),
            done: false,
            version: 1,
        };
        let found = match self.directory.get(&key).await? {
            Some(found) => found,
            None => match self.directory.create(&key, &fresh).await? {
                Created::New => fresh,
                Created::Existing(found) => found,
            },
        };
        Ok((!found.done).then_some(found))
    }

    /// Makes account, workspace and admin. After a crash the next run continues with the same account. The set-up
    /// ends only when the account has an admin.
    pub async fn finish(&self, progress: Progress, first: FirstAccount) -> Result<SetUp, Error> {
        let account = progress.account;
        self.accounts.create_as(account, &first.name).await?;
        let tenant = self.workspace(account, first.workspace).await?;
        let email = first.email.clone();
        if self.admins(account).await? == 0 {
            let user = NewUser {
                email: first.email,
                name: first.user_name,
                role: Role::AccountAdmin,
                chat_role: None,
                workspaces: vec![tenant.workspace()],
                password: first.password,
            };
            // An earlier call may have made the user and crashed before its last step.
            if self.users.create(account, user).await?.is_none() {
                match self.users.find(&email).await? {
                    Some(user) if user.account == account => self.users.complete(&user).await?,
                    _ => return Ok(SetUp::AddressTaken),
                }
            }
        }
        if self.admins(account).await? == 0 {
            return Err(Error::Conflict);
        }
        let done = Progress {
            done: true,
            version: progress.version + 1,
            ..progress
        };
        self.directory
            .replace(&keys::setup(), &done, progress.version)
            .await?;
        let user = self.users.find(&email).await?;
        let is_ours = user.is_some_and(|user| user.account == account && user.is_admin());
        Ok(if is_ours {
            SetUp::Done(account, tenant)
        } else {
            SetUp::Already
        })
    }

    async fn admins(&self, account: AccountId) -> Result<usize, Error> {
        let stored = self.accounts.get(account).await?;
        Ok(stored.map_or(0, |account| account.admins.len()))
    }

    /// The account's first workspace, made if there is none.
    async fn workspace(
        &self,
        account: AccountId,
        settings: WorkspaceSettings,
    ) -> Result<TenantKey, Error> {
        if let Some(tenant) = self.workspaces.create(account, settings).await? {
            return Ok(tenant);
        }
        let page = self
            .workspaces
            .page(account, kernel::Limit::default(), None)
            .await?;
        let first = page.data.first().ok_or(Error::Conflict)?;
        Ok(crate::workspaces::tenant(first.id))
    }
}
