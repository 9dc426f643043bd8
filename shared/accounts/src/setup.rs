//! The first account of an installation.

use cloud::{Created, Error, Table};
use kernel::{AccountId, EmailAddress, Role, TenantKey};
use serde::{Deserialize, Serialize};

use crate::users::{NewUser, Users};
use crate::workspaces::WorkspaceSettings;
use crate::{Accounts, Workspaces, keys};

/// What the first account is made of.
#[derive(Debug, Clone)]
pub struct FirstAccount {
    /// Its name.
    pub name: String,
    /// Its first workspace.
    pub workspace: WorkspaceSettings,
    /// Its first admin's address.
    pub email: EmailAddress,
    /// Their name.
    pub user_name: String,
    /// Their password, in clear.
    pub password: String,
}

/// How far the set-up came. A call that died is taken up where it stopped.
#[derive(Clone, Serialize, Deserialize)]
struct Progress {
    account: AccountId,
    done: bool,
    version: u64,
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
    /// Over the directory table.
    pub fn new(directory: Table) -> Self {
        Self {
            accounts: Accounts::new(directory.clone()),
            users: Users::new(directory.clone()),
            workspaces: Workspaces::new(directory.clone()),
            directory,
        }
    }

    /// Makes account, workspace and admin; `None` once an installation has them. Run again after it
    /// died, it goes on with the same account; what a dead call left beside it is an account nobody is
    /// in.
    pub async fn run(&self, first: FirstAccount) -> Result<Option<(AccountId, TenantKey)>, Error> {
        let fresh = Progress {
            account: self.accounts.create(&first.name).await?,
            done: false,
            version: 1,
        };
        let key = keys::setup();
        let progress = match self.directory.create(&key, &fresh).await? {
            Created::New => fresh,
            Created::Existing(found) if found.done => return Ok(None),
            Created::Existing(found) => found,
        };
        let account = progress.account;
        let tenant = self.workspace(account, first.workspace).await?;
        let user = NewUser {
            email: first.email,
            name: first.user_name,
            role: Role::AccountAdmin,
            chat_role: None,
            workspaces: vec![tenant.workspace()],
            password: first.password,
        };
        let admins = self.accounts.get(account).await?;
        if admins.is_none_or(|account| account.admins.is_empty()) {
            let email = user.email.clone();
            if self.users.create(account, user).await?.is_none()
                && let Some(user) = self.users.by_email(&email).await?
            {
                self.users.complete(&user).await?;
            }
        }
        let done = Progress {
            done: true,
            version: progress.version + 1,
            ..progress
        };
        self.directory
            .replace(&key, &done, progress.version)
            .await?;
        Ok(Some((account, tenant)))
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
