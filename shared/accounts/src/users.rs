//! People who sign in: their roles, their workspaces, their passwords.
//!
//! `epoch` increases with every change that must end a user's sessions. Each session stores the epoch in which it
//! began, so one write ends all sessions.

use cloud::{Created, Error, Query, Resources, Table, Update};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{
    AccountId, ChatRole, Clock, Cursor, EmailAddress, Entropy, Limit, Patch, Role, UserId,
    WorkspaceId,
};
use serde::{Deserialize, Serialize};

use crate::factor::Factor;
use crate::{Accounts, LEASE, Members, keys, password};

/// How often a change is tried again after a concurrent change of a row.
const ATTEMPTS: u32 = 5;

/// Whether a user may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// The user may sign in.
    Active,
    /// The user may not sign in until an admin enables the user.
    Disabled,
}

/// A user of one account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// The account.
    pub account: AccountId,
    /// Address, unique over the installation.
    pub email: EmailAddress,
    /// Name shown to colleagues.
    pub name: String,
    /// Role in the account.
    pub role: Role,
    /// Role in the inbox.
    pub chat_role: Option<ChatRole>,
    /// Workspaces that the user may enter; an admin enters all.
    pub workspaces: Vec<WorkspaceId>,
    /// Whether the user may sign in.
    pub status: UserStatus,
    /// When the user was made.
    pub created_at: Timestamp,
    pub(crate) epoch: u64,
    version: u64,
    pub(crate) password: String,
    #[serde(default)]
    pub(crate) factor: Option<Factor>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({} of {})", self.id, self.account)
    }
}

impl User {
    /// Whether the user may enter a workspace of the account.
    pub fn may_enter(&self, workspace: WorkspaceId) -> bool {
        self.enters_all() || self.workspaces.contains(&workspace)
    }

    /// Whether the user may enter every workspace of the account.
    pub(crate) fn enters_all(&self) -> bool {
        self.role == Role::AccountAdmin
    }

    /// Increases with every change of the row.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Whether the user administers the account now.
    pub fn is_admin(&self) -> bool {
        self.role == Role::AccountAdmin && self.status == UserStatus::Active
    }
}

/// Input of a new user.
#[derive(Clone)]
pub struct NewUser {
    /// Address.
    pub email: EmailAddress,
    /// Name shown to colleagues.
    pub name: String,
    /// Role in the account.
    pub role: Role,
    /// Role in the inbox.
    pub chat_role: Option<ChatRole>,
    /// Workspaces that the user may enter.
    pub workspaces: Vec<WorkspaceId>,
    /// Password in clear.
    pub password: String,
}

/// An admin's change of a user; absent fields stay.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Role in the account.
    pub role: Option<Role>,
    /// Role in the inbox.
    pub chat_role: Patch<ChatRole>,
    /// Workspaces that the user may enter.
    pub workspaces: Option<Vec<WorkspaceId>>,
    /// Whether the user may sign in.
    pub status: Option<UserStatus>,
}

/// The outcome of a change.
#[derive(Debug)]
pub enum UserChanged {
    /// Done.
    Yes(Box<User>),
    /// No such user in the account.
    Unknown,
    /// It would leave the account without an admin.
    LastAdmin,
}

/// The owner of an address. The row is written before the user's.
#[derive(Serialize, Deserialize)]
struct Login {
    account: AccountId,
    user: UserId,
    claimed_at: Timestamp,
}

/// The users of all accounts.
#[derive(Clone, Debug)]
pub struct Users {
    directory: Table,
    accounts: Accounts,
    members: Members,
}

impl Users {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
            accounts: Accounts::over(resources),
            members: Members::over(resources),
        }
    }

    /// Makes a user who can sign in; `None` if the address is taken. The login row names the user before the
    /// user exists. So concurrent calls for one address, or calls after a crash, all make the same user.
    pub async fn create(&self, account: AccountId, new: NewUser) -> Result<Option<UserId>, Error> {
        let (clock, entropy) = (self.directory.clock(), self.directory.entropy());
        let mut user = User {
            id: UserId::new(clock, entropy),
            account,
            password: password::hash(&new.password, entropy)?,
            email: new.email,
            name: new.name,
            role: new.role,
            chat_role: new.chat_role,
            workspaces: new.workspaces,
            status: UserStatus::Active,
            created_at: clock.now(),
            factor: None,
            epoch: 0,
            version: 1,
        };
        loop {
            let Some(id) = self.claim_login(account, &user.email).await? else {
                return Ok(None);
            };
            user.id = id;
            let key = keys::user(account, id);
            match self.directory.create(&key, &user).await? {
                Created::New => break,
                Created::Existing(made) if made.email == user.email => return Ok(None),
                Created::Existing(_) => self.rename_login(&user).await?,
            }
        }
        self.complete(&user).await?;
        Ok(Some(user.id))
    }

    /// The last step of making or changing a user: the copy for workspaces, and the account's set of admins. A caller that finds its user made by an earlier try repeats this step.
    pub(crate) async fn complete(&self, user: &User) -> Result<(), Error> {
        self.members.store(user).await?;
        if user.is_admin() {
            self.count_admin(user.account, user.id).await?;
        }
        Ok(())
    }

    /// Adds an admin to the account's set, which holds admins only. The user's row is written again between the read
    /// of `removals` and the entry. So a concurrent call that removes the role cannot be missed. Either it has read
    /// the old row, and fails. Or it raises `removals` afterwards, and the entry fails.
    async fn count_admin(&self, account: AccountId, id: UserId) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let stored = self.accounts.get(account).await?;
            let stored = stored.ok_or(Error::Conflict)?;
            let Some(mut user) = self.get(account, id).await?.filter(User::is_admin) else {
                return Ok(());
            };
            if stored.admins.contains(&id) {
                return Ok(());
            }
            match self.replace(&mut user).await {
                Err(Error::Conflict) => continue,
                written => written?,
            }
            let added = self.accounts.add_admin(account, id, stored.removals);
            if added.await? {
                return Ok(());
            }
        }
        Err(Error::Conflict)
    }

    /// The id of the user that an address has or gets in the account; `None` if the address belongs to another
    /// account. The caller that gets an id holds a fresh claim, so no other call takes it over before the user is
    /// written.
    async fn claim_login(
        &self,
        account: AccountId,
        email: &EmailAddress,
    ) -> Result<Option<UserId>, Error> {
        let key = keys::login(email);
        for _ in 0..ATTEMPTS {
            let now = self.clock().now();
            let claim = Login {
                account,
                user: UserId::new(self.clock(), self.entropy()),
                claimed_at: now,
            };
            let holder = match self.directory.create(&key, &claim).await? {
                Created::New => return Ok(Some(claim.user)),
                Created::Existing(holder) => holder,
            };
            let user = if holder.account == account {
                holder.user
            } else if self.is_left(&holder, now).await? {
                claim.user
            } else {
                return Ok(None);
            };
            let update = Update::new()
                .set("account", account)
                .set("user", user)
                .set("claimed_at", now)
                .when_equals("account", holder.account)
                .when_equals("user", holder.user)
                .when_equals("claimed_at", holder.claimed_at);
            if self.directory.update(&key, update).await?.applied() {
                return Ok(Some(user));
            }
        }
        Err(Error::Conflict)
    }

    /// Whether a crashed call left the claim. A running call writes its user before the lease ends.
    async fn is_left(&self, holder: &Login, now: Timestamp) -> Result<bool, Error> {
        let is_over = holder.claimed_at + LEASE <= now;
        Ok(is_over && self.get(holder.account, holder.user).await?.is_none())
    }

    /// Gives an address another id: another new user of the account drew the same one.
    async fn rename_login(&self, user: &User) -> Result<(), Error> {
        let fresh = UserId::new(self.clock(), self.entropy());
        let update = Update::new()
            .set("user", fresh)
            .when_equals("account", user.account)
            .when_equals("user", user.id);
        let key = keys::login(&user.email);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// The user.
    pub async fn get(&self, account: AccountId, user: UserId) -> Result<Option<User>, Error> {
        self.directory.get(&keys::user(account, user)).await
    }

    /// One page of an account's users, oldest first.
    pub async fn page(
        &self,
        account: AccountId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<User>, Error> {
        let query = Query::partition(account.to_string())
            .begins_with(keys::USERS)
            .limit(limit.get())
            .cursor(cursor);
        self.directory.query(query).await
    }

    /// The user with this address and password, or else the user whom the address names. An unknown address, a wrong
    /// password and a disabled user cost the same reads and the same time.
    pub async fn authenticate(
        &self,
        email: &EmailAddress,
        given: &str,
    ) -> Result<Result<User, Option<(AccountId, UserId)>>, Error> {
        let login: Option<Login> = self.directory.get(&keys::login(email)).await?;
        let key = login.map_or_else(keys::nobody, |login| keys::user(login.account, login.user));
        let user: Option<User> = self.directory.get(&key).await?;
        let user = user.filter(|user| user.email == *email);
        let stored = user.as_ref().map(|user| user.password.as_str());
        let fits = password::verify(given, stored);
        let named = user.as_ref().map(|user| (user.account, user.id));
        let user = user.filter(|user| fits && user.status == UserStatus::Active);
        Ok(user.ok_or(named))
    }

    /// The user with this address, of any account, disabled or not.
    pub async fn find(&self, email: &EmailAddress) -> Result<Option<User>, Error> {
        let login: Option<Login> = self.directory.get(&keys::login(email)).await?;
        let Some(login) = login else {
            return Ok(None);
        };
        let user = self.get(login.account, login.user).await?;
        Ok(user.filter(|user| user.email == *email))
    }

    /// The active user with this address. The caller has checked that the address belongs to the person.
    pub async fn by_email(&self, email: &EmailAddress) -> Result<Option<User>, Error> {
        let user = self.find(email).await?;
        Ok(user.filter(|user| user.status == UserStatus::Active))
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.directory.clock()
    }

    pub(crate) fn entropy(&self) -> &Entropy {
        self.directory.entropy()
    }

    /// Changes a user's rights and ends the user's sessions. A user who stops being an admin is removed from the
    /// account's set first; the set refuses to remove the last admin. A new admin is added last. So after a crash
    /// the set may lack an admin, and a repetition adds the user; it never holds another user.
    pub async fn change(
        &self,
        account: AccountId,
        id: UserId,
        change: &UserChange,
    ) -> Result<UserChanged, Error> {
        let Some(before) = self.get(account, id).await? else {
            return Ok(UserChanged::Unknown);
        };
        let mut after = before.clone();
        after.role = change.role.unwrap_or(before.role);
        after.chat_role = change.chat_role.onto(before.chat_role);
        after.status = change.status.unwrap_or(before.status);
        if let Some(workspaces) = &change.workspaces {
            after.workspaces.clone_from(workspaces);
        }
        let leaves = before.is_admin() && !after.is_admin();
        if leaves && !self.accounts.remove_admin(account, id).await? {
            return Ok(UserChanged::LastAdmin);
        }
        if after != before {
            after.epoch += 1;
            self.replace(&mut after).await?;
        }
        self.complete(&after).await?;
        Ok(UserChanged::Yes(Box::new(after)))
    }

    /// Gives the user another name.
    pub async fn rename(&self, mut user: User, name: &str) -> Result<User, Error> {
        name.clone_into(&mut user.name);
        self.replace(&mut user).await?;
        self.members.store(&user).await?;
        Ok(user)
    }

    /// Sets another password and ends all sessions. False: `current` is not the password.
    pub async fn change_password(
        &self,
        mut user: User,
        current: &str,
        new: &str,
    ) -> Result<bool, Error> {
        if !password::verify(current, Some(&user.password)) {
            return Ok(false);
        }
        self.set_password(&mut user, new).await?;
        Ok(true)
    }

    /// Sets another password and ends all sessions. The caller has checked the user's identity.
    pub(crate) async fn set_password(&self, user: &mut User, new: &str) -> Result<(), Error> {
        user.password = password::hash(new, self.directory.entropy())?;
        user.epoch += 1;
        self.replace(user).await
    }

    pub(crate) async fn replace(&self, user: &mut User) -> Result<(), Error> {
        let expected = user.version;
        user.version += 1;
        let key = keys::user(user.account, user.id);
        self.directory.replace(&key, user, expected).await
    }
}
