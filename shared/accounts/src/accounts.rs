//! Accounts: the customers of an installation, and the admins of each.

use std::collections::BTreeSet;

use cloud::{Error, Resources, Table, Update};
use jiff::Timestamp;
use kernel::{AccountId, UserId};
use serde::{Deserialize, Serialize};

use crate::keys;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Id.
    pub id: AccountId,
    /// Name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its active admins, at least one. They are stored here and in the users' own rows, since a condition can cover
    /// one row only. Every user in this set is an admin by the user's row too.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub admins: BTreeSet<UserId>,
    /// How often an admin was removed. It detects a late entry.
    #[serde(default)]
    pub(crate) removals: u64,
}

/// All accounts.
#[derive(Clone, Debug)]
pub struct Accounts {
    directory: Table,
}

impl Accounts {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// Makes an account without users.
    pub async fn create(&self, name: &str) -> Result<AccountId, Error> {
        loop {
            let id = self.draw_id();
            if self.create_as(id, name).await? {
                return Ok(id);
            }
        }
    }

    pub(crate) fn draw_id(&self) -> AccountId {
        AccountId::new(self.directory.clock(), self.directory.entropy())
    }

    /// Makes the account with this id. False: it exists already.
    pub(crate) async fn create_as(&self, id: AccountId, name: &str) -> Result<bool, Error> {
        let account = Account {
            id,
            name: name.to_owned(),
            created_at: self.directory.clock().now(),
            admins: BTreeSet::new(),
            removals: 0,
        };
        let made = self.directory.create(&keys::account(id), &account).await?;
        Ok(made.is_new())
    }

    /// The account.
    pub async fn get(&self, account: AccountId) -> Result<Option<Account>, Error> {
        self.directory.get(&keys::account(account)).await
    }

    /// Adds a user to the admins, unless an admin was removed since `removals` was read. False: an admin was
    /// removed.
    pub(crate) async fn add_admin(
        &self,
        account: AccountId,
        user: UserId,
        removals: u64,
    ) -> Result<bool, Error> {
        let update = Update::new()
            .add_to_set("admins", [user.to_string()])
            .when_equals("removals", removals);
        let key = keys::account(account);
        Ok(self.directory.update(&key, update).await?.applied())
    }

    /// Removes a user from the admins. False: the user is the last one, and stays. May be repeated.
    pub(crate) async fn remove_admin(
        &self,
        account: AccountId,
        user: UserId,
    ) -> Result<bool, Error> {
        let user = user.to_string();
        let update = Update::new()
            .remove_from_set("admins", [user.clone()])
            .add("removals", 1)
            .when_others_stay("admins", &user);
        let key = keys::account(account);
        Ok(self.directory.update(&key, update).await?.applied())
    }
}
