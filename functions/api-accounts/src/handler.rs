//! The routes.

use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::{
    api_keys, audit, auth, invitations, me, members, onboarding, senders, setup, totp, users,
    workspaces,
};

/// Routes without a credential.
pub fn public() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(auth::login))
        .routes(routes!(auth::forgot))
        .routes(routes!(auth::reset))
        .routes(routes!(invitations::accept))
        .routes(routes!(setup::run))
        .route("/v1/openapi.json", axum::routing::get(reference))
}

/// Routes behind the authorizer.
pub fn protected() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(auth::logout))
        .routes(routes!(auth::change_password))
        .routes(routes!(totp::enrol))
        .routes(routes!(totp::confirm))
        .routes(routes!(totp::disable))
        .routes(routes!(totp::renew))
        .routes(routes!(me::show, me::update))
        .routes(routes!(invitations::list, invitations::create))
        .routes(routes!(invitations::show))
        .routes(routes!(invitations::resend))
        .routes(routes!(invitations::revoke))
        .routes(routes!(members::list))
        .routes(routes!(users::list))
        .routes(routes!(users::show, users::update))
        .routes(routes!(users::reset_second_factor))
        .routes(routes!(workspaces::list, workspaces::create))
        .routes(routes!(workspaces::show, workspaces::update))
        .routes(routes!(workspaces::archive))
        .routes(routes!(workspaces::restore))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(api_keys::take_over))
        .routes(routes!(senders::list, senders::create))
        .routes(routes!(senders::show, senders::remove))
        .routes(routes!(senders::confirm))
        .routes(routes!(audit::list))
        .routes(routes!(onboarding::show))
        .routes(routes!(onboarding::dismiss))
}

/// The API's reference; the local stack shows it as a page at `/docs`.
async fn reference() -> ([(HeaderName, &'static str); 2], &'static str) {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, include_str!("../../../docs/openapi.json"))
}
