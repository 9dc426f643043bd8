//! Mails to users, as messages to the account mailer. They hold no tokens. The worker draws a token when it sends,
//! so no queue and no answer of the API ever holds one.

use cloud::{Error, Message, QueueName, QueueOf, Resources};
use jiff::Timestamp;
use jiff::civil::Date;
use kernel::{AccountId, EmailAddress, InvitationId, PrivacyRequestId, WebhookId, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::privacy::notices::NoticeKind;

/// One mail to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum AccountMail {
    /// The link of an invitation.
    #[serde(rename = "account.invitation.v1")]
    Invitation {
        /// Account.
        account: AccountId,
        /// Invitation.
        invitation: InvitationId,
        /// Which of its mails.
        mail: u32,
    },
    /// The link of a password reset, if the address has a user.
    #[serde(rename = "account.reset.v1")]
    Reset {
        /// Names the request, so that a repeated message sends one mail.
        request: String,
        /// The address that was typed.
        email: EmailAddress,
    },
    /// The code that proves an address of a workspace.
    #[serde(rename = "account.sender.v1")]
    Sender {
        /// Workspace.
        workspace: WorkspaceId,
        /// The address to prove.
        email: EmailAddress,
        /// Which of its mails.
        mail: u32,
    },
    /// A date of a request about personal data is near, or has passed. Only a timer sends it, in the envelope of its workspace.
    #[serde(rename = "account.privacy_due.v1")]
    PrivacyDue {
        /// The request.
        request: PrivacyRequestId,
        /// The date.
        due: Date,
        /// The reason.
        kind: NoticeKind,
    },
    /// The product disabled a webhook. Only a timer sends it, in the envelope of its workspace.
    #[serde(rename = "account.webhook_disabled.v1")]
    WebhookDisabled {
        /// The webhook.
        webhook: WebhookId,
        /// When it was disabled.
        at: Timestamp,
    },
}

impl Message for AccountMail {
    const QUEUE: QueueName = QueueName::new("account-mail");
}

/// The queue to the account mailer.
#[derive(Clone, Debug)]
pub struct AccountMails(QueueOf<AccountMail>);

impl AccountMails {
    /// Over the queue `AccountMail`.
    pub fn over(resources: &Resources) -> Self {
        Self(resources.queue_of())
    }

    /// Requests a mail. These messages belong to an account, or to nobody yet, so they have no tenant's envelope.
    pub async fn send(&self, mail: &AccountMail) -> Result<(), Error> {
        let group = match mail {
            AccountMail::Invitation { account, .. } => account.to_string(),
            AccountMail::Reset { .. } => "reset".to_owned(),
            AccountMail::Sender { workspace, .. } => workspace.to_string(),
            AccountMail::PrivacyDue { request, .. } => request.to_string(),
            AccountMail::WebhookDisabled { webhook, .. } => webhook.to_string(),
        };
        self.0.send_bare(group, mail).await
    }
}
