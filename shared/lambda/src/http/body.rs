//! Extractors whose refusals are problems that name the place in the request.

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::caller::asked;
use super::plain::plain;
use super::problem::{Code, NOT_VALID, Problem};
use super::{faults, strict};

/// Largest body of an API request. API Gateway accepts 10 MB and Lambda 6; a record needs far less.
pub const MAX_BODY: usize = 5 * 1024 * 1024;

/// How many bytes the body of a route's requests may hold.
#[derive(Debug, Clone, Copy)]
struct BodyLimit(usize);

/// Limits the bodies of these routes. An inner limit replaces an outer one, and a refusal names the limit that
/// applied.
pub fn limit_body(router: Router, bytes: usize) -> Router {
    router
        .layer(DefaultBodyLimit::max(bytes))
        .layer(Extension(BodyLimit(bytes)))
}

/// A JSON body, or a JSON answer. Types that are read set `deny_unknown_fields`, so that a misspelt field is refused
/// with its name.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        asked(request.extensions())?;
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let essence = content_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = essence
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        if essence != "application/json" && !essence.ends_with("+json") {
            return Err(Problem::new(
                Code::UnsupportedMediaType,
                "send the body as application/json",
            ));
        }
        let bytes = bytes_of(request, state).await?;
        parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
            Err(error) => Problem::new(Code::Internal, error.to_string()).into_response(),
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::malformed(format!("byte {} is not UTF-8", error.valid_up_to()))
    })?;
    if let Some(flaw) = strict::flaw(text) {
        return Err(Problem::invalid(flaw.pointer, flaw.message));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        if error.inner().classify() != serde_json::error::Category::Data {
            return Problem::malformed(format!("not JSON: {}", error.inner()));
        }
        let faults = faults::all::<T>(text, faults::named(&error));
        Problem::new(Code::Invalid, NOT_VALID).with(faults)
    })?;
    json.end()
        .map_err(|error| Problem::malformed(format!("not JSON: {error}")))?;
    Ok(value)
}

/// The unchanged body and headers: signatures are computed over them.
#[derive(Debug)]
pub struct Raw {
    /// Header values.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Raw {
    /// The body as JSON, read as strictly as by [`Json`]. For an operation that also takes bodies of another type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        parse(&self.body)
    }
}

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        asked(request.extensions())?;
        let headers = request.headers().clone();
        Ok(Self {
            headers,
            body: bytes_of(request, state).await?,
        })
    }
}

async fn bytes_of<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let limit = request.extensions().get::<BodyLimit>();
    let limit = limit.map_or(MAX_BODY, |limit| limit.0);
    let bytes = Bytes::from_request(request, state).await;
    bytes.map_err(|error: BytesRejection| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large(limit)
        } else {
            Problem::malformed("the body could not be read")
        }
    })
}

/// The body holds more than `limit` bytes.
pub(super) fn too_large(limit: usize) -> Problem {
    let message = format!("may hold {limit} bytes");
    Problem::new(Code::TooLarge, "the body is too large").at("", message)
}

/// Query parameters.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        asked(&parts.extensions)?;
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|error| query_problem(&error.body_text()))
    }
}

/// Names the parameter, which the text of the rejection holds: "… unknown field `a`, …" or "…: a: …".
fn query_problem(text: &str) -> Problem {
    let text = text
        .rsplit_once("query string: ")
        .map_or(text, |(_, rest)| rest);
    let (name, message) = match text.split_once(": ") {
        Some((name, message)) if !name.contains(' ') => (name, message),
        _ => ("", text),
    };
    let plain = plain(message);
    let name = plain.field.as_deref().unwrap_or(name);
    Problem::invalid(format!("?{name}"), plain.message)
}

/// Path parameters. An id that does not parse is answered like an object that does not exist.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        asked(&parts.extensions)?;
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| Problem::not_found("resource"))
    }
}
