//! A workspace's API keys.

use access::op;
use accounts::ApiKey;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{CredentialId, Scope};
use lambda::http::{ClientIp, Code, Json, May, Path, Problem, Query, Secret};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::shape::{self, Paging};

/// List the workspace's keys, oldest first, revoked ones too.
#[utoipa::path(
    get,
    path = "/v1/api-keys",
    operation_id = "listApiKeys",
    tag = "api-keys",
    params(Paging),
    responses((status = 200, description = "A page of keys", body = Page<KeyView>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListApiKeys>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<KeyView>>, Problem> {
    let page = api.keys.page(caller.tenant, paging.limit, paging.cursor);
    Ok(Json(page.await?.map(KeyView::from)))
}

/// A key in answers, without its token.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ApiKey)]
pub struct KeyView {
    id: CredentialId,
    name: String,
    scopes: Vec<Scope>,
    /// Whether the key may be in a page that everybody can read.
    public: bool,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    /// The maker: `usr_…` or `key_…`.
    created_by: Option<String>,
    /// The last use, to the hour.
    #[serde(serialize_with = "kernel::clock::millis")]
    last_used_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            public: key.public,
            created_at: key.created_at,
            created_by: key.created_by,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewApiKey)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(min_items = 1, max_items = 4)]
    scopes: Vec<Scope>,
}

/// The only answer that holds the token.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CreatedApiKey)]
pub struct Created {
    #[serde(flatten)]
    key: KeyView,
    token: String,
}

/// Make a key.
///
/// Only this answer holds its token. A key may do no more than its maker: scopes that open more are refused
/// with 403. `read` opens the inbox too. So it needs an account admin, or an account manager who is an agent of
/// the inbox. A key whose only scope is `track` is public: it may be in a page.
#[utoipa::path(
    post,
    path = "/v1/api-keys",
    operation_id = "createApiKey",
    tag = "api-keys",
    request_body = NewKey,
    responses((status = 201, description = "Made", body = Created)),
)]
pub async fn create(
    State(api): State<Api>,
    caller: May<op::CreateApiKey>,
    ip: ClientIp,
    Json(new): Json<NewKey>,
) -> Result<Response, Problem> {
    let name = shape::name("/name", &new.name)?;
    let mut scopes = new.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(Problem::invalid("/scopes", "give at least one scope"));
    }
    let grant = caller.grant();
    if !access::may_give(grant, &scopes) {
        let detail = "a key may do no more than its maker; these scopes open more than you may do";
        return Err(Problem::new(Code::Forbidden, detail).at("/scopes", detail));
    }
    let by = Some(grant.actor.as_str());
    let draft = api.keys.draft(caller.tenant, &name, &scopes, by).await?;
    let id = draft.id.to_string();
    api.note(&caller, &id, &ip).await?;
    let made = api.keys.make(grant.account, caller.tenant, draft).await?;
    let body = Json(Created {
        key: made.key.into(),
        token: made.token,
    });
    let mut response = (StatusCode::CREATED, body).into_response();
    response.extensions_mut().insert(Secret);
    Ok(response)
}

/// Revoke a key at once and permanently.
#[utoipa::path(
    delete,
    path = "/v1/api-keys/{id}",
    operation_id = "revokeApiKey",
    tag = "api-keys",
    params(("id" = CredentialId, Path, description = "The key")),
    responses((status = 204, description = "Revoked")),
)]
pub async fn revoke(
    State(api): State<Api>,
    caller: May<op::RevokeApiKey>,
    ip: ClientIp,
    Path(id): Path<CredentialId>,
) -> Result<StatusCode, Problem> {
    let key = api.keys.get(caller.tenant, id).await?;
    let key = key.ok_or_else(|| Problem::not_found("API key"))?.id;
    let object = key.to_string();
    api.note(&caller, &object, &ip).await?;
    api.keys.revoke(caller.tenant, key).await?;
    Ok(StatusCode::NO_CONTENT)
}
