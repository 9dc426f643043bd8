//! The client address of a request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use lambda_http::request::RequestContext;

use super::problem::{Code, Problem};

/// The client's address as API Gateway saw it. Headers such as `X-Forwarded-For` are ignored, since the client can
/// set them.
#[derive(Debug, Clone)]
pub struct ClientIp(pub String);

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let address = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        address
            .map(Self)
            .ok_or_else(|| Problem::new(Code::Internal, "the event names no source address"))
    }
}
