//! The route.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::options;
use cloud::Buckets;
use intake::{Rate, Refusal, Request, Taken, slow_down};
use kernel::{Clock, SourceId};
use lambda::http::{ClientIp, Json, Path, Raw, limit_body};
use sources::Provider;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A form has a dozen fields.
pub const MAX_BODY: usize = 256 * 1024;
/// Forms of one source that a process takes. A sale's first minute is a dozen a second.
pub const RATE: Rate = Rate {
    per_second: NonZeroU32::new(50).unwrap(),
    burst: NonZeroU32::new(100).unwrap(),
};

/// Forms of one source that a process takes in a second from one client. In LadiPage's
/// server mode all visitors' forms come from a few addresses, so the limit is no lower. It leaves half of the source's
/// limit to other clients.
const PER_SECOND_OF_A_CLIENT: NonZeroU32 = NonZeroU32::new(25).unwrap();
/// Forms of one client at once.
const BURST_OF_A_CLIENT: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// The state of the route.
#[derive(Clone)]
pub struct Door {
    pub intake: intake::Intake,
    /// By source and client.
    pub clients: Buckets,
}

impl Door {
    pub(crate) fn clients(clock: &Clock) -> Buckets {
        Buckets::new(clock, PER_SECOND_OF_A_CLIENT, BURST_OF_A_CLIENT)
    }
}

pub fn router(door: Door) -> Router {
    let router = Router::from(operations())
        .route("/w/ladipage/{source}", options(preflight))
        .with_state(door);
    // CORS covers the extractors too: a page must be able to read the reason of a refusal.
    limit_body(router, MAX_BODY).layer(map_response(with_cors))
}

/// The operation, with its description for the reference.
pub fn operations() -> OpenApiRouter<Door> {
    OpenApiRouter::new().routes(routes!(submit))
}

/// The fields of a form, by the names that the page gives them; docs/forms.md says which names are known.
#[derive(utoipa::ToSchema)]
#[schema(as = Form)]
#[expect(dead_code, reason = "only its schema is used")]
struct Form(BTreeMap<String, serde_json::Value>);

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
        (status = 404, description = "The source is disconnected, or the workspace is archived"),
        (status = 413, description = "Too large"),
        (status = 415, description = "No form's content type"),
        (status = 429, description = "More forms in a second than the source or the client may post"),
    ),
)]
async fn submit(
    State(door): State<Door>,
    Path(source): Path<SourceId>,
    ip: ClientIp,
    raw: Raw,
) -> Result<Json<Taken>, Refusal> {
    // The client first: its surplus takes nothing from the source.
    let client = format!("{source} {}", ip.network());
    slow_down(&door.clients, &client, PER_SECOND_OF_A_CLIENT)?;
    // The token is in a public page, so a body that is no form is refused here, and reaches nobody's list.
    door.intake
        .take(Provider::Ladipage, Request::new(source, &raw))
        .await
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
