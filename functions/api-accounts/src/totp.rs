//! The caller's own second factor: generate a secret, confirm it, remove it.

use access::op;
use accounts::{Enrolled, User};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kernel::Needs;
use lambda::http::{ClientIp, Code, Json, May, Member, Problem, Secret};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::attempt::Attempt;
use crate::me::myself;

/// The secret, in the two forms that an authenticator app reads.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SecondFactorSecret {
    /// Base32, for typing.
    secret: String,
    /// For a QR code.
    #[schema(example = "otpauth://totp/Tanigo:an%40example.vn?secret=...&issuer=Tanigo")]
    otpauth_url: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordProof {
    /// The password, since a session alone could be stolen.
    #[schema(max_length = 128)]
    password: String,
}

/// Generate a secret for a second factor.
///
/// The second factor is in force once a code of the secret was sent to `confirmSecondFactor`.
#[utoipa::path(
    post,
    path = "/v1/auth/totp",
    operation_id = "enrolSecondFactor",
    tag = "auth",
    request_body = PasswordProof,
    responses((status = 201, description = "Drawn", body = SecondFactorSecret))
)]
pub async fn enrol(
    State(api): State<Api>,
    member: May<op::EnrolSecondFactor, Member>,
    ip: ClientIp,
    Json(given): Json<PasswordProof>,
) -> Result<Response, Problem> {
    let user = entered(&api, &member, &ip).await?;
    let attempt = Attempt::of_user(&api, user.id).await?;
    let enrolment = match api.factors.enrol(user, &given.password).await? {
        Enrolled::Drawn(enrolment) => enrolment,
        Enrolled::WrongPassword => return Err(not_yours()),
        Enrolled::Before => {
            attempt.forgive(&api).await?;
            let detail = "there is a second factor; disable it first";
            return Err(Problem::new(Code::Conflict, detail));
        }
    };
    attempt.forgive(&api).await?;
    let body = Json(SecondFactorSecret {
        secret: enrolment.secret,
        otpauth_url: enrolment.url,
    });
    Ok(secret((StatusCode::CREATED, body)))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The code that the app shows.
    #[schema(max_length = 64, example = "123456")]
    code: String,
}

/// Codes for a lost phone.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RecoveryCodes {
    /// Each works once at signing in, in place of a code of the app. The codes are shown only in this answer.
    recovery_codes: Vec<String>,
}

/// Confirm the second factor by a code.
///
/// From now on signing in needs a code. All of the user's sessions end, this one too: they were
/// opened without it.
#[utoipa::path(
    post,
    path = "/v1/auth/totp/confirm",
    operation_id = "confirmSecondFactor",
    tag = "auth",
    request_body = Confirm,
    responses((status = 200, description = "Confirmed", body = RecoveryCodes))
)]
pub async fn confirm(
    State(api): State<Api>,
    member: May<op::ConfirmSecondFactor, Member>,
    ip: ClientIp,
    Json(given): Json<Confirm>,
) -> Result<Response, Problem> {
    let user = entered(&api, &member, &ip).await?;
    let attempt = Attempt::of_user(&api, user.id).await?;
    let codes = api.factors.confirm(user, &given.code).await?;
    let recovery_codes = codes.ok_or_else(|| Problem::invalid("/code", "is not right"))?;
    attempt.forgive(&api).await?;
    Ok(secret(Json(RecoveryCodes { recovery_codes })))
}

/// Generate new recovery codes; the earlier codes no longer work.
#[utoipa::path(
    post,
    path = "/v1/auth/totp/recovery-codes",
    operation_id = "renewRecoveryCodes",
    tag = "auth",
    request_body = PasswordProof,
    responses((status = 200, description = "Drawn", body = RecoveryCodes))
)]
pub async fn renew(
    State(api): State<Api>,
    member: May<op::RenewRecoveryCodes, Member>,
    ip: ClientIp,
    Json(given): Json<PasswordProof>,
) -> Result<Response, Problem> {
    let user = entered(&api, &member, &ip).await?;
    if !user.needs_code() {
        let detail = "there is no second factor";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let attempt = Attempt::of_user(&api, user.id).await?;
    let codes = api.factors.renew_recovery(user, &given.password).await?;
    let recovery_codes = codes.ok_or_else(not_yours)?;
    attempt.forgive(&api).await?;
    Ok(secret(Json(RecoveryCodes { recovery_codes })))
}

fn not_yours() -> Problem {
    Problem::invalid("/password", "is not your password")
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Disable {
    #[schema(max_length = 128)]
    password: String,
    /// A code of the app, or a recovery code.
    #[schema(max_length = 64)]
    code: String,
}

/// Remove the second factor; all of the user's sessions end.
#[utoipa::path(
    post,
    path = "/v1/auth/totp/disable",
    operation_id = "disableSecondFactor",
    tag = "auth",
    request_body = Disable,
    responses((status = 204, description = "Taken away"))
)]
pub async fn disable(
    State(api): State<Api>,
    member: May<op::DisableSecondFactor, Member>,
    ip: ClientIp,
    Json(given): Json<Disable>,
) -> Result<StatusCode, Problem> {
    let user = entered(&api, &member, &ip).await?;
    let attempt = Attempt::of_user(&api, user.id).await?;
    let code = Attempt::at_code(&api, user.id).await?;
    if !api
        .factors
        .disable(user, &given.password, &given.code)
        .await?
    {
        let detail = "the password or the code is not right";
        return Err(Problem::invalid("", detail));
    }
    code.forgive(&api).await?;
    attempt.forgive(&api).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn entered<P: Needs>(
    api: &Api,
    member: &May<P, Member>,
    ip: &ClientIp,
) -> Result<User, Problem> {
    api.note(member, &member.grant.actor, ip).await?;
    myself(api, member).await
}

/// An answer that no cache stores.
fn secret(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.extensions_mut().insert(Secret);
    response
}
