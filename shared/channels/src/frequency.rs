//! How often a person was written to: the times of the last marketing messages, in the table Limits.
//!
//! A row is read and written only where a cap holds. It is taken before the ledger row, so a crash in between counts a message
//! that was not sent, never the other way round. The same send counts once.

use cloud::{Error, Key, Resources, Table};
use jiff::{SignedDuration, Timestamp};
use kernel::TenantKey;
use serde::{Deserialize, Serialize};

use crate::gate::{Cap, MAX_CAP};

/// Tries against other writers of a row.
const ROUNDS: u32 = 8;
/// A row outlives its last message by the longest window.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A message that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    /// Names the send.
    id: String,
    at: Timestamp,
}

/// The counts of one person or address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    version: u64,
    /// Oldest first.
    #[serde(default)]
    sends: Vec<Counted>,
    /// Since when the address is on the shop's list of those that get no advertising.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listed_at: Option<Timestamp>,
    /// Epoch seconds of expiry; absent for a listed address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
}

/// Whether a message may count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It counts, from now or from before.
    Yes,
    /// A cap is reached.
    Full,
    /// The address is on the shop's list.
    Listed,
}

/// The counts of all workspaces; cheap to clone.
#[derive(Debug, Clone)]
pub struct Frequency {
    limits: Table,
}

/// The name of an address without showing it.
pub(crate) fn address(text: &str) -> String {
    kernel::hash::name(&["address", text])
}

impl Frequency {
    /// Over the table Limits.
    pub fn over(resources: &Resources) -> Self {
        Self {
            limits: resources.table("Limits"),
        }
    }

    fn key(tenant: TenantKey, subject: &str, kind: &str) -> Key {
        Key::new(format!("FREQ#{tenant}#{subject}"), kind)
    }

    /// Counts the send `id` against these caps. Counts are kept for `longest`, which is no shorter than a cap's window. Half a read unit and one write unit; no write for a send that counts already.
    pub(crate) async fn take(
        &self,
        tenant: TenantKey,
        (subject, kind): (&str, &str),
        id: &str,
        (caps, longest): (&[Cap], SignedDuration),
    ) -> Result<Taken, Error> {
        let key = Self::key(tenant, subject, kind);
        let now = self.limits.clock().now();
        let mut found: Option<Row> = self.limits.look_up(&key).await?;
        for _ in 0..ROUNDS {
            let read = found.as_ref().map(|row| row.version);
            let mut row = found.unwrap_or_default();
            if row.listed_at.is_some() {
                return Ok(Taken::Listed);
            }
            if row.sends.iter().any(|one| one.id == id) {
                return Ok(Taken::Yes);
            }
            let within = |cap: &Cap| {
                let counted = |one: &&Counted| now.duration_since(one.at) < cap.window();
                row.sends.iter().filter(counted).count()
            };
            if caps.iter().any(|cap| within(cap) >= cap.messages as usize) {
                return Ok(Taken::Full);
            }
            row.sends.retain(|one| now.duration_since(one.at) < longest);
            let surplus = (row.sends.len() + 1).saturating_sub(MAX_CAP as usize);
            row.sends.drain(..surplus);
            row.sends.push(Counted {
                id: id.to_owned(),
                at: now,
            });
            row.ttl = Some((now + longest + DAY).as_second());
            row.version += 1;
            match self.limits.replace_or_create(&key, &row, read).await {
                Ok(()) => return Ok(Taken::Yes),
                Err(Error::Conflict) => found = self.limits.get(&key).await?,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// Takes back the count of a send that is not made.
    pub(crate) async fn give_back(
        &self,
        tenant: TenantKey,
        (subject, kind): (&str, &str),
        id: &str,
    ) -> Result<(), Error> {
        let key = Self::key(tenant, subject, kind);
        self.edit(&key, |row| {
            let before = row.sends.len();
            row.sends.retain(|one| one.id != id);
            row.sends.len() < before
        })
        .await
    }

    /// Puts an address on the shop's list of those that get no advertising, or takes it off. Safe to repeat.
    pub async fn list(
        &self,
        tenant: TenantKey,
        kind: &str,
        text: &str,
        is_listed: bool,
    ) -> Result<(), Error> {
        let key = Self::key(tenant, &address(text), kind);
        let now = self.limits.clock().now();
        self.edit(&key, |row| {
            if row.listed_at.is_some() == is_listed {
                return false;
            }
            (row.listed_at, row.ttl) = if is_listed {
                (Some(now), None)
            } else {
                (None, Some((now + DAY + DAY).as_second()))
            };
            true
        })
        .await
    }

    /// Since when an address is on the shop's list.
    pub async fn listed(
        &self,
        tenant: TenantKey,
        kind: &str,
        text: &str,
    ) -> Result<Option<Timestamp>, Error> {
        let key = Self::key(tenant, &address(text), kind);
        let row: Option<Row> = self.limits.get(&key).await?;
        Ok(row.and_then(|row| row.listed_at))
    }

    /// Changes a row; `change` says whether anything is new.
    async fn edit(&self, key: &Key, change: impl Fn(&mut Row) -> bool) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            let found: Option<Row> = self.limits.get(key).await?;
            let read = found.as_ref().map(|row| row.version);
            let mut row = found.unwrap_or_default();
            if !change(&mut row) {
                return Ok(());
            }
            row.version += 1;
            match self.limits.replace_or_create(key, &row, read).await {
                Ok(()) => return Ok(()),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }
}
