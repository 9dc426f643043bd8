//! The first account of an installation, made by whoever holds its set-up token.

use accounts::{FirstAccount, WorkspaceSettings};
use axum::extract::State;
use axum::http::StatusCode;
use kernel::{AccountId, EmailAddress, WorkspaceId};
use lambda::http::{ClientIp, Code, Json, Problem};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::attempt::Attempt;
use crate::handler::Api;
use crate::shape::name;

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = FirstAccount)]
#[serde(deny_unknown_fields)]
pub struct First {
    token: String,
    account_name: String,
    workspace_name: String,
    name: String,
    email: EmailAddress,
    password: String,
}

/// What was made.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CreatedAccount)]
pub struct Made {
    account_id: AccountId,
    workspace_id: WorkspaceId,
}

/// Make the installation's first account, with the token that was generated for it.
///
/// Works once.
#[utoipa::path(
    post,
    path = "/v1/setup",
    operation_id = "setUp",
    tag = "auth",
    security(()),
    request_body = First,
    responses((status = 201, description = "Made", body = Made)),
)]
pub async fn run(
    State(api): State<Api>,
    ip: ClientIp,
    Json(first): Json<First>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let attempt = Attempt::at_token(&api, &ip).await?;
    // Hashes have one length, so the comparison takes the same time for every token.
    let (given, real) = (
        Sha256::digest(&first.token),
        Sha256::digest(&api.setup_token),
    );
    if !bool::from(given.ct_eq(&real)) {
        let detail = "the set-up token is wrong";
        return Err(Problem::new(Code::Unauthenticated, detail));
    }
    attempt.forgive(&api).await?;
    if let Some(flaw) = accounts::password::flaw(&first.password, first.email.as_str()) {
        return Err(Problem::invalid("/password", flaw));
    }
    let first = FirstAccount {
        name: name("/account_name", &first.account_name)?,
        workspace: WorkspaceSettings::named(&name("/workspace_name", &first.workspace_name)?),
        email: first.email,
        user_name: name("/name", &first.name)?,
        password: first.password,
    };
    let made = api.first.run(first).await?;
    let (account_id, tenant) = made.ok_or_else(|| {
        Problem::new(
            Code::Conflict,
            "the installation has its first account; sign in",
        )
    })?;
    let workspace_id = tenant.workspace();
    Ok((
        StatusCode::CREATED,
        Json(Made {
            account_id,
            workspace_id,
        }),
    ))
}
