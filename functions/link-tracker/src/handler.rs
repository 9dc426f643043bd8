//! Turns requests into facts. A reader gets the image or the page even if the count fails. Only unsubscribing
//! waits for its write, because its answer is a promise.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use channels::feedback::{Backlog, Gains};
use channels::{Agent, Click, Feedback, Gained, Ledger, LedgerKey, Links};
use cloud::counters::Hour;
use cloud::{Counters, QueueOf};
use contacts::Profiles;
use content::tokens::{Token, TokenKey, TokenKind};
use kernel::TenantKey;
use lambda::http::limit_body;
use lambda::metrics;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{page, preferences, report};

/// Additions to a counter. The client makes three attempts of each.
const ATTEMPTS: u32 = 3;
/// A form of the preference page has a few short fields; a provider's one-click has one.
const MAX_BODY: usize = 16 * 1024;
/// Longest that a reader waits for the count of a visit.
const PATIENCE: Duration = Duration::from_secs(3);

/// The state of the operations.
#[derive(Clone)]
pub struct Tracker {
    pub feedback: Feedback,
    pub counters: Counters,
    pub ledger: Ledger,
    pub profiles: Profiles,
    pub reports: QueueOf<Backlog>,
    pub links: Links,
    pub token_key: TokenKey,
}

pub fn router(tracker: Tracker) -> Router {
    let router = Router::from(operations())
        .route("/o/{token}", get(open))
        .route("/c/{token}", get(click))
        .route("/d/{token}", get(report::take))
        .with_state(tracker);
    limit_body(router, MAX_BODY)
}

/// The unsubscribe link, with its description for the reference. Mail providers call it too.
pub fn operations() -> OpenApiRouter<Tracker> {
    OpenApiRouter::new()
        .routes(routes!(ask, unsubscribe))
        .routes(routes!(preferences::show, preferences::save))
}

/// A token's kind and the send that it belongs to.
pub struct Visit {
    pub tenant: TenantKey,
    pub key: LedgerKey,
    pub kind: TokenKind,
}

impl Tracker {
    /// The meaning of a token; `None` for anything that is not a token of ours.
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the token is signed by us and names the workspace"
    )]
    pub fn visit(&self, token: &str) -> Option<Visit> {
        let token = Token::decode(token, &self.token_key).ok()?;
        Some(Visit {
            tenant: TenantKey::authenticated(token.workspace.parse().ok()?),
            key: LedgerKey {
                scope: token.scope,
                contact: token.contact.parse().ok()?,
                channel: token.channel,
                step: token.step,
            },
            kind: token.kind,
        })
    }

    /// Counts a visit of a person: one write unit, and one more for the link of a click; nothing for a machine. Nothing
    /// recovers a lost count, so the write is retried for as long as a reader may wait.
    async fn count(&self, visit: &Visit, learnt: Result<Option<Gained>, cloud::Error>) {
        let gained = match learnt {
            Ok(Some(gained)) => gained,
            Ok(None) => return metrics::count("VisitsUnmatched", 1),
            Err(error) => return lost(&error),
        };
        let mut gains = Gains::default();
        let hour = Hour::of(self.feedback.now());
        gains.add(visit.tenant, &visit.key.scope, hour, &gained);
        let source = visit.key.contact.to_string();
        let written = async {
            let (counted, linked) = futures::join!(
                gains.write(&self.counters, &source, ATTEMPTS),
                self.count_link(visit, gained.click.as_ref()),
            );
            counted.and(linked)
        };
        match tokio::time::timeout(PATIENCE, Box::pin(written)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => lost(&error),
            Err(late) => lost(&late),
        }
    }

    /// Counts the click of a link of a campaign.
    async fn count_link(&self, visit: &Visit, click: Option<&Click>) -> Result<(), cloud::Error> {
        let Some(click) = click.filter(|_| visit.key.is_campaign()) else {
            return Ok(());
        };
        let (scope, contact) = (&visit.key.scope, visit.key.contact);
        self.links.count(visit.tenant, scope, contact, click).await
    }
}

/// Whether the link is one by which its reader unsubscribes.
pub fn is_unsubscribe(visit: &Visit) -> bool {
    matches!(visit.kind, TokenKind::Unsubscribe { .. })
}

fn lost(error: &dyn std::fmt::Display) {
    metrics::incident("VisitsLost", 1);
    tracing::warn!(%error, "a visit was not counted");
}

pub fn user_agent(headers: &HeaderMap) -> &str {
    let value = headers.get(header::USER_AGENT);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

async fn open(
    State(tracker): State<Tracker>,
    method: Method,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Response {
    let Some(visit) = tracker
        .visit(&token)
        .filter(|visit| visit.kind == TokenKind::Open)
    else {
        return page::not_found();
    };
    let agent = Agent::of(method.as_str(), user_agent(&headers));
    let learnt = tracker
        .feedback
        .opened(visit.tenant, &visit.key, agent)
        .await;
    tracker.count(&visit, learnt).await;
    page::pixel()
}

async fn click(
    State(tracker): State<Tracker>,
    method: Method,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Response {
    let visit = tracker.visit(&token);
    let Some(visit) = visit else {
        return page::not_found();
    };
    let TokenKind::Click { url } = &visit.kind else {
        return page::not_found();
    };
    let agent = Agent::of(method.as_str(), user_agent(&headers));
    let learnt = tracker
        .feedback
        .clicked(visit.tenant, &visit.key, url, agent)
        .await;
    tracker.count(&visit, learnt).await;
    let to = [
        (header::LOCATION, url.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (StatusCode::FOUND, to).into_response()
}

/// Ask whether to unsubscribe.
///
/// A page with a button. It changes nothing, since scanners follow every link (RFC 8058).
#[utoipa::path(
    get,
    path = "/u/{token}",
    operation_id = "askUnsubscribe",
    tag = "unsubscribe",
    params(("token" = String, Path, description = "The token of the mail's link", max_length = 4096)),
    security(()),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 404, description = "No such link", body = String, content_type = "text/html"),
    ),
)]
async fn ask(State(tracker): State<Tracker>, Path(token): Path<String>) -> Response {
    match tracker.visit(&token) {
        Some(visit) if is_unsubscribe(&visit) => page::ask(&token),
        _ => page::not_found(),
    }
}

/// Unsubscribe the recipient of a mail.
///
/// The page's button and the one-click of mail providers (RFC 8058) post here. The body does not matter: the
/// token says all there is to know. The unsubscription is in force when 200 is answered.
#[utoipa::path(
    post,
    path = "/u/{token}",
    operation_id = "unsubscribe",
    tag = "unsubscribe",
    params(("token" = String, Path, description = "The token of the mail's link", max_length = 4096)),
    security(()),
    responses(
        (status = 200, description = "It is done", body = String, content_type = "text/html"),
        (status = 404, description = "No such link", body = String, content_type = "text/html"),
        (status = 503, description = "Not recorded; try again", body = String, content_type = "text/html"),
    ),
)]
async fn unsubscribe(State(tracker): State<Tracker>, Path(token): Path<String>) -> Response {
    let visit = tracker.visit(&token);
    let Some(visit) = visit.filter(is_unsubscribe) else {
        return page::not_found();
    };
    let learnt = tracker
        .feedback
        .unsubscribed(visit.tenant, &visit.key)
        .await;
    if let Err(error) = &learnt {
        metrics::incident("UnsubscribesFailed", 1);
        tracing::error!(%error, "an unsubscription was not recorded");
        return page::try_again();
    }
    tracker.count(&visit, learnt).await;
    metrics::count("Unsubscribes", 1);
    page::done(&token)
}
