//! API keys: shown once, stored and found by their hash.
//!
//! A key has an owner, the person who answers for it: its maker, or the owner of the key that made it. The key works
//! while its owner is active and may enter its workspace. So disabling a person ends the keys, in the same write.
//! Another person may take a key over. The installation's own keys have no owner.

use cloud::{Created, Error, Key, Query, Resources, Table, Update};
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{
    AccountId, CredentialId, Cursor, Grant, Limit, Origin, Scope, TenantKey, UserId, WorkspaceId,
    secret,
};
use serde::{Deserialize, Serialize};

use crate::users::{UserStatus, Users};
use crate::{Workspaces, keys};

/// Prefix of every key; secret scanners look for it.
const PREFIX: &str = "tng";
/// Prefix of public keys, which a web page may show: they can write events only.
const PUBLIC_PREFIX: &str = "tngp";
/// Random bytes in hex.
const SECRET: usize = 64;
/// The last use is recorded at most this often.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Input of a new key.
#[derive(Debug, Clone)]
pub struct ApiKeyDraft {
    /// Its id, drawn before it is made so that the audit log can name it.
    pub id: CredentialId,
    /// Name that people give it.
    pub name: String,
    /// Its scopes.
    pub scopes: Vec<Scope>,
    /// The maker; absent for the installation's own keys.
    pub created_by: Option<String>,
    /// The person who answers for it.
    pub owner: Option<UserId>,
    /// When the request for it arrived first.
    pub created_at: Timestamp,
}

impl ApiKeyDraft {
    /// Whether a run of the same request made the key.
    fn is_of(&self, key: &ApiKey) -> bool {
        key.revoked_at.is_none()
            && (key.created_at, &key.name, &key.scopes, &key.created_by)
                == (self.created_at, &self.name, &self.scopes, &self.created_by)
    }
}

/// Whether two runs of one request wrote these.
fn is_same(a: &ApiKey, b: &ApiKey) -> bool {
    (a.id, a.created_at, &a.name, &a.scopes, &a.created_by)
        == (b.id, b.created_at, &b.name, &b.scopes, &b.created_by)
}

/// A new key. `token` is never shown again.
#[derive(Clone)]
pub struct NewApiKey {
    /// The stored key.
    pub key: ApiKey,
    /// The token that the client sends.
    pub token: String,
}

impl std::fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewApiKey({})", self.key.id)
    }
}

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Public id.
    pub id: CredentialId,
    /// Name that people gave it.
    pub name: String,
    /// Its scopes.
    pub scopes: Vec<Scope>,
    /// Whether the key is public.
    #[serde(default)]
    pub public: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// The maker: `usr_…` or `key_…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The person who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    /// When it was last used, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// A key that a person answers for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct OwnedKey {
    /// Public id.
    pub id: CredentialId,
    /// Name that people gave it.
    pub name: String,
    /// Its workspace.
    pub workspace_id: WorkspaceId,
}

/// The row behind a token.
#[derive(Serialize, Deserialize)]
struct Credential {
    id: CredentialId,
    account: AccountId,
    workspace: WorkspaceId,
    scopes: Vec<Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<UserId>,
    #[serde(default)]
    revoked_at: Option<Timestamp>,
    #[serde(default)]
    noted_at: Option<Timestamp>,
}

impl Credential {
    fn grant(&self) -> Grant {
        let id = self.id.to_string();
        Grant::of_key(self.account, self.workspace, id, &self.scopes)
    }
}

/// The row in the workspace's list, with the place of the credential.
#[derive(Serialize, Deserialize)]
struct Listed {
    #[serde(flatten)]
    key: ApiKey,
    hash: String,
}

/// The keys of all workspaces.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    directory: Table,
    users: Users,
    workspaces: Workspaces,
}

impl ApiKeys {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
            users: Users::over(resources),
            workspaces: Workspaces::over(resources),
        }
    }

    /// A draft with an id that no other key of the workspace has. A repeated request has the id of the key that its first
    /// run made. `created_by` is the maker, `usr_…` or `key_…`.
    pub async fn draft(
        &self,
        tenant: TenantKey,
        origin: &Origin,
        name: &str,
        scopes: &[Scope],
        created_by: Option<&str>,
    ) -> Result<ApiKeyDraft, Error> {
        let owner = match created_by {
            Some(maker) => self.answering(tenant, maker).await?,
            None => None,
        };
        for id in origin.draws(CredentialId::of) {
            let draft = ApiKeyDraft {
                owner,
                id,
                name: name.to_owned(),
                scopes: scopes.to_vec(),
                created_by: created_by.map(str::to_owned),
                created_at: origin.at,
            };
            let held = self.get(tenant, id).await?;
            if held.is_none_or(|held| draft.is_of(&held)) {
                return Ok(draft);
            }
        }
        Err(Error::Conflict)
    }

    /// The person behind a maker: the user, or the owner of the key.
    async fn answering(&self, tenant: TenantKey, maker: &str) -> Result<Option<UserId>, Error> {
        if let Ok(user) = maker.parse() {
            return Ok(Some(user));
        }
        let Ok(key) = maker.parse() else {
            return Ok(None);
        };
        Ok(self.get(tenant, key).await?.and_then(|key| key.owner))
    }

    /// Makes a key for a workspace, with no person as its maker.
    pub async fn create(
        &self,
        account: AccountId,
        tenant: TenantKey,
        name: &str,
        scopes: &[Scope],
    ) -> Result<NewApiKey, Error> {
        let origin = Origin::fresh(self.directory.clock(), self.directory.entropy());
        let draft = self.draft(tenant, &origin, name, scopes, None).await?;
        self.make(account, tenant, draft).await
    }

    /// Makes a key for a workspace. A key whose only scope is `track` is public. The list's row is written first, so
    /// every working key can be seen and revoked. A repetition finds the key of its first run and gives it a new token;
    /// nobody has seen the earlier one, which ends. [`Error::Conflict`]: another key of the workspace drew the id in the
    /// same millisecond, or another run is giving the key its token.
    pub async fn make(
        &self,
        account: AccountId,
        tenant: TenantKey,
        draft: ApiKeyDraft,
    ) -> Result<NewApiKey, Error> {
        let public = draft.scopes == [Scope::Track];
        let prefix = if public { PUBLIC_PREFIX } else { PREFIX };
        let token = secret::generate(prefix, self.directory.entropy());
        let listed = Listed {
            key: ApiKey {
                id: draft.id,
                name: draft.name,
                scopes: draft.scopes,
                public,
                created_at: draft.created_at,
                created_by: draft.created_by,
                owner: draft.owner,
                last_used_at: None,
                revoked_at: None,
            },
            hash: secret::hash(&token),
        };
        let row = keys::api_key_of(tenant, listed.key.id);
        if let Created::Existing(held) = self.directory.create(&row, &listed).await? {
            self.change_token(&row, &held, &listed).await?;
        }
        let credential = Credential {
            id: listed.key.id,
            account,
            workspace: tenant.workspace(),
            scopes: listed.key.scopes.clone(),
            owner: listed.key.owner,
            revoked_at: None,
            noted_at: None,
        };
        let key = keys::api_key(&listed.hash);
        match self.directory.create(&key, &credential).await? {
            Created::New => Ok(NewApiKey {
                key: listed.key,
                token,
            }),
            Created::Existing(_) => Err(Error::Conflict),
        }
    }

    /// Ends the token of a key that an earlier run of its request made, and lists the new one.
    async fn change_token(&self, row: &Key, held: &Listed, new: &Listed) -> Result<(), Error> {
        if held.key.revoked_at.is_some() || !is_same(&held.key, &new.key) {
            return Err(Error::Conflict);
        }
        self.directory.delete(&keys::api_key(&held.hash)).await?;
        let update = Update::new()
            .set("hash", &new.hash)
            .when_equals("hash", &held.hash)
            .when_absent("revoked_at");
        if self.directory.update(row, update).await?.applied() {
            Ok(())
        } else {
            Err(Error::Conflict)
        }
    }

    /// The grant of a token; `None` for any text that is not a live key. The row is found by the token's hash, so no
    /// comparison leaks by its timing. Two consistent reads, the key and its owner: a key that ends is refused at once.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Grant>, Error> {
        let shaped = token.split_once('_').is_some_and(|(prefix, rest)| {
            [PREFIX, PUBLIC_PREFIX].contains(&prefix) && rest.len() == SECRET
        });
        if !shaped {
            return Ok(None);
        }
        let key = keys::api_key(&secret::hash(token));
        let Some(row) = self.live(&key).await? else {
            return Ok(None);
        };
        // A valid key is not refused if its use cannot be recorded.
        if let Err(error) = self.note_use(&key, &row).await {
            tracing::warn!(%error, key = %row.id, "the use of a key was not recorded");
        }
        Ok(Some(row.grant()))
    }

    /// The grant of the key with this hash. A look-up is not a use, so it does not change `last_used_at`.
    pub(crate) async fn by_hash(&self, hash: &str) -> Result<Option<Grant>, Error> {
        let row = self.live(&keys::api_key(hash)).await?;
        Ok(row.map(|row| row.grant()))
    }

    async fn live(&self, key: &cloud::Key) -> Result<Option<Credential>, Error> {
        let row: Option<Credential> = self.directory.get(key).await?;
        let Some(row) = row.filter(|row| row.revoked_at.is_none()) else {
            return Ok(None);
        };
        let owner = row.owner;
        let is_answered_for = match owner {
            Some(owner) => self.answers(row.account, row.workspace, owner).await?,
            None => true,
        };
        Ok(is_answered_for.then_some(row))
    }

    /// Whether a person can answer for keys of the workspace now: active, and may enter it.
    pub async fn answers(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
        owner: UserId,
    ) -> Result<bool, Error> {
        let user = self.users.get(account, owner).await?;
        Ok(user.is_some_and(|user| user.status == UserStatus::Active && user.may_enter(workspace)))
    }

    /// Makes a person the owner of a key; `None` if the workspace has no such key or the key was revoked. The
    /// credential is written first, and a repetition completes the list's row.
    pub async fn take_over(
        &self,
        tenant: TenantKey,
        id: CredentialId,
        owner: UserId,
    ) -> Result<Option<ApiKey>, Error> {
        let listed: Option<Listed> = self.directory.get(&keys::api_key_of(tenant, id)).await?;
        let Some(mut listed) = listed.filter(|listed| listed.key.revoked_at.is_none()) else {
            return Ok(None);
        };
        for key in [keys::api_key(&listed.hash), keys::api_key_of(tenant, id)] {
            let update = Update::new()
                .set("owner", owner)
                .when_exists()
                .when_absent("revoked_at");
            if !self.directory.update(&key, update).await?.applied() {
                return Ok(None);
            }
        }
        listed.key.owner = Some(owner);
        Ok(Some(listed.key))
    }

    /// The live keys that a person answers for, in all workspaces of the account. Reads every key of the account.
    pub async fn owned(&self, account: AccountId, owner: UserId) -> Result<Vec<OwnedKey>, Error> {
        let (mut owned, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.workspaces.page(account, Limit::default(), cursor);
            let page = page.await?;
            for workspace in page.data {
                owned.extend(self.owned_in(workspace.id, owner).await?);
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(owned);
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "door: the workspace is in the list of the person's account"
    )]
    async fn owned_in(
        &self,
        workspace: WorkspaceId,
        owner: UserId,
    ) -> Result<Vec<OwnedKey>, Error> {
        let tenant = TenantKey::authenticated(workspace);
        let (mut owned, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.page(tenant, Limit::default(), cursor).await?;
            let is_live = |key: &ApiKey| key.owner == Some(owner) && key.revoked_at.is_none();
            let live = page.data.into_iter().filter(is_live);
            owned.extend(live.map(|key| OwnedKey {
                id: key.id,
                name: key.name,
                workspace_id: workspace,
            }));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(owned);
            }
        }
    }

    /// Records the use in both rows. Of concurrent requests one wins the first write, and it alone writes the list's
    /// row. If it crashes in between, the list shows the use an hour later.
    async fn note_use(&self, key: &cloud::Key, row: &Credential) -> Result<(), Error> {
        let now = self.directory.clock().now();
        if row
            .noted_at
            .is_some_and(|at| now.duration_since(at) < NOTED_EVERY)
        {
            return Ok(());
        }
        let update = Update::new().set("noted_at", now).when_exists();
        let update = match row.noted_at {
            Some(before) => update.when_equals("noted_at", before),
            None => update.when_absent("noted_at"),
        };
        if self.directory.update(key, update).await?.applied() {
            let listed = keys::api_key_of(tenant(row), row.id);
            let update = Update::new().set("last_used_at", now).when_exists();
            self.directory.update(&listed, update).await?;
        }
        Ok(())
    }

    /// A key of the workspace.
    pub async fn get(&self, tenant: TenantKey, id: CredentialId) -> Result<Option<ApiKey>, Error> {
        let listed: Option<Listed> = self.directory.get(&keys::api_key_of(tenant, id)).await?;
        Ok(listed.map(|listed| listed.key))
    }

    /// One page of a workspace's keys, oldest first, revoked ones too.
    pub async fn page(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<ApiKey>, Error> {
        let query = Query::partition(tenant.to_string())
            .begins_with(keys::API_KEYS)
            .limit(limit.get())
            .cursor(cursor);
        let page: Page<Listed> = self.directory.query(query).await?;
        Ok(page.map(|listed| listed.key))
    }

    /// Ends a key for ever; false if the workspace has no such key. The credential is deleted first, so a key that
    /// the list shows as revoked no longer works. May be repeated.
    pub async fn revoke(&self, tenant: TenantKey, id: CredentialId) -> Result<bool, Error> {
        let listed: Option<Listed> = self.directory.get(&keys::api_key_of(tenant, id)).await?;
        let Some(listed) = listed else {
            return Ok(false);
        };
        let now = self.directory.clock().now();
        for key in [keys::api_key(&listed.hash), keys::api_key_of(tenant, id)] {
            let update = Update::new().set_if_absent("revoked_at", now).when_exists();
            self.directory.update(&key, update).await?;
        }
        Ok(true)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "door: the row was found by the secret's hash"
)]
fn tenant(row: &Credential) -> TenantKey {
    TenantKey::authenticated(row.workspace)
}
