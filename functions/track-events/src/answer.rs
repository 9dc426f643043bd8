//! Answers to SDKs. Segment's SDKs read `code` and `message` of an error, and take no 204 for success.
//!
//! | status | an SDK |
//! |---|---|
//! | 200 | is done |
//! | 400, 401, 404 | drops the request |
//! | 429 | waits as `Retry-After` says, and sends again |
//! | 503 | sends again |

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use lambda::http::{Code, Json, Problem};
use serde::Serialize;
use tracking::{Judged, Reason, Unreadable};

/// Faults that an answer names.
const MOST: usize = 20;

/// The answer to a request whose calls were judged.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TakenCalls)]
pub struct Taken {
    /// True: the accepted calls are on their queue.
    success: bool,
    /// How many calls were accepted.
    accepted: usize,
    /// How many were refused. They are not sent again.
    refused: usize,
    /// The first 20 refused calls, by their place.
    errors: Vec<CallError>,
}

/// A refused call.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TrackError)]
pub struct CallError {
    /// Its place in the body, such as `/batch/3/event`.
    pointer: String,
    code: Reason,
    /// The reason in words.
    message: String,
}

impl Taken {
    pub fn of(judged: &Judged) -> Self {
        let errors = judged.refused.iter().take(MOST).map(|one| CallError {
            pointer: one.pointer.clone(),
            code: one.reason,
            message: one.message.clone(),
        });
        Self {
            success: true,
            accepted: judged.accepted,
            refused: judged.refused.len(),
            errors: errors.collect(),
        }
    }
}

/// An error, as SDKs read it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TrackProblem)]
pub struct Refusal {
    code: Code,
    /// A sentence for people.
    message: String,
}

/// A body that is refused as a whole.
pub fn unreadable(why: Unreadable) -> Problem {
    Problem::malformed(why.message())
}

/// Gives each problem of the routes the shape that SDKs read.
pub async fn for_sdks(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let status = problem.code().status();
    let message = if status.is_server_error() {
        "try again".to_owned()
    } else {
        problem.detail().to_owned()
    };
    let code = problem.code();
    lambda::metrics::incident("CallsRefusedWhole", 1);
    let mut response = (status, Json(Refusal { code, message })).into_response();
    if let Some(seconds) = problem.wait() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
