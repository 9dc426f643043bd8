//! Web push on the shop's pages: the key and the question of a workspace, and the service worker.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use lambda::http::{Json, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Refusal;
use crate::handler::Door;

pub fn routes() -> OpenApiRouter<Door> {
    OpenApiRouter::new()
        .routes(routes!(site))
        .routes(routes!(worker))
}

/// The key of a page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OfPage {
    /// A key with the scope `track`.
    #[param(max_length = 500)]
    key: String,
}

/// When and where a page asks for the permission to notify.
#[derive(Serialize, utoipa::ToSchema)]
struct SitePrompt {
    /// Seconds on the page before the question.
    delay_seconds: u32,
    /// The question.
    text: String,
    /// Beginnings of the paths of pages that ask; empty: all pages.
    only_on: Vec<String>,
}

/// The web push of a workspace, for its pages.
#[derive(Serialize, utoipa::ToSchema)]
struct SitePush {
    /// The public VAPID key, in base64url.
    public_key: String,
    /// The question.
    prompt: SitePrompt,
}

/// Show the web push of a website, for its pages.
#[utoipa::path(
    get,
    path = "/s/push",
    operation_id = "showSitePush",
    tag = "tracking",
    params(OfPage),
    security(()),
    responses(
        (status = 200, description = "The public key and the question", body = SitePush),
        (status = 400, description = "The query has no key", body = Refusal),
        (status = 404, description = "No such key, or no web push", body = Refusal),
        (status = 429, description = "Too many; see `Retry-After`", body = Refusal),
        (status = 503, description = "Try again", body = Refusal),
    ),
)]
async fn site(
    State(door): State<Door>,
    Query(page): Query<OfPage>,
) -> Result<impl IntoResponse, Problem> {
    let missing = || Problem::not_found("web push");
    let key = door.keys.find(&page.key).await?.ok_or_else(missing)?;
    let web = door.sites.recent(key.tenant).await?.ok_or_else(missing)?;
    let headers = [(header::CACHE_CONTROL, "public, max-age=300")];
    let site = web.site;
    let found = SitePush {
        public_key: web.public_key,
        prompt: SitePrompt {
            delay_seconds: site.delay_seconds,
            text: site.text,
            only_on: site.only_on,
        },
    };
    Ok((headers, Json(found)))
}

/// Show the service worker of web push. A file of the shop loads it by `importScripts`.
#[utoipa::path(
    get,
    path = "/push-sw.js",
    operation_id = "showPushWorker",
    tag = "tracking",
    security(()),
    responses((status = 200, description = "The script", body = String, content_type = "text/javascript")),
)]
async fn worker() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, tracking::WORKER)
}
