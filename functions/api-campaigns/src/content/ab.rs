//! The test of an A/B campaign: body, check and answer. Version A is the campaign's mail; version B differs in one part.

use campaigns::Campaign;
use campaigns::ab::{Ab, Variable, WinnerRule, WinnerView};
use channels::{Class, Content, StoredMail, Variant, mail_check};
use jiff::Timestamp;
use lambda::http::{Caller, Code, Flaws, Problem};
use serde::{Deserialize, Serialize};

use crate::handler::Api;

/// Shares of the audience that a test may have, in percent.
const PERCENT: std::ops::RangeInclusive<u32> = 5..=100;
/// Hours that the decision may wait.
const HOURS: std::ops::RangeInclusive<u32> = 1..=72;

/// The test of a new campaign: a random part of the audience gets one of two versions of the mail, half each. The better
/// one goes to all others.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[schema(as = NewCampaignAb)]
#[serde(deny_unknown_fields)]
pub struct NewAb {
    variable: Variable,
    /// The part of version B that differs.
    b: NewVersion,
    /// Share of the audience in the test, in percent. With 100 there is no winner: everybody gets one of the versions. So it is
    /// if fewer than 100 contacts would be in the test.
    #[serde(default = "percent")]
    #[schema(minimum = 5, maximum = 100)]
    test_percent: u32,
    #[serde(default)]
    winner_rule: WinnerRule,
    /// Hours between the last mail of the test and the decision. The rule `manual` waits until a person chooses.
    #[serde(default = "hours")]
    #[schema(minimum = 1, maximum = 72)]
    wait_hours: u32,
}

fn percent() -> u32 {
    20
}

fn hours() -> u32 {
    4
}

/// The differing part of version B: `subject`, `from_name`, or `html` and `text`, as `variable` says.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = NewAbVersion)]
#[serde(default, deny_unknown_fields)]
pub struct NewVersion {
    #[schema(max_length = 255, example = "Quà Tết cho {{ contact.first_name }}")]
    subject: Option<String>,
    #[schema(max_length = 100)]
    from_name: Option<String>,
    #[schema(max_length = 163_840)]
    html: Option<String>,
    #[schema(max_length = 163_840)]
    text: Option<String>,
}

/// A test without a flaw, not yet stored.
#[derive(Debug, Clone)]
pub struct CheckedAb {
    new: NewAb,
    mail: StoredMail,
}

/// The test of a campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CampaignAb)]
pub struct AbView {
    variable: Variable,
    /// The part of version B that differs; null in lists.
    b: Option<VersionView>,
    test_percent: u32,
    winner_rule: WinnerRule,
    wait_hours: u32,
    /// When the rule decides; null before the test is sent.
    #[serde(serialize_with = "kernel::clock::millis")]
    decide_at: Option<Timestamp>,
    /// The version for all others; null until it is known.
    winner: Option<WinnerView>,
}

/// The differing part of version B; the other fields are null.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AbVersionContent)]
pub struct VersionView {
    subject: Option<String>,
    from_name: Option<String>,
    html: Option<String>,
    text: Option<String>,
}

/// `POST /v1/campaigns/{id}/winner`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = CampaignWinner)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub variant: Variant,
}

impl NewAb {
    /// The test of a campaign with the mail `a`, or all its flaws. Compiling takes the processor for up to a second; other
    /// requests of a local stack go on meanwhile.
    pub async fn check(self, api: &Api, a: &StoredMail) -> Result<CheckedAb, Problem> {
        let (identity, a) = (api.identity.clone(), a.clone());
        let checked = tokio::task::spawn_blocking(move || self.whole(&a, &identity));
        checked
            .await
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))?
    }

    fn whole(self, a: &StoredMail, identity: &str) -> Result<CheckedAb, Problem> {
        let mut flaws = Flaws::default();
        let (least, most) = PERCENT.into_inner();
        let is_out = !PERCENT.contains(&self.test_percent);
        let message = format!("expected {least} to {most} percent");
        flaws.check(is_out, "/ab/test_percent", &message);
        let (least, most) = HOURS.into_inner();
        let is_out = !HOURS.contains(&self.wait_hours);
        let message = format!("expected {least} to {most} hours");
        flaws.check(is_out, "/ab/wait_hours", &message);
        for (name, value, variable) in self.b.fields() {
            let is_wrong = value.is_some() && variable != self.variable;
            let place = format!("/ab/b/{name}");
            flaws.check(
                is_wrong,
                place,
                "is not the part in which the versions differ",
            );
        }
        let mail = self.b.onto(a, self.variable);
        let is_same = mail == *a;
        let place = format!("/ab/b/{}", self.variable_field());
        flaws.check(
            is_same,
            place,
            "expected a part that differs from version A",
        );
        if !is_same {
            let found = mail_check::flaws(&mail, Class::Marketing, identity, None);
            flaws.extend(found.into_iter().filter_map(|(place, message)| {
                let place = self.place(place)?;
                Some((place, message))
            }));
        }
        flaws.refuse()?;
        Ok(CheckedAb { new: self, mail })
    }

    /// The field of version B that must be given.
    fn variable_field(&self) -> &'static str {
        match self.variable {
            Variable::Subject => "subject",
            Variable::SenderName => "from_name",
            Variable::Content => "html",
        }
    }

    /// The place in the body of a flaw of version B's mail. Flaws of the common parts are those of version A.
    fn place(&self, place: &str) -> Option<String> {
        let field = match (self.variable, place.trim_start_matches('/')) {
            (Variable::Subject, "subject") => "subject",
            (Variable::SenderName, "sender/from_name") => "from_name",
            (Variable::Content, "html") => "html",
            (Variable::Content, "text") => "text",
            _ => return None,
        };
        Some(format!("/ab/b/{field}"))
    }
}

impl NewVersion {
    fn fields(&self) -> [(&'static str, &Option<String>, Variable); 4] {
        [
            ("subject", &self.subject, Variable::Subject),
            ("from_name", &self.from_name, Variable::SenderName),
            ("html", &self.html, Variable::Content),
            ("text", &self.text, Variable::Content),
        ]
    }

    /// The mail of version B: `a` with the differing part.
    fn onto(&self, a: &StoredMail, variable: Variable) -> StoredMail {
        let mut mail = a.clone();
        match variable {
            Variable::Subject => {
                mail.subject = self.subject.clone().unwrap_or(mail.subject);
            }
            Variable::SenderName => {
                let name = self.from_name.clone();
                mail.sender.from_name = name.unwrap_or(mail.sender.from_name);
            }
            Variable::Content if self.html.is_some() || self.text.is_some() => {
                mail.html.clone_from(&self.html);
                mail.text.clone_from(&self.text);
            }
            Variable::Content => {}
        }
        mail
    }
}

impl CheckedAb {
    /// Stores the mail of version B. The same mail gives the same row.
    pub async fn store(&self, api: &Api, caller: &Caller) -> Result<Ab, Problem> {
        let mail = api.mails.put(caller.tenant, &self.mail).await?;
        Ok(Ab {
            variable: self.new.variable,
            content: Content::Email { mail },
            summary: self.mail.subject.clone(),
            test_percent: self.new.test_percent,
            winner_rule: self.new.winner_rule,
            wait_hours: self.new.wait_hours,
        })
    }

    /// The mail of version B.
    pub fn mail(self) -> StoredMail {
        self.mail
    }
}

impl AbView {
    /// Of a campaign, with version B where its mail was asked for; `None` without a test.
    pub fn new(campaign: &Campaign, b: Option<StoredMail>) -> Option<Self> {
        let ab = campaign.ab.as_ref()?;
        Some(Self {
            variable: ab.variable,
            b: b.map(|mail| VersionView::new(mail, ab.variable)),
            test_percent: ab.test_percent,
            winner_rule: ab.winner_rule,
            wait_hours: ab.wait_hours,
            decide_at: campaign.decide_at,
            winner: campaign.winner_view(),
        })
    }
}

impl VersionView {
    fn new(mail: StoredMail, variable: Variable) -> Self {
        let is = |one: Variable| variable == one;
        Self {
            subject: is(Variable::Subject).then_some(mail.subject),
            from_name: is(Variable::SenderName).then_some(mail.sender.from_name),
            html: mail.html.filter(|_| is(Variable::Content)),
            text: mail.text.filter(|_| is(Variable::Content)),
        }
    }
}

/// The mail of version B of a campaign; `None` without a test.
pub async fn stored_b(
    api: &Api,
    caller: &Caller,
    campaign: &Campaign,
) -> Result<Option<StoredMail>, Problem> {
    match campaign.ab.as_ref().map(|ab| &ab.content) {
        Some(Content::Email { mail }) => Ok(api.mails.get(caller.tenant, mail).await?),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn a() -> StoredMail {
        let mail = json!({
            "sender": { "from_name": "Cửa hàng", "from_email": "shop@example.vn", "reply_to": null },
            "subject": "Chào", "preview_text": null, "html": "<p>Xin chào</p>", "text": null,
            "track_opens": true, "track_clicks": true,
        });
        serde_json::from_value(mail).unwrap()
    }

    fn check(body: &Value) -> Result<CheckedAb, String> {
        let new: NewAb = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
        let checked = new.whole(&a(), "example.vn");
        checked.map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn version_b_differs_in_one_part_only() {
        let subject = check(&json!({ "variable": "subject", "b": { "subject": "Quà" } })).unwrap();
        assert_eq!((subject.new.test_percent, subject.new.wait_hours), (20, 4));
        assert_eq!(subject.new.winner_rule, WinnerRule::ClickRate);
        let expected = StoredMail {
            subject: "Quà".into(),
            ..a()
        };
        assert_eq!(subject.mail(), expected);
        let name = check(&json!({ "variable": "sender_name", "b": { "from_name": "Lan" } }));
        assert_eq!(name.unwrap().mail().sender.from_name, "Lan");
        let text = check(&json!({ "variable": "content", "b": { "text": "Chào" } }));
        let text = text.unwrap().mail();
        assert_eq!((text.html, text.text.as_deref()), (None, Some("Chào")));
    }

    #[test]
    fn flaws_are_named_with_their_place() {
        for (body, place) in [
            (json!({ "variable": "subject", "b": {} }), "/ab/b/subject"),
            (
                json!({ "variable": "subject", "b": { "subject": "Chào" } }),
                "/ab/b/subject",
            ),
            (
                json!({ "variable": "subject", "b": { "subject": "{{ x" } }),
                "/ab/b/subject",
            ),
            (
                json!({ "variable": "subject", "b": { "subject": "B", "html": "C" } }),
                "/ab/b/html",
            ),
            (
                json!({ "variable": "sender_name", "b": {} }),
                "/ab/b/from_name",
            ),
            (
                json!({ "variable": "content", "b": { "html": "{% if x %}" } }),
                "/ab/b/html",
            ),
            (
                json!({ "variable": "subject", "b": { "subject": "B" }, "test_percent": 4 }),
                "/ab/test_percent",
            ),
            (
                json!({ "variable": "subject", "b": { "subject": "B" }, "wait_hours": 73 }),
                "/ab/wait_hours",
            ),
            (
                json!({ "variable": "subject", "b": { "subjekt": "B" } }),
                "subjekt",
            ),
        ] {
            let error = check(&body).unwrap_err();
            assert!(error.contains(place), "{body}: {error}");
        }
    }
}
