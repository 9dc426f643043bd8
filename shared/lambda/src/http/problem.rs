//! Errors as RFC 9457 problem details: `application/problem+json` with a stable `code`, the place in
//! the request (`errors[].pointer`) and the `request_id`. A 5xx says only the id.

use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use serde::Serialize;

use crate::telemetry;

/// Stable names of what can go wrong, each with its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProblemCode)]
#[expect(missing_docs, reason = "the names and the table below say it")]
pub enum Code {
    Malformed,
    Invalid,
    Unauthenticated,
    Forbidden,
    NotFound,
    Merged,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    Unprocessable,
    RateLimited,
    TotpRequired,
    IdempotencyKeyReused,
    InProgress,
    AlreadyDone,
    SettingsMissing,
    NotReady,
    Internal,
    Unavailable,
}

impl Code {
    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthenticated | Self::TotpRequired => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Merged => StatusCode::GONE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict | Self::InProgress | Self::AlreadyDone | Self::SettingsMissing => {
                StatusCode::CONFLICT
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited | Self::NotReady => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The metric that counts the answers with this code.
    fn metric(self) -> &'static str {
        match self {
            Self::Malformed => "ProblemMalformed",
            Self::Invalid => "ProblemInvalid",
            Self::Unauthenticated => "ProblemUnauthenticated",
            Self::Forbidden => "ProblemForbidden",
            Self::NotFound => "ProblemNotFound",
            Self::Merged => "ProblemMerged",
            Self::MethodNotAllowed => "ProblemMethodNotAllowed",
            Self::Conflict => "ProblemConflict",
            Self::TooLarge => "ProblemTooLarge",
            Self::UnsupportedMediaType => "ProblemUnsupportedMediaType",
            Self::Unprocessable => "ProblemUnprocessable",
            Self::RateLimited => "ProblemRateLimited",
            Self::TotpRequired => "ProblemTotpRequired",
            Self::IdempotencyKeyReused => "ProblemIdempotencyKeyReused",
            Self::InProgress => "ProblemInProgress",
            Self::AlreadyDone => "ProblemAlreadyDone",
            Self::SettingsMissing => "ProblemSettingsMissing",
            Self::NotReady => "ProblemNotReady",
            Self::Internal => "ProblemInternal",
            Self::Unavailable => "ProblemUnavailable",
        }
    }
}

/// One thing that is wrong with the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body (`/email`; empty: the body as a whole), `?name` for a query parameter,
    /// or a header's name.
    pub pointer: String,
    /// The expected value.
    pub message: String,
}

/// The detail of an answer whose `errors` say more.
pub(super) const NOT_VALID: &str = "the request is not valid";

/// Collects the flaws of a request, so that one answer names them all.
#[derive(Debug, Default)]
pub struct Flaws(Vec<FieldError>);

impl Flaws {
    /// Adds a flaw at `pointer` if there is one.
    pub fn check(&mut self, is_flawed: bool, pointer: impl Into<String>, message: &str) {
        if is_flawed {
            self.add(pointer, message);
        }
    }

    /// Adds a flaw.
    pub fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError {
            pointer: pointer.into(),
            message: message.into(),
        });
    }

    /// The value. The flaws of an invalid one are added, and there is none; any other problem is returned.
    pub fn take<T>(&mut self, checked: Result<T, Problem>) -> Result<Option<T>, Problem> {
        match checked {
            Ok(value) => Ok(Some(value)),
            Err(problem) if problem.code == Code::Invalid => {
                self.0.extend(problem.errors);
                Ok(None)
            }
            Err(problem) => Err(problem),
        }
    }

    /// Refuses if there is a flaw.
    pub fn refuse(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Problem::new(Code::Invalid, NOT_VALID).with(self.0))
    }
}

impl<P: Into<String>, M: Into<String>> Extend<(P, M)> for Flaws {
    fn extend<I: IntoIterator<Item = (P, M)>>(&mut self, flaws: I) {
        for (pointer, message) in flaws {
            self.add(pointer, message);
        }
    }
}

impl<P: Into<String>, M: Into<String>> FromIterator<(P, M)> for Flaws {
    fn from_iter<I: IntoIterator<Item = (P, M)>>(flaws: I) -> Self {
        let mut all = Self::default();
        all.extend(flaws);
        all
    }
}

/// An error answer.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<u32>,
}

impl Problem {
    /// Refuses unless the workspace has all settings that marketing needs. `missing` holds the pointers of missing
    /// settings.
    pub fn settings_missing(missing: &[&str]) -> Result<(), Self> {
        if missing.is_empty() {
            return Ok(());
        }
        let detail = "the workspace's settings lack data for the footer of its mails";
        let problem = Self::new(Code::SettingsMissing, detail);
        Err(missing.iter().fold(problem, |problem, place| {
            problem.at(*place, "must be set in the workspace's settings")
        }))
    }

    /// A mail's sender is no proven sender of the workspace, at these places.
    pub fn unproven_sender(places: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let detail = "the workspace sends only from addresses that it has proven";
        let problem = Self::new(Code::Unprocessable, detail);
        places.into_iter().fold(problem, |problem, place| {
            problem.at(
                place,
                "is not a proven sender of the workspace; see createSender",
            )
        })
    }

    /// A problem with a sentence for the caller. For a 5xx the sentence goes to the log only.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// A problem with a flaw at `pointer`.
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, NOT_VALID).at(pointer, message)
    }

    /// The body as a whole cannot be read.
    pub fn malformed(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(Code::Malformed, message.clone()).at("", message)
    }

    /// The object does not exist, or belongs to another tenant: the caller cannot tell which.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("no such {what}"))
    }

    /// Adds a flaw.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            pointer: pointer.into(),
            message: message.into(),
        });
        self
    }

    /// Adds flaws.
    pub(super) fn with(mut self, flaws: Vec<FieldError>) -> Self {
        self.errors.extend(flaws);
        self
    }

    /// Seconds after which the caller may try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Seconds after which the caller may try again, if the problem says it.
    pub fn wait(&self) -> Option<u32> {
        self.retry_after
    }
}

impl From<cloud::Error> for Problem {
    fn from(error: cloud::Error) -> Self {
        match error {
            cloud::Error::Conflict => Self::new(
                Code::Conflict,
                "the record was changed meanwhile; read it and try again",
            ),
            cloud::Error::Throttled { .. }
            | cloud::Error::Unknown { .. }
            | cloud::Error::Misconfigured { .. } => {
                Self::new(Code::Unavailable, error.to_string()).retry_after(1)
            }
            cloud::Error::Cursor(_) => Self::invalid("?cursor", error.to_string()),
            other => Self::new(Code::Internal, other.to_string()),
        }
    }
}

/// An error, as RFC 9457 has it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Always `about:blank`: `code` tells what it is.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    code: Code,
    /// A sentence for people; absent from a 5xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    /// The flaws of the request, place by place.
    errors: &'a [FieldError],
    /// Names the request in the logs.
    request_id: &'a str,
}

/// Carries the problem to the middleware, which knows the request id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Outermost layer: writes the body of a problem, sets `x-request-id` on every answer.
pub(super) async fn with_request_id(request: Request, next: Next) -> Response {
    let context = request.extensions().get::<lambda_http::Context>();
    let request_id = context
        .map(|context| context.request_id.clone())
        .unwrap_or_default();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        // Headers that a route added, such as CORS, stay. Otherwise a page could not read the answer.
        let (parts, _) = response.into_parts();
        response = render(&problem, &request_id);
        for (name, value) in &parts.headers {
            response
                .headers_mut()
                .entry(name)
                .or_insert_with(|| value.clone());
        }
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert("x-request-id", value);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let private = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(private);
    response
}

/// Turns a panic into a problem: the caller gets an answer in our format, with the request id.
pub(super) async fn catch_panic(request: Request, next: Next) -> Response {
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    work.await.unwrap_or_else(|panic| {
        crate::metrics::incident("Panics", 1);
        let text = format!("panic: {}", telemetry::panic_text(&*panic));
        Problem::new(Code::Internal, text).into_response()
    })
}

fn render(problem: &Problem, request_id: &str) -> Response {
    let status = problem.code.status();
    crate::metrics::incident(problem.code.metric(), 1);
    if status.is_server_error() {
        tracing::error!(code = ?problem.code, detail = problem.detail, "request failed");
    }
    let body = ProblemBody {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        code: problem.code,
        detail: (!status.is_server_error()).then_some(problem.detail.as_str()),
        errors: &problem.errors,
        request_id,
    };
    let json = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = (
        status,
        [(header::CONTENT_TYPE, "application/problem+json")],
        json,
    )
        .into_response();
    if let Some(seconds) = problem.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests;
