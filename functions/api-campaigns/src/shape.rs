//! The shapes of the API's bodies and answers, and the parts that a campaign must have.

use campaigns::{Approval, Audience, Campaign, Kind, MAX_SELECTED, State};
use contacts::Tags;
use jiff::Timestamp;
use kernel::{CampaignId, Cursor, Limit};
use lambda::http::{Flaws, Problem};
use serde::{Deserialize, Serialize};

use crate::content::{
    AbView, ContentView, Contents, MailView, NewAb, NewContent, NewMail, NewPush, NewText,
    PushView, TextView, Zns,
};

/// Longest name of a campaign, in characters.
pub const MAX_NAME: usize = 200;
/// `GET /v1/campaigns`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    pub limit: Option<Limit>,
    pub cursor: Option<Cursor>,
    /// Only campaigns in this state.
    pub status: Option<State>,
    /// Only campaigns of this kind.
    pub kind: Option<Kind>,
}

/// `POST /v1/campaigns`. It has exactly one content object.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCampaign {
    #[schema(min_length = 1, max_length = 200, example = "Tết 2027")]
    name: String,
    audience: Audience,
    /// The mail of an email campaign.
    mail: Option<NewMail>,
    /// The text of a campaign of text messages.
    sms: Option<NewText>,
    /// The Zalo message of a ZNS campaign.
    zns: Option<Zns>,
    /// The notification of a push campaign.
    push: Option<NewPush>,
    /// The test of two versions of the mail: makes an A/B campaign.
    pub ab: Option<NewAb>,
}

impl NewCampaign {
    /// Its parts. The content is not checked yet; the flaws are those of the rest.
    pub fn parts(self) -> Result<(String, Audience, Option<NewContent>, Flaws), Problem> {
        let mut flaws = Flaws::default();
        flaws.extend(name_flaw(&self.name));
        flaws.extend(audience_flaws(&self.audience));
        let contents = Contents {
            mail: self.mail,
            sms: self.sms,
            zns: self.zns,
            push: self.push,
        };
        let content = flaws.take(contents.one())?;
        Ok((self.name, self.audience, content, flaws))
    }
}

/// The flaw of a name.
pub fn name_flaw(name: &str) -> Option<(String, String)> {
    let is_flawed = name.trim().is_empty() || name.chars().count() > MAX_NAME;
    is_flawed.then(|| {
        let message = format!("expected a name of 1 to {MAX_NAME} characters");
        ("/name".to_owned(), message)
    })
}

/// The flaws of the audience by itself.
pub fn audience_flaws(audience: &Audience) -> Vec<(String, String)> {
    let mut flaws = Vec::new();
    if audience.include.is_empty() {
        let message = "names no list, segment, tag or receivers";
        flaws.push(("/audience/include".to_owned(), message.to_owned()));
    }
    for (name, selection) in [
        ("include", &audience.include),
        ("exclude", &audience.exclude),
    ] {
        let counts = [
            ("list_ids", selection.list_ids.len()),
            ("segment_ids", selection.segment_ids.len()),
            ("tags", selection.tags.len()),
            ("receivers", selection.receivers.len()),
        ];
        for (field, count) in counts {
            if count > MAX_SELECTED {
                let message = format!("holds at most {MAX_SELECTED}");
                flaws.push((format!("/audience/{name}/{field}"), message));
            }
        }
        for (n, tag) in selection.tags.iter().enumerate() {
            if let Err(error) = Tags::parse(tag) {
                flaws.push((format!("/audience/{name}/tags/{n}"), error.to_string()));
            }
        }
    }
    flaws
}

/// A campaign in answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Campaign)]
pub struct CampaignView {
    id: CampaignId,
    kind: Kind,
    name: String,
    status: State,
    /// Why it was paused or has failed without a command: `provider_not_answering`, `workspace_archived`,
    /// `mail_missing`, `mail_invalid`, or the code with which the provider stopped the sending. A scheduled start fails with
    /// `settings_missing`, `sender_unproven`, `channel_missing`, `list_deleted`, `receivers_gone`, `segment_deleted`,
    /// `segment_building`, `mail_missing` or `workspace_archived`.
    problem: Option<String>,
    audience: Audience,
    /// Contacts of the audience when it was sent; absent until they are counted.
    recipients: Option<u64>,
    /// A line of the content: the subject of a mail, the title of a notification.
    summary: String,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    /// When it starts, or should have started.
    #[serde(serialize_with = "kernel::clock::millis")]
    scheduled_at: Option<Timestamp>,
    /// The last request for an approval.
    approval: Option<Approval>,
    #[serde(serialize_with = "kernel::clock::millis")]
    started_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    sent_at: Option<Timestamp>,
    /// The mail of an email campaign; null in lists.
    mail: Option<MailView>,
    /// The text of a campaign of text messages; null in lists.
    sms: Option<TextView>,
    /// The Zalo message; null in lists and for other kinds.
    zns: Option<Zns>,
    /// The notification of a push campaign; null in lists.
    push: Option<PushView>,
    /// The test of an A/B campaign; null without a test.
    ab: Option<AbView>,
}

impl CampaignView {
    /// With its content where that was asked for.
    pub fn new(campaign: Campaign, content: ContentView) -> Self {
        Self {
            id: campaign.id,
            kind: campaign.kind(),
            ab: AbView::new(&campaign, content.b),
            status: campaign.status(),
            problem: campaign.problem,
            name: campaign.name,
            audience: campaign.audience,
            recipients: campaign.recipients,
            summary: campaign.summary,
            created_at: campaign.created_at,
            scheduled_at: campaign.scheduled_at,
            approval: campaign.approval,
            started_at: campaign.started_at,
            sent_at: campaign.sent_at,
            mail: content.mail,
            sms: content.sms,
            zns: content.zns,
            push: content.push,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn flaws(change: impl FnOnce(&mut Value)) -> String {
        let mut body = json!({
            "name": "Tết", "audience": { "include": { "list_ids": ["lst_0123456789a"] } },
            "mail": { "subject": "Chào", "html": "<p>Xin chào</p>" },
        });
        change(&mut body);
        match serde_json::from_value::<NewCampaign>(body) {
            Ok(new) => format!("{:?}", new.parts()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn flaws_are_named_with_their_place() {
        for (field, value, place) in [
            ("name", json!(" "), "/name"),
            ("audience", json!({ "include": {} }), "/audience/include"),
            (
                "audience",
                json!({ "include": { "tags": ["vip", " "] } }),
                "/audience/include/tags/1",
            ),
            ("mail", json!(null), "expected exactly one content object"),
        ] {
            let found = flaws(|body| body[field] = value.clone());
            assert!(found.contains(place), "{field}: {found}");
        }
        let found = flaws(|body| body["schedule"] = json!("now"));
        assert!(found.contains("schedule"), "{found}");
    }
}
