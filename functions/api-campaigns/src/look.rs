//! The views of an author before the send: the size of the audience, the missing parts, the mail as a contact gets it.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use campaigns::{Campaign, Estimate, NO_RECEIVERS, Refusal};
use channels::{
    Class, Content, PreparedMail, Preview, Send, SendMessage, StoredMail, TEST_SCOPE, Test,
};
use cloud::SendOptions;
use contacts::Contact;
use kernel::{CampaignId, ContactId, EmailAddress};
use lambda::http::{Caller, ClientIp, Code, Creation, Flaws, Json, May, Path, Problem, Raw};
use segments::NotPinned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::commands::note;
use crate::content::{self, Checked};
use crate::handler::Api;

/// Most addresses of one test.
const MAX_TESTS: usize = 10;
/// Gmail cuts the HTML of a mail after this many bytes.
const CUT: usize = 102 * 1024;
/// Marks the subject of a test mail.
const MARK: &str = "[Test]";

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(estimate))
        .routes(routes!(check))
        .routes(routes!(preview))
        .routes(routes!(test))
}

/// `POST /v1/campaigns/{id}/preview`; an empty body shows the mail of a person of our own.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewOf {
    /// The contact whose data fills the merge fields.
    contact_id: Option<ContactId>,
}

/// `POST /v1/campaigns/{id}/test`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestOf {
    /// Where the test goes.
    #[schema(min_items = 1, max_items = 10)]
    emails: Vec<EmailAddress>,
    /// The contact whose data fills the merge fields; absent: a person of our own.
    contact_id: Option<ContactId>,
}

/// The test mails that are under way.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TestsSent {
    /// Mails that go out within seconds.
    accepted: usize,
}

/// The outcome of a check before the send.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CampaignCheck {
    /// Whether the campaign can be sent now.
    is_ready: bool,
    /// Everything that is wrong or unwise.
    problems: Vec<CampaignFlaw>,
}

/// One problem of a campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CampaignFlaw {
    /// A stable name, such as `settings_missing`.
    code: &'static str,
    /// JSON pointer into the campaign; for `settings_missing` into the workspace's settings.
    pointer: String,
    /// A sentence for people.
    message: String,
    /// Whether it keeps the campaign from being sent.
    is_blocking: bool,
}

fn flaw(code: &'static str, pointer: &str, message: &str, is_blocking: bool) -> CampaignFlaw {
    CampaignFlaw {
        code,
        pointer: pointer.to_owned(),
        message: message.to_owned(),
        is_blocking,
    }
}

/// The flaws of a start that is refused.
fn flaws_of(why: &Refusal) -> Vec<CampaignFlaw> {
    let code = why.problem();
    let one = |pointer: &str, message: &str| vec![flaw(code, pointer, message, true)];
    match why {
        Refusal::Archived => one("", "the workspace is archived"),
        Refusal::SettingsMissing(missing) => {
            let message = "must be set in the workspace's settings";
            let all = missing.iter();
            all.map(|place| flaw(code, place, message, true)).collect()
        }
        Refusal::ContentMissing => one("", "the content is missing"),
        Refusal::UnprovenSender => one("/mail/sender/from_email", "is not a proven sender"),
        Refusal::ChannelMissing => one("", "the channel is not set up"),
        Refusal::ListDeleted(_) => one("/audience/include/list_ids", "the list was deleted"),
        Refusal::Receivers(_) => one("/audience", NO_RECEIVERS),
        Refusal::Segment(NotPinned::Absent(_)) => {
            one("/audience", "a segment of the audience was deleted")
        }
        Refusal::Segment(_) => one("/audience", "a segment's members are being found"),
    }
}

/// The flaws of the mail as a reader would get it.
fn flaws_of_mail(mail: &StoredMail, shown: &Preview, unsubscribe: &str) -> Vec<CampaignFlaw> {
    let mut all = Vec::new();
    if shown.subject.trim().is_empty() {
        let message = "is empty once its merge fields are filled in";
        all.push(flaw("subject_empty", "/mail/subject", message, true));
    }
    let same = |preview: &String| preview.trim() == mail.subject.trim();
    if mail.preview_text.as_ref().is_some_and(same) {
        let message = "is the same text as the subject";
        all.push(flaw(
            "preview_repeats",
            "/mail/preview_text",
            message,
            false,
        ));
    }
    let html = shown.html.as_deref().unwrap_or_default();
    if html.len() > CUT {
        let message = "has more than 102 KB; Gmail cuts it, and the way to unsubscribe with it";
        all.push(flaw("mail_too_large", "/mail/html", message, false));
    }
    let has_way_out = |part: &str| part.contains(unsubscribe);
    if !has_way_out(&shown.text) || (shown.html.is_some() && !has_way_out(html)) {
        let message = "has no link to unsubscribe";
        all.push(flaw("unsubscribe_missing", "/mail", message, true));
    }
    all
}

impl Api {
    /// The mail of an email campaign.
    async fn mail(&self, caller: &Caller, campaign: &Campaign) -> Result<StoredMail, Problem> {
        if let Some(Checked::Mail(mail)) = content::stored(self, caller, campaign).await? {
            return Ok(mail);
        }
        let detail = "only a campaign with a mail has this";
        Err(Problem::new(Code::Conflict, detail))
    }

    /// The reader of a preview.
    async fn reader(&self, caller: &Caller, like: Option<ContactId>) -> Result<Contact, Problem> {
        let now = self.campaigns.now();
        if let Some(id) = like {
            let found = self.profiles.current(caller.tenant, id).await?;
            return found.ok_or_else(|| Problem::invalid("/contact_id", "no such contact"));
        }
        let to = "an@example.com".parse::<EmailAddress>();
        let to = to.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        let id = ContactId::derived(now, &["preview"]);
        Ok(Contact::stand_in(id, None, to, now))
    }

    /// The mail as the reader would get it, but for its links: those of the author stay as they are.
    async fn render(
        &self,
        caller: &Caller,
        campaign: &Campaign,
        mail: &StoredMail,
        reader: Contact,
    ) -> Result<Preview, Problem> {
        let workspace = self.workspaces.get(caller.tenant).await?;
        let mut letterhead = sending::rules(workspace.as_ref()).letterhead;
        let list = self.only_list(caller, &campaign.audience).await?;
        if let Some(reminder) = list.and_then(|list| list.permission_reminder) {
            letterhead.permission_reminder = reminder;
        }
        let fields = self.fields.recent(caller.tenant).await?;
        let mail = plain_links(mail);
        let (tenant, base, now) = (caller.tenant, self.base_url.clone(), self.campaigns.now());
        // Compiling takes the processor for up to a second; other requests of a local stack go on meanwhile.
        let work = tokio::task::spawn_blocking(move || {
            let ready = PreparedMail::compile(&mail, Class::Marketing, &letterhead);
            let ready = ready.map_err(|error| error.to_string())?;
            ready.preview(tenant, &reader, &fields, &base, now)
        });
        let shown = work.await;
        let shown = shown.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        shown.map_err(|why| {
            let detail = format!("the mail cannot be made for this contact: {why}");
            Problem::new(Code::Unprocessable, detail)
        })
    }
}

fn plain_links(mail: &StoredMail) -> StoredMail {
    StoredMail {
        track_opens: false,
        track_clicks: false,
        ..mail.clone()
    }
}

/// Estimate how many contacts the audience of a campaign has.
///
/// A single list or segment has its own count. Other audiences are counted up to a bound; beyond it the answer is
/// `at_least`. The send skips contacts without an address or a consent.
#[utoipa::path(
    get,
    path = "/v1/campaigns/{id}/estimate",
    operation_id = "estimateCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "The size", body = Estimate)),
)]
async fn estimate(
    State(api): State<Api>,
    caller: May<op::EstimateCampaign>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Estimate>, Problem> {
    let known = api.known(&caller, id).await?;
    let estimate = api.estimator.estimate(caller.tenant, &known);
    Ok(Json(estimate.await?))
}

/// Check a campaign before its send.
///
/// The check looks at sender, subject, way to unsubscribe, size, settings and audience, and names every problem. A problem
/// that is not `is_blocking` is advice.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/check",
    operation_id = "checkCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    responses((status = 200, description = "What is wrong", body = CampaignCheck)),
)]
async fn check(
    State(api): State<Api>,
    caller: May<op::CheckCampaign>,
    Path(id): Path<CampaignId>,
) -> Result<Json<CampaignCheck>, Problem> {
    let known = api.known(&caller, id).await?;
    let refusals = api.starter.refusals(caller.tenant, &known).await?;
    let mut problems: Vec<_> = refusals.iter().flat_map(flaws_of).collect();
    if matches!(known.content, Content::Email { .. })
        && let Ok(mail) = api.mail(&caller, &known).await
    {
        let reader = api.reader(&caller, None).await?;
        let unsubscribe = format!("{}/u/", api.base_url.trim_end_matches('/'));
        match api.render(&caller, &known, &mail, reader).await {
            Ok(shown) => problems.extend(flaws_of_mail(&mail, &shown, &unsubscribe)),
            Err(why) => problems.push(flaw("mail_invalid", "/mail", why.detail(), true)),
        }
    }
    let is_ready = !problems.iter().any(|problem| problem.is_blocking);
    Ok(Json(CampaignCheck { is_ready, problems }))
}

/// Show the mail of a campaign as a contact would get it, made as the send makes it.
///
/// Links stay those of the author, and the link to unsubscribe leads nowhere.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/preview",
    operation_id = "previewCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    request_body(content = Option<PreviewOf>),
    responses((status = 200, description = "The mail", body = Preview)),
)]
async fn preview(
    State(api): State<Api>,
    caller: May<op::PreviewCampaign>,
    Path(id): Path<CampaignId>,
    raw: Raw,
) -> Result<Json<Preview>, Problem> {
    let PreviewOf { contact_id } = if raw.body.is_empty() {
        PreviewOf::default()
    } else {
        raw.json()?
    };
    let known = api.known(&caller, id).await?;
    let mail = api.mail(&caller, &known).await?;
    let reader = api.reader(&caller, contact_id).await?;
    api.render(&caller, &known, &mail, reader).await.map(Json)
}

/// Send the mail of a campaign as a test to at most 10 addresses.
///
/// The subject begins with `[Test]`. Opens and clicks are not counted, and the link to unsubscribe leads nowhere. With an
/// `Idempotency-Key` each address gets one mail, however often the request is repeated.
#[utoipa::path(
    post,
    path = "/v1/campaigns/{id}/test",
    operation_id = "testCampaign",
    tag = "campaigns",
    params(("id" = CampaignId, Path, description = "The campaign")),
    request_body = TestOf,
    responses((status = 202, description = "The tests go out", body = TestsSent)),
)]
async fn test(
    State(api): State<Api>,
    caller: May<op::TestCampaign>,
    ip: ClientIp,
    Creation(origin): Creation,
    Path(id): Path<CampaignId>,
    Json(asked): Json<TestOf>,
) -> Result<(StatusCode, Json<TestsSent>), Problem> {
    let mut flaws = Flaws::default();
    let is_wrong = !(1..=MAX_TESTS).contains(&asked.emails.len());
    flaws.check(is_wrong, "/emails", "expected 1 to 10 addresses");
    flaws.refuse()?;
    let known = api.known(&caller, id).await?;
    let mail = api.mail(&caller, &known).await?;
    Checked::Mail(mail.clone()).allow(&api, &caller).await?;
    // Refuses an unknown contact, and a mail that cannot be made.
    let reader = api.reader(&caller, asked.contact_id).await?;
    api.render(&caller, &known, &mail, reader).await?;
    let marked = StoredMail {
        subject: format!("{MARK} {}", mail.subject),
        ..plain_links(&mail)
    };
    let content = Content::Email {
        mail: api.mails.put(caller.tenant, &marked).await?,
    };
    note(&api, &caller, &ip, id).await?;
    let name = kernel::hash::name(&["test", &id.to_string(), &origin.name]);
    for (n, to) in asked.emails.iter().enumerate() {
        let message = Send {
            scope: format!("{TEST_SCOPE}{name}"),
            step: "0".to_owned(),
            contact: ContactId::derived(origin.at, &[&name, &n.to_string()]),
            content: content.clone(),
            data: Value::Null,
            class: Class::Marketing,
            reason: None,
            workflow: None,
            opt_in: None,
            test: Some(Test {
                to: to.clone(),
                like: asked.contact_id,
            }),
            at: origin.at,
            slot: None,
        };
        let message = SendMessage::V1(Box::new(message));
        let sent = api
            .messages
            .send(caller.tenant, &message, SendOptions::default());
        sent.await?;
    }
    let accepted = asked.emails.len();
    Ok((StatusCode::ACCEPTED, Json(TestsSent { accepted })))
}
