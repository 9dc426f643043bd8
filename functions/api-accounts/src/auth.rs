//! Signing in and out, and the password.
//!
//! Attempts are counted before the password is looked at and given back when it was right, so that many
//! at once cannot pass the limit. Unknown addresses are counted and answered like known ones.

use std::time::Duration;

use accounts::User;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use kernel::{EmailAddress, Limit};
use lambda::http::{ClientIp, Code, Json, Member, Operation, Problem, Secret};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::handler::Api;
use crate::me::myself;
use crate::shape::{UserView, WorkspaceName};

const PERIOD: Duration = Duration::from_mins(15);
const FAILURES_OF_AN_ADDRESS: u32 = 10;
const FAILURES_FROM_AN_IP: u32 = 50;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    email: EmailAddress,
    password: String,
}

/// A session that began.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SignedIn {
    token: String,
    expires_at: Timestamp,
    user: UserView,
    workspaces: Vec<WorkspaceName>,
}

/// Sign in.
///
/// The answer's token goes into `Authorization: Bearer` and opens what the user's role opens, in the
/// workspace that `X-Workspace` names.
#[utoipa::path(
    post,
    path = "/v1/auth/login",
    operation_id = "login",
    tag = "auth",
    security(()),
    request_body = Credentials,
    responses((status = 200, description = "Signed in", body = SignedIn)),
)]
pub async fn login(
    State(api): State<Api>,
    ip: ClientIp,
    Json(given): Json<Credentials>,
) -> Result<Response, Problem> {
    let attempt = Attempt::begin(&api, &given.email, &ip).await?;
    let user = api
        .users
        .authenticate(&given.email, &given.password)
        .await?;
    let Some(user) = user else {
        lambda::metrics::count("SignInsRefused", 1);
        let detail = "the address or the password is wrong";
        return Err(Problem::new(Code::Unauthenticated, detail));
    };
    attempt.forgive(&api).await?;
    signed_in(&api, user).await
}

/// Begins a session and answers with it; the answer holds its token.
pub async fn signed_in(api: &Api, user: User) -> Result<Response, Problem> {
    let session = api.sessions.create(&user).await?;
    let workspaces = enterable(api, &user).await?;
    let answer = Json(SignedIn {
        token: session.token,
        expires_at: session.expires_at,
        user: user.into(),
        workspaces,
    });
    let mut response = answer.into_response();
    response.extensions_mut().insert(Secret);
    Ok(response)
}

/// Workspaces that a user may enter, all of them: people have few.
pub async fn enterable(api: &Api, user: &User) -> Result<Vec<WorkspaceName>, Problem> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = api.workspaces.page(user.account, Limit::default(), cursor);
        let page = page.await?;
        let open = page.data.into_iter().filter(|one| user.may_enter(one.id));
        found.extend(open.map(WorkspaceName::from));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}

/// Sign out: the session ends at once.
#[utoipa::path(
    post,
    path = "/v1/auth/logout",
    operation_id = "logout",
    tag = "auth",
    responses((status = 204, description = "Signed out")),
)]
pub async fn logout(
    State(api): State<Api>,
    member: Member,
    ip: ClientIp,
) -> Result<StatusCode, Problem> {
    let actor = member.grant.actor.clone();
    api.enter(&member, Operation::Logout, &actor, &ip).await?;
    if let Some(session) = &member.grant.session {
        api.sessions.end(session).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    current: String,
    new: String,
}

/// Set another password; all of the user's sessions end.
#[utoipa::path(
    post,
    path = "/v1/auth/password",
    operation_id = "changePassword",
    tag = "auth",
    request_body = NewPassword,
    responses((status = 204, description = "Changed")),
)]
pub async fn change_password(
    State(api): State<Api>,
    member: Member,
    ip: ClientIp,
    Json(given): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    let actor = member.grant.actor.clone();
    api.enter(&member, Operation::ChangePassword, &actor, &ip)
        .await?;
    let user = myself(&api, &member).await?;
    if let Some(flaw) = accounts::password::flaw(&given.new, user.email.as_str()) {
        return Err(Problem::invalid("/new", flaw));
    }
    let attempt = Attempt::begin(&api, &user.email, &ip).await?;
    if !api
        .users
        .change_password(user, &given.current, &given.new)
        .await?
    {
        return Err(Problem::invalid("/current", "is not your password"));
    }
    attempt.forgive(&api).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One try at a password, counted for the address and for where it came from.
struct Attempt([(String, u32); 2]);

impl Attempt {
    async fn begin(api: &Api, email: &EmailAddress, ip: &ClientIp) -> Result<Self, Problem> {
        // The hash keeps the address out of a key that shows up in logs of the table's requests.
        let address = hex::encode(Sha256::digest(email.as_str()));
        let scopes = [
            (format!("SIGN-IN#{address}"), FAILURES_OF_AN_ADDRESS),
            (format!("SIGN-IN-FROM#{}", ip.0), FAILURES_FROM_AN_IP),
        ];
        for (scope, most) in &scopes {
            let usage = api.attempts.count(scope, PERIOD, 1).await?;
            if usage.used > *most {
                lambda::metrics::count("SignInsThrottled", 1);
                let detail = "too many wrong passwords; wait";
                let seconds = usage.resets_in.as_secs().max(1) as u32;
                return Err(Problem::new(Code::RateLimited, detail).retry_after(seconds));
            }
        }
        Ok(Self(scopes))
    }

    /// The password was right: the attempt does not count.
    async fn forgive(self, api: &Api) -> Result<(), Problem> {
        for (scope, _) in &self.0 {
            api.attempts.count(scope, PERIOD, -1).await?;
        }
        Ok(())
    }
}
