//! The preference page: which messages the reader of a mail wants, by channel and purpose. It works without script.
//!
//! The link proves the address that the mail went to. So its reader may subscribe that address again; other channels can
//! only be left.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use contacts::consent::{Decision, Evidence, MAX_NOTE, Method};
use contacts::{Channel, ChannelStatus, Contact, Purpose, Statement};
use content::tokens::{TokenKind, address_mark};
use kernel::EmailAddress;
use lambda::http::ClientIp;
use lambda::metrics;

use crate::handler::{Tracker, Visit, is_unsubscribe, user_agent};
use crate::page;

/// A box of the page.
struct Choice {
    channel: Channel,
    purpose: Purpose,
    legend: &'static str,
    text: &'static str,
}

/// All boxes. The texts are the ones that are recorded.
const CHOICES: [Choice; 5] = [
    Choice {
        channel: Channel::Email,
        purpose: Purpose::Marketing,
        legend: "Email",
        text: "Tôi đồng ý nhận email giới thiệu sản phẩm và ưu đãi.",
    },
    Choice {
        channel: Channel::Email,
        purpose: Purpose::BehaviouralAds,
        legend: "Email",
        text: "Tôi đồng ý nhận quảng cáo dựa trên những gì tôi đã xem và đã mua.",
    },
    Choice {
        channel: Channel::Email,
        purpose: Purpose::Service,
        legend: "Email",
        text: "Gửi cho tôi email về đơn hàng và yêu cầu của tôi.",
    },
    Choice {
        channel: Channel::Sms,
        purpose: Purpose::Marketing,
        legend: "Tin nhắn SMS",
        text: "Tôi đồng ý nhận tin nhắn SMS giới thiệu sản phẩm và ưu đãi.",
    },
    Choice {
        channel: Channel::Zalo,
        purpose: Purpose::Marketing,
        legend: "Zalo",
        text: "Tôi đồng ý nhận tin Zalo giới thiệu sản phẩm và ưu đãi.",
    },
];

impl Choice {
    fn name(&self) -> String {
        format!("{}.{}", self.channel.name(), self.purpose.name())
    }

    /// Whether the contact gets these messages now.
    fn is_on(&self, contact: &Contact) -> bool {
        let status = contact.consents.state(self.channel, self.purpose).status;
        match self.purpose {
            Purpose::Service => !status.refuses(),
            Purpose::Marketing | Purpose::BehaviouralAds => status == ChannelStatus::Subscribed,
        }
    }

    /// Whether the page offers the box: one that is on can be left, and the proven address can be subscribed.
    fn is_offered(&self, contact: &Contact, proven: bool) -> bool {
        self.is_on(contact) || (proven && self.channel == Channel::Email)
    }
}

/// The contact of the link, and the address that the link proves.
struct Reader {
    contact: Contact,
    proven: Option<EmailAddress>,
}

async fn reader(tracker: &Tracker, visit: &Visit) -> Result<Option<Reader>, cloud::Error> {
    let TokenKind::Unsubscribe { address } = &visit.kind else {
        return Ok(None);
    };
    let contact = tracker.feedback.preferences(visit.tenant, &visit.key);
    Ok(contact.await?.map(|contact| Reader {
        proven: contact
            .email
            .clone()
            .filter(|email| address_mark(email.as_str()) == *address),
        contact,
    }))
}

/// Show what the reader of a mail gets.
///
/// A page with a box for each kind of message. It changes nothing.
#[utoipa::path(
    get,
    path = "/p/{token}",
    operation_id = "showPreferences",
    tag = "unsubscribe",
    params(("token" = String, Path, description = "The token of the mail's link", max_length = 4096)),
    security(()),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 404, description = "No such link", body = String, content_type = "text/html"),
        (status = 503, description = "Try again", body = String, content_type = "text/html"),
    ),
)]
pub async fn show(State(tracker): State<Tracker>, Path(token): Path<String>) -> Response {
    let Some(visit) = tracker.visit(&token).filter(is_unsubscribe) else {
        return page::not_found();
    };
    match reader(&tracker, &visit).await {
        Ok(Some(reader)) => form(&reader, ""),
        Ok(None) => page::not_found(),
        Err(error) => {
            tracing::error!(%error, "preferences were not read");
            page::try_again()
        }
    }
}

/// Save what the reader of a mail wants to get.
///
/// The page's button posts here. A box that is ticked subscribes the mail's address, also after an unsubscription. A
/// box that is not ticked unsubscribes. It is in force when 200 is answered.
#[utoipa::path(
    post,
    path = "/p/{token}",
    operation_id = "savePreferences",
    tag = "unsubscribe",
    params(("token" = String, Path, description = "The token of the mail's link", max_length = 4096)),
    security(()),
    responses(
        (status = 200, description = "It is done", body = String, content_type = "text/html"),
        (status = 404, description = "No such link", body = String, content_type = "text/html"),
        (status = 503, description = "Not recorded; try again", body = String, content_type = "text/html"),
    ),
)]
pub async fn save(
    State(tracker): State<Tracker>,
    Path(token): Path<String>,
    ip: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(visit) = tracker.visit(&token).filter(is_unsubscribe) else {
        return page::not_found();
    };
    match apply(&tracker, &visit, &ip, &headers, &body).await {
        Ok(Some(reader)) => {
            metrics::count("PreferencesSaved", 1);
            form(
                &reader,
                "<p role=\"status\"><strong>Đã lưu lựa chọn của bạn.</strong></p>",
            )
        }
        Ok(None) => page::not_found(),
        Err(error) => {
            metrics::incident("PreferencesFailed", 1);
            tracing::error!(%error, "preferences were not recorded");
            page::try_again()
        }
    }
}

/// Records each box that differs from the state, and reads the state again.
async fn apply(
    tracker: &Tracker,
    visit: &Visit,
    ip: &ClientIp,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Reader>, cloud::Error> {
    let Some(now) = reader(tracker, visit).await? else {
        return Ok(None);
    };
    let pairs: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    let has = |name: &str, value: &str| pairs.iter().any(|(n, v)| n == name && v == value);
    for choice in &CHOICES {
        let name = choice.name();
        let ticked = has(&name, "on");
        // A box that the reader did not see says nothing.
        let is_shown = has("shown", &name) && choice.is_offered(&now.contact, now.proven.is_some());
        if !is_shown || ticked == choice.is_on(&now.contact) {
            continue;
        }
        let decision = if ticked {
            Decision::Granted
        } else {
            Decision::Withdrawn
        };
        let short = |text: &str| text.chars().take(MAX_NOTE).collect::<String>();
        let statement = Statement {
            purposes: [choice.purpose].into(),
            text: Some(choice.text.to_owned()),
            evidence: Evidence {
                ip: Some(short(&ip.0)),
                user_agent: Some(short(user_agent(headers))),
                message_id: Some(format!("{}#{}", visit.key.scope, visit.key.step)),
                ..Evidence::default()
            },
            at: Some(tracker.feedback.now()),
            ..Statement::new(Method::MailLink, decision, [choice.channel])
        };
        let proven = now.proven.as_ref().filter(|_| ticked);
        let stated = tracker
            .feedback
            .prefer(visit.tenant, &visit.key, &statement, proven);
        stated.await?;
    }
    reader(tracker, visit).await
}

fn form(reader: &Reader, note: &str) -> Response {
    let mut body = format!("{note}<form method=\"post\">");
    let mut legend = "";
    for choice in &CHOICES {
        if !choice.is_offered(&reader.contact, reader.proven.is_some()) {
            continue;
        }
        if legend != choice.legend {
            if !legend.is_empty() {
                body.push_str("</fieldset>");
            }
            legend = choice.legend;
            body.extend(["<fieldset><legend>", legend, "</legend>"]);
        }
        let (name, text) = (choice.name(), choice.text);
        let checked = if choice.is_on(&reader.contact) {
            " checked"
        } else {
            ""
        };
        let field = format!(
            "<input type=\"hidden\" name=\"shown\" value=\"{name}\">\
             <label><input type=\"checkbox\" name=\"{name}\" value=\"on\"{checked}> {text}</label>"
        );
        body.push_str(&field);
    }
    if legend.is_empty() {
        body.push_str("<p>Bạn không nhận tin nào từ chúng tôi.</p></form>");
    } else {
        body.push_str("</fieldset><button type=\"submit\">Lưu lựa chọn</button></form>");
    }
    page::html(StatusCode::OK, "Tin bạn muốn nhận", &body)
}
