//! Limits of the requests of a credential and of an account, and the headers that report them.
//!
//! A request costs one write unit for its credential, exact, and a tenth of one for its account. Each process writes
//! every tenth request of an account. So each active process can exceed the account's limit by nine.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cloud::window::Sampled;
use cloud::{Error, Usage, Window};
use kernel::Grant;

use super::problem::{Code, Problem};

/// Requests that one credential may make in a minute.
pub const REQUESTS_PER_MINUTE: u32 = 600;
/// Requests that all credentials of one account may make in a minute. Keys are free and their number has no limit.
pub const ACCOUNT_REQUESTS_PER_MINUTE: u32 = 3_000;
const PERIOD: Duration = Duration::from_mins(1);
/// Requests of an account that a process counts with one write.
const EVERY: u32 = 10;

/// The counters of credentials and accounts.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    credentials: Window,
    accounts: Sampled,
}

impl Limits {
    /// Over the counters of the table of limits.
    pub(super) fn new(window: Window) -> Self {
        Self {
            accounts: window.sampled(EVERY),
            credentials: window,
        }
    }

    /// The use of the credential and of its account, this request included.
    async fn count(&self, grant: &Grant) -> Result<(Usage, Usage), Error> {
        let account = format!("{}#API", grant.account);
        let credential = format!("{account}#{}", grant.actor);
        tokio::try_join!(
            self.credentials.count(&credential, PERIOD, 1),
            self.accounts.count(&account, PERIOD),
        )
    }
}

/// Counts the request; refuses it with 429 if it is over a limit.
pub(super) async fn limit(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let Some(grant) = request.extensions().get::<Grant>() else {
        return Problem::new(Code::Internal, "the limit needs a caller").into_response();
    };
    let (credential, account) = match limits.count(grant).await {
        Ok(usage) => usage,
        // The limit protects others from one caller. A failure of its table must not stop the API.
        Err(error) => {
            tracing::warn!(error = %error, "request passes uncounted");
            crate::metrics::incident("RequestsUncounted", 1);
            return next.run(request).await;
        }
    };
    let seconds = credential.resets_in.as_secs().max(1) as u32;
    let over = if credential.used > REQUESTS_PER_MINUTE {
        Some(format!(
            "more than {REQUESTS_PER_MINUTE} requests in a minute"
        ))
    } else if account.used > ACCOUNT_REQUESTS_PER_MINUTE {
        let most = ACCOUNT_REQUESTS_PER_MINUTE;
        Some(format!(
            "more than {most} requests of the account in a minute"
        ))
    } else {
        None
    };
    let mut response = match over {
        Some(detail) => {
            crate::metrics::incident("RequestsOverLimit", 1);
            let problem = Problem::new(Code::RateLimited, detail);
            problem.retry_after(seconds).into_response()
        }
        None => next.run(request).await,
    };
    tell(response.headers_mut(), credential, seconds);
    response
}

fn tell(headers: &mut HeaderMap, usage: Usage, seconds: u32) {
    let left = REQUESTS_PER_MINUTE.saturating_sub(usage.used);
    for (name, value) in [
        ("ratelimit-limit", REQUESTS_PER_MINUTE),
        ("ratelimit-remaining", left),
        ("ratelimit-reset", seconds),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}
