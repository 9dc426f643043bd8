//! `Idempotency-Key` on POST: a repeated request gets the same answer and has no second effect (docs/adr/0013).
//!
//! The [`Origin`] of a request names the records that the request creates. A request with a key has the same origin at each run. So a run
//! after a lost answer writes the same records, also if the first run has written some of them.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cloud::Idempotency;
use cloud::idempotency::{Answer, Claim, Seen};
use kernel::{Grant, Origin};
use sha2::{Digest, Sha256};

use super::MAX_BODY;
use super::body::too_large;
use super::caller::Rehearsal;
use super::problem::{Code, Problem};
use crate::metrics;

const HEADER: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST_KEY: usize = 255;
/// Longer than API Gateway waits for any function (30 s), and longer than any API function may run.
const LEASE: Duration = Duration::from_mins(1);
/// An item holds 400 KB; a longer answer is not stored.
const LONGEST_ANSWER: usize = 300 * 1024;

/// Marks an answer with a secret, which must not be stored. Put it into the response's extensions.
#[derive(Debug, Clone, Copy)]
pub struct Secret;

/// The origin of the records that the request creates. Every creating handler takes its ids and its `created_at` from here.
#[derive(Debug, Clone)]
pub struct Creation(pub Origin);

impl<S: Send + Sync> FromRequestParts<S> for Creation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let origin = parts.extensions.get::<Self>().cloned();
        origin.ok_or_else(|| Problem::new(Code::Internal, "the route has no origin"))
    }
}

/// Runs a POST with a key once.
pub(super) async fn once(
    State(store): State<Idempotency>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(Creation(store.fresh()));
    let Some(key) = request.headers().get(HEADER).cloned() else {
        return next.run(request).await;
    };
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    match run(&store, &key, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn run(
    store: &Idempotency,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let printable = |key: &&str| {
        (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let key = key.to_str().ok().filter(printable).ok_or_else(|| {
        Problem::invalid(
            "Idempotency-Key",
            "must have 1 to 255 visible ASCII characters",
        )
    })?;
    let id = id(&request, key)?;
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await;
    let body = body.map_err(|_| too_large(MAX_BODY))?;
    let content = hex::encode(Sha256::digest(&body));
    let claim = match store.claim(&id, &content, LEASE).await? {
        Seen::Mine(claim) => claim,
        Seen::Answered(answer) => {
            // The right to the answer is that to the request. The handler's check of it runs, and nothing else.
            let (rehearsal, is_permitted) = Rehearsal::new();
            parts.extensions.insert(rehearsal);
            let response = next.run(Request::from_parts(parts, Body::from(body))).await;
            return if is_permitted() {
                replay(answer)
            } else {
                Ok(response)
            };
        }
        Seen::Running => {
            let problem =
                Problem::new(Code::InProgress, "a request with this key is being handled");
            return Err(problem.retry_after(1));
        }
        Seen::Other => {
            let detail = "the key was used with another body";
            return Err(Problem::new(Code::IdempotencyKeyReused, detail));
        }
    };
    parts.extensions.insert(Creation(claim.origin()));
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    keep(store, &claim, response).await
}

/// The row's key, different for each caller, workspace and route.
fn id(request: &Request, key: &str) -> Result<String, Problem> {
    let grant = request.extensions().get::<Grant>();
    let grant = grant.ok_or_else(|| Problem::new(Code::Internal, "a key needs a caller"))?;
    let workspace = grant.workspace.map(|id| id.to_string()).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [&grant.actor, &workspace, &request.uri().to_string(), key] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    Ok(format!(
        "{}#REQUEST#{}",
        grant.account,
        hex::encode(hash.finalize())
    ))
}

/// Only successful answers are stored. A refused request had no effect, and may be right the next time. A failed
/// request may have had its effect: the next run has the same origin and completes it.
async fn keep(store: &Idempotency, claim: &Claim, response: Response) -> Result<Response, Problem> {
    if !response.status().is_success() {
        // The caller gets its answer. If this fails, the claim ends with its lease.
        if let Err(error) = store.release(claim).await {
            metrics::incident("KeysNotReleased", 1);
            tracing::warn!(%error, "an idempotency key was not released");
        }
        return Ok(response);
    }
    let secret = response.extensions().get::<Secret>().is_some();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX)
        .await
        .map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    let kept = (!secret && body.len() <= LONGEST_ANSWER)
        .then(|| String::from_utf8(body.to_vec()).ok())
        .flatten();
    let headers = [header::CONTENT_TYPE, header::LOCATION].into_iter();
    let headers = headers.filter_map(|name| {
        let value = parts.headers.get(&name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let answer = Answer {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: kept,
    };
    // The work is done, so the caller must get the answer. A repetition finds the claim. After the claim's lease it
    // runs the request again, as after a crash at this point.
    if let Err(error) = store.answer(claim, &answer).await {
        metrics::incident("AnswersNotKept", 1);
        tracing::error!(%error, "the answer to an idempotency key was not stored");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replay(answer: Answer) -> Result<Response, Problem> {
    let Some(body) = answer.body else {
        let detail = "the request was carried out; its answer is given once only";
        return Err(Problem::new(Code::AlreadyDone, detail));
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use kernel::access::Scope;

    use super::*;

    fn request(uri: &str, actor: &str) -> Request {
        let (account, workspace) = ("acc_00000000001", "ws_00000000001");
        let (account, workspace) = (account.parse().unwrap(), workspace.parse().unwrap());
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.parse().unwrap();
        let grant = Grant::of_key(account, workspace, actor, &[Scope::Write]);
        request.extensions_mut().insert(grant);
        request
    }

    #[test]
    fn a_key_names_one_request_of_one_caller() {
        let name = |uri: &str, actor: &str, key: &str| id(&request(uri, actor), key).unwrap();
        let first = name("/contacts", "key_1", "a");
        assert_eq!(name("/contacts", "key_1", "a"), first);
        let hash = first.strip_prefix("acc_00000000001#REQUEST#").unwrap();
        assert_eq!(hash.len(), 64);
        for other in [
            name("/lists", "key_1", "a"),
            name("/contacts", "key_2", "a"),
            name("/contacts", "key_1", "b"),
            name("/contactsa", "key_1", ""),
        ] {
            assert_ne!(other, first);
        }
        let unknown = id(&Request::new(Body::empty()), "a").unwrap_err();
        assert_eq!(unknown.code(), Code::Internal);
    }

    #[tokio::test]
    async fn a_kept_answer_is_given_again() {
        let answer = |body: Option<&str>| Answer {
            status: 201,
            headers: [("location".to_owned(), "/lists/1".to_owned())].into(),
            body: body.map(str::to_owned),
        };
        let again = replay(answer(Some("{}"))).unwrap();
        assert_eq!(again.status(), StatusCode::CREATED);
        assert_eq!(again.headers()["location"], "/lists/1");
        assert_eq!(again.headers()[REPLAYED], "true");
        let body = to_bytes(again.into_body(), MAX_BODY).await.unwrap();
        assert_eq!(&body[..], b"{}");
        let secret = replay(answer(None)).unwrap_err();
        assert_eq!(secret.code(), Code::AlreadyDone);
        assert_eq!(LONGEST_ANSWER, 307_200);
    }
}
