//! The content of a campaign in bodies and answers: exactly one object, named by its channel. One file a kind.
//!
//! A file of a kind holds the shape of the body, its check and the shape of the answer. This file only selects the kind.

mod ab;
mod mail;
mod push;
mod sms;
mod zns;

use campaigns::{Audience, Campaign};
use channels::push::Note;
use channels::{Content, StoredMail};
use lambda::http::{Caller, Flaws, Problem};

pub use ab::{AbView, CheckedAb, Choice, NewAb, stored_b};
pub use mail::{MailView, NewMail};
pub use push::{NewPush, PushView};
use sms::StoredText;
pub use sms::{NewText, TextView};
pub use zns::{CheckedZns, Zns};

use crate::handler::Api;

/// The content objects of a body; a body names exactly one.
#[derive(Debug)]
pub struct Contents {
    pub mail: Option<NewMail>,
    pub sms: Option<NewText>,
    pub zns: Option<Zns>,
    pub push: Option<NewPush>,
}

/// The content of a body, not yet checked.
#[derive(Debug)]
pub enum NewContent {
    Mail(NewMail),
    Text(NewText),
    Zns(Zns),
    Push(NewPush),
}

/// Content without a flaw, not yet stored.
#[derive(Debug, Clone)]
pub enum Checked {
    Mail(StoredMail),
    Text(StoredText),
    Zns(CheckedZns),
    Push(Note),
}

/// The content objects of an answer; those of other kinds are null.
#[derive(Debug, Default)]
pub struct ContentView {
    pub mail: Option<MailView>,
    pub sms: Option<TextView>,
    pub zns: Option<Zns>,
    pub push: Option<PushView>,
    /// Version B of a test.
    pub b: Option<StoredMail>,
}

impl Contents {
    /// Whether the body has no content object.
    pub fn is_empty(&self) -> bool {
        self.mail.is_none() && self.sms.is_none() && self.zns.is_none() && self.push.is_none()
    }

    /// The one content; the flaw if the body has none or several.
    pub fn one(self) -> Result<NewContent, Problem> {
        let Self {
            mail,
            sms,
            zns,
            push,
        } = self;
        let all = [
            mail.map(NewContent::Mail),
            sms.map(NewContent::Text),
            zns.map(NewContent::Zns),
            push.map(NewContent::Push),
        ];
        let mut all: Vec<NewContent> = all.into_iter().flatten().collect();
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(Problem::invalid(
                "",
                "expected exactly one content object: mail, sms, zns or push",
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
            Self::Text(new) => new.check(api, caller).await.map(Checked::Text),
            Self::Zns(new) => new.check(api, caller).await.map(Checked::Zns),
            Self::Push(new) => new.check().map(Checked::Push),
        }
    }
}

impl Checked {
    /// Refuses what the workspace may not send now: an unproven sender.
    pub async fn allow(&self, api: &Api, caller: &Caller) -> Result<(), Problem> {
        match self {
            Self::Mail(mail) => mail::allow(api, caller, mail).await,
            Self::Text(text) => sms::allow(api, text),
            Self::Zns(_) => Ok(()),
            Self::Push(_) => push::allow(api, caller).await,
        }
    }

    /// Stores the content. The same content gives the same row.
    pub async fn store(&self, api: &Api, caller: &Caller) -> Result<Content, Problem> {
        match self {
            Self::Mail(mail) => Ok(Content::Email {
                mail: api.mails.put(caller.tenant, mail).await?,
            }),
            Self::Text(text) => Ok(Content::Sms {
                brandname_id: text.brandname_id,
                text: text.text.clone(),
            }),
            Self::Zns(zns) => Ok(Content::Zns(zns.content.clone())),
            Self::Push(note) => Ok(Content::Push { note: note.clone() }),
        }
    }

    /// The test of this content, checked; a flaw if the content is no mail.
    pub async fn check_test(&self, api: &Api, ab: NewAb) -> Result<CheckedAb, Problem> {
        match self {
            Self::Mail(mail) => ab.check(api, mail).await,
            Self::Text(_) | Self::Zns(_) | Self::Push(_) => {
                Err(Problem::invalid("/ab", "only a mail has a test"))
            }
        }
    }

    /// A line of the content for lists of campaigns.
    pub fn summary(&self) -> &str {
        match self {
            Self::Mail(mail) => &mail.subject,
            Self::Text(text) => &text.text,
            Self::Zns(zns) => &zns.summary,
            Self::Push(note) => &note.title,
        }
    }

    /// The answer's content object.
    pub fn view(self) -> ContentView {
        match self {
            Self::Mail(mail) => ContentView {
                mail: Some(mail.into()),
                ..ContentView::default()
            },
            Self::Text(text) => ContentView {
                sms: Some(text.into()),
                ..ContentView::default()
            },
            Self::Zns(zns) => ContentView {
                zns: Some(zns.content.into()),
                ..ContentView::default()
            },
            Self::Push(note) => ContentView {
                push: Some(note.into()),
                ..ContentView::default()
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
        Content::Sms { brandname_id, text } => {
            let text = sms::stored(api, caller, *brandname_id, text).await?;
            Ok(Some(Checked::Text(text)))
        }
        Content::Zns(content) => Ok(Some(Checked::Zns(CheckedZns {
            content: content.clone(),
            summary: campaign.summary.clone(),
        }))),
        Content::Push { note } => Ok(Some(Checked::Push(note.clone()))),
    }
}

/// Flaws of a content object, at their places in the body.
fn below(object: &str, flaws: impl IntoIterator<Item = (&'static str, String)>) -> Flaws {
    let placed = |(place, message)| (format!("{object}{place}"), message);
    flaws.into_iter().map(placed).collect()
}
