//! The deliveries of a webhook over HTTP.

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{Cursor, Limit, WebhookId};
use lambda::http::{ClientIp, Code, Json, May, Path, Problem, Query};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use webhooks::{Delivery, DeliveryId, REDELIVERED, WebhookStatus};

use crate::handler::Api;
use crate::webhook_shape::{DeliveryDetail, DeliveryView, Redelivery, RedeliveryBody};

/// Deliveries are kept for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(redeliver_failed))
        .routes(routes!(one))
        .routes(routes!(redeliver))
}

fn no_delivery() -> Problem {
    Problem::not_found("delivery")
}

/// Query of the list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeliveryQuery {
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
    /// Only deliveries that failed, or that a pause holds back.
    #[serde(default)]
    failed: bool,
}

impl Api {
    async fn delivery<P: kernel::Needs>(
        &self,
        caller: &May<P>,
        (id, delivery): (WebhookId, &DeliveryId),
    ) -> Result<Delivery, Problem> {
        self.webhook(caller, id).await?;
        let found = self.hooks.deliveries.get(caller.tenant, id, delivery);
        found.await?.ok_or_else(no_delivery)
    }

    async fn must_be_active<P: kernel::Needs>(
        &self,
        caller: &May<P>,
        id: WebhookId,
    ) -> Result<(), Problem> {
        let webhook = self.webhook(caller, id).await?;
        if webhook.status == WebhookStatus::Active {
            return Ok(());
        }
        let detail = "the webhook must be active";
        Err(Problem::new(Code::Conflict, detail))
    }
}

/// List the deliveries of a webhook, newest event first. A delivery is kept for 30 days.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/deliveries",
    operation_id = "listWebhookDeliveries",
    tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook"), DeliveryQuery),
    responses((status = 200, description = "A page of deliveries", body = Page<DeliveryView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListWebhookDeliveries>,
    Path(id): Path<WebhookId>,
    Query(query): Query<DeliveryQuery>,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    api.webhook(&caller, id).await?;
    let place = (query.limit, query.cursor);
    let page = api
        .hooks
        .deliveries
        .list(caller.tenant, id, query.failed, place);
    Ok(Json(page.await?.map(DeliveryView::from)))
}

/// Show a delivery with its body and its attempts.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/deliveries/{delivery_id}",
    operation_id = "showWebhookDelivery",
    tag = "webhooks",
    params(
        ("id" = WebhookId, Path, description = "The webhook"),
        ("delivery_id" = DeliveryId, Path, description = "The delivery"),
    ),
    responses((status = 200, description = "The delivery", body = DeliveryDetail)),
)]
async fn one(
    State(api): State<Api>,
    caller: May<op::ShowWebhookDelivery>,
    Path((id, delivery_id)): Path<(WebhookId, DeliveryId)>,
) -> Result<Json<DeliveryDetail>, Problem> {
    let delivery = api.delivery(&caller, (id, &delivery_id)).await?;
    Ok(Json(delivery.into()))
}

/// Deliver an event again, whatever came of it, under the same `webhook-id`.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver",
    operation_id = "redeliverWebhookDelivery",
    tag = "webhooks",
    params(
        ("id" = WebhookId, Path, description = "The webhook"),
        ("delivery_id" = DeliveryId, Path, description = "The delivery"),
    ),
    responses((status = 202, description = "On its way")),
)]
async fn redeliver(
    State(api): State<Api>,
    caller: May<op::RedeliverWebhookDelivery>,
    ip: ClientIp,
    Path((id, delivery_id)): Path<(WebhookId, DeliveryId)>,
) -> Result<StatusCode, Problem> {
    let delivery = api.delivery(&caller, (id, &delivery_id)).await?;
    api.must_be_active(&caller, id).await?;
    api.note_webhook(&caller, id, &ip).await?;
    let dispatcher = &api.hooks.dispatcher;
    if dispatcher.again(caller.tenant, &delivery).await? {
        Ok(StatusCode::ACCEPTED)
    } else {
        Err(cloud::Error::Conflict.into())
    }
}

/// Deliver again what failed of the events since a time, or was held back by a pause. Up to 10,000 deliveries.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/redeliver",
    operation_id = "redeliverFailedWebhookDeliveries",
    tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook")),
    request_body = RedeliveryBody,
    responses((status = 202, description = "Begun", body = Redelivery)),
)]
async fn redeliver_failed(
    State(api): State<Api>,
    caller: May<op::RedeliverFailedWebhookDeliveries>,
    ip: ClientIp,
    Path(id): Path<WebhookId>,
    Json(body): Json<RedeliveryBody>,
) -> Result<(StatusCode, Json<Redelivery>), Problem> {
    api.must_be_active(&caller, id).await?;
    let oldest: Timestamp = api.hooks.webhooks.clock().now() - KEPT;
    let since = body.since.max(oldest);
    api.note_webhook(&caller, id, &ip).await?;
    let dispatcher = &api.hooks.dispatcher;
    dispatcher.redeliver(caller.tenant, id, since).await?;
    let answer = Redelivery {
        since,
        limit: REDELIVERED,
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}
