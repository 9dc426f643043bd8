//! Password resets by mail: a token that only the mail holds, valid once and for an hour.
//!
//! A reset proves the mailbox, not the second factor: signing in still requires the second factor.

use cloud::{Created, Error, Resources, Table, Update};
use jiff::SignedDuration;
use kernel::{AccountId, EmailAddress, UserId, secret};
use serde::{Deserialize, Serialize};

use crate::audit::STRANGER;
use crate::mail_claim::{Claimed, MailClaim};
use crate::users::{User, UserStatus, Users};
use crate::{Audit, keys};

/// Prefix of reset tokens.
const PREFIX: &str = "tnr";
const LIFE: SignedDuration = SignedDuration::from_hours(1);

/// The row behind a token.
#[derive(Serialize, Deserialize)]
struct Row {
    account: AccountId,
    user: UserId,
    /// The epoch of the request. A reset, like a session, ends when the user's epoch changes, so it works once.
    epoch: u64,
    ttl: i64,
}

#[derive(Serialize, Deserialize)]
struct Asked {
    ttl: i64,
    claim: MailClaim,
}

/// The resets of all users.
#[derive(Clone, Debug)]
pub struct Resets {
    directory: Table,
    users: Users,
    audit: Audit,
}

impl Resets {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
            users: Users::over(resources),
            audit: Audit::over(resources),
        }
    }

    /// Writes the request to the audit log, once an hour, claims its mail and makes its token. Over also if the address has no
    /// active user. `request` is the id of the request.
    pub async fn claim_mail(
        &self,
        request: &str,
        email: &EmailAddress,
    ) -> Result<Claimed<(String, MailClaim)>, Error> {
        let Some(user) = self.users.by_email(email).await? else {
            return Ok(Claimed::Over);
        };
        let object = user.id.to_string();
        let entry = self.audit.entry(STRANGER, "forgotPassword", &object, "");
        self.audit.once_an_hour(user.account, &entry).await?;
        let ttl = (self.directory.clock().now() + LIFE).as_second();
        let claim = match self.claim(request, ttl).await? {
            Claimed::Mine(claim) => claim,
            Claimed::Busy => return Ok(Claimed::Busy),
            Claimed::Over => return Ok(Claimed::Over),
        };
        let token = secret::generate(PREFIX, self.directory.entropy());
        let row = Row {
            account: user.account,
            user: user.id,
            epoch: user.epoch,
            ttl,
        };
        let key = keys::reset(&secret::hash(&token));
        self.directory.create(&key, &row).await?;
        Ok(Claimed::Mine((token, claim)))
    }

    async fn claim(&self, request: &str, ttl: i64) -> Result<Claimed<MailClaim>, Error> {
        let key = keys::reset_request(request);
        let now = self.directory.clock().now();
        let claim = MailClaim::first(1, now);
        let asked = Asked { ttl, claim };
        let held = match self.directory.create(&key, &asked).await? {
            Created::New => return Ok(Claimed::Mine(asked.claim)),
            Created::Existing(held) => held.claim,
        };
        let claim = match MailClaim::next(Some(&held), 1, now) {
            Claimed::Mine(claim) => claim,
            other => return Ok(other),
        };
        let update = Update::new()
            .set("claim", &claim)
            .when_equals("claim", &held);
        let is_mine = self.directory.update(&key, update).await?.applied();
        Ok(if is_mine {
            Claimed::Mine(claim)
        } else {
            Claimed::Busy
        })
    }

    /// Releases the claim: the mail service accepted nothing, so the next try may send.
    pub async fn release_mail(&self, request: &str, claim: &MailClaim) -> Result<(), Error> {
        let released = claim.released(self.directory.clock().now());
        self.store(request, claim, released).await
    }

    /// Records that the mail service accepted the mail.
    pub async fn note_mailed(&self, request: &str, claim: &MailClaim) -> Result<(), Error> {
        self.store(request, claim, claim.settled()).await
    }

    async fn store(&self, request: &str, claim: &MailClaim, next: MailClaim) -> Result<(), Error> {
        let update = Update::new().set("claim", next).when_equals("claim", claim);
        let key = keys::reset_request(request);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// The user whose password the token may set; `None` once it was used, or after an hour.
    pub async fn user_of(&self, token: &str) -> Result<Option<User>, Error> {
        let row: Option<Row> = self
            .directory
            .get(&keys::reset(&secret::hash(token)))
            .await?;
        let now = self.directory.clock().now().as_second();
        let Some(row) = row.filter(|row| row.ttl > now) else {
            return Ok(None);
        };
        let user = self.users.get(row.account, row.user).await?;
        Ok(user.filter(|user| user.epoch == row.epoch && user.status == UserStatus::Active))
    }

    /// Sets the password and ends all of the user's sessions and resets.
    pub async fn reset(&self, mut user: User, password: &str) -> Result<(), Error> {
        self.users.set_password(&mut user, password).await
    }
}
