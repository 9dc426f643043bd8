//! The content of a campaign in bodies and answers: exactly one object, named by its channel. One file a kind.
//!
//! A file of a kind holds the shape of the body, its check and the shape of the answer. This file only selects the kind.

mod ab;
mod mail;

use campaigns::{Audience, Campaign};
use channels::{Content, StoredMail};
use lambda::http::{Caller, Flaws, Problem};

pub use ab::{AbView, CheckedAb, Choice, NewAb, stored_b};
pub use mail::{MailView, NewMail};

use crate::handler::Api;

/// The content objects of a body; a body names exactly one.
#[derive(Debug)]
pub struct Contents {
    pub mail: Option<NewMail>,
}

/// The content of a body, not yet checked.
#[derive(Debug)]
pub enum NewContent {
    Mail(NewMail),
}

/// Content without a flaw, not yet stored.
#[derive(Debug, Clone)]
pub enum Checked {
    Mail(StoredMail),
}

/// The content objects of an answer; those of other kinds are null.
#[derive(Debug, Default)]
pub struct ContentView {
    pub mail: Option<MailView>,
    /// Version B of a test.
    pub b: Option<StoredMail>,
}

impl Contents {
    /// Whether the body has no content object.
    pub fn is_empty(&self) -> bool {
        self.mail.is_none()
    }

    /// The one content; the flaw if the body has none or several.
    pub fn one(self) -> Result<NewContent, Problem> {
        let Self { mail } = self;
        let mut all: Vec<NewContent> = mail.map(NewContent::Mail).into_iter().collect();
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(Problem::invalid(
                "",
                "expected exactly one content object: mail",
            )),
        }
    }
}

impl NewContent {
    /// The content, or a problem with the places of all its flaws.
    pub async fn check(
        self,
        api: &Api,
        caller: &Caller,
        audience: &Audience,
    ) -> Result<Checked, Problem> {
        match self {
            Self::Mail(new) => new.check(api, caller, audience).await.map(Checked::Mail),
        }
    }
}

impl Checked {
    /// Refuses what the workspace may not send now: an unproven sender.
    pub async fn allow(&self, api: &Api, caller: &Caller) -> Result<(), Problem> {
        match self {
            Self::Mail(mail) => mail::allow(api, caller, mail).await,
        }
    }

    /// Stores the content. The same content gives the same row.
    pub async fn store(&self, api: &Api, caller: &Caller) -> Result<Content, Problem> {
        match self {
            Self::Mail(mail) => Ok(Content::Email {
                mail: api.mails.put(caller.tenant, mail).await?,
            }),
        }
    }

    /// The test of this content, checked; a flaw if the content is no mail.
    pub async fn check_test(&self, api: &Api, ab: NewAb) -> Result<CheckedAb, Problem> {
        match self {
            Self::Mail(mail) => ab.check(api, mail).await,
        }
    }

    /// A line of the content for lists of campaigns.
    pub fn summary(&self) -> &str {
        match self {
            Self::Mail(mail) => &mail.subject,
        }
    }

    /// The answer's content object.
    pub fn view(self) -> ContentView {
        match self {
            Self::Mail(mail) => ContentView {
                mail: Some(mail.into()),
                b: None,
            },
        }
    }
}

/// The content of a campaign; `None` if its mail is missing or its kind has no content object.
pub async fn stored(
    api: &Api,
    caller: &Caller,
    campaign: &Campaign,
) -> Result<Option<Checked>, Problem> {
    match &campaign.content {
        Content::Email { mail } => {
            let mail = api.mails.get(caller.tenant, mail).await?;
            Ok(mail.map(Checked::Mail))
        }
        Content::Sms { .. } => Ok(None),
    }
}

/// Flaws of a content object, at their places in the body.
fn below(object: &str, flaws: impl IntoIterator<Item = (&'static str, String)>) -> Flaws {
    let placed = |(place, message)| (format!("{object}{place}"), message);
    flaws.into_iter().map(placed).collect()
}
