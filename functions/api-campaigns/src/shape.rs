//! The shapes of the API's bodies and answers, and the parts that a campaign must have.

use accounts::workspaces::DefaultSender;
use campaigns::{Audience, Campaign, MAX_SELECTED, State};
use channels::{Class, Sender, StoredMail, mail_check};
use contacts::Tags;
use jiff::Timestamp;
use kernel::{CampaignId, Cursor, Limit};
use lambda::http::{Code, Problem};
use serde::{Deserialize, Serialize};

/// Longest name of a campaign, in characters.
const MAX_NAME: usize = 200;
/// `GET /v1/campaigns`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    pub limit: Option<Limit>,
    pub cursor: Option<Cursor>,
}

/// `POST /v1/campaigns`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCampaign {
    #[schema(min_length = 1, max_length = 200, example = "Tết 2027")]
    name: String,
    audience: Audience,
    /// The sender of the mail; if absent, the default sender of the only list or else of the workspace.
    pub sender: Option<Sender>,
    #[schema(
        min_length = 1,
        max_length = 255,
        example = "Chào {{ contact.first_name }}"
    )]
    subject: String,
    /// Text that inboxes show beside the subject.
    #[schema(max_length = 255)]
    preview_text: Option<String>,
    /// HTML template, at most 160 KiB.
    #[schema(
        example = "<p>Xin chào {{ contact.first_name }}</p>",
        max_length = 163_840
    )]
    html: Option<String>,
    /// Text template, at most 160 KiB; made from the HTML if absent.
    #[schema(max_length = 163_840)]
    text: Option<String>,
    #[serde(default = "yes")]
    track_opens: bool,
    #[serde(default = "yes")]
    track_clicks: bool,
}

fn yes() -> bool {
    true
}

impl NewCampaign {
    /// The recipients.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The parts of a campaign that can be sent, or everything that is wrong with it. `identity` is
    /// the domain or address that mails are sent from.
    pub fn check(
        self,
        default_sender: Option<DefaultSender>,
        identity: &str,
    ) -> Result<(String, Audience, StoredMail), Problem> {
        let default_sender = default_sender.map(|sender| Sender {
            from_name: sender.name,
            from_email: sender.email,
            reply_to: None,
        });
        let Some(sender) = self.sender.or(default_sender) else {
            let message = "needed, as the workspace has no default sender";
            return Err(Problem::invalid("/sender", message));
        };
        let mail = StoredMail {
            sender,
            subject: self.subject,
            preview_text: self.preview_text,
            html: self.html,
            text: self.text,
            track_opens: self.track_opens,
            track_clicks: self.track_clicks,
        };
        let mut flaws: Vec<(String, String)> =
            mail_check::flaws(&mail, Class::Marketing, identity, None)
                .into_iter()
                .map(|(pointer, message)| (pointer.into(), message))
                .collect();
        flaws.extend(audience_flaws(&self.audience));
        if self.name.trim().is_empty() || self.name.chars().count() > MAX_NAME {
            let message = format!("expected a name of 1 to {MAX_NAME} characters");
            flaws.insert(0, ("/name".to_owned(), message));
        }
        if flaws.is_empty() {
            return Ok((self.name, self.audience, mail));
        }
        let problem = Problem::new(Code::Invalid, "the campaign is not valid");
        Err(flaws
            .into_iter()
            .fold(problem, |problem, (pointer, message)| {
                problem.at(pointer, message)
            }))
    }
}

/// The flaws of the audience by itself.
fn audience_flaws(audience: &Audience) -> Vec<(String, String)> {
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
    name: String,
    status: State,
    /// Why it was paused or has failed without a command: `provider_not_answering`, `workspace_archived`,
    /// `mail_missing`, `mail_invalid`, or the code with which the provider stopped the sending.
    problem: Option<String>,
    audience: Audience,
    /// Contacts of the audience when it was sent; absent until they are counted.
    recipients: Option<u64>,
    subject: String,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    started_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    sent_at: Option<Timestamp>,
    mail: Option<MailView>,
}

/// The mail of a campaign; the subject is a field of the campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct MailView {
    sender: Sender,
    preview_text: Option<String>,
    html: Option<String>,
    text: Option<String>,
    track_opens: bool,
    track_clicks: bool,
}

impl CampaignView {
    /// With its mail where that was asked for.
    pub fn new(campaign: Campaign, mail: Option<StoredMail>) -> Self {
        Self {
            id: campaign.id,
            name: campaign.name,
            status: campaign.state,
            problem: campaign.problem,
            audience: campaign.audience,
            recipients: campaign.recipients,
            subject: campaign.summary,
            created_at: campaign.created_at,
            started_at: campaign.started_at,
            sent_at: campaign.sent_at,
            mail: mail.map(|mail| MailView {
                sender: mail.sender,
                preview_text: mail.preview_text,
                html: mail.html,
                text: mail.text,
                track_opens: mail.track_opens,
                track_clicks: mail.track_clicks,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn valid() -> Value {
        json!({
            "name": "Tết", "audience": { "include": { "list_ids": ["lst_0123456789a"] } },
            "sender": { "from_name": "Cửa hàng", "from_email": "shop@example.vn" },
            "subject": "Chào {{ contact.first_name }}", "html": "<p>Xin chào</p>",
        })
    }

    fn check(change: impl FnOnce(&mut Value)) -> Result<StoredMail, String> {
        let mut body = valid();
        change(&mut body);
        let new: NewCampaign = serde_json::from_value(body).map_err(|error| error.to_string())?;
        new.check(None, "example.vn")
            .map(|(_, _, mail)| mail)
            .map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn tracking_is_on_unless_it_is_switched_off() {
        assert!(check(|_| ()).unwrap().track_opens);
        assert!(
            !check(|body| body["track_clicks"] = json!(false))
                .unwrap()
                .track_clicks
        );
    }

    #[test]
    fn flaws_are_named_with_their_place() {
        for (field, value, place) in [
            ("name", json!(" "), "/name"),
            ("subject", json!("x".repeat(256)), "/subject"),
            ("subject", json!("{{ broken"), "/subject"),
            ("html", json!("{% if x %}"), "/html"),
            ("html", json!(null), "/html"),
            ("html", json!("x".repeat(200_000)), "/html"),
            ("audience", json!({ "include": {} }), "/audience/include"),
            (
                "audience",
                json!({ "include": { "tags": ["vip", " "] } }),
                "/audience/include/tags/1",
            ),
        ] {
            let error = check(|body| body[field] = value.clone()).unwrap_err();
            assert!(error.contains(place), "{field}: {error}");
        }
        let error = check(|body| body["sender"] = json!(null)).unwrap_err();
        assert!(error.contains("/sender"), "{error}");
        let error = check(|body| body["sender"]["from_email"] = json!("shop@example.com"));
        assert!(error.unwrap_err().contains("/sender/from_email"));
        assert!(check(|body| body["sender"]["from_email"] = json!("shop")).is_err());
        assert!(
            check(|body| body["schedule"] = json!("now"))
                .unwrap_err()
                .contains("schedule")
        );
    }
}
