//! The route.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use channels::TrackingKey;
use channels::feedback::Backlog;
use channels::zns::{Event, Posted, Secrets, event};
use cloud::{QueueOf, SendOptions};
use kernel::{TenantKey, WorkspaceId};
use lambda::http::{Code, Problem, Raw, limit_body};
use lambda::metrics;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Largest body. An event of Zalo has a few kilobytes.
const MAX_BODY: usize = 256 * 1024;

/// The state of the route.
#[derive(Clone)]
pub struct Door {
    pub secrets: Secrets,
    pub tracking: TrackingKey,
    pub receipts: QueueOf<Backlog>,
}

pub fn router(door: Door) -> Router {
    limit_body(Router::from(operations()).with_state(door), MAX_BODY)
}

/// The operation, with its description for the reference.
pub fn operations() -> OpenApiRouter<Door> {
    OpenApiRouter::new().routes(routes!(receive))
}

/// The body, as Zalo composes it.
#[derive(utoipa::ToSchema)]
#[schema(as = ZaloEvent)]
#[expect(dead_code, reason = "only its schema is used")]
struct Body(BTreeMap<String, serde_json::Value>);

/// Take an event of Zalo.
///
/// Zalo posts the events of the installation's app; `X-ZEvent-Signature` signs the body. The answer is empty.
#[utoipa::path(
    post,
    path = "/w/zalo",
    operation_id = "postZaloEvent",
    tag = "webhooks",
    request_body(content((Body = "application/json"))),
    security(),
    responses(
        (status = 200, description = "Taken, counted, or the check of the address"),
        (status = 401, description = "Another signature, or another app"),
        (status = 413, description = "Too large"),
        (status = 503, description = "Try again"),
    ),
)]
async fn receive(State(door): State<Door>, raw: Raw) -> Result<(), Problem> {
    let posted = Posted {
        signature: header(&raw.headers, "x-zevent-signature"),
        timestamp: header(&raw.headers, "x-zevent-timestamp"),
        server: header(&raw.headers, "x-zevent-server"),
        body: &raw.body,
    };
    match event(&door.secrets, &door.tracking, &posted) {
        Event::Probe => Ok(()),
        Event::Unsigned => Err(Problem::new(
            Code::Unauthenticated,
            "not signed by Zalo for this app",
        )),
        Event::Foreign => {
            metrics::count("EventsUnmatched", 1);
            Ok(())
        }
        Event::Other(_) => {
            metrics::count("EventsIgnored", 1);
            Ok(())
        }
        Event::Receipt(workspace, receipt) => {
            let message = Backlog::Receipts {
                receipts: vec![receipt],
            };
            let options = SendOptions::default();
            let sent = door.receipts.send(tenant(workspace), &message, options);
            sent.await?;
            metrics::count("ReceiptsTaken", 1);
            Ok(())
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "door: Zalo signed the event, and the tracking id has a MAC of ours"
)]
fn tenant(workspace: WorkspaceId) -> TenantKey {
    TenantKey::authenticated(workspace)
}
