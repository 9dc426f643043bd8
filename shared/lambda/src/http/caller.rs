//! Who is calling, as the authorizer found out.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use kernel::TenantKey;
use lambda_http::request::RequestContext;

use super::problem::{Code, Problem};
use crate::authorizer::Grant;

/// What a credential may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Write events and forms.
    Track,
    /// Read.
    Read,
    /// Read and change.
    Write,
    /// Everything, settings included.
    Admin,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// An authenticated caller. Extracting it is what opens the tenant's data to a handler.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The workspace that the credential opens.
    pub tenant: TenantKey,
    /// The credential's public id.
    pub credential: String,
    scopes: Vec<String>,
}

impl Caller {
    /// Refuses with 403 unless the credential has the scope; `admin` includes all, `write` includes
    /// `read`.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        let has = |name: &str| self.scopes.iter().any(|held| held == name);
        let allowed = has("admin") || has(scope.name()) || (scope == Scope::Read && has("write"));
        if allowed {
            return Ok(());
        }
        Err(Problem::new(
            Code::Forbidden,
            format!("the credential lacks the scope {}", scope.name()),
        ))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    #[expect(
        clippy::disallowed_methods,
        reason = "door: API Gateway ran the authorizer"
    )]
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let refused = || {
            Problem::new(
                Code::Unauthenticated,
                "send Authorization: Bearer <api key>",
            )
        };
        let Some(RequestContext::ApiGatewayV2(context)) = parts.extensions.get::<RequestContext>()
        else {
            return Err(refused());
        };
        let fields = context
            .authorizer
            .as_ref()
            .map(|authorizer| &authorizer.fields);
        let fields = fields.ok_or_else(refused)?;
        let grant = serde_json::to_value(fields).and_then(serde_json::from_value::<Grant>);
        let grant = grant.map_err(|_| refused())?;
        Ok(Self {
            tenant: TenantKey::authenticated(grant.workspace),
            credential: grant.credential,
            scopes: grant.scopes.split(' ').map(str::to_owned).collect(),
        })
    }
}
