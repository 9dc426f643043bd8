//! The caller, as the authorizer identified it, and the check of its permission.
//!
//! A handler reaches the caller only through [`May`]. So no handler can forget the permission, and the
//! permission is checked before the path, the query and the body are read.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use kernel::{Grant, Needs, NoWorkspace, Permission, TenantKey, Verdict};
use lambda_http::request::RequestContext;

use super::client_ip::ClientIp;
use super::problem::{Code, Problem};

/// A caller with a live credential, in the account.
#[derive(Debug, Clone)]
pub struct Member {
    /// The rights of the credential.
    pub grant: Grant,
}

/// A caller in a workspace.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The workspace that the credential opens.
    pub tenant: TenantKey,
    /// The person or the key: `usr_…` or `key_…`.
    pub actor: String,
    member: Member,
}

impl Caller {
    /// The caller as a member of the account.
    pub fn member(&self) -> &Member {
        &self.member
    }
}

/// A caller who may do the operation `P`: in the workspace, or with `May<P, Member>` in the account.
///
/// The extractor refuses with 403 unless the table of operations allows the operation to the credential. It must
/// come before every extractor that reads the request; those refuse to work until it has run.
#[derive(Debug, Clone)]
pub struct May<P, W = Caller> {
    who: W,
    permission: PhantomData<P>,
}

impl<P: Needs, W: AsRef<Member>> May<P, W> {
    /// The permission that was checked; the audit log names it.
    pub fn permission(&self) -> Permission {
        P::PERMISSION
    }

    /// The rights of the caller's credential.
    pub fn grant(&self) -> &Grant {
        &self.who.as_ref().grant
    }
}

impl AsRef<Member> for Member {
    fn as_ref(&self) -> &Member {
        self
    }
}

impl AsRef<Member> for Caller {
    fn as_ref(&self) -> &Member {
        &self.member
    }
}

impl<P, W> Deref for May<P, W> {
    type Target = W;

    fn deref(&self) -> &W {
        &self.who
    }
}

impl<P: Needs, S: Send + Sync> FromRequestParts<S> for May<P, Member> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let who = member(parts)?;
        // The account's operations need no workspace, but a wrong one is a mistake of the caller.
        if who.grant.no_workspace == Some(NoWorkspace::Unknown) {
            return Err(Problem::not_found("workspace"));
        }
        permit(&parts.extensions, &who.grant, P::PERMISSION)?;
        Ok(Self {
            who,
            permission: PhantomData,
        })
    }
}

impl<P: Needs, S: Send + Sync> FromRequestParts<S> for May<P, Caller> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let who = caller(member(parts)?)?;
        permit(&parts.extensions, &who.member.grant, P::PERMISSION)?;
        Ok(Self {
            who,
            permission: PhantomData,
        })
    }
}

fn member(parts: &Parts) -> Result<Member, Problem> {
    let grant = parts.extensions.get::<Grant>().cloned();
    grant
        .map(|grant| Member { grant })
        .ok_or_else(|| unauthenticated(&parts.headers))
}

#[expect(
    clippy::disallowed_methods,
    reason = "door: the authorizer looked the workspace up by the credential"
)]
fn caller(member: Member) -> Result<Caller, Problem> {
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
    Ok(Caller {
        tenant: TenantKey::authenticated(workspace),
        actor: member.grant.actor.clone(),
        member,
    })
}

/// Refuses with 403 unless the credential has the permission, and records that the permission was checked.
fn permit(extensions: &Extensions, grant: &Grant, permission: Permission) -> Result<(), Problem> {
    if let Some(Asked(asked)) = extensions.get() {
        asked.store(true, Ordering::Relaxed);
    }
    if grant.may(permission) {
        return match extensions.get() {
            Some(Rehearsal(permitted)) => {
                permitted.store(true, Ordering::Relaxed);
                Err(Problem::new(
                    Code::AlreadyDone,
                    "the request was answered before",
                ))
            }
            None => Ok(()),
        };
    }
    if let Some(Refused(refused)) = extensions.get() {
        // A request asks for one permission.
        let _ = refused.set(permission);
    }
    let detail = match (grant.role, permission.scope) {
        (None, Some(scope)) => format!("the key lacks the scope {}", scope.name()),
        (None, None) => "keys may not do this; sign in".to_owned(),
        (Some(_), _) => "your role may not do this".to_owned(),
    };
    Err(Problem::new(Code::Forbidden, detail))
}

/// Marks a request that shall only be checked: the handler ends as soon as it has checked the permission.
#[derive(Debug, Clone)]
pub(super) struct Rehearsal(Arc<AtomicBool>);

impl Rehearsal {
    /// The mark, and the question whether the permission was granted.
    pub(super) fn new() -> (Self, impl Fn() -> bool) {
        let permitted = Arc::<AtomicBool>::default();
        let mark = Self(permitted.clone());
        (mark, move || permitted.load(Ordering::Relaxed))
    }
}

/// Whether a handler behind the authorizer has checked its permission.
#[derive(Debug, Clone, Default)]
struct Asked(Arc<AtomicBool>);

const NOT_ASKED: &str = "the handler did not ask for a permission";

/// Fails if a request behind the authorizer is read before the permission was checked. Requests of public routes
/// carry no [`Asked`] and can be read freely.
pub(super) fn asked(extensions: &Extensions) -> Result<(), Problem> {
    match extensions.get::<Asked>() {
        Some(Asked(asked)) if !asked.load(Ordering::Relaxed) => {
            Err(Problem::new(Code::Internal, NOT_ASKED))
        }
        _ => Ok(()),
    }
}

/// The permission that a request lacked.
#[derive(Debug, Clone, Default)]
struct Refused(Arc<OnceLock<Permission>>);

/// Calls `note` with the caller, the permission that the caller lacks and the client's address, after each request that
/// was refused for it.
pub fn on_refusal<H, F>(router: Router, note: H) -> Router
where
    H: Fn(Grant, Permission, String) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send,
{
    router.layer(from_fn(
        move |ip: ClientIp, mut request: Request, next: Next| {
            let note = note.clone();
            async move {
                let Refused(refused) = Refused::default();
                request.extensions_mut().insert(Refused(refused.clone()));
                let grant = request.extensions().get::<Grant>().cloned();
                let response = next.run(request).await;
                if let (Some(grant), Some(&permission)) = (grant, refused.get()) {
                    note(grant, permission, ip.0).await;
                }
                response
            }
        },
    ))
}

/// Withholds the answer of a handler that never checked a permission.
pub(super) async fn must_ask(mut request: Request, next: Next) -> Response {
    let Asked(asked) = Asked::default();
    request.extensions_mut().insert(Asked(asked.clone()));
    let response = next.run(request).await;
    if asked.load(Ordering::Relaxed) || !response.status().is_success() {
        return response;
    }
    Problem::new(Code::Internal, NOT_ASKED).into_response()
}

/// Refuses with 401. The answer says whether a credential was sent, but not what is wrong with it.
fn unauthenticated(headers: &HeaderMap) -> Problem {
    let detail = if headers.contains_key(AUTHORIZATION) {
        "the API key or session token is unknown, ended or revoked"
    } else {
        "send Authorization: Bearer <api key or session token>"
    };
    Problem::new(Code::Unauthenticated, detail)
}

/// Lets only requests with a granted verdict pass. A request that bypassed the authorizer has no verdict.
pub(super) async fn admit(mut request: Request, next: Next) -> Response {
    match verdict(request.extensions().get()) {
        Some(Verdict::Granted(grant)) => {
            request.extensions_mut().insert(grant);
            next.run(request).await
        }
        _ => unauthenticated(request.headers()).into_response(),
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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::{get, post};
    use kernel::Scope;
    use kernel::access::People;
    use tower::ServiceExt;

    use super::super::Json;
    use super::*;

    struct Reads;

    impl Needs for Reads {
        const PERMISSION: Permission = Permission {
            id: "read",
            people: People::SignedIn,
            scope: Some(Scope::Read),
        };
    }

    async fn status(router: Router, method: &str) -> u16 {
        let grant = Grant::of_key(
            "acc_00000000001".parse().unwrap(),
            "ws_00000000001".parse().unwrap(),
            "key_00000000001",
            &[Scope::Read],
        );
        let mut request = Request::builder()
            .method(method)
            .header("content-type", "application/json")
            .body(Body::from("1"))
            .unwrap();
        request.extensions_mut().insert(grant);
        let router = router.layer(from_fn(must_ask));
        router.oneshot(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn a_handler_that_forgets_the_permission_answers_nothing() {
        let asks = Router::new().route("/", get(async |_: May<Reads>| "data"));
        let forgets = Router::new().route("/", get(async || "data"));
        assert_eq!(status(asks, "GET").await, 200);
        assert_eq!(status(forgets, "GET").await, 500);
    }

    #[tokio::test]
    async fn a_body_is_not_read_before_the_permission_was_asked() {
        let asks = async |_: May<Reads>, Json(n): Json<u32>| n.to_string();
        let forgets = async |Json(n): Json<u32>| n.to_string();
        assert_eq!(
            status(Router::new().route("/", post(asks)), "POST").await,
            200
        );
        assert_eq!(
            status(Router::new().route("/", post(forgets)), "POST").await,
            500
        );
    }
}
