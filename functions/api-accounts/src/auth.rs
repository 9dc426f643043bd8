//! Signing in and out, and the password.

use access::op;
use accounts::{AccountMail, User, WorkspaceStatus};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use kernel::{AccountId, EmailAddress, Limit};
use lambda::http::{ClientIp, Code, Json, May, Member, Problem, Secret};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::attempt::{Attempt, remember};
use crate::me::myself;
use crate::shape::{self, UserView, WorkspaceName};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    email: EmailAddress,
    #[schema(max_length = 128)]
    password: String,
    /// With a second factor: the code that the app shows, or a recovery code.
    #[schema(max_length = 64)]
    code: Option<String>,
}

/// A new session.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SignedIn {
    token: String,
    #[serde(serialize_with = "kernel::clock::millis")]
    expires_at: Timestamp,
    user: UserView,
    workspaces: Vec<WorkspaceName>,
}

/// Sign in.
///
/// The answer's token goes into `Authorization: Bearer` and gives the rights of the user's role, in the
/// workspace that `X-Workspace` names. With a second factor, 401 `totp_required` means that `code` is missing.
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
    let attempt = Attempt::to_sign_in(&api, &given.email, &ip).await?;
    let user = api
        .users
        .authenticate(&given.email, &given.password)
        .await?;
    let user = match user {
        Ok(user) => user,
        Err(named) => {
            api.audit.refused(named, "login", &ip.0).await?;
            return Err(refused());
        }
    };
    let named = (user.account, user.id);
    let user = match (user.needs_code(), given.code) {
        (false, _) => user,
        (true, None) => {
            // Not a wrong attempt: the password is right, and no code was given.
            attempt.forgive(&api).await?;
            let detail = "send the code of your authenticator app, or a recovery code";
            return Err(Problem::new(Code::TotpRequired, detail));
        }
        (true, Some(code)) => {
            let guess = Attempt::at_code(&api, user.id).await?;
            let Some(user) = api.factors.take(user, &code).await? else {
                api.audit.refused(Some(named), "login", &ip.0).await?;
                return Err(refused());
            };
            guess.forgive(&api).await?;
            user
        }
    };
    attempt.forgive(&api).await?;
    remember(&api, &user.email, &ip).await?;
    let actor = user.id.to_string();
    let entry = api.audit.entry(&actor, "login", &actor, &ip.0);
    api.audit.add(user.account, &entry).await?;
    signed_in(&api, user).await
}

fn refused() -> Problem {
    lambda::metrics::incident("SignInsRefused", 1);
    let detail = "the address, the password or the code is wrong";
    Problem::new(Code::Unauthenticated, detail)
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

/// All workspaces that a user may enter now: each user has few. An archived workspace cannot be entered;
/// admins find it in the list of workspaces.
pub async fn enterable(api: &Api, user: &User) -> Result<Vec<WorkspaceName>, Problem> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = api.workspaces.page(user.account, Limit::default(), cursor);
        let page = page.await?;
        let is_open = |one: &accounts::Workspace| one.status == WorkspaceStatus::Active;
        let open = page.data.into_iter();
        let open = open.filter(|one| is_open(one) && user.may_enter(one.id));
        found.extend(open.map(WorkspaceName::from));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}

/// Sign out: the session ends at once.
///
/// A token of an issuer (`OpenID Connect`) is no session of ours: 409. The issuer ends it.
#[utoipa::path(
    post,
    path = "/v1/auth/logout",
    operation_id = "logout",
    tag = "auth",
    responses((status = 204, description = "Signed out")),
)]
pub async fn logout(
    State(api): State<Api>,
    member: May<op::Logout, Member>,
    ip: ClientIp,
) -> Result<StatusCode, Problem> {
    let Some(session) = &member.grant.session else {
        let detail = "the token is of your organisation's sign-in; sign out there";
        return Err(Problem::new(Code::Conflict, detail));
    };
    let actor = member.grant.actor.clone();
    api.note(&member, &actor, &ip).await?;
    api.sessions.end(session).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn check_password(
    api: &Api,
    pointer: &str,
    password: &str,
    user: &User,
) -> Result<(), Problem> {
    let own = own_words(api, user.account, user.email.as_str(), &user.name).await?;
    shape::password(pointer, password, &own)
}

/// The texts that others know of a user: the address, the name, and the names of the account and its first workspaces.
pub async fn own_words(
    api: &Api,
    account: AccountId,
    email: &str,
    name: &str,
) -> Result<Vec<String>, Problem> {
    let mut words = vec![email.to_owned(), name.to_owned()];
    words.extend(api.accounts.get(account).await?.map(|account| account.name));
    let workspaces = api.workspaces.page(account, Limit::default(), None).await?;
    let names = workspaces.data.into_iter().map(|one| one.settings.name);
    words.extend(names);
    Ok(words)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    #[schema(max_length = 128)]
    current: String,
    #[schema(min_length = 15, max_length = 128)]
    new: String,
}

/// Set another password; all of the user's sessions end.
///
/// A password has at least 15 characters, and is no common word, name, address or sequence.
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
    member: May<op::ChangePassword, Member>,
    ip: ClientIp,
    Json(given): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    let actor = member.grant.actor.clone();
    api.note(&member, &actor, &ip).await?;
    let user = myself(&api, &member).await?;
    check_password(&api, "/new", &given.new, &user).await?;
    let attempt = Attempt::of_user(&api, user.id).await?;
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

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    email: EmailAddress,
}

/// Have a link mailed that sets another password.
///
/// The answer is the same whether the address has a user or not.
#[utoipa::path(
    post,
    path = "/v1/auth/password/forgot",
    operation_id = "forgotPassword",
    tag = "auth",
    security(()),
    request_body = Forgotten,
    responses((status = 202, description = "If the address has a user, a mail goes out"))
)]
pub async fn forgot(
    State(api): State<Api>,
    ip: ClientIp,
    Json(given): Json<Forgotten>,
) -> Result<StatusCode, Problem> {
    Attempt::to_mail(&api, &given.email, &ip).await?;
    // The worker behind the queue looks up the address, so no caller can measure the time of the look-up.
    let mail = AccountMail::Reset {
        request: api.entropy.nonce(),
        email: given.email,
    };
    api.mails.send(&mail).await?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The last part of the mail's link.
    #[schema(max_length = 255)]
    token: String,
    #[schema(min_length = 15, max_length = 128)]
    password: String,
}

/// Set another password with the token of a mail; all of the user's sessions end.
///
/// The reset signs nobody in, and signing in still needs the second factor.
#[utoipa::path(
    post,
    path = "/v1/auth/password/reset",
    operation_id = "resetPassword",
    tag = "auth",
    security(()),
    request_body = Reset,
    responses((status = 204, description = "Set; sign in"))
)]
pub async fn reset(
    State(api): State<Api>,
    ip: ClientIp,
    Json(given): Json<Reset>,
) -> Result<StatusCode, Problem> {
    let attempt = Attempt::at_token(&api, &ip).await?;
    let user = api.resets.user_of(&given.token).await?;
    let user = user.ok_or_else(|| Problem::invalid("/token", "is unknown, used or over"))?;
    check_password(&api, "/password", &given.password, &user).await?;
    let actor = user.id.to_string();
    let entry = api.audit.entry(&actor, "resetPassword", &actor, &ip.0);
    api.audit.add(user.account, &entry).await?;
    let email = user.email.clone();
    api.resets.reset(user, &given.password).await?;
    remember(&api, &email, &ip).await?;
    attempt.forgive(&api).await?;
    Ok(StatusCode::NO_CONTENT)
}
