//! The routes.

use std::time::Duration;

use accounts::{RecentWorkspaces, WriteKeys};
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use channels::push::Sites;
use cloud::QueueOf;
use contacts::Trust;
use kernel::{Clock, Entropy};
use lambda::http::{Code, Json, Path, Problem, Raw, any_page, limit_body};
use lambda::metrics;
use tracking::{Kind, MAX_BODY, Tracked, judge, parse, write_key};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Refusal, Taken, for_sdks, unreadable};
use crate::body;
use crate::pace::Pace;
use crate::site;

/// The stores and limits of a request; cheap to clone.
#[derive(Clone, Debug)]
pub struct Door {
    pub keys: WriteKeys,
    pub workspaces: RecentWorkspaces,
    pub pace: Pace,
    pub queue: QueueOf<Tracked>,
    pub sites: Sites,
    pub clock: Clock,
    pub entropy: Entropy,
}

pub fn router(door: Door) -> Router {
    let router = Router::from(operations()).with_state(door);
    // A larger body is judged here, so that its answer is one that SDKs read.
    limit_body(router, 2 * MAX_BODY)
        .layer(from_fn(for_sdks))
        .layer(any_page())
}

/// The operations, with their description for the reference.
pub fn operations() -> OpenApiRouter<Door> {
    OpenApiRouter::new()
        .routes(routes!(batch))
        .routes(routes!(track))
        .routes(routes!(identify))
        .routes(routes!(page))
        .routes(routes!(screen))
        .routes(routes!(alias))
        .routes(routes!(group))
        .routes(routes!(call_of_browser))
        .routes(routes!(script))
        .merge(site::routes())
}

impl Door {
    /// Takes a request: on return its accepted calls are on the queue. `kind` is that of the address; `None`: a batch.
    async fn take(
        &self,
        raw: Result<Raw, Problem>,
        kind: Option<Kind>,
    ) -> Result<Json<Taken>, Problem> {
        let received_at = self.clock.now();
        let raw = raw.map_err(|problem| match problem.code() {
            Code::TooLarge => unreadable(tracking::Unreadable::TooLarge),
            _ => problem,
        })?;
        let text = body::unpacked(&raw.body).map_err(unreadable)?;
        let body = parse(&text).map_err(unreadable)?;
        let token = body::key(&raw.headers).or_else(|| write_key(&body).map(str::to_owned));
        let Some(token) = token else {
            let detail = "give the write key as the user name of Basic, or as writeKey in the body";
            return Err(Problem::new(Code::Unauthenticated, detail));
        };
        let Some(key) = self.keys.find(&token).await? else {
            let detail = "no key with the scope track, or a revoked one";
            return Err(Problem::new(Code::Unauthenticated, detail));
        };
        if let Err(wait) = self.pace.request(&key.id) {
            return Err(busy("too many requests in a second", wait));
        }
        if !self.workspaces.is_open(key.tenant).await? {
            return Err(Problem::not_found("workspace"));
        }
        let trust = if key.is_public {
            Trust::Anybody
        } else {
            Trust::Shop
        };
        let judged = judge(body, kind, (&key.id, trust), received_at, &self.entropy);
        let judged = judged.map_err(unreadable)?;
        let n = u32::try_from(judged.accepted + judged.refused.len()).unwrap_or(u32::MAX);
        if let Some(wait) = self.pace.events(key.tenant, n).await {
            return Err(busy("too many events of the workspace", wait));
        }
        let sent = self.queue.send_all(key.tenant, &judged.messages).await;
        sent.map_err(|error| Problem::new(Code::Unavailable, error.to_string()).retry_after(2))?;
        metrics::count("CallsAccepted", judged.accepted as u64);
        metrics::count("CallsRefused", judged.refused.len() as u64);
        Ok(Json(Taken::of(&judged)))
    }
}

fn busy(detail: &str, wait: Duration) -> Problem {
    metrics::incident("RequestsOverLimit", 1);
    let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
    Problem::new(Code::RateLimited, detail).retry_after(seconds)
}

/// A call of an SDK; docs/tracking.md names its fields.
#[derive(utoipa::ToSchema)]
#[schema(as = TrackCall)]
#[expect(dead_code, reason = "only its schema is used")]
struct Call(std::collections::BTreeMap<String, serde_json::Value>);

/// Calls of an SDK.
#[derive(utoipa::ToSchema)]
#[schema(as = TrackBatch)]
#[expect(dead_code, reason = "only its schema is used")]
struct Calls {
    /// The calls, each with its `type`.
    #[schema(max_items = 500)]
    batch: Vec<Call>,
    /// The write key, unless it is the user name of Basic.
    #[schema(rename = "writeKey", max_length = 500)]
    write_key: Option<String>,
    /// When the request was sent, by the sender's clock.
    #[schema(rename = "sentAt", max_length = 100)]
    sent_at: Option<String>,
}

macro_rules! call {
    ($(#[doc = $doc:literal])* $name:ident, path = $path:literal, $id:literal, $body:ty, $kind:expr) => {
        $(#[doc = $doc])*
        #[utoipa::path(
            post,
            path = $path,
            operation_id = $id,
            tag = "tracking",
            request_body = $body,
            security(()),
            responses(
                (status = 200, description = "Judged; the accepted calls are on their queue", body = Taken),
                (status = 400, description = "No JSON, or too large", body = Refusal),
                (status = 401, description = "No such key, or one that may not write events", body = Refusal),
                (status = 404, description = "The workspace is archived", body = Refusal),
                (status = 429, description = "Too many; see `Retry-After`", body = Refusal),
                (status = 503, description = "Try again", body = Refusal),
            ),
        )]
        async fn $name(
            State(door): State<Door>,
            raw: Result<Raw, Problem>,
        ) -> Result<Json<Taken>, Problem> {
            door.take(raw, $kind).await
        }
    };
}

call!(
    /// Take many calls of an SDK.
    ///
    /// A call that cannot be used is refused alone, and the answer names its place.
    batch,
    path = "/v1/batch",
    "trackBatch", Calls, None
);
call!(
    /// Take an event of a person.
    track,
    path = "/v1/track",
    "trackEvent", Call, Some(Kind::Track)
);
call!(
    /// Take what an own system knows about a person.
    identify,
    path = "/v1/identify",
    "trackIdentify", Call, Some(Kind::Identify)
);
call!(
    /// Take a view of a page.
    page,
    path = "/v1/page",
    "trackPage", Call, Some(Kind::Page)
);
call!(
    /// Take a view of an app's screen.
    screen,
    path = "/v1/screen",
    "trackScreen", Call, Some(Kind::Screen)
);
call!(
    /// Join an anonymous id to a person.
    alias,
    path = "/v1/alias",
    "trackAlias", Call, Some(Kind::Alias)
);
call!(
    /// Refuse a call about a company: the answer names the reason.
    group,
    path = "/v1/group",
    "trackGroup", Call, Some(Kind::Group)
);

/// Take a call of a browser's SDK.
///
/// The address that analytics.js writes: the first letter of the call, or `b` for many calls.
#[utoipa::path(
    post,
    path = "/s/{call}",
    operation_id = "trackBrowserCall",
    tag = "tracking",
    params(("call" = String, Path, description = "`t`, `i`, `p`, `s`, `a`, `g` or `b`", max_length = 1)),
    request_body = Call,
    security(()),
    responses(
        (status = 200, description = "Judged; the accepted calls are on their queue", body = Taken),
        (status = 400, description = "No JSON, or too large", body = Refusal),
        (status = 401, description = "No such key, or one that may not write events", body = Refusal),
        (status = 404, description = "No such call, or the workspace is archived", body = Refusal),
        (status = 429, description = "Too many; see `Retry-After`", body = Refusal),
        (status = 503, description = "Try again", body = Refusal),
    ),
)]
async fn call_of_browser(
    State(door): State<Door>,
    Path(call): Path<String>,
    raw: Result<Raw, Problem>,
) -> Result<Json<Taken>, Problem> {
    let kind = match call.as_str() {
        "b" | "batch" => None,
        call => Some(Kind::of(call).ok_or_else(|| Problem::not_found("call"))?),
    };
    door.take(raw, kind).await
}

/// Show the script for web pages.
#[utoipa::path(
    get,
    path = "/t.js",
    operation_id = "showTrackingScript",
    tag = "tracking",
    security(()),
    responses((status = 200, description = "The script", body = String, content_type = "text/javascript")),
)]
async fn script() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, tracking::SCRIPT)
}
