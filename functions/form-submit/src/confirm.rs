//! The link of a confirmation mail. A GET confirms nothing: programs follow links before people do.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;
use cloud::SendOptions;
use forms::page::{self, Notice};
use forms::{Deed, Link};
use kernel::FormId;
use lambda::http::{ClientIp, Path, Query, Raw};
use lambda::metrics;
use sources::{FormConfirmation, Inbound};

use crate::desk::Desk;
use crate::handler::{Shown, text};
use crate::reply;

/// Ask whether to confirm a subscription.
///
/// A page with a button. It changes nothing.
#[utoipa::path(
    get,
    path = "/f/{form}/confirm/{token}",
    operation_id = "askFormConfirmation",
    tag = "forms",
    params(
        ("form" = FormId, Path, description = "The form"),
        ("token" = String, Path, description = "The token of the mail's link", max_length = 400),
        Shown,
    ),
    security(()),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 400, description = "The query cannot be read"),
        (status = 404, description = "No such link, or a link that has ended", body = String, content_type = "text/html"),
    ),
)]
pub async fn ask(
    State(desk): State<Desk>,
    Path((form, token)): Path<(FormId, String)>,
    Query(shown): Query<Shown>,
) -> Response {
    let is_open = Link::decode(form, &token, &desk.link_key, desk.clock.now()).is_some();
    let (status, notice) = if is_open {
        (StatusCode::OK, Notice::Confirm)
    } else {
        (StatusCode::NOT_FOUND, Notice::LinkEnded)
    };
    reply::html(status, page::notice(notice, shown.language()))
}

/// Confirm a subscription.
///
/// The page's button posts here. The body does not matter. A second press changes nothing.
#[utoipa::path(
    post,
    path = "/f/{form}/confirm/{token}",
    operation_id = "confirmForm",
    tag = "forms",
    params(
        ("form" = FormId, Path, description = "The form"),
        ("token" = String, Path, description = "The token of the mail's link", max_length = 400),
        Shown,
    ),
    security(()),
    responses(
        (status = 200, description = "It is recorded", body = String, content_type = "text/html"),
        (status = 400, description = "The query cannot be read"),
        (status = 404, description = "No such link, or a link that has ended", body = String, content_type = "text/html"),
        (status = 429, description = "Too many requests in a second; see `Retry-After`", body = String, content_type = "text/html"),
        (status = 503, description = "Not recorded; try again", body = String, content_type = "text/html"),
    ),
)]
pub async fn confirm(
    State(desk): State<Desk>,
    Path((form, token)): Path<(FormId, String)>,
    Query(shown): Query<Shown>,
    ip: ClientIp,
    raw: Raw,
) -> Response {
    let (language, now) = (shown.language(), desk.clock.now());
    if let Err(problem) = desk.slow_down(form, &ip) {
        return reply::refusal(reply::Format::Page, language, Notice::Busy, problem);
    }
    let Some(link) = Link::decode(form, &token, &desk.link_key, now) else {
        return reply::html(
            StatusCode::NOT_FOUND,
            page::notice(Notice::LinkEnded, language),
        );
    };
    let confirmation = FormConfirmation {
        form,
        contact: link.contact,
        id: link.id,
        at: now,
        ip: Some(ip.0),
        user_agent: text(&raw.headers, &header::USER_AGENT).map(str::to_owned),
    };
    let inbound = Inbound::Confirmation(Box::new(confirmation));
    let sent = desk
        .queue
        .send(link.tenant, &inbound, SendOptions::default());
    if let Err(error) = sent.await {
        tracing::error!(%error, "a confirmation was not recorded");
        let page = page::notice(Notice::Busy, language);
        let mut response = reply::html(StatusCode::SERVICE_UNAVAILABLE, page);
        response.headers_mut().insert(header::RETRY_AFTER, 5.into());
        return response;
    }
    metrics::count("FormsConfirmed", 1);
    desk.count(link.tenant, form, &[Deed::Confirmation]).await;
    reply::html(StatusCode::OK, page::notice(Notice::Confirmed, language))
}
