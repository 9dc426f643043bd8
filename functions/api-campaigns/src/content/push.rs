//! The notification of a push campaign: body, check and answer.

use std::collections::BTreeMap;

use channels::push::{Action, Note};
use lambda::http::{Caller, Code, Flaws, Problem};
use serde::{Deserialize, Serialize};

use crate::handler::Api;

/// A button of a notification.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushAction {
    /// Its words.
    #[schema(min_length = 1, max_length = 40)]
    title: String,
    /// The page that it opens. Its clicks are counted.
    #[schema(max_length = 1000)]
    link: String,
}

/// The notification of a new campaign. Title and body are Liquid templates.
///
/// A device that only a public key has named gets them without the data of the contact.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[schema(as = NewCampaignPush)]
#[serde(deny_unknown_fields)]
pub struct NewPush {
    #[schema(
        min_length = 1,
        max_length = 500,
        example = "Chào {{ contact.first_name | default: 'bạn' }}"
    )]
    title: String,
    #[schema(min_length = 1, max_length = 2000, example = "Giảm 50% hôm nay")]
    body: String,
    /// Picture beside the text; https.
    #[schema(max_length = 1000)]
    icon: Option<String>,
    /// Large picture; https.
    #[schema(max_length = 1000)]
    image: Option<String>,
    /// The page that a click opens. Its clicks are counted.
    #[schema(max_length = 1000)]
    link: Option<String>,
    /// Buttons.
    #[serde(default)]
    #[schema(max_items = 2)]
    actions: Vec<PushAction>,
    /// Seconds for which the push service keeps it for a device that is off; a day if absent.
    #[schema(maximum = 2_419_200)]
    ttl: Option<u32>,
    /// Data for the app or the service worker.
    #[serde(default)]
    data: BTreeMap<String, String>,
}

/// The notification of a campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignPush)]
pub struct PushView {
    title: String,
    body: String,
    icon: Option<String>,
    image: Option<String>,
    link: Option<String>,
    actions: Vec<PushAction>,
    /// Seconds.
    ttl: u32,
    data: BTreeMap<String, String>,
}

impl From<Note> for PushView {
    fn from(note: Note) -> Self {
        let shown = |action: Action| PushAction {
            title: action.title,
            link: action.link,
        };
        Self {
            title: note.title,
            body: note.body,
            icon: note.icon,
            image: note.image,
            link: note.link,
            actions: note.actions.into_iter().map(shown).collect(),
            ttl: note.ttl,
            data: note.data,
        }
    }
}

/// Refuses a workspace that can reach no device.
pub(super) async fn allow(api: &Api, caller: &Caller) -> Result<(), Problem> {
    if api.sites.may_push(caller.tenant).await? {
        return Ok(());
    }
    let detail = "set up web push or FCM first: /v1/channels/push";
    Err(Problem::new(Code::Conflict, detail))
}

impl NewPush {
    /// The notification, or all its flaws.
    pub(super) fn check(self) -> Result<Note, Problem> {
        let stored = |action: PushAction| Action {
            title: action.title,
            link: action.link,
        };
        let note = Note {
            title: self.title,
            body: self.body,
            icon: self.icon,
            image: self.image,
            link: self.link,
            actions: self.actions.into_iter().map(stored).collect(),
            ttl: self.ttl.unwrap_or(channels::push::note::USUAL_TTL),
            data: self.data,
        };
        let mut flaws = Flaws::default();
        for (place, words) in note.faults(None) {
            flaws.add(format!("/push{place}"), words);
        }
        flaws.refuse()?;
        Ok(note)
    }
}
