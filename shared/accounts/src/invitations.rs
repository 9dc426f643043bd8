//! Invitations to an account: an address, its rights in the account, and a token that only the mail holds.
//!
//! `mail` is the number of the last requested mail, `claim` the newest claim of a worker ([`MailClaim`]). The token's hash
//! is written together with the claim. Only the links of the newest mail work: its last two, if a worker had to repeat the mail.

use cloud::{Created, Error, Query, Resources, Table, Update};
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{
    AccountId, ChatRole, Cursor, EmailAddress, InvitationId, Limit, Origin, Role, WorkspaceId,
    secret,
};
use serde::{Deserialize, Serialize};

use crate::mail_claim::{Claimed, MailClaim};
use crate::users::{NewUser, User, Users};
use crate::{LEASE, keys};

/// Prefix of invitation tokens.
const PREFIX: &str = "tni";
/// Three days.
const LIFE: SignedDuration = SignedDuration::from_hours(72);

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationStatus {
    /// Can be accepted.
    Pending,
    /// Was accepted.
    Accepted,
    /// Was revoked.
    Revoked,
    /// Has expired; it can be sent again.
    Expired,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Id.
    pub id: InvitationId,
    /// The account.
    pub account: AccountId,
    /// The address that is invited.
    pub email: EmailAddress,
    /// Role in the account.
    pub role: Role,
    /// Role in the inbox.
    #[serde(default)]
    pub chat_role: Option<ChatRole>,
    /// Workspaces that the user may enter.
    pub workspaces: Vec<WorkspaceId>,
    /// The admin who invited, or who last sent the invitation again. It is valid while this user is an admin.
    pub invited_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When the mail service last accepted a mail with its link.
    #[serde(default)]
    pub mailed_at: Option<Timestamp>,
    /// Number of requested mails.
    pub mail: u32,
    status: InvitationStatus,
    /// When a call last claimed its acceptance.
    #[serde(default)]
    accepted_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<MailClaim>,
    #[serde(default)]
    token: Option<String>,
    /// The token of an earlier try of the same mail, which may have been sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier_token: Option<String>,
}

impl Invitation {
    /// Its status at a time.
    pub fn status(&self, now: Timestamp) -> InvitationStatus {
        if self.status == InvitationStatus::Pending && self.expires_at <= now {
            return InvitationStatus::Expired;
        }
        self.status
    }

    /// Whether it has this content and no worker has claimed its mail. Then it was just made, or made by a call that
    /// crashed before it requested the mail.
    pub fn is_unsent(&self, new: &NewInvitation, now: Timestamp) -> bool {
        self.status(now) == InvitationStatus::Pending
            && self.claim.as_ref().is_none_or(MailClaim::is_free)
            && (self.role, self.chat_role) == (new.role, new.chat_role)
            && self.workspaces == new.workspaces
    }
}

/// The one invitation of an address in an account.
#[derive(Debug)]
pub enum Reserved {
    /// There is none; one with this id may be made.
    Free(InvitationId),
    /// There is one that was not revoked.
    Held(Box<Invitation>),
    /// The one that an earlier run of the request made.
    Made(Box<Invitation>),
}

#[derive(Serialize, Deserialize)]
struct Holder {
    invitation: InvitationId,
}

/// Input of a new invitation.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// The address that is invited.
    pub email: EmailAddress,
    /// Role in the account.
    pub role: Role,
    /// Role in the inbox.
    pub chat_role: Option<ChatRole>,
    /// Workspaces that the user may enter.
    pub workspaces: Vec<WorkspaceId>,
    /// The admin who invites.
    pub invited_by: String,
}

/// The outcome of an acceptance.
#[derive(Debug)]
pub enum Accepted {
    /// The new user.
    Yes(Box<User>),
    /// It was revoked in the meantime.
    Unknown,
    /// The address has a user already.
    Taken,
}

#[derive(Serialize, Deserialize)]
struct Pointer {
    account: AccountId,
    invitation: InvitationId,
    ttl: i64,
}

/// The invitations of all accounts.
#[derive(Clone, Debug)]
pub struct Invitations {
    directory: Table,
    users: Users,
}

impl Invitations {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
            users: Users::over(resources),
        }
    }

    /// Finds the invitation that an address has in the account, or reserves an id for one. An id without an
    /// invitation comes from a call that crashed or that is about to use it. The first caller makes the invitation.
    pub async fn reserve(
        &self,
        account: AccountId,
        email: &EmailAddress,
        origin: &Origin,
    ) -> Result<Reserved, Error> {
        let key = keys::invited(account, email);
        for fresh in origin.draws(InvitationId::of) {
            let is_its = |found: &Invitation| {
                origin.is_repeatable && found.email == *email && found.created_at == origin.at
            };
            match self.get(account, fresh).await? {
                Some(found) if is_its(&found) => return Ok(Reserved::Made(Box::new(found))),
                Some(_) => continue,
                None => {}
            }
            let claim = Holder { invitation: fresh };
            let held = match self.directory.create(&key, &claim).await? {
                Created::New => return Ok(Reserved::Free(fresh)),
                Created::Existing(held) => held.invitation,
            };
            let found = self.get(account, held).await?;
            match found {
                None => return Ok(Reserved::Free(held)),
                Some(found) if is_its(&found) => return Ok(Reserved::Made(Box::new(found))),
                Some(found)
                    if found.email == *email && found.status != InvitationStatus::Revoked =>
                {
                    return Ok(Reserved::Held(Box::new(found)));
                }
                // Revoked, or another address drew the same id.
                Some(_) => {}
            }
            let update = Update::new()
                .set("invitation", fresh)
                .when_equals("invitation", held);
            if self.directory.update(&key, update).await?.applied() {
                return Ok(Reserved::Free(fresh));
            }
        }
        Err(Error::Conflict)
    }

    /// Makes an invitation with its first mail pending, under a reserved id; `at` is its `created_at`. `None`: another call
    /// has just made it.
    pub async fn create(
        &self,
        account: AccountId,
        id: InvitationId,
        at: Timestamp,
        new: NewInvitation,
    ) -> Result<Option<Invitation>, Error> {
        let invitation = Invitation {
            id,
            account,
            email: new.email,
            role: new.role,
            chat_role: new.chat_role,
            workspaces: new.workspaces,
            invited_by: new.invited_by,
            created_at: at,
            expires_at: self.directory.clock().now() + LIFE,
            mailed_at: None,
            mail: 1,
            status: InvitationStatus::Pending,
            accepted_at: None,
            claim: None,
            token: None,
            earlier_token: None,
        };
        let key = keys::invitation(account, id);
        let made = self.directory.create(&key, &invitation).await?;
        Ok(made.is_new().then_some(invitation))
    }

    /// The invitation.
    pub async fn get(
        &self,
        account: AccountId,
        id: InvitationId,
    ) -> Result<Option<Invitation>, Error> {
        self.directory.get(&keys::invitation(account, id)).await
    }

    /// One page of an account's invitations, oldest first.
    pub async fn page(
        &self,
        account: AccountId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Invitation>, Error> {
        let query = Query::partition(account.to_string())
            .begins_with(keys::INVITATIONS)
            .limit(limit.get())
            .cursor(cursor);
        self.directory.query(query).await
    }

    /// Requests another mail and restarts the validity period. The link of the previous mail ends when the new link
    /// is made. `None`: the invitation was accepted or revoked.
    pub async fn resend(&self, before: &Invitation, by: &str) -> Result<Option<Invitation>, Error> {
        let update = Update::new()
            .set("mail", before.mail + 1)
            .set("invited_by", by)
            .set("expires_at", self.directory.clock().now() + LIFE)
            .when_equals("mail", before.mail)
            .when_equals("status", InvitationStatus::Pending);
        self.change(before, update).await
    }

    /// Revokes an invitation. `None`: it was accepted, or is being accepted.
    pub async fn revoke(&self, before: &Invitation) -> Result<Option<Invitation>, Error> {
        if before.status == InvitationStatus::Revoked {
            return Ok(Some(before.clone()));
        }
        let update = Update::new().set("status", InvitationStatus::Revoked);
        let update = if self.is_stranded(before).await? {
            update
                .when_equals("status", InvitationStatus::Accepted)
                .when_equals("accepted_at", before.accepted_at)
        } else {
            update.when_equals("status", InvitationStatus::Pending)
        };
        self.change(before, update).await
    }

    /// Whether a call claimed its acceptance, ended, and made no user.
    async fn is_stranded(&self, invitation: &Invitation) -> Result<bool, Error> {
        let over = self.directory.clock().now() - LEASE;
        if invitation.status != InvitationStatus::Accepted
            || invitation.accepted_at.is_some_and(|at| at > over)
        {
            return Ok(false);
        }
        let user = self.users.find(&invitation.email).await?;
        Ok(user.is_none_or(|user| user.account != invitation.account))
    }

    async fn change(
        &self,
        before: &Invitation,
        update: Update,
    ) -> Result<Option<Invitation>, Error> {
        let key = keys::invitation(before.account, before.id);
        let outcome = self.directory.update(&key, update).await?;
        if outcome.applied() {
            self.get(before.account, before.id).await
        } else {
            Ok(None)
        }
    }

    /// Claims the sending of mail number `mail` and makes its token, of which only a hash is stored. Over also if a newer mail
    /// was requested, or the invitation is over.
    pub async fn claim_mail(
        &self,
        invitation: &Invitation,
        mail: u32,
    ) -> Result<Claimed<(String, MailClaim)>, Error> {
        let now = self.directory.clock().now();
        let open = invitation.status(now) == InvitationStatus::Pending;
        if !open || invitation.mail != mail {
            return Ok(Claimed::Over);
        }
        let claim = match MailClaim::next(invitation.claim.as_ref(), mail, now) {
            Claimed::Mine(claim) => claim,
            Claimed::Busy => return Ok(Claimed::Busy),
            Claimed::Over => return Ok(Claimed::Over),
        };
        let token = secret::generate(PREFIX, self.directory.entropy());
        let hash = secret::hash(&token);
        let pointer = Pointer {
            account: invitation.account,
            invitation: invitation.id,
            ttl: invitation.expires_at.as_second(),
        };
        self.directory
            .create(&keys::invite(&hash), &pointer)
            .await?;
        let update = Update::new()
            .set("claim", &claim)
            .set("token", &hash)
            .when_as_read("claim", invitation.claim.as_ref())
            .when_equals("mail", mail)
            .when_equals("status", InvitationStatus::Pending);
        let update = match &invitation.token {
            Some(earlier) if claim.is_repeated() => update.set("earlier_token", earlier),
            _ => update.remove("earlier_token"),
        };
        let key = keys::invitation(invitation.account, invitation.id);
        let is_mine = self.directory.update(&key, update).await?.applied();
        // Otherwise another worker claimed it, or released the mail before: the next try reads which.
        Ok(if is_mine {
            Claimed::Mine((token, claim))
        } else {
            Claimed::Busy
        })
    }

    /// Releases the claim: the mail service accepted nothing, so the next try may send.
    pub async fn release_mail(
        &self,
        invitation: &Invitation,
        claim: &MailClaim,
    ) -> Result<(), Error> {
        let update = Update::new()
            .set("claim", claim.released(self.directory.clock().now()))
            .when_equals("claim", claim);
        let key = keys::invitation(invitation.account, invitation.id);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// Records that the mail service accepted the mail.
    pub async fn note_mailed(
        &self,
        invitation: &Invitation,
        claim: &MailClaim,
    ) -> Result<(), Error> {
        let update = Update::new()
            .set("mailed_at", self.directory.clock().now())
            .set("claim", claim.settled())
            .when_equals("claim", claim);
        let key = keys::invitation(invitation.account, invitation.id);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// The invitation of a token. Its link is the newest, it is not revoked or expired, and the inviter is still an
    /// admin. An accepted invitation is found too, so that a call can be repeated that crashed while it accepted.
    pub async fn find(&self, token: &str) -> Result<Option<Invitation>, Error> {
        let hash = secret::hash(token);
        let pointer: Option<Pointer> = self.directory.get(&keys::invite(&hash)).await?;
        let Some(pointer) = pointer else {
            return Ok(None);
        };
        let found = self.get(pointer.account, pointer.invitation).await?;
        let now = self.directory.clock().now();
        let found = found.filter(|invitation| {
            let tokens = [&invitation.token, &invitation.earlier_token];
            tokens.contains(&&Some(hash.clone()))
                && invitation.status != InvitationStatus::Revoked
                && invitation.expires_at > now
        });
        let Some(invitation) = found else {
            return Ok(None);
        };
        let Ok(host) = invitation.invited_by.parse() else {
            return Ok(None);
        };
        let host = self.users.get(invitation.account, host).await?;
        Ok(host
            .is_some_and(|host| host.is_admin())
            .then_some(invitation))
    }

    /// Makes the user. The invitation is marked first, so that it cannot be revoked under the new user. Once there
    /// is a user the link has no effect; the user signs in.
    pub async fn accept(
        &self,
        invitation: &Invitation,
        name: &str,
        password: &str,
    ) -> Result<Accepted, Error> {
        if let Some(user) = self.users.find(&invitation.email).await? {
            if user.account == invitation.account {
                self.users.complete(&user).await?;
            }
            return Ok(Accepted::Taken);
        }
        let key = keys::invitation(invitation.account, invitation.id);
        let update = Update::new()
            .set("status", InvitationStatus::Accepted)
            .set("accepted_at", self.directory.clock().now())
            .when_equals("token", &invitation.token)
            .when_in(
                "status",
                [InvitationStatus::Pending, InvitationStatus::Accepted],
            );
        if !self.directory.update(&key, update).await?.applied() {
            return Ok(Accepted::Unknown);
        }
        let new = NewUser {
            email: invitation.email.clone(),
            name: name.to_owned(),
            role: invitation.role,
            chat_role: invitation.chat_role,
            workspaces: invitation.workspaces.clone(),
            password: password.to_owned(),
        };
        let Some(id) = self.users.create(invitation.account, new).await? else {
            return Ok(Accepted::Taken);
        };
        let user = self.users.get(invitation.account, id).await?;
        Ok(user.map_or(Accepted::Taken, |user| Accepted::Yes(Box::new(user))))
    }
}
