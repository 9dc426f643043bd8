//! The routes, and what every change has in common.

use accounts::setup::FirstSetup;
use accounts::{ApiKeys, Audit, Sessions, Users, Workspaces};
use axum::Router;
use axum::routing::{delete, get, post};
use cloud::Window;
use lambda::http::{ClientIp, Member, Operation, Problem};

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
pub fn public(api: Api) -> Router {
    Router::new()
        .route("/v1/auth/login", post(auth::login))
        .route("/v1/setup", post(setup::run))
        .with_state(api)
}

/// Routes behind the authorizer.
pub fn protected(api: Api) -> Router {
    Router::new()
        .route("/v1/auth/logout", post(auth::logout))
        .route("/v1/auth/password", post(auth::change_password))
        .route("/v1/me", get(me::show).patch(me::update))
        .route("/v1/users", get(users::list))
        .route("/v1/users/{id}", get(users::show).patch(users::update))
        .route(
            "/v1/workspaces",
            get(workspaces::list).post(workspaces::create),
        )
        .route(
            "/v1/workspaces/{id}",
            get(workspaces::show).patch(workspaces::update),
        )
        .route("/v1/workspaces/{id}/archive", post(workspaces::archive))
        .route("/v1/workspaces/{id}/restore", post(workspaces::restore))
        .route("/v1/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/v1/api-keys/{id}", delete(api_keys::revoke))
        .route("/v1/audit-log", get(audit::list))
        .with_state(api)
}
