//! The HTTP API: routes, the authorizer, limits and answers as API Gateway gives them.
//!
//! The API adds no CORS headers and no defaults of its own: it does only what the template declares.

pub mod event;
pub mod reply;
pub mod routes;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use serde_json::Value;

use self::event::Call;
use self::reply::message;
use self::routes::Routes;
use super::functions::Functions;
use crate::aws::Aws;

/// Largest body that API Gateway takes.
pub const LARGEST_BODY: usize = 10 * 1024 * 1024;
/// Largest event that Lambda takes, and largest answer that it gives.
const LARGEST_PAYLOAD: usize = 6 * 1024 * 1024;
/// Request line and headers together.
const LARGEST_HEAD: usize = 10_240;
/// Longest time that API Gateway waits for a function.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// Address of the client, as an extension of the request; loopback without one.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// The HTTP API.
pub struct Gateway {
    routes: Routes,
    authorizer: Option<String>,
    functions: Arc<Functions>,
    aws: Aws,
}

impl Gateway {
    /// The API with these routes; `authorizer` is a function's logical id.
    pub fn new(
        routes: Routes,
        authorizer: Option<String>,
        functions: Arc<Functions>,
        aws: Aws,
    ) -> Self {
        Self {
            routes,
            authorizer,
            functions,
            aws,
        }
    }

    /// The routes.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Answers a request.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.aws.meter().http_request("http");
        let request_id = self.functions.request_id();
        let mut response = self.route(request, request_id.clone()).await;
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            let name = HeaderName::from_static("apigw-requestid");
            response.headers_mut().insert(name, id);
        }
        response
    }

    async fn route(&self, request: Request<Bytes>, request_id: String) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        if let Some(refusal) = refuse(&parts, &body) {
            return refusal;
        }
        let found = self.routes.find(parts.method.as_str(), parts.uri.path());
        let Some((route, path_parameters)) = found else {
            return message(StatusCode::NOT_FOUND, "Not Found");
        };
        let trace = self.trace(&parts.headers);
        let peer = parts
            .extensions
            .get()
            .map_or(Ipv4Addr::LOCALHOST.into(), |Peer(ip)| *ip);
        let call = Call {
            parts: &parts,
            body: &body,
            route,
            path_parameters,
            request_id,
            trace: trace.clone(),
            peer,
            now: self.functions.clock().now(),
        };
        let context = match self.authorize(&call).await {
            Ok(context) => context,
            Err(refusal) => return *refusal,
        };
        let event = call.event(context);
        if event["body"].as_str().map_or(0, str::len) > LARGEST_PAYLOAD {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
        }
        let work = self.functions.invoke(&route.function, event, Some(trace));
        match tokio::time::timeout(INTEGRATION_TIMEOUT, work).await {
            Err(_) => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
            Ok(Err(failure)) if failure.is_throttle() => {
                message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            }
            Ok(Err(_)) => internal(),
            Ok(Ok(answer)) if too_large(&answer) => internal(),
            Ok(Ok(answer)) => reply::response(answer),
        }
    }

    /// Runs the authorizer if the route has one; gives the authorizer's context.
    async fn authorize(&self, call: &Call<'_>) -> Result<Option<Value>, Box<Response<Bytes>>> {
        if !call.route.authorized {
            return Ok(None);
        }
        let refuse = |status, text| Err(Box::new(message(status, text)));
        let Some(authorizer) = &self.authorizer else {
            return Err(Box::new(internal()));
        };
        let event = call.authorizer_event();
        let trace = Some(call.trace.clone());
        let Ok(answer) = self.functions.invoke(authorizer, event, trace).await else {
            return Err(Box::new(internal()));
        };
        match answer.get("isAuthorized").and_then(Value::as_bool) {
            Some(true) => Ok(Some(answer.get("context").cloned().unwrap_or(Value::Null))),
            Some(false) => refuse(StatusCode::FORBIDDEN, "Forbidden"),
            None => Err(Box::new(internal())),
        }
    }

    fn trace(&self, headers: &HeaderMap) -> String {
        let given = headers
            .get("x-amzn-trace-id")
            .and_then(|value| value.to_str().ok());
        let fresh = || {
            let seconds = self.functions.clock().now().as_second();
            format!("Root=1-{seconds:08x}-{}", self.functions.random_hex(24))
        };
        given.map_or_else(fresh, str::to_owned)
    }
}

/// The answer if API Gateway refuses the request before it looks for a route.
fn refuse(parts: &http::request::Parts, body: &Bytes) -> Option<Response<Bytes>> {
    if body.len() > LARGEST_BODY {
        return Some(too_large_body());
    }
    let line = parts
        .uri
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    let header = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    if line + parts.headers.iter().map(header).sum::<usize>() > LARGEST_HEAD {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Some(message(status, "Request Header Fields Too Large"));
    }
    // Functions may build addresses from the host; in AWS it is always a domain of ours.
    let host = parts.headers.get(HOST).map(HeaderValue::to_str);
    let fine = match host {
        None => true,
        Some(Ok(host)) => host.parse::<http::uri::Authority>().is_ok() && !host.contains('@'),
        Some(Err(_)) => false,
    };
    (!fine).then(|| message(StatusCode::BAD_REQUEST, "Bad Request"))
}

/// The answer to a body over [`LARGEST_BODY`].
pub fn too_large_body() -> Response<Bytes> {
    message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
}

fn too_large(answer: &Value) -> bool {
    answer
        .get("body")
        .and_then(Value::as_str)
        .map_or(0, str::len)
        > LARGEST_PAYLOAD
}

fn internal() -> Response<Bytes> {
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}
