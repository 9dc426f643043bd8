//! The mail of an email campaign: body, check and answer.

use accounts::workspaces::DefaultSender;
use campaigns::Audience;
use channels::{Class, Sender, StoredMail, mail_check};
use lambda::http::{Caller, Code, Problem};
use serde::{Deserialize, Serialize};

use crate::content::below;
use crate::handler::Api;

/// The mail of a new campaign. Subject and bodies are Liquid templates.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[schema(as = NewCampaignMail)]
#[serde(deny_unknown_fields)]
pub struct NewMail {
    /// The sender; if absent, the default sender of the only list or else of the workspace.
    sender: Option<Sender>,
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

/// The mail of a campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignMail)]
pub struct MailView {
    sender: Sender,
    subject: String,
    preview_text: Option<String>,
    html: Option<String>,
    text: Option<String>,
    track_opens: bool,
    track_clicks: bool,
}

impl From<StoredMail> for MailView {
    fn from(mail: StoredMail) -> Self {
        Self {
            sender: mail.sender,
            subject: mail.subject,
            preview_text: mail.preview_text,
            html: mail.html,
            text: mail.text,
            track_opens: mail.track_opens,
            track_clicks: mail.track_clicks,
        }
    }
}

/// Refuses a sender that the workspace has not proven.
pub(super) async fn allow(api: &Api, caller: &Caller, mail: &StoredMail) -> Result<(), Problem> {
    let from = &mail.sender.from_email;
    if api.senders.may_send(caller.tenant, from).await? {
        return Ok(());
    }
    Err(Problem::unproven_sender(["/mail/sender/from_email"]))
}

impl NewMail {
    /// The mail, or all its flaws. Compiling takes the processor for up to a second; other requests of a local stack go on meanwhile.
    pub(super) async fn check(
        self,
        api: &Api,
        caller: &Caller,
        audience: &Audience,
    ) -> Result<StoredMail, Problem> {
        let default = match self.sender {
            Some(_) => None,
            None => api.default_sender(caller, audience).await?,
        };
        let identity = api.identity.clone();
        let checked = tokio::task::spawn_blocking(move || self.whole(default, &identity));
        checked
            .await
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))?
    }

    /// `identity` is the domain or address that mails are sent from.
    fn whole(self, default: Option<DefaultSender>, identity: &str) -> Result<StoredMail, Problem> {
        let default = default.map(|sender| Sender {
            from_name: sender.name,
            from_email: sender.email,
            reply_to: None,
        });
        let Some(sender) = self.sender.or(default) else {
            let message = "needed, as the workspace has no default sender";
            return Err(Problem::invalid("/mail/sender", message));
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
        let flaws = mail_check::flaws(&mail, Class::Marketing, identity, None);
        below("/mail", flaws).refuse()?;
        Ok(mail)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(change: impl FnOnce(&mut Value)) -> Result<StoredMail, String> {
        let mut body = json!({
            "sender": { "from_name": "Cửa hàng", "from_email": "shop@example.vn" },
            "subject": "Chào {{ contact.first_name }}", "html": "<p>Xin chào</p>",
        });
        change(&mut body);
        let new: NewMail = serde_json::from_value(body).map_err(|error| error.to_string())?;
        new.whole(None, "example.vn")
            .map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn tracking_is_on_unless_it_is_switched_off() {
        assert!(check(|_| ()).unwrap().track_opens);
        let off = check(|mail| mail["track_clicks"] = json!(false));
        assert!(!off.unwrap().track_clicks);
    }

    #[test]
    fn flaws_are_named_with_their_place() {
        for (field, value, place) in [
            ("subject", json!("x".repeat(256)), "/mail/subject"),
            ("subject", json!("{{ broken"), "/mail/subject"),
            ("html", json!("{% if x %}"), "/mail/html"),
            ("html", json!(null), "/mail/html"),
            ("html", json!("x".repeat(200_000)), "/mail/html"),
            ("sender", json!(null), "/mail/sender"),
        ] {
            let error = check(|mail| mail[field] = value.clone()).unwrap_err();
            assert!(error.contains(place), "{field}: {error}");
        }
        let error = check(|mail| mail["sender"]["from_email"] = json!("shop@example.com"));
        assert!(error.unwrap_err().contains("/mail/sender/from_email"));
        assert!(check(|mail| mail["sender"]["from_email"] = json!("shop")).is_err());
        let error = check(|mail| mail["schedule"] = json!("now")).unwrap_err();
        assert!(error.contains("schedule"), "{error}");
    }
}
