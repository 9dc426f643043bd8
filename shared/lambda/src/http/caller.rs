//! Who is calling, as the authorizer found out.

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kernel::{Grant, NoWorkspace, Operation, TenantKey, Verdict};
use lambda_http::request::RequestContext;

use super::problem::{Code, Problem};

/// A caller with a live credential. Handlers ask [`Member::may`] before they do anything.
#[derive(Debug, Clone)]
pub struct Member {
    /// What the credential opens.
    pub grant: Grant,
}

impl Member {
    /// Refuses with 403 unless the table of operations lets the credential do it.
    pub fn may(&self, operation: Operation) -> Result<(), Problem> {
        if self.grant.may(operation) {
            return Ok(());
        }
        let detail = match (self.grant.role, operation.scope()) {
            (None, Some(scope)) => format!("the key lacks the scope {}", scope.name()),
            (None, None) => "keys may not do this; sign in".to_owned(),
            (Some(_), _) => "your role may not do this".to_owned(),
        };
        Err(Problem::new(Code::Forbidden, detail))
    }
}

/// A caller in a workspace. Extracting it is what opens the tenant's data to a handler.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The workspace that the credential opens.
    pub tenant: TenantKey,
    /// Who it is: `usr_…` or `key_…`.
    pub actor: String,
    member: Member,
}

impl Caller {
    /// Refuses with 403 unless the table of operations lets the credential do it.
    pub fn may(&self, operation: Operation) -> Result<(), Problem> {
        self.member.may(operation)
    }

    /// The caller as a member of the account.
    pub fn member(&self) -> &Member {
        &self.member
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let grant = parts.extensions.get::<Grant>().cloned();
        grant
            .map(|grant| Self { grant })
            .ok_or_else(unauthenticated)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    #[expect(
        clippy::disallowed_methods,
        reason = "door: the authorizer looked the workspace up by the credential"
    )]
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let member = Member::from_request_parts(parts, state).await?;
        let workspace = member.grant.workspace.ok_or_else(|| {
            match member.grant.no_workspace.unwrap_or(NoWorkspace::NotGiven) {
                NoWorkspace::NotGiven => Problem::invalid("X-Workspace", "send a workspace's id"),
                NoWorkspace::Unknown => Problem::not_found("workspace"),
                NoWorkspace::Archived => Problem::new(
                    Code::Forbidden,
                    "the workspace is archived; restore it first",
                ),
            }
        })?;
        Ok(Self {
            tenant: TenantKey::authenticated(workspace),
            actor: member.grant.actor.clone(),
            member,
        })
    }
}

fn unauthenticated() -> Problem {
    Problem::new(
        Code::Unauthenticated,
        "send Authorization: Bearer <api key or session token>",
    )
}

/// Lets nobody pass whom the authorizer did not let in. A request that came past it has no verdict.
pub(super) async fn admit(mut request: Request, next: Next) -> Response {
    match verdict(request.extensions().get()) {
        Some(Verdict::Granted(grant)) => {
            request.extensions_mut().insert(grant);
            next.run(request).await
        }
        _ => unauthenticated().into_response(),
    }
}

fn verdict(context: Option<&RequestContext>) -> Option<Verdict> {
    let Some(RequestContext::ApiGatewayV2(context)) = context else {
        return None;
    };
    let fields = &context.authorizer.as_ref()?.fields;
    let fields = serde_json::to_value(fields).ok()?;
    serde_json::from_value(fields).ok()
}
