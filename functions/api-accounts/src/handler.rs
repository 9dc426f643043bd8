//! The routes, and what every change has in common.

use accounts::setup::FirstSetup;
use accounts::{ApiKeys, Audit, Sessions, Users, Workspaces};
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use cloud::Window;
use lambda::http::{ClientIp, Member, Operation, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{api_keys, audit, auth, me, setup, users, workspaces};

/// What the operations work with.
#[derive(Clone)]
pub struct Api {
    pub users: Users,
    pub sessions: Sessions,
    pub workspaces: Workspaces,
    pub keys: ApiKeys,
    pub audit: Audit,
    pub first: FirstSetup,
    pub attempts: Window,
    pub setup_token: String,
}

impl Api {
    /// Refuses with 403 what the caller may not do, and logs what they may before it is done.
    pub async fn enter(
        &self,
        member: &Member,
        operation: Operation,
        object: &str,
        ip: &ClientIp,
    ) -> Result<(), Problem> {
        member.may(operation)?;
        let grant = &member.grant;
        let (actor, workspace) = (&grant.actor, grant.workspace);
        self.audit
            .record(grant.account, actor, operation, object, workspace, &ip.0)
            .await?;
        Ok(())
    }
}

/// Routes without a credential.
pub fn public() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(auth::login))
        .routes(routes!(setup::run))
        .route("/v1/openapi.json", axum::routing::get(reference))
}

/// Routes behind the authorizer.
pub fn protected() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(auth::logout))
        .routes(routes!(auth::change_password))
        .routes(routes!(me::show, me::update))
        .routes(routes!(users::list))
        .routes(routes!(users::show, users::update))
        .routes(routes!(workspaces::list, workspaces::create))
        .routes(routes!(workspaces::show, workspaces::update))
        .routes(routes!(workspaces::archive))
        .routes(routes!(workspaces::restore))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(audit::list))
}

/// The API's reference; the local stack shows it as a page at `/docs`.
async fn reference() -> ([(HeaderName, &'static str); 2], &'static str) {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, include_str!("../../../docs/openapi.json"))
}
