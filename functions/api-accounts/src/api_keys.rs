//! A workspace's API keys.

use std::collections::BTreeSet;

use access::op;
use accounts::ApiKey;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{CredentialId, Scope, UserId};
use lambda::http::{ClientIp, Code, Creation, Json, May, Path, Problem, Query, Secret};
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
    let page = page.await?;
    let owners: BTreeSet<UserId> = page.data.iter().filter_map(|key| key.owner).collect();
    let (grant, workspace) = (caller.grant(), caller.tenant.workspace());
    let mut answering = BTreeSet::new();
    for owner in owners {
        if api.keys.answers(grant.account, workspace, owner).await? {
            answering.insert(owner);
        }
    }
    Ok(Json(page.map(|key| {
        let is_answered_for = key.owner.is_none_or(|owner| answering.contains(&owner));
        KeyView::new(key, is_answered_for)
    })))
}

/// Whether a key works.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApiKeyStatus)]
enum Status {
    /// The key works.
    Active,
    /// The owner is disabled or may not enter the workspace. The key works again once somebody takes it over, or the
    /// owner may enter again.
    Suspended,
    /// The key ended for good.
    Revoked,
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
    status: Status,
    /// The maker: `usr_…` or `key_…`.
    created_by: Option<String>,
    /// The person who answers for the key: its maker, the owner of the key that made it, or the person who took it
    /// over. Null for the installation's own keys.
    owner_id: Option<UserId>,
    /// The last use, to the hour.
    #[serde(serialize_with = "kernel::clock::millis")]
    last_used_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    revoked_at: Option<Timestamp>,
}

impl KeyView {
    fn new(key: ApiKey, is_answered_for: bool) -> Self {
        Self {
            status: match (key.revoked_at, is_answered_for) {
                (Some(_), _) => Status::Revoked,
                (None, true) => Status::Active,
                (None, false) => Status::Suspended,
            },
            owner_id: key.owner,
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
/// Only this answer holds its token. A repetition with its `Idempotency-Key` after a lost answer gives the same key a new
/// token. A key may do no more than its maker: scopes that open more are refused
/// with 403. `read` opens the inbox too. So it needs an account admin, or an account manager who is an agent of
/// the inbox. The key works while its owner is active and may enter the workspace.
/// `track` opens the doors of docs/tracking.md only. A key with no other scope is public: a page that everybody can read
/// may hold it.
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
    Creation(origin): Creation,
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
    let keys = &api.keys;
    let draft = keys.draft(caller.tenant, &origin, &name, &scopes, by);
    let draft = draft.await?;
    let id = draft.id.to_string();
    api.note(&caller, &id, &ip).await?;
    let made = api.keys.make(grant.account, caller.tenant, draft).await?;
    let body = Json(Created {
        key: KeyView::new(made.key, true),
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
    let key = key.ok_or_else(no_key)?.id;
    let object = key.to_string();
    api.note(&caller, &object, &ip).await?;
    api.keys.revoke(caller.tenant, key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a key over: you answer for the key from now on.
///
/// A key stops with its owner. A key that its new owner could not make is refused with 403.
#[utoipa::path(
    post,
    path = "/v1/api-keys/{id}/take-over",
    operation_id = "takeOverApiKey",
    tag = "api-keys",
    params(("id" = CredentialId, Path, description = "The key")),
    responses((status = 200, description = "The key", body = KeyView)),
)]
pub async fn take_over(
    State(api): State<Api>,
    caller: May<op::TakeOverApiKey>,
    ip: ClientIp,
    Path(id): Path<CredentialId>,
) -> Result<Json<KeyView>, Problem> {
    let grant = caller.grant();
    let key = api.keys.get(caller.tenant, id).await?;
    let key = key.ok_or_else(no_key)?;
    if !access::may_give(grant, &key.scopes) {
        let detail = "a key may do no more than its owner; this key opens more than you may do";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let owner = grant
        .actor
        .parse()
        .map_err(|_| Problem::new(Code::Forbidden, "keys may not do this; sign in"))?;
    api.note(&caller, &key.id.to_string(), &ip).await?;
    let taken = api.keys.take_over(caller.tenant, key.id, owner).await?;
    let revoked = || Problem::new(Code::Conflict, "the key was revoked");
    Ok(Json(KeyView::new(taken.ok_or_else(revoked)?, true)))
}

fn no_key() -> Problem {
    Problem::not_found("API key")
}
