//! The APIs of providers: requests are built and answers are read here, without I/O.
//!
//! A provider's paths and shapes are in the file `api.rs` beside its parser. [`Desk`] makes the calls. A host is one of the
//! constants of these files, or a checked name of a shop in front of one.

mod client;
mod credentials;
mod desk;

use std::time::Duration;

use bytes::Bytes;
use cloud::WebError;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use client::{Asked, Client, Page, objects_of};
pub(crate) use client::{FETCHED, Told};
pub use cloud::Hosts;
pub use credentials::{Access, Credentials, is_name};
pub use desk::Desk;

/// Longest wait that a provider's answer can ask for: as far as a queue can delay a message.
const MAX_WAIT: Duration = Duration::from_secs(cloud::queue::MAX_DELAY_SECONDS as u64);
/// The wait after a refusal that names none.
const WAIT: Duration = Duration::from_secs(5);

/// Kinds of objects that a provider's API holds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = SyncObject)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// People.
    Customers,
    /// Orders.
    Orders,
    /// Invoices of KiotViet.
    Invoices,
    /// Products.
    Products,
}

impl Object {
    /// The name in paths and in stored rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Orders => "orders",
            Self::Invoices => "invoices",
            Self::Products => "products",
        }
    }
}

/// Why an API gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Too many calls: the next one after this wait.
    #[error("too many calls")]
    Busy(Duration),
    /// No usable answer: a time-out, an error of the server, a page for people.
    #[error("no usable answer: {0}")]
    Unavailable(String),
    /// The token or the key is not valid any more.
    #[error("the provider refuses the credentials")]
    Refused,
    /// There is no such object.
    #[error("no such object")]
    Gone,
    /// An answer that this build does not understand.
    #[error("an unexpected answer: {0}")]
    Unexpected(String),
}

impl From<WebError> for ApiError {
    fn from(error: WebError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Reads an answer: its status, then its JSON.
pub(crate) fn read(answer: &Response<Bytes>) -> Result<Value, ApiError> {
    done_well(answer)?;
    // A gateway that is down answers 200 with a page for people.
    serde_json::from_slice(answer.body()).map_err(|_| ApiError::Unavailable("no JSON".into()))
}

/// Reads the status of an answer whose body tells nothing.
pub(crate) fn done_well(answer: &Response<Bytes>) -> Result<(), ApiError> {
    let status = answer.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(ApiError::Busy(wait(answer)));
    }
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
        return Err(ApiError::Refused);
    }
    if status == StatusCode::NOT_FOUND {
        return Err(ApiError::Gone);
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return Err(ApiError::Unavailable(format!("status {}", status.as_u16())));
    }
    if !status.is_success() {
        return Err(ApiError::Unexpected(format!("status {}", status.as_u16())));
    }
    Ok(())
}

/// The wait that an answer asks for, such as `Retry-After: 2.0`.
fn wait(answer: &Response<Bytes>) -> Duration {
    let text = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let seconds = text.and_then(|text| text.trim().parse::<f64>().ok());
    let seconds = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    let asked = seconds.map(|seconds| Duration::from_secs_f64(seconds.min(900.0)));
    asked
        .unwrap_or(WAIT)
        .clamp(Duration::from_secs(1), MAX_WAIT)
}

/// A `GET` that asks for JSON.
pub(crate) fn get(url: &str) -> http::request::Builder {
    Request::builder()
        .method(Method::GET)
        .uri(url)
        .header(ACCEPT, "application/json")
}

/// A `POST` of a form.
pub(crate) fn form(url: &str, pairs: &[(&str, &str)]) -> Result<Request<Bytes>, ApiError> {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let builder = Request::builder().method(Method::POST).uri(url);
    let builder = builder.header(ACCEPT, "application/json");
    done(
        builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded"),
        Bytes::from(body),
    )
}

/// A `POST` of JSON; `builder` has the method and the address.
pub(crate) fn json(
    builder: http::request::Builder,
    body: &Value,
) -> Result<Request<Bytes>, ApiError> {
    let builder = builder.header(CONTENT_TYPE, "application/json");
    done(builder, Bytes::from(body.to_string()))
}

/// The request. An error means that a credential has a character that no header can carry.
pub(crate) fn done(
    builder: http::request::Builder,
    body: Bytes,
) -> Result<Request<Bytes>, ApiError> {
    builder.body(body).map_err(|_| ApiError::Refused)
}

/// A query string.
pub(crate) fn query(pairs: &[(&str, String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// A time as `2026-03-02T15:00:00`, in Vietnam's time.
pub(crate) fn local(at: Timestamp, between: char) -> String {
    let at = crate::json::VIETNAM.to_datetime(at);
    format!("{}{between}{}", at.date(), at.time().strftime("%H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
        let builder = Response::builder().status(status);
        let builder = headers
            .iter()
            .fold(builder, |b, (name, value)| b.header(*name, *value));
        builder.body(Bytes::from(body.to_owned())).unwrap()
    }

    #[test]
    fn an_answer_is_data_or_one_of_five_errors() {
        assert_eq!(read(&answer(200, &[], "{\"a\":1}")).unwrap()["a"], 1);
        let html = read(&answer(200, &[], "<html>Bảo trì</html>"));
        assert_eq!(html, Err(ApiError::Unavailable("no JSON".into())));
        let busy = read(&answer(429, &[("retry-after", "2.0")], "<html>"));
        assert_eq!(busy, Err(ApiError::Busy(Duration::from_secs(2))));
        assert_eq!(read(&answer(429, &[], "")), Err(ApiError::Busy(WAIT)));
        let far = read(&answer(429, &[("retry-after", "86400")], ""));
        assert_eq!(far, Err(ApiError::Busy(MAX_WAIT)));
        assert_eq!(read(&answer(401, &[], "{}")), Err(ApiError::Refused));
        assert_eq!(read(&answer(404, &[], "{}")), Err(ApiError::Gone));
        assert!(matches!(
            read(&answer(503, &[], "{}")),
            Err(ApiError::Unavailable(_))
        ));
        assert!(matches!(
            read(&answer(422, &[], "{}")),
            Err(ApiError::Unexpected(_))
        ));
    }

    #[test]
    fn times_are_local_in_queries() {
        let at: Timestamp = "2026-03-02T20:15:30.5Z".parse().unwrap();
        assert_eq!(local(at, 'T'), "2026-03-03T03:15:30");
    }
}
