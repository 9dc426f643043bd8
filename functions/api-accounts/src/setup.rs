//! The first account of an installation. The set-up token is its only credential.

use accounts::{FirstAccount, SetUp, WorkspaceSettings};
use axum::extract::State;
use axum::http::StatusCode;
use kernel::{AccountId, EmailAddress, WorkspaceId};
use lambda::http::{ClientIp, Code, Json, Problem};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api::Api;
use crate::attempt::Attempt;
use crate::shape::{self, name};

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = FirstAccount)]
#[serde(deny_unknown_fields)]
pub struct First {
    #[schema(max_length = 255)]
    token: String,
    #[schema(min_length = 1, max_length = 255)]
    account_name: String,
    #[schema(min_length = 1, max_length = 255)]
    workspace_name: String,
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    email: EmailAddress,
    #[schema(min_length = 15, max_length = 128)]
    password: String,
}

/// The account, user and workspace that were made.
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
    let own = [
        first.email.to_string(),
        first.name.clone(),
        first.account_name.clone(),
        first.workspace_name.clone(),
    ];
    shape::password("/password", &first.password, &own)?;
    let first = FirstAccount {
        name: name("/account_name", &first.account_name)?,
        workspace: WorkspaceSettings::named(&name("/workspace_name", &first.workspace_name)?),
        email: first.email,
        user_name: name("/name", &first.name)?,
        password: first.password,
    };
    let conflict = |detail: &str| Problem::new(Code::Conflict, detail);
    let over = || conflict("the installation has its first account; sign in");
    let begun = api.first.begin().await?.ok_or_else(over)?;
    let object = begun.account.to_string();
    let entry = api.audit.entry("setup", "setUp", &object, &ip.0);
    api.audit.add(begun.account, &entry).await?;
    match api.first.finish(begun, first).await? {
        SetUp::Done(account_id, tenant) => {
            let workspace_id = tenant.workspace();
            let made = Made {
                account_id,
                workspace_id,
            };
            Ok((StatusCode::CREATED, Json(made)))
        }
        SetUp::Already => Err(over()),
        SetUp::AddressTaken => Err(conflict("the address has a user in another account")),
    }
}
