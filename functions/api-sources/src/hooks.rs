//! Webhooks over HTTP: the addresses of a shop that get events. Another tenant's webhook is not found.

use access::op;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::page::Page;
use kernel::{Needs, WebhookId};
use lambda::http::{Caller, ClientIp, Code, Creation, Json, May, Path, Problem, Query, Secret};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use webhooks::{Added, Deliveries, Dispatcher, MAX_WEBHOOKS, Webhook, WebhookStatus, Webhooks};

use crate::handler::Api;
use crate::shape::ListQuery;
use crate::webhook_shape::{
    CreatedWebhook, DeliveryView, NewWebhookBody, RotatedSecret, WebhookUpdate, WebhookView,
};

/// The stores of webhooks.
#[derive(Clone)]
pub struct Hooks {
    pub webhooks: Webhooks,
    pub deliveries: Deliveries,
    pub dispatcher: Dispatcher,
    /// Checks the addresses that are entered.
    pub caller: webhooks::Caller,
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, update, remove))
        .routes(routes!(rotate))
        .routes(routes!(test))
}

fn no_webhook() -> Problem {
    Problem::not_found("webhook")
}

impl Api {
    pub async fn webhook(&self, caller: &Caller, id: WebhookId) -> Result<Webhook, Problem> {
        let webhook = self.hooks.webhooks.get(caller.tenant, id).await?;
        webhook.ok_or_else(no_webhook)
    }

    pub async fn note_webhook<P: Needs>(
        &self,
        caller: &May<P>,
        id: WebhookId,
        ip: &ClientIp,
    ) -> Result<(), Problem> {
        let noted = self
            .audit
            .note(caller.grant(), caller.permission(), id, &ip.0);
        Ok(noted.await?)
    }

    async fn check_url(&self, url: Option<&str>) -> Result<(), Problem> {
        let Some(url) = url else { return Ok(()) };
        let checked = self.hooks.caller.check(url).await;
        checked.map_err(|refused| Problem::invalid("/url", refused))
    }
}

/// List the workspace's webhooks, oldest first.
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    operation_id = "listWebhooks",
    tag = "webhooks",
    params(ListQuery),
    responses((status = 200, description = "A page of webhooks", body = Page<WebhookView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListWebhooks>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<WebhookView>>, Problem> {
    let webhooks = &api.hooks.webhooks;
    let page = webhooks.list(caller.tenant, query.limit, query.cursor);
    Ok(Json(page.await?.map(WebhookView::from)))
}

/// Make a webhook. It gets the events that happen 15 seconds later.
///
/// The address must begin with `https://`, and its host must have public addresses only. The secret is in this answer only. A
/// repetition with its `Idempotency-Key` after a lost answer gives the same webhook a new one. A workspace has at most 20
/// webhooks.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    operation_id = "createWebhook",
    tag = "webhooks",
    request_body = NewWebhookBody,
    responses((status = 201, description = "Made", body = CreatedWebhook)),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreateWebhook>,
    Creation(origin): Creation,
    ip: ClientIp,
    Json(new): Json<NewWebhookBody>,
) -> Result<Response, Problem> {
    let new = new.check()?;
    api.check_url(Some(&new.url)).await?;
    for id in origin.draws(WebhookId::of) {
        let webhooks = &api.hooks.webhooks;
        api.note_webhook(&caller, id, &ip).await?;
        let made = webhooks.add(caller.tenant, id, origin.at, &new).await?;
        let (webhook, secret) = match made {
            Added::Made(webhook, secret) => (*webhook, secret),
            Added::Taken => continue,
            Added::Full => {
                let detail = format!("a workspace has at most {MAX_WEBHOOKS} webhooks");
                return Err(Problem::new(Code::Conflict, detail));
            }
        };
        let location = format!("/v1/webhooks/{id}");
        let body = Json(CreatedWebhook::new(webhook, secret));
        let mut response =
            (StatusCode::CREATED, [(header::LOCATION, location)], body).into_response();
        response.extensions_mut().insert(Secret);
        return Ok(response);
    }
    Err(cloud::Error::Conflict.into())
}

/// Show a webhook.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}",
    operation_id = "showWebhook",
    tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook")),
    responses((status = 200, description = "The webhook", body = WebhookView)),
)]
async fn one(
    State(api): State<Api>,
    caller: May<op::ShowWebhook>,
    Path(id): Path<WebhookId>,
) -> Result<Json<WebhookView>, Problem> {
    Ok(Json(api.webhook(&caller, id).await?.into()))
}

/// Change a webhook: its address, its events, or whether it is paused. The change is in force within 15 seconds.
///
/// A paused webhook keeps its events, and they are sent when it is active again. A disabled one keeps none. Failed
/// deliveries of a webhook that is active again are sent by `redeliver`.
#[utoipa::path(
    patch,
    path = "/v1/webhooks/{id}",
    operation_id = "updateWebhook",
    tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook")),
    request_body = WebhookUpdate,
    responses((status = 200, description = "Changed", body = WebhookView)),
)]
async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateWebhook>,
    ip: ClientIp,
    Path(id): Path<WebhookId>,
    Json(update): Json<WebhookUpdate>,
) -> Result<Json<WebhookView>, Problem> {
    let change = update.check()?;
    api.check_url(change.url.as_deref()).await?;
    let before = api.webhook(&caller, id).await?;
    api.note_webhook(&caller, id, &ip).await?;
    let changed = api.hooks.webhooks.change(caller.tenant, id, &change);
    let changed = changed.await?.ok_or_else(no_webhook)?;
    // Also if a request before this one has stored the change and was interrupted.
    if change.status == Some(WebhookStatus::Active) {
        let dispatcher = &api.hooks.dispatcher;
        let since = before.created_at;
        dispatcher.release(caller.tenant, id, since).await?;
    }
    Ok(Json(changed.into()))
}

/// Remove a webhook. Its deliveries are no longer shown, and its planned attempts are not made.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{id}",
    operation_id = "removeWebhook",
    tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook")),
    responses((status = 204, description = "Removed")),
)]
async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveWebhook>,
    ip: ClientIp,
    Path(id): Path<WebhookId>,
) -> Result<StatusCode, Problem> {
    api.webhook(&caller, id).await?;
    api.note_webhook(&caller, id, &ip).await?;
    api.hooks.webhooks.remove(caller.tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a webhook a new secret.
///
/// For 24 hours each request is signed with the secret before it too. The new secret is in this answer only.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/secret",
    operation_id = "rotateWebhookSecret",
    tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook")),
    responses((status = 200, description = "Replaced", body = RotatedSecret)),
)]
async fn rotate(
    State(api): State<Api>,
    caller: May<op::RotateWebhookSecret>,
    ip: ClientIp,
    Path(id): Path<WebhookId>,
) -> Result<Response, Problem> {
    api.webhook(&caller, id).await?;
    api.note_webhook(&caller, id, &ip).await?;
    let rotated = api.hooks.webhooks.rotate(caller.tenant, id).await?;
    let (webhook, secret) = rotated.ok_or_else(no_webhook)?;
    let body = RotatedSecret {
        secret,
        previous_until: webhook.previous_secret_until(),
    };
    let mut response = Json(body).into_response();
    response.extensions_mut().insert(Secret);
    Ok(response)
}

/// Send a test event, `webhook.test`, to an active webhook. The answer is its delivery, which shows the outcome later.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/test",
    operation_id = "testWebhook",
    tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook")),
    responses((status = 202, description = "On its way", body = DeliveryView)),
)]
async fn test(
    State(api): State<Api>,
    caller: May<op::TestWebhook>,
    Creation(origin): Creation,
    ip: ClientIp,
    Path(id): Path<WebhookId>,
) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let webhook = api.webhook(&caller, id).await?;
    if webhook.status != WebhookStatus::Active {
        let detail = "only an active webhook can be tested";
        return Err(Problem::new(Code::Conflict, detail));
    }
    api.note_webhook(&caller, id, &ip).await?;
    let dispatcher = &api.hooks.dispatcher;
    let delivery = dispatcher.test(caller.tenant, &webhook, &origin).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}
