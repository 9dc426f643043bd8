//! One message makes one mail. An invitation that is over, or an address without a user, gets no mail.

use accounts::{AccountMail, Accounts, Claimed, Invitation, Invitations, Resets, Senders};
use cloud::{Error, Mailer, SendError};
use kernel::{AccountId, Clock, EmailAddress, InvitationId, WorkspaceId};
use lambda::sqs::Record;
use lambda::{Failure, metrics};

use crate::letter::{self, Letter};

/// The state of the handler.
#[derive(Clone)]
pub struct PostOffice {
    pub accounts: Accounts,
    pub invitations: Invitations,
    pub resets: Resets,
    pub senders: Senders,
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
    let mail = serde_json::from_str(&record.body);
    let malformed = |error| Failure::reject("Message.Malformed", cloud::error::json_flaw(&error));
    match mail.map_err(malformed)? {
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
