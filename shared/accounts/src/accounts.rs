//! Accounts: the customers of an installation, and who administers each.

use std::collections::BTreeSet;

use cloud::{Error, Table, Update, UpdateOutcome};
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
    /// Its active admins: there is always one. Kept here and not only in the users' own rows, since a
    /// condition can hold over one row only.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub admins: BTreeSet<UserId>,
}

/// All accounts.
#[derive(Clone, Debug)]
pub struct Accounts {
    directory: Table,
}

impl Accounts {
    /// Over the directory table.
    pub fn new(directory: Table) -> Self {
        Self { directory }
    }

    /// Makes an account without anybody in it.
    pub async fn create(&self, name: &str) -> Result<AccountId, Error> {
        let (clock, entropy) = (self.directory.clock(), self.directory.entropy());
        loop {
            let account = Account {
                id: AccountId::new(clock, entropy),
                name: name.to_owned(),
                created_at: clock.now(),
                admins: BTreeSet::new(),
            };
            let key = keys::account(account.id);
            if self.directory.create(&key, &account).await?.is_new() {
                return Ok(account.id);
            }
        }
    }

    /// The account.
    pub async fn get(&self, account: AccountId) -> Result<Option<Account>, Error> {
        self.directory.get(&keys::account(account)).await
    }

    /// Counts a user among the admins; may be repeated.
    pub async fn add_admin(&self, account: AccountId, user: UserId) -> Result<(), Error> {
        let update = Update::new()
            .add_to_set("admins", [user.to_string()])
            .when_exists();
        self.directory
            .update(&keys::account(account), update)
            .await?;
        Ok(())
    }

    /// Takes a user from the admins. False: it is the last one, and stays. May be repeated.
    pub async fn remove_admin(&self, account: AccountId, user: UserId) -> Result<bool, Error> {
        let update = Update::new()
            .remove_from_set("admins", [user.to_string()])
            .when_set_larger("admins", 1);
        match self
            .directory
            .update(&keys::account(account), update)
            .await?
        {
            UpdateOutcome::Applied(_) => Ok(true),
            refused @ UpdateOutcome::Refused(_) => {
                let stored: Option<Account> = refused.item()?;
                Ok(stored.is_some_and(|account| !account.admins.contains(&user)))
            }
        }
    }
}
