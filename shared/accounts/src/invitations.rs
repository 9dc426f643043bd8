//! Invitations to an account: an address, what its owner will be, and a token that only the mail holds.
//!
//! `mail` numbers the mails that were asked for, `claimed` the last one that a worker set out to send:
//! the token's hash is written together with the claim, so a mail goes out once and only the newest
//! mail's link works.

use cloud::{Created, Error, Query, Table, Update};
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{
    AccountId, ChatRole, Cursor, EmailAddress, InvitationId, Limit, Role, UserId, WorkspaceId,
};
use serde::{Deserialize, Serialize};

use crate::users::{NewUser, User, Users};
use crate::{keys, secret};

/// Tokens of invitations begin so.
const PREFIX: &str = "tni";
/// product.md 2: three days.
const LIFE: SignedDuration = SignedDuration::from_hours(72);

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationStatus {
    /// Can be accepted.
    Pending,
    /// Was accepted.
    Accepted,
    /// Was taken back.
    Revoked,
    /// Its time is over; it can be sent again.
    Expired,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Id.
    pub id: InvitationId,
    /// To which account.
    pub account: AccountId,
    /// Who is invited.
    pub email: EmailAddress,
    /// Role in the account.
    pub role: Role,
    /// Role in the inbox.
    #[serde(default)]
    pub chat_role: Option<ChatRole>,
    /// Workspaces that the user may enter.
    pub workspaces: Vec<WorkspaceId>,
    /// Who invited.
    pub invited_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
    /// When a mail with its link was last handed to the mail service.
    #[serde(default)]
    pub mailed_at: Option<Timestamp>,
    /// Mails that were asked for.
    pub mail: u32,
    status: InvitationStatus,
    #[serde(default)]
    claimed: u32,
    #[serde(default)]
    token: Option<String>,
}

impl Invitation {
    /// Where it stands at a time.
    pub fn status(&self, now: Timestamp) -> InvitationStatus {
        if self.status == InvitationStatus::Pending && self.expires_at <= now {
            return InvitationStatus::Expired;
        }
        self.status
    }
}

/// An invitation to be.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Who is invited.
    pub email: EmailAddress,
    /// Role in the account.
    pub role: Role,
    /// Role in the inbox.
    pub chat_role: Option<ChatRole>,
    /// Workspaces that the user may enter.
    pub workspaces: Vec<WorkspaceId>,
    /// Who invites.
    pub invited_by: String,
}

/// What became of an acceptance.
#[derive(Debug)]
pub enum Accepted {
    /// The user, made now or by an earlier try with the same password.
    Yes(Box<User>),
    /// No invitation has this token, or its time is over.
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
    /// Over the directory table.
    pub fn new(directory: Table) -> Self {
        let users = Users::new(directory.clone());
        Self { directory, users }
    }

    /// Makes an invitation whose first mail is to be sent.
    pub async fn create(
        &self,
        account: AccountId,
        new: NewInvitation,
    ) -> Result<Invitation, Error> {
        let (clock, entropy) = (self.directory.clock(), self.directory.entropy());
        let now = clock.now();
        let mut invitation = Invitation {
            id: InvitationId::new(clock, entropy),
            account,
            email: new.email,
            role: new.role,
            chat_role: new.chat_role,
            workspaces: new.workspaces,
            invited_by: new.invited_by,
            created_at: now,
            expires_at: now + LIFE,
            mailed_at: None,
            mail: 1,
            status: InvitationStatus::Pending,
            claimed: 0,
            token: None,
        };
        loop {
            let key = keys::invitation(account, invitation.id);
            if let Created::New = self.directory.create(&key, &invitation).await? {
                return Ok(invitation);
            }
            invitation.id = InvitationId::new(clock, entropy);
        }
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

    /// Asks for another mail and begins the time anew. The link of the mail before ends when the new
    /// one is made. `None`: the invitation was accepted or revoked.
    pub async fn resend(&self, before: &Invitation) -> Result<Option<Invitation>, Error> {
        let update = Update::new()
            .set("mail", before.mail + 1)
            .set("expires_at", self.directory.clock().now() + LIFE)
            .when_equals("mail", before.mail)
            .when_equals("status", InvitationStatus::Pending);
        self.change(before, update).await
    }

    /// Takes an invitation back. `None`: it was accepted.
    pub async fn revoke(&self, before: &Invitation) -> Result<Option<Invitation>, Error> {
        if before.status == InvitationStatus::Revoked {
            return Ok(Some(before.clone()));
        }
        let update = Update::new()
            .set("status", InvitationStatus::Revoked)
            .when_equals("status", InvitationStatus::Pending);
        self.change(before, update).await
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

    /// Claims the sending of mail number `mail` and makes its token, of which only a hash is kept.
    /// `None`: another worker has it, a newer mail was asked for, or the invitation is over.
    pub async fn claim_mail(
        &self,
        invitation: &Invitation,
        mail: u32,
    ) -> Result<Option<String>, Error> {
        let now = self.directory.clock().now();
        let open = invitation.status(now) == InvitationStatus::Pending;
        if !open || invitation.mail != mail || invitation.claimed >= mail {
            return Ok(None);
        }
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
            .set("claimed", mail)
            .set("token", &hash)
            .when_equals("claimed", invitation.claimed)
            .when_equals("mail", mail)
            .when_equals("status", InvitationStatus::Pending);
        let key = keys::invitation(invitation.account, invitation.id);
        let claimed = self.directory.update(&key, update).await?.applied();
        Ok(claimed.then_some(token))
    }

    /// Gives the sending back: the mail service took nothing, so the next try may send.
    pub async fn release_mail(&self, invitation: &Invitation) -> Result<(), Error> {
        let update = Update::new()
            .set("claimed", invitation.claimed)
            .when_equals("claimed", invitation.mail);
        let key = keys::invitation(invitation.account, invitation.id);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// Notes that the mail service took the mail.
    pub async fn note_mailed(&self, invitation: &Invitation) -> Result<(), Error> {
        let update = Update::new()
            .set("mailed_at", self.directory.clock().now())
            .when_exists();
        let key = keys::invitation(invitation.account, invitation.id);
        self.directory.update(&key, update).await?;
        Ok(())
    }

    /// The invitation behind a token, if its link is the newest and it was not taken back. One that was
    /// accepted is found too: whoever died while accepting comes again.
    async fn find(&self, token: &str) -> Result<Option<Invitation>, Error> {
        let hash = secret::hash(token);
        let pointer: Option<Pointer> = self.directory.get(&keys::invite(&hash)).await?;
        let Some(pointer) = pointer else {
            return Ok(None);
        };
        let found = self.get(pointer.account, pointer.invitation).await?;
        let now = self.directory.clock().now();
        Ok(found.filter(|invitation| {
            invitation.token.as_deref() == Some(&hash)
                && matches!(
                    invitation.status(now),
                    InvitationStatus::Pending | InvitationStatus::Accepted
                )
        }))
    }

    /// Makes the user. The invitation is marked first, so that it cannot be revoked under the new user;
    /// a repetition with the same password goes on where the first try died.
    pub async fn accept(&self, token: &str, name: &str, password: &str) -> Result<Accepted, Error> {
        let Some(invitation) = self.find(token).await? else {
            return Ok(Accepted::Unknown);
        };
        let earlier = self.users.authenticate(&invitation.email, password).await?;
        let is_taken = earlier.is_none() && self.users.exists(&invitation.email).await?;
        if is_taken {
            return Ok(Accepted::Taken);
        }
        let key = keys::invitation(invitation.account, invitation.id);
        let update = Update::new()
            .set("status", InvitationStatus::Accepted)
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
        let made: Option<UserId> = self.users.create(invitation.account, new).await?;
        let user = match made {
            Some(id) => self.users.get(invitation.account, id).await?,
            None => self.users.authenticate(&invitation.email, password).await?,
        };
        let ours = user.filter(|user| user.account == invitation.account);
        let Some(user) = ours else {
            return Ok(Accepted::Taken);
        };
        self.users.complete(&user).await?;
        Ok(Accepted::Yes(Box::new(user)))
    }
}
