//! Signed-in sessions, and the rights of a credential: the one look-up behind the authorizer and the WebSocket's
//! `$connect`.

use cloud::{Created, Error, Resources, Table};
use jiff::{SignedDuration, Timestamp};
use kernel::{
    AccountId, Clock, Grant, NoWorkspace, TenantKey, UserId, Verdict, WorkspaceId, secret,
};
use serde::{Deserialize, Serialize};

use crate::users::{User, UserStatus, Users};
use crate::workspaces::WorkspaceStatus;
use crate::{ApiKeys, Oidc, Workspaces, keys};

/// Prefix of session tokens; secret scanners look for it.
const PREFIX: &str = "tnu";
/// Prefix, underscore and 32 bytes in hex.
const LENGTH: usize = PREFIX.len() + 1 + 64;
/// How long a session lasts, used or not.
const LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A new session. `token` is never shown again.
#[derive(Clone)]
pub struct NewSession {
    /// The token that the client sends.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for NewSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewSession(until {})", self.expires_at)
    }
}

/// The credential of something that outlives a request, such as an open connection. It is enough to check later
/// whether the credential is still valid. The hash in it opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Holder {
    /// A session of ours.
    Session { hash: String },
    /// An API key.
    Key { hash: String },
    /// A user whom the issuer authenticated. As with our own sessions, any change of the epoch ends it.
    User {
        account: AccountId,
        user: UserId,
        epoch: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct Row {
    account: AccountId,
    user: UserId,
    epoch: u64,
    expires_at: Timestamp,
    ttl: i64,
}

/// The sessions of all users.
#[derive(Clone, Debug)]
pub struct Sessions {
    directory: Table,
    users: Users,
    workspaces: Workspaces,
    api_keys: ApiKeys,
    oidc: Option<Oidc>,
}

impl Sessions {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            users: Users::over(resources),
            workspaces: Workspaces::over(resources),
            api_keys: ApiKeys::over(resources),
            oidc: None,
            directory: resources.table("Directory"),
        }
    }

    /// Accepts the tokens of an issuer too.
    #[must_use]
    pub fn with_issuer(self, oidc: Option<Oidc>) -> Self {
        Self { oidc, ..self }
    }

    /// Begins a session.
    pub async fn create(&self, user: &User) -> Result<NewSession, Error> {
        let expires_at = self.clock().now() + LIFE;
        let row = Row {
            account: user.account,
            user: user.id,
            epoch: user.epoch,
            expires_at,
            ttl: expires_at.as_second(),
        };
        loop {
            let token = secret::generate(PREFIX, self.directory.entropy());
            let key = keys::session(&secret::hash(&token));
            if let Created::New = self.directory.create(&key, &row).await? {
                return Ok(NewSession { token, expires_at });
            }
        }
    }

    /// Ends a session; `session` is the grant's.
    pub async fn end(&self, session: &str) -> Result<(), Error> {
        self.directory.delete(&keys::session(session)).await
    }

    /// The grant of a token, in the workspace that the caller names. All reads are consistent, so a credential that
    /// has just ended opens nothing.
    pub async fn verdict(&self, token: &str, workspace: Option<&str>) -> Result<Verdict, Error> {
        let grant = if is_session(token) {
            self.of_session(secret::hash(token), workspace).await?
        } else if Oidc::is_token(token) {
            self.of_issuer(token, workspace).await?
        } else {
            self.of_key(token, workspace).await?
        };
        Ok(grant.map_or_else(Verdict::refused, Verdict::Granted))
    }

    /// The holder of a token, for [`Sessions::standing`]. The caller stores the holder first and requests the
    /// token's verdict afterwards. So one of the two sees a change in between.
    pub async fn holder(&self, token: &str) -> Result<Option<Holder>, Error> {
        if is_session(token) {
            let hash = secret::hash(token);
            return Ok(Some(Holder::Session { hash }));
        }
        if !Oidc::is_token(token) {
            let hash = secret::hash(token);
            return Ok(Some(Holder::Key { hash }));
        }
        let user = self.vouched_for(token).await?;
        Ok(user.map(|user| Holder::User {
            account: user.account,
            user: user.id,
            epoch: user.epoch,
        }))
    }

    /// The current grant of a holder's credential, as [`Sessions::verdict`] gives it for the token.
    pub async fn standing(
        &self,
        holder: &Holder,
        workspace: WorkspaceId,
    ) -> Result<Verdict, Error> {
        let workspace = workspace.to_string();
        let grant = match holder {
            Holder::Session { hash } => self.of_session(hash.clone(), Some(&workspace)).await?,
            Holder::Key { hash } => {
                let grant = self.api_keys.by_hash(hash).await?;
                self.in_own_workspace(grant, Some(&workspace)).await?
            }
            Holder::User {
                account,
                user,
                epoch,
            } => match self.live_user(*account, *user, *epoch).await? {
                Some(user) => Some(self.of_user(user, Some(&workspace)).await?),
                None => None,
            },
        };
        Ok(grant.map_or_else(Verdict::refused, Verdict::Granted))
    }

    async fn live_user(
        &self,
        account: AccountId,
        user: UserId,
        epoch: u64,
    ) -> Result<Option<User>, Error> {
        let user = self.users.get(account, user).await?;
        Ok(user.filter(|user| user.status == UserStatus::Active && user.epoch == epoch))
    }

    async fn of_session(
        &self,
        hash: String,
        workspace: Option<&str>,
    ) -> Result<Option<Grant>, Error> {
        let row: Option<Row> = self.directory.get(&keys::session(&hash)).await?;
        let now = self.clock().now();
        let Some(row) = row.filter(|row| row.expires_at > now) else {
            return Ok(None);
        };
        let user = self.live_user(row.account, row.user, row.epoch).await?;
        let Some(user) = user else {
            return Ok(None);
        };
        let grant = self.of_user(user, workspace).await?;
        Ok(Some(Grant {
            session: Some(hash),
            ..grant
        }))
    }

    /// The user that the issuer's token names. The issuer's second factor counts instead of ours.
    async fn of_issuer(
        &self,
        token: &str,
        workspace: Option<&str>,
    ) -> Result<Option<Grant>, Error> {
        match self.vouched_for(token).await? {
            Some(user) => Ok(Some(self.of_user(user, workspace).await?)),
            None => Ok(None),
        }
    }

    async fn vouched_for(&self, token: &str) -> Result<Option<User>, Error> {
        let Some(oidc) = &self.oidc else {
            return Ok(None);
        };
        let Some(email) = oidc.address(token).await? else {
            return Ok(None);
        };
        self.users.by_email(&email).await
    }

    async fn of_user(&self, user: User, workspace: Option<&str>) -> Result<Grant, Error> {
        let (workspace, no_workspace) = match workspace {
            None => (None, Some(NoWorkspace::NotGiven)),
            Some(text) => self.enter(&user, text).await?,
        };
        Ok(Grant {
            account: user.account,
            workspace,
            no_workspace,
            actor: user.id.to_string(),
            session: None,
            role: Some(user.role),
            chat_role: user.chat_role,
            scopes: String::new(),
            holder: None,
        })
    }

    async fn enter(
        &self,
        user: &User,
        text: &str,
    ) -> Result<(Option<WorkspaceId>, Option<NoWorkspace>), Error> {
        let id = text.parse().ok().filter(|&id| user.may_enter(id));
        let Some(id) = id else {
            return Ok((None, Some(NoWorkspace::Unknown)));
        };
        let no_workspace = self.closed(user.account, id).await?;
        Ok((no_workspace.is_none().then_some(id), no_workspace))
    }

    /// Why no user of the account can work in the workspace, if there is a reason.
    async fn closed(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
    ) -> Result<Option<NoWorkspace>, Error> {
        let stored = self.workspaces.of_account(account, workspace).await?;
        Ok(match stored.map(|workspace| workspace.status) {
            Some(WorkspaceStatus::Active) => None,
            Some(WorkspaceStatus::Archived) => Some(NoWorkspace::Archived),
            None => Some(NoWorkspace::Unknown),
        })
    }

    async fn of_key(&self, token: &str, workspace: Option<&str>) -> Result<Option<Grant>, Error> {
        let grant = self.api_keys.authenticate(token).await?;
        self.in_own_workspace(grant, workspace).await
    }

    /// A key's grant, which is for one workspace.
    async fn in_own_workspace(
        &self,
        grant: Option<Grant>,
        workspace: Option<&str>,
    ) -> Result<Option<Grant>, Error> {
        let Some(mut grant) = grant else {
            return Ok(None);
        };
        let Some(own) = grant.workspace else {
            return Ok(None);
        };
        let other = workspace.is_some_and(|text| text != own.to_string());
        grant.no_workspace = if other {
            Some(NoWorkspace::Unknown)
        } else {
            self.closed(grant.account, own).await?
        };
        grant.workspace = grant.no_workspace.is_none().then_some(own);
        Ok(Some(grant))
    }

    fn clock(&self) -> &Clock {
        self.directory.clock()
    }
}

fn is_session(token: &str) -> bool {
    token.starts_with(PREFIX) && token.len() == LENGTH
}

/// The key of the workspace that a verdict opens, if there is one.
#[expect(
    clippy::disallowed_methods,
    reason = "door: the verdict comes from a live credential"
)]
pub fn tenant_of(grant: &Grant) -> Option<TenantKey> {
    grant.workspace.map(TenantKey::authenticated)
}
