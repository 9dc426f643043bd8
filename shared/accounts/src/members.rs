//! The members of a workspace: the people who may enter it, without any secret.
//!
//! The rows are copies of the users' rows under a key of their own (docs/adr/0042). So a function that may not read the
//! account's partition can check that a person works in the workspace. [`crate::Users`] writes them, nobody else.

use cloud::{Error, Query, Resources, Table, Update};
use kernel::page::Page;
use kernel::{AccountId, Cursor, Limit, Role, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::users::{User, UserStatus};

/// A person of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The user.
    pub id: UserId,
    /// Name shown to colleagues.
    pub name: String,
    /// Role in the account; absent until the user is changed.
    #[serde(default)]
    pub role: Option<Role>,
    /// Whether the user may enter every workspace of the account.
    enters_all: bool,
    /// Workspaces that the user may enter beside.
    workspaces: Vec<WorkspaceId>,
    /// Whether the user may sign in.
    is_active: bool,
}

impl Member {
    /// Whether the person works in the workspace.
    fn works_in(&self, workspace: WorkspaceId) -> bool {
        self.is_active && (self.enters_all || self.workspaces.contains(&workspace))
    }
}

/// The members of all workspaces.
#[derive(Clone, Debug)]
pub struct Members {
    directory: Table,
}

impl Members {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// The person, if they work in the workspace now. Owners of contacts and assignees of conversations are checked here.
    /// One read.
    pub async fn get(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
        user: UserId,
    ) -> Result<Option<Member>, Error> {
        let member: Option<Member> = self.directory.get(&keys::member(account, user)).await?;
        Ok(member.filter(|member| member.works_in(workspace)))
    }

    /// A page of the people who work in the workspace, oldest first. A page may hold fewer than `limit` and still have a
    /// `next`: the account's other people are left out.
    pub async fn page(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Member>, Error> {
        let query = Query::partition(keys::members(account));
        let query = query.limit(limit.get()).cursor(cursor);
        let mut page = self.directory.query::<Member>(query).await?;
        page.data.retain(|member| member.works_in(workspace));
        Ok(page)
    }

    /// Stores what the user's row says, unless a later version is stored. Two write units.
    pub(crate) async fn store(&self, user: &User) -> Result<(), Error> {
        let update = Update::new()
            .set("id", user.id)
            .set("name", &user.name)
            .set("role", user.role)
            .set("enters_all", user.enters_all())
            .set("workspaces", &user.workspaces)
            .set("is_active", user.status == UserStatus::Active)
            .set("version", user.version())
            .when_absent_or_less("version", user.version());
        let key = keys::member(user.account, user.id);
        self.directory.update(&key, update).await.map(drop)
    }
}
