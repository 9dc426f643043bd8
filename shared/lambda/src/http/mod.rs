//! HTTP functions: an `axum` router behind API Gateway, with problem answers and bounded bodies.

mod body;
mod browsers;
mod caller;
mod client_ip;
mod faults;
mod idempotency;
mod limit;
mod plain;
mod problem;
mod strict;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use cloud::{Idempotency, Window};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent, Service};
use serde_json::Value;

use crate::{ConfigError, Function, InvokeError, Setup};

pub use body::{Json, MAX_BODY, Path, Query, Raw, limit_body};
pub use browsers::any_page;
pub use caller::{Caller, May, Member, on_refusal};
pub use client_ip::ClientIp;
pub use idempotency::{Creation, Secret};
pub use limit::{ACCOUNT_REQUESTS_PER_MINUTE, REQUESTS_PER_MINUTE};
pub use problem::{Code, FieldError, Flaws, Problem, ProblemBody};

pub use kernel::DRAWS;

/// Admits only callers with a live credential, within their limit. A request with an idempotency key is run once.
/// Needs the tables Dedupe and Limits.
fn protect(setup: &Setup, router: Router) -> Router {
    let limits = limit::Limits::new(Window::over(setup.resources()));
    let requests = Idempotency::over(setup.resources());
    // The last layer is the first to see a request.
    router
        .layer(from_fn(caller::must_ask))
        .layer(from_fn(problem::catch_panic))
        .layer(from_fn_with_state(requests, idempotency::once))
        .layer(from_fn_with_state(limits, limit::limit))
        .layer(from_fn(caller::admit))
}

impl Function {
    /// A function behind the HTTP API and its authorizer, under the contract of [`protect`].
    pub fn api(setup: &Setup, router: Router) -> Result<Self, ConfigError> {
        Self::api_beside(setup, router, Router::new())
    }

    /// Like [`Function::api`], with additional routes that need no credential.
    pub fn api_beside(
        setup: &Setup,
        protected: Router,
        public: Router,
    ) -> Result<Self, ConfigError> {
        let router = guarded(public.merge(protect(setup, protected)));
        Self::serve(setup, router.layer(browsers::any_page()))
    }

    /// A public function behind the HTTP API (payload 2.0). Unknown routes and methods get a problem as answer, and
    /// so does a panic of a handler.
    pub fn http(setup: &Setup, router: Router) -> Result<Self, ConfigError> {
        Self::serve(setup, guarded(router))
    }

    fn serve(setup: &Setup, router: Router) -> Result<Self, ConfigError> {
        let router = router.layer(from_fn(problem::with_request_id));
        Self::new(setup, move |event, call| {
            // The adapter may not cross an await (it is not `Send`); its future may.
            let answer = request(&event, call.invocation.request_id)
                .map(|request| Adapter::from(router.clone()).call(request));
            async move {
                let answer = answer?
                    .await
                    .map_err(|never| InvokeError::new("Http", never))?;
                serde_json::to_value(answer).map_err(|error| InvokeError::new("Http", error))
            }
        })
    }
}

/// Answers requests without a route, bodies that are too long, and panics.
fn guarded(router: Router) -> Router {
    let router = router
        .fallback(async || Problem::new(Code::NotFound, "no such route"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                Code::MethodNotAllowed,
                "the route does not support this method",
            )
        });
    limit_body(router, MAX_BODY).layer(from_fn(problem::catch_panic))
}

/// The event as the runtime's own HTTP types.
fn request(event: &Value, request_id: String) -> Result<LambdaEvent<LambdaRequest>, InvokeError> {
    let malformed = |error| InvokeError::new("Event.Malformed", error);
    let text = serde_json::to_string(event).map_err(malformed)?;
    let payload = serde_json::from_str(&text).map_err(malformed)?;
    let mut context = Context::default();
    context.request_id = request_id;
    Ok(LambdaEvent::new(payload, context))
}
