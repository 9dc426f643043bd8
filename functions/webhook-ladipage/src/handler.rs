//! The route.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use accounts::RecentWorkspaces;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::options;
use cloud::{Buckets, QueueOf, SendOptions};
use kernel::{Clock, SourceId};
use lambda::http::{ClientIp, Code, Json, Path, Problem, Raw, limit_body};
use lambda::metrics;
use serde_json::json;
use sources::{Door, Inbound, ParseError, Provider, RawRequest, Source, Sources};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A form has a dozen fields.
pub const MAX_BODY: usize = 256 * 1024;
/// Forms of one source that a process takes in a second. A sale's first minute is a dozen a second.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
/// Forms of one source that a process takes at once, after a pause of two seconds.
const BURST: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// Forms of one source that a process takes in a second from one client. In LadiPage's
/// server mode all visitors' forms come from a few addresses, so the limit is no lower. It leaves half of the source's
/// limit to other clients.
const PER_SECOND_OF_A_CLIENT: NonZeroU32 = NonZeroU32::new(25).unwrap();
/// Forms of one client at once.
const BURST_OF_A_CLIENT: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// The state of the route.
#[derive(Clone)]
pub struct Intake {
    pub sources: Sources,
    pub workspaces: RecentWorkspaces,
    pub queue: QueueOf<Inbound>,
    pub clock: Clock,
    /// By source.
    pub buckets: Buckets,
    /// By source and client.
    pub clients: Buckets,
}

impl Intake {
    pub(crate) fn buckets(clock: &Clock) -> Buckets {
        Buckets::new(clock, PER_SECOND, BURST)
    }

    pub(crate) fn clients(clock: &Clock) -> Buckets {
        Buckets::new(clock, PER_SECOND_OF_A_CLIENT, BURST_OF_A_CLIENT)
    }
}

pub fn router(intake: Intake) -> Router {
    let router = Router::from(operations())
        .route("/w/ladipage/{source}", options(preflight))
        .with_state(intake);
    // CORS covers the extractors too: a page must be able to read the reason of a refusal.
    limit_body(router, MAX_BODY).layer(map_response(with_cors))
}

/// The operation, with its description for the reference.
pub fn operations() -> OpenApiRouter<Intake> {
    OpenApiRouter::new().routes(routes!(submit))
}

/// The fields of a form, by the names that the page gives them; docs/forms.md says which names are known.
#[derive(utoipa::ToSchema)]
#[schema(as = Form)]
#[expect(dead_code, reason = "only its schema is used")]
struct Form(BTreeMap<String, serde_json::Value>);

/// The form is on its queue.
#[derive(utoipa::ToSchema)]
#[schema(as = TakenForm)]
#[expect(dead_code, reason = "only its schema is used")]
struct Taken {
    accepted: bool,
}

/// Take a form of a source.
///
/// The source's `header` carries its token; `x-tanigo-token` is the name for sources that the API makes.
#[utoipa::path(
    post,
    path = "/w/ladipage/{source}",
    operation_id = "postForm",
    tag = "forms",
    params(("source" = SourceId, Path, description = "The source")),
    request_body(content(
        (Form = "application/json"),
        (Form = "application/x-www-form-urlencoded"),
        (Form = "multipart/form-data"),
    )),
    security(("source" = [])),
    responses(
        (status = 200, description = "On its queue", body = Taken),
        (status = 400, description = "No form"),
        (status = 401, description = "No such source, or another token"),
        (status = 404, description = "The workspace is archived"),
        (status = 413, description = "Too large"),
        (status = 415, description = "No form's content type"),
        (status = 429, description = "More forms in a second than the source or the client may post"),
    ),
)]
async fn submit(
    State(intake): State<Intake>,
    Path(source): Path<SourceId>,
    ip: ClientIp,
    Raw { headers, body }: Raw,
) -> Result<Json<serde_json::Value>, Problem> {
    // The client first: its surplus takes nothing from the source.
    let client = format!("{source} {}", ip.network());
    slow_down(&intake.clients, &client, PER_SECOND_OF_A_CLIENT)?;
    slow_down(&intake.buckets, &source.to_string(), PER_SECOND)?;
    accept(&intake, source, &headers, &body).await?;
    Ok(Json(json!({ "accepted": true })))
}

/// Public pages show the address of a source, so a flood of it must cost nothing but the request.
fn slow_down(buckets: &Buckets, key: &str, most: NonZeroU32) -> Result<(), Problem> {
    buckets.take(key).map_err(|wait| {
        metrics::incident("RequestsOverLimit", 1);
        let detail = format!("more than {most} forms in a second");
        let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
        Problem::new(Code::RateLimited, detail).retry_after(seconds)
    })
}

async fn accept(
    intake: &Intake,
    source: SourceId,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Problem> {
    let door = intake.sources.find(source).await?;
    let own = door.filter(|door| is_its_own(&door.source, headers));
    let Some(Door { tenant, source }) = own else {
        metrics::incident("SignatureRefused", 1);
        return Err(Problem::new(
            Code::Unauthenticated,
            "unknown source or wrong token",
        ));
    };
    if !intake.workspaces.is_open(tenant).await? {
        return Err(Problem::not_found("source"));
    }
    // The token is in a public page, so a body that is no form is refused here, and reaches nobody's list.
    let request = RawRequest::take(source, headers, body, intake.clock.now()).await;
    let request = request.map_err(|error| refusal(&error))?;
    let inbound = Inbound::Request(Box::new(request));
    let sent = intake
        .queue
        .send(tenant, &inbound, SendOptions::default())
        .await;
    sent.map_err(|error| Problem::new(Code::Unavailable, error.to_string()).retry_after(2))?;
    metrics::count("FormsAccepted", 1);
    Ok(())
}

fn is_its_own(source: &Source, headers: &HeaderMap) -> bool {
    source.provider == Provider::Ladipage && source.auth.admits(headers)
}

fn refusal(error: &ParseError) -> Problem {
    let code = match error {
        ParseError::ContentType(_) => Code::UnsupportedMediaType,
        _ => Code::Malformed,
    };
    Problem::new(code, error.to_string())
}

/// In LadiPage's browser mode the visitor's page calls us, so any origin may; the token decides.
async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn with_cors(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST, OPTIONS"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("*, Authorization"),
    );
    response
}
