//! One message makes one mail. An invitation that is over, or an address without a user, gets no mail.

use accounts::privacy::notices::{NoticeKind, PrivacyNotices};
use accounts::{
    AccountMail, Accounts, Claimed, Invitation, Invitations, Resets, Senders, User, Users,
    Workspaces,
};
use cloud::{Error, Mailer, SendError};
use jiff::Timestamp;
use jiff::civil::Date;
use kernel::{
    AccountId, Clock, EmailAddress, InvitationId, Limit, PrivacyRequestId, TenantKey, WebhookId,
    WorkspaceId,
};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use webhooks::Notices;

use crate::letter::{self, Letter};

/// Admins that get a notice.
const MAX_ADMINS: usize = 20;

/// The state of the handler.
#[derive(Clone)]
pub struct PostOffice {
    pub accounts: Accounts,
    pub invitations: Invitations,
    pub resets: Resets,
    pub senders: Senders,
    pub notices: PrivacyNotices,
    pub webhooks: Notices,
    pub workspaces: Workspaces,
    pub users: Users,
    pub mailer: Mailer,
    pub sender: String,
    pub base_url: String,
    pub clock: Clock,
}

/// Whether the mail service took a mail.
enum Taken {
    /// The service took the mail, or gave no answer and may have taken it.
    Yes,
    /// The service refused for now; nothing was sent.
    NotNow(String),
}

/// Sends the mail unless that was done before.
pub async fn handle(post_office: &PostOffice, record: &Record) -> Result<(), Failure> {
    let malformed = |error| Failure::reject("Message.Malformed", cloud::error::json_flaw(&error));
    let mail = match serde_json::from_str(&record.body) {
        Ok(mail) => mail,
        Err(error) => {
            // A timer's message has the envelope of its workspace.
            let opened = record.open::<AccountMail>();
            return match opened {
                Ok((tenant, AccountMail::PrivacyDue { request, due, kind })) => {
                    post_office.remind(tenant, (request, due, kind)).await
                }
                Ok((tenant, AccountMail::WebhookDisabled { webhook, at })) => {
                    post_office.tell_disabled(tenant, webhook, at).await
                }
                _ => Err(malformed(error)),
            };
        }
    };
    match mail {
        AccountMail::Invitation {
            account,
            invitation,
            mail,
        } => post_office.invite(account, invitation, mail).await,
        AccountMail::Reset { request, email } => post_office.reset(&request, &email).await,
        AccountMail::Sender {
            workspace,
            email,
            mail,
        } => post_office.prove(workspace, &email, mail).await,
        AccountMail::PrivacyDue { request, .. } => {
            Err(Failure::reject("Message.NoWorkspace", request))
        }
        AccountMail::WebhookDisabled { webhook, .. } => {
            Err(Failure::reject("Message.NoWorkspace", webhook))
        }
    }
}

impl PostOffice {
    async fn invite(&self, account: AccountId, id: InvitationId, mail: u32) -> Result<(), Failure> {
        let invitation: Option<Invitation> = self.invitations.get(account, id).await?;
        let (Some(invitation), Some(host)) = (invitation, self.accounts.get(account).await?) else {
            return Err(Failure::reject("Invitation.Missing", id));
        };
        let claimed = self.invitations.claim_mail(&invitation, mail).await?;
        let Some((token, claim)) = mine(claimed)? else {
            return Ok(());
        };
        let link = format!("{}/invitations/{token}", self.base_url);
        let letter = letter::invitation(&host.name, &link);
        let key = format!("{id}-{mail}");
        match self.send(letter, &invitation.email, &key).await? {
            Taken::Yes => {
                let noted = self.invitations.note_mailed(&invitation, &claim);
                settle(noted.await);
                Ok(())
            }
            Taken::NotNow(code) => {
                self.invitations.release_mail(&invitation, &claim).await?;
                Err(Failure::retry("Send.NotNow", code))
            }
        }
    }

    async fn reset(&self, request: &str, email: &EmailAddress) -> Result<(), Failure> {
        let claimed = self.resets.claim_mail(request, email).await?;
        let Some((token, claim)) = mine(claimed)? else {
            return Ok(());
        };
        let link = format!("{}/reset-password/{token}", self.base_url);
        match self.send(letter::reset(&link), email, request).await? {
            Taken::Yes => {
                settle(self.resets.note_mailed(request, &claim).await);
                Ok(())
            }
            Taken::NotNow(code) => {
                self.resets.release_mail(request, &claim).await?;
                Err(Failure::retry("Send.NotNow", code))
            }
        }
    }

    async fn prove(
        &self,
        workspace: WorkspaceId,
        email: &EmailAddress,
        mail: u32,
    ) -> Result<(), Failure> {
        let claimed = self.senders.claim_mail(workspace, email, mail).await?;
        let Some(proof) = mine(claimed)? else {
            return Ok(());
        };
        let (id, claim) = (proof.sender, proof.claim);
        let link = format!("{}/senders/{id}/confirm", self.base_url);
        let letter = letter::sender(email.as_str(), &link, &proof.code);
        match self.send(letter, email, &format!("{id}-{mail}")).await? {
            Taken::Yes => {
                let noted = self.senders.note_mailed(workspace, email, &claim);
                settle(noted.await);
                Ok(())
            }
            Taken::NotNow(why) => {
                let released = self.senders.release_mail(workspace, email, &claim);
                released.await?;
                Err(Failure::retry("Send.NotNow", why))
            }
        }
    }

    /// Tells the admins of the account that a date of a request is near or has passed, each once.
    async fn remind(
        &self,
        tenant: TenantKey,
        notice: (PrivacyRequestId, Date, NoticeKind),
    ) -> Result<(), Failure> {
        let (request, due, kind) = notice;
        let Some(wanted) = self.notices.wanted(tenant, notice).await? else {
            return Ok(());
        };
        let Some(workspace) = self.workspaces.get(tenant).await? else {
            return Ok(());
        };
        let notify_by = wanted.breach.and_then(|breach| breach.notify_by);
        let link = format!("{}/privacy-requests/{request}", self.base_url);
        let admins = self.admins(workspace.account).await?;
        for admin in &admins {
            if !self.notices.claim(tenant, notice, admin.id).await? {
                continue;
            }
            let name = &workspace.settings.name;
            let letter = match notify_by {
                Some(end) => letter::breach(name, end, kind, &link),
                None => letter::privacy(name, due, kind, &link),
            };
            let key = format!("{request}-{due}-{}-{}", kind.name(), admin.id);
            match self.send(letter, &admin.email, &key).await {
                Ok(Taken::Yes) => {}
                Ok(Taken::NotNow(code)) => {
                    self.notices.release(tenant, notice, admin.id).await?;
                    return Err(Failure::retry("Send.NotNow", code));
                }
                // One bad address must not hide the date from the others.
                Err(_) => metrics::incident("PrivacyNoticesRefused", 1),
            }
        }
        let count = u32::try_from(admins.len()).unwrap_or(u32::MAX);
        self.notices.note(tenant, notice, count).await?;
        metrics::count("PrivacyNotices", 1);
        Ok(())
    }

    /// Tells the admins of the account that a webhook was disabled, each once.
    async fn tell_disabled(
        &self,
        tenant: TenantKey,
        id: WebhookId,
        at: Timestamp,
    ) -> Result<(), Failure> {
        let Some(webhook) = self.webhooks.wanted(tenant, id, at).await? else {
            return Ok(());
        };
        let Some(workspace) = self.workspaces.get(tenant).await? else {
            return Ok(());
        };
        let link = format!("{}/webhooks/{id}", self.base_url);
        for admin in self.admins(workspace.account).await? {
            if !self.webhooks.claim(tenant, (id, at), admin.id).await? {
                continue;
            }
            let letter = letter::webhook(&workspace.settings.name, webhook.reason, &link);
            let key = format!("{id}-{}-{}", at.as_millisecond(), admin.id);
            match self.send(letter, &admin.email, &key).await {
                Ok(Taken::Yes) => metrics::count("WebhookNotices", 1),
                Ok(Taken::NotNow(code)) => {
                    self.webhooks.release(tenant, (id, at), admin.id).await?;
                    return Err(Failure::retry("Send.NotNow", code));
                }
                // One bad address must not hide the notice from the others.
                Err(_) => metrics::incident("WebhookNoticesRefused", 1),
            }
        }
        Ok(())
    }

    /// The first admins of the account that may sign in.
    async fn admins(&self, account: AccountId) -> Result<Vec<User>, Failure> {
        let (mut admins, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.users.page(account, Limit::default(), cursor).await?;
            admins.extend(page.data.into_iter().filter(User::is_admin));
            cursor = page.next;
            if cursor.is_none() || admins.len() >= MAX_ADMINS {
                admins.truncate(MAX_ADMINS);
                return Ok(admins);
            }
        }
    }

    async fn send(&self, letter: Letter, to: &EmailAddress, key: &str) -> Result<Taken, Failure> {
        let mail = letter.address(&self.sender, to, key, self.clock.now());
        let mail = mail.map_err(|error| Failure::reject("Mail.Invalid", error))?;
        match self.mailer.send(mail).await {
            Ok(_) => metrics::count("AccountMailsSent", 1),
            // The mail may be on its way, so it is not sent again.
            Err(SendError::Unknown(_)) => metrics::incident("AccountMailsUnknown", 1),
            Err(SendError::Throttled { code } | SendError::Stopped { code, .. }) => {
                return Ok(Taken::NotNow(code));
            }
            Err(error @ SendError::Refused { .. }) => {
                return Err(Failure::reject("Send.Refused", error));
            }
        }
        Ok(Taken::Yes)
    }
}

/// The claim of this worker; `None`: there is nothing to send. While another worker may be sending, the message is redelivered.
fn mine<T>(claimed: Claimed<T>) -> Result<Option<T>, Failure> {
    match claimed {
        Claimed::Busy => Err(Failure::retry("Mail.Claimed", "another worker may send it")),
        other => Ok(other.mine()),
    }
}

/// The mail is out, so its message is acknowledged even if the outcome could not be stored: a redelivery would send again.
fn settle(noted: Result<(), Error>) {
    if let Err(error) = noted {
        metrics::incident("AccountMailsUnsettled", 1);
        tracing::warn!(%error, "the outcome of a mail could not be stored");
    }
}
