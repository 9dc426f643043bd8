//! The email channel: compiled mails, one message for each contact, SES.

mod prepared;

use std::sync::Arc;

use cloud::{Mailer, OutgoingMail, Resources, mailer::SendError};
use contacts::Channel;
use content::links::LinkSet;
use content::tokens::TokenKey;
use kernel::TenantKey;

use crate::channel::{Answer, NotReady, Recipient, SendChannel};
use crate::compiled::CompiledMails;
use crate::consent::email_of;
use crate::send::{Class, Content, TEST_SCOPE, Terms};
use crate::ses_event::AFTER_SOFT_BOUNCES;

pub use prepared::{Letterhead, PreparedMail, Preview};

/// Sends mails; cheap to clone.
#[derive(Clone, Debug)]
pub struct EmailChannel {
    mails: CompiledMails,
    mailer: Mailer,
    token_key: TokenKey,
    base_url: String,
}

impl EmailChannel {
    /// Over the table Directory and SES. Links in the mails lead to `base_url` and are signed with `token_key`.
    pub fn over(resources: &Resources, base_url: &str, token_key: TokenKey) -> Self {
        Self {
            mails: CompiledMails::over(resources),
            mailer: resources.mailer(),
            token_key,
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }
}

impl SendChannel for EmailChannel {
    const CHANNEL: Channel = Channel::Email;
    type Prepared = PreparedMail;
    type Composed = OutgoingMail;

    /// One account sends for all workspaces.
    fn account(_: TenantKey) -> String {
        "ses".to_owned()
    }

    async fn prepare(
        &self,
        tenant: TenantKey,
        content: &Content,
        class: Class,
        letterhead: &Letterhead,
    ) -> Result<Arc<PreparedMail>, NotReady> {
        let Content::Email { mail } = content else {
            return Err(NotReady::Missing("mail_missing"));
        };
        self.mails.get(tenant, mail, class, letterhead).await
    }

    fn terms(ready: &PreparedMail) -> Terms {
        ready.terms()
    }

    fn compose(
        &self,
        recipient: &Recipient<'_>,
        ready: &PreparedMail,
    ) -> Result<OutgoingMail, String> {
        let (key, contact) = (recipient.key, recipient.contact);
        let (workspace, contact_id) = (recipient.tenant.to_string(), key.contact.to_string());
        let nowhere = TokenKey::new(prepared::NOWHERE);
        let is_test = key.scope.starts_with(TEST_SCOPE);
        let links = LinkSet::new(
            &self.base_url,
            if is_test { &nowhere } else { &self.token_key },
            &workspace,
            &key.scope,
            &contact_id,
            &key.step,
        );
        let mut links = links.map_err(|_| "links".to_owned())?;
        if let Some(address) = email_of(contact) {
            links = links.to(address.as_str());
        }
        let tags = [
            ("tenant", workspace.as_str()),
            ("scope", &key.scope),
            ("contact", &contact_id),
            ("step", &key.step),
        ];
        let (to, raw) = ready.compose(recipient, &links, &tags)?;
        // Its delivery then forgets the mails that came back before. Other deliveries cost no write for that.
        let after = contact
            .has_soft_bounces
            .then_some((AFTER_SOFT_BOUNCES, "1"));
        let tags = tags.into_iter().chain(after);
        Ok(OutgoingMail {
            from: ready.sender().from_email.to_string(),
            to,
            raw,
            tags: tags
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    }

    async fn call(&self, mail: OutgoingMail) -> Answer {
        match self.mailer.send(mail).await {
            Ok(id) => Answer::Accepted { id },
            Err(SendError::Refused { code, .. }) => Answer::Refused { code },
            Err(SendError::Throttled { .. }) => Answer::Throttled,
            Err(SendError::Stopped { code, .. }) => Answer::Stopped { code },
            Err(SendError::Unknown(_)) => Answer::NoAnswer,
        }
    }
}
