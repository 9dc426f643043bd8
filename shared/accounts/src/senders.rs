//! The addresses that a workspace has proven to be its own; it sends from no other.
//!
//! All workspaces share the domain that SES has verified, so the domain proves nothing about the person. A person
//! proves an address by the code that only its mailbox gets. Several workspaces may prove one address. The
//! addresses of the product itself can be proven by nobody.

use cloud::{Created, Error, Query, Resources, Table, Update};
use jiff::{SignedDuration, Timestamp};
use kernel::{EmailAddress, SenderId, TenantKey, WorkspaceId, secret};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::mail_claim::{Claimed, MailClaim};
use crate::{keys, workspaces};

/// Most senders of a workspace.
pub const MAX_SENDERS: usize = 50;
/// Prefix of the codes.
const PREFIX: &str = "tnsv";
const LIFE: SignedDuration = SignedDuration::from_hours(72);

/// Local parts, without separators, that speak for the product or for the mail system of its domain (RFC 2142).
const RESERVED: [&str; 6] = [
    "noreply",
    "donotreply",
    "mailerdaemon",
    "postmaster",
    "abuse",
    "tanigo",
];

/// An address of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Id.
    pub id: SenderId,
    /// The address.
    pub email: EmailAddress,
    /// Name that readers see.
    pub name: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its code came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// Number of the newest mail that was asked for.
    pub mail: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<MailClaim>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_hash: Option<String>,
    /// The code of an earlier try of the same mail, which may have been sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier_code_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_expires_at: Option<Timestamp>,
}

/// The address of the product's own mails under a verified identity (an address or a domain).
pub fn system_address(identity: &str) -> String {
    if identity.contains('@') {
        identity.to_owned()
    } else {
        format!("no-reply@{identity}")
    }
}

/// Whether the address speaks for the product. An identity of one address leaves its only shop no other.
pub fn is_reserved(email: &EmailAddress, identity: &str) -> bool {
    let local = email.as_str().split('@').next().unwrap_or_default();
    let local = local.split('+').next().unwrap_or_default();
    let plain: String = local.chars().filter(char::is_ascii_alphanumeric).collect();
    !identity.contains('@') && RESERVED.contains(&plain.as_str())
}

/// A mail that a worker has claimed.
#[derive(Debug)]
pub struct ProofMail {
    /// The sender that it proves.
    pub sender: SenderId,
    /// Its code.
    pub code: String,
    /// The claim.
    pub claim: MailClaim,
}

/// The senders of all workspaces.
#[derive(Clone, Debug)]
pub struct Senders {
    directory: Table,
}

impl Senders {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// An id for a new sender.
    pub fn draw(&self) -> SenderId {
        SenderId::new(self.directory.clock(), self.directory.entropy())
    }

    /// Asks for an address, or for another mail to an address that is not proven. A proven address stays proven. The
    /// caller sends the message for mail number [`Sender::mail`].
    pub async fn ask(
        &self,
        tenant: TenantKey,
        id: SenderId,
        email: &EmailAddress,
        name: &str,
    ) -> Result<Sender, Error> {
        let sender = Sender {
            id,
            email: email.clone(),
            name: name.to_owned(),
            created_at: self.directory.clock().now(),
            confirmed_at: None,
            mail: 1,
            claim: None,
            code_hash: None,
            earlier_code_hash: None,
            code_expires_at: None,
        };
        let key = keys::sender(tenant, email);
        match self.directory.create(&key, &sender).await? {
            Created::New => Ok(sender),
            Created::Existing(held) if held.confirmed_at.is_some() => Ok(held),
            Created::Existing(_) => {
                let update = Update::new().add("mail", 1).set("name", name).when_exists();
                let again = self.directory.update(&key, update).await?;
                again.item()?.ok_or(Error::Conflict)
            }
        }
    }

    /// The sender of an address.
    pub async fn get(
        &self,
        tenant: TenantKey,
        email: &EmailAddress,
    ) -> Result<Option<Sender>, Error> {
        self.directory.get(&keys::sender(tenant, email)).await
    }

    /// Whether the workspace may send from the address.
    pub async fn may_send(&self, tenant: TenantKey, email: &EmailAddress) -> Result<bool, Error> {
        let sender = self.get(tenant, email).await?;
        Ok(sender.is_some_and(|sender| sender.confirmed_at.is_some()))
    }

    /// All senders of the workspace, by address; at most [`MAX_SENDERS`] and those of concurrent requests.
    pub async fn all(&self, tenant: TenantKey) -> Result<Vec<Sender>, Error> {
        let query = Query::partition(tenant.to_string()).begins_with(keys::SENDERS);
        self.directory.query_all(query).await
    }

    /// The sender of this id.
    pub async fn find(&self, tenant: TenantKey, id: SenderId) -> Result<Option<Sender>, Error> {
        let all = self.all(tenant).await?;
        Ok(all.into_iter().find(|sender| sender.id == id))
    }

    /// Claims mail number `mail` of an address and makes its code, of which only the hash is stored. Over also if a newer mail
    /// was asked for, or the address is proven or removed.
    pub async fn claim_mail(
        &self,
        workspace: WorkspaceId,
        email: &EmailAddress,
        mail: u32,
    ) -> Result<Claimed<ProofMail>, Error> {
        let key = keys::sender(workspaces::tenant(workspace), email);
        let Some(sender) = self.directory.get::<Sender>(&key).await? else {
            return Ok(Claimed::Over);
        };
        if sender.confirmed_at.is_some() || sender.mail != mail {
            return Ok(Claimed::Over);
        }
        let now = self.directory.clock().now();
        let claim = match MailClaim::next(sender.claim.as_ref(), mail, now) {
            Claimed::Mine(claim) => claim,
            Claimed::Busy => return Ok(Claimed::Busy),
            Claimed::Over => return Ok(Claimed::Over),
        };
        let code = secret::generate(PREFIX, self.directory.entropy());
        let update = Update::new()
            .set("claim", &claim)
            .set("code_hash", secret::hash(&code))
            .set("code_expires_at", now + LIFE)
            .when_equals("mail", mail)
            .when_as_read("claim", sender.claim.as_ref())
            .when_absent_or_other("is_confirmed", true);
        let update = match &sender.code_hash {
            Some(earlier) if claim.is_repeated() => update.set("earlier_code_hash", earlier),
            _ => update.remove("earlier_code_hash"),
        };
        let is_mine = self.directory.update(&key, update).await?.applied();
        Ok(if is_mine {
            Claimed::Mine(ProofMail {
                sender: sender.id,
                code,
                claim,
            })
        } else {
            Claimed::Busy
        })
    }

    /// Releases the claim: the mail service accepted nothing, so the next try may send.
    pub async fn release_mail(
        &self,
        workspace: WorkspaceId,
        email: &EmailAddress,
        claim: &MailClaim,
    ) -> Result<(), Error> {
        let released = claim.released(self.directory.clock().now());
        self.store(workspace, email, claim, released).await
    }

    /// Records that the mail service accepted the mail.
    pub async fn note_mailed(
        &self,
        workspace: WorkspaceId,
        email: &EmailAddress,
        claim: &MailClaim,
    ) -> Result<(), Error> {
        let settled = claim.settled();
        self.store(workspace, email, claim, settled).await
    }

    async fn store(
        &self,
        workspace: WorkspaceId,
        email: &EmailAddress,
        claim: &MailClaim,
        next: MailClaim,
    ) -> Result<(), Error> {
        let update = Update::new().set("claim", next).when_equals("claim", claim);
        let key = keys::sender(workspaces::tenant(workspace), email);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// Proves the address by its code. `None`: the code is another mail's, or 72 hours old. A proven address stays
    /// proven whatever the code.
    pub async fn confirm(
        &self,
        tenant: TenantKey,
        sender: Sender,
        code: &str,
    ) -> Result<Option<Sender>, Error> {
        if sender.confirmed_at.is_some() {
            return Ok(Some(sender));
        }
        let now = self.directory.clock().now();
        let hash = secret::hash(code);
        let is_its = |held: &Option<String>| -> bool {
            let held = held.as_deref().unwrap_or_default();
            hash.as_bytes().ct_eq(held.as_bytes()).into()
        };
        let is_right = is_its(&sender.code_hash) | is_its(&sender.earlier_code_hash);
        if !is_right || sender.code_expires_at.is_none_or(|end| end <= now) {
            return Ok(None);
        }
        let update = Update::new()
            .set("confirmed_at", now)
            .set("is_confirmed", true)
            .remove("code_hash")
            .remove("earlier_code_hash")
            .when_as_read("code_hash", sender.code_hash.as_ref());
        let key = keys::sender(tenant, &sender.email);
        let outcome = self.directory.update(&key, update).await?;
        if outcome.applied() {
            return outcome.item();
        }
        // A concurrent request with the same code was first.
        let after = self.get(tenant, &sender.email).await?;
        Ok(after.filter(|after| after.confirmed_at.is_some()))
    }

    /// Records an address as proven, for a workspace that has no mailbox: the local stack's, and a test's.
    pub async fn trust(&self, tenant: TenantKey, email: &EmailAddress) -> Result<(), Error> {
        let sender = self.ask(tenant, self.draw(), email, email.as_str()).await?;
        let update = Update::new()
            .set_if_absent("confirmed_at", self.directory.clock().now())
            .set("is_confirmed", true)
            .when_exists();
        let key = keys::sender(tenant, &sender.email);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// Removes an address. Mails that are already being sent from it go on.
    pub async fn remove(&self, tenant: TenantKey, email: &EmailAddress) -> Result<(), Error> {
        self.directory.delete(&keys::sender(tenant, email)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_speak_for_the_product_are_reserved() {
        for (email, reserved) in [
            ("no-reply@example.vn", true),
            ("No.Reply+tet@example.vn", true),
            ("noreply@mail.example.vn", true),
            ("MAILER-DAEMON@example.vn", true),
            ("postmaster@example.vn", true),
            ("shop@example.vn", false),
            ("reply@example.vn", false),
        ] {
            let email = email.parse().unwrap();
            assert_eq!(is_reserved(&email, "example.vn"), reserved, "{email}");
            assert!(!is_reserved(&email, "no-reply@example.vn"));
        }
        assert_eq!(system_address("example.vn"), "no-reply@example.vn");
        let system = system_address("example.vn").parse().unwrap();
        assert!(is_reserved(&system, "example.vn"));
        assert_eq!(system_address("a@example.vn"), "a@example.vn");
    }
}
