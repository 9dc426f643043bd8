//! Maps requests to use cases. Another tenant's order is not found.

use std::sync::Arc;

use access::op;
use accounts::Audit;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use commerce::{Asked, Change, Changed, Made, Order, Orders, Products, Sums};
use contacts::fields::TooLong;
use contacts::{Contacts, Fields, Identity};
use futures::{StreamExt, TryStreamExt, stream};
use kernel::page::Page;
use kernel::{ContactId, Needs, OrderId, TenantKey};
use lambda::http::{Caller, ClientIp, Code, Creation, Json, May, Path, Problem, Query};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::products;
use crate::query::{self, OrderQuery};
use crate::shape::{
    CancelIn, OrderChanged, OrderIn, OrderOutcome, OrderPage, OrderPatch, OrdersChanged, OrdersIn,
    TotalsView,
};

/// Orders of one request that are changed concurrently.
const AT_ONCE: usize = 8;

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub audit: Audit,
    pub contacts: Contacts,
    /// The custom fields of orders.
    pub fields: Fields,
    /// The custom fields of products.
    pub product_fields: Fields,
    pub orders: Orders,
    pub products: Products,
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(totals))
        .routes(routes!(show, update))
        .routes(routes!(cancel))
        .routes(routes!(change_many))
        .merge(products::routes())
}

impl Api {
    /// Reading and changing many orders is in the audit log, once an hour for each caller.
    async fn note<P: Needs>(&self, caller: &May<P>, ip: &ClientIp) -> Result<(), Problem> {
        let (grant, operation) = (caller.grant(), caller.permission());
        let noted = self.audit.note_hourly(grant, operation, "orders", &ip.0);
        Ok(noted.await?)
    }

    /// Like [`Api::note`], of products.
    pub async fn note_products<P: Needs>(
        &self,
        caller: &May<P>,
        ip: &ClientIp,
    ) -> Result<(), Problem> {
        let (grant, operation) = (caller.grant(), caller.permission());
        let noted = self.audit.note_hourly(grant, operation, "products", &ip.0);
        Ok(noted.await?)
    }

    /// The contact that the query names by its id or its number.
    async fn buyer(
        &self,
        tenant: TenantKey,
        query: &OrderQuery,
    ) -> Result<Option<ContactId>, Problem> {
        if let Some(phone) = &query.phone {
            let identity = Identity::Phone(phone.clone());
            return Ok(self.contacts.find_identity(tenant, &identity).await?);
        }
        let Some(contact) = query.contact_id else {
            return Ok(None);
        };
        let now = self.contacts.forward(tenant, contact).await?;
        Ok(Some(now.unwrap_or(contact)))
    }

    async fn order(&self, caller: &Caller, id: OrderId) -> Result<Order, Problem> {
        let order = self.orders.get(caller.tenant, id).await?;
        order.ok_or_else(|| Problem::not_found("order"))
    }

    async fn change(
        &self,
        caller: &Caller,
        id: OrderId,
        change: &Change,
    ) -> Result<Json<Order>, Problem> {
        match self.orders.change(caller.tenant, id, change).await? {
            Changed::Yes(order) => Ok(Json(*order)),
            Changed::ReadOnly => Err(Problem::new(
                Code::Conflict,
                "the order is changed at its source; here only staff_note, staff_tags and custom may be changed",
            )),
            Changed::Backwards(status) => Err(Problem::new(
                Code::Conflict,
                format!(
                    "a status only moves forward, and the order is {}",
                    status.name()
                ),
            )),
            Changed::Ended => Err(Problem::new(
                Code::Conflict,
                "the order is cancelled or returned: its items and sums stay",
            )),
            Changed::Total => Err(Problem::invalid(
                "/items",
                "the total must be between 0 and 1000000000000",
            )),
            Changed::Full => Err(custom_too_long()),
            Changed::Missing => Err(Problem::not_found("order")),
        }
    }
}

/// The answer to values of custom fields that are too long together.
pub fn custom_too_long() -> Problem {
    Problem::invalid("/custom", TooLong.to_string())
}

/// List orders, the latest first.
///
/// Each status is a tab. Without `status` the list leaves out cancelled and returned orders. `page` holds the sums of this
/// page; `showOrderTotals` has those of the whole list. A page may hold fewer than `limit` and still have a `next`.
#[utoipa::path(
    get,
    path = "/v1/orders",
    operation_id = "listOrders",
    tag = "orders",
    params(OrderQuery),
    responses((status = 200, description = "A page of orders", body = OrderPage)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListOrders>,
    ip: ClientIp,
    Query(query): Query<OrderQuery>,
) -> Result<Json<OrderPage>, Problem> {
    query.check()?;
    api.note(&caller, &ip).await?;
    let (tenant, limit) = (caller.tenant, query.limit);
    let page = if let Some(code) = &query.code {
        let data = api.orders.by_code(tenant, code.trim()).await?;
        Page { data, next: None }
    } else if query.contact_id.is_some() || query.phone.is_some() {
        let Some(contact) = api.buyer(tenant, &query).await? else {
            return Ok(Json(OrderPage::default()));
        };
        let page = api.orders.of_contact(tenant, contact, limit, query.cursor);
        page.await?
    } else {
        let asked = query.asked();
        let page = api.orders.page(tenant, &asked, limit, query.cursor);
        page.await?
    };
    Ok(Json(OrderPage {
        page: Sums::of(&page.data),
        data: page.data,
        next: page.next,
    }))
}

/// Show the sums of a list of orders.
///
/// With the filters of `listOrders`, but for `code`, `contact_id` and `phone`. The latest 2,000 orders of the tab are read: `is_complete` says whether these are all.
#[utoipa::path(
    get,
    path = "/v1/orders/totals",
    operation_id = "showOrderTotals",
    tag = "orders",
    params(Asked),
    responses((status = 200, description = "The sums", body = TotalsView)),
)]
async fn totals(
    State(api): State<Api>,
    caller: May<op::ShowOrderTotals>,
    Query(asked): Query<Asked>,
) -> Result<Json<TotalsView>, Problem> {
    query::check(&asked)?;
    let (sums, is_complete) = api.orders.sums(caller.tenant, &asked).await?;
    Ok(Json(TotalsView { sums, is_complete }))
}

/// Enter an order.
///
/// For a contact that exists. The amounts follow from the items. The order's source is `manual`. A `code` is unique among the
/// orders that staff entered.
#[utoipa::path(
    post,
    path = "/v1/orders",
    operation_id = "createOrder",
    tag = "orders",
    request_body = OrderIn,
    responses(
        (status = 201, description = "Entered", body = Order),
        (status = 409, description = "Another order that staff entered has the code"),
    ),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreateOrder>,
    Creation(origin): Creation,
    ip: ClientIp,
    Json(body): Json<OrderIn>,
) -> Result<Response, Problem> {
    let contact = api.contacts.get(caller.tenant, body.contact_id).await?;
    let id = body.contact_id;
    let name = contact
        .as_ref()
        .and_then(|one| one.person.full_name.clone());
    let incoming = body.incoming(name, origin.at)?;
    if contact.is_none() {
        return Err(Problem::invalid("/contact_id", "no such contact"));
    }
    api.note(&caller, &ip).await?;
    let ids = origin.draws(OrderId::of);
    // The actor of a key is no user.
    let staff = caller.grant().actor.parse().ok();
    let made = api.orders.create(caller.tenant, &ids, id, &incoming, staff);
    let Made::Yes(order) = made.await? else {
        return Err(Problem::new(
            Code::Conflict,
            "another order that staff entered has this code",
        ));
    };
    let location = [(header::LOCATION, format!("/v1/orders/{}", order.id))];
    Ok((StatusCode::CREATED, location, Json(*order)).into_response())
}

/// Show an order.
#[utoipa::path(
    get,
    path = "/v1/orders/{id}",
    operation_id = "showOrder",
    tag = "orders",
    params(("id" = OrderId, Path, description = "The order")),
    responses((status = 200, description = "The order", body = Order)),
)]
async fn show(
    State(api): State<Api>,
    caller: May<op::ShowOrder>,
    Path(id): Path<OrderId>,
) -> Result<Json<Order>, Problem> {
    Ok(Json(api.order(&caller, id).await?))
}

/// Change an order.
///
/// A JSON merge patch. A status only moves forward: to a later one, to returned or to cancelled. An order of a shop
/// system is changed there: here only `staff_note`, `staff_tags` and `custom` may be changed. `items` replaces all items. The sums follow
/// from the items, the discount, the fee and the tax.
#[utoipa::path(
    patch,
    path = "/v1/orders/{id}",
    operation_id = "updateOrder",
    tag = "orders",
    params(("id" = OrderId, Path, description = "The order")),
    request_body = OrderPatch,
    responses(
        (status = 200, description = "Changed", body = Order),
        (status = 409, description = "The order is changed at its source, or its status would go back"),
    ),
)]
async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateOrder>,
    ip: ClientIp,
    Path(id): Path<OrderId>,
    Json(body): Json<OrderPatch>,
) -> Result<Json<Order>, Problem> {
    let fields = if body.custom.is_empty() {
        Arc::default()
    } else {
        api.fields.recent(caller.tenant).await?
    };
    let change = body.change(&fields)?;
    api.order(&caller, id).await?;
    api.note(&caller, &ip).await?;
    api.change(&caller, id, &change).await
}

/// Cancel an order.
///
/// May be repeated. An order of a shop system is cancelled there.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/cancel",
    operation_id = "cancelOrder",
    tag = "orders",
    params(("id" = OrderId, Path, description = "The order")),
    request_body = CancelIn,
    responses(
        (status = 200, description = "Cancelled", body = Order),
        (status = 409, description = "The order is changed at its source"),
    ),
)]
async fn cancel(
    State(api): State<Api>,
    caller: May<op::CancelOrder>,
    ip: ClientIp,
    Path(id): Path<OrderId>,
    Json(body): Json<CancelIn>,
) -> Result<Json<Order>, Problem> {
    let change = body.change()?;
    api.order(&caller, id).await?;
    api.note(&caller, &ip).await?;
    api.change(&caller, id, &change).await
}

/// Change the status of many orders.
///
/// Up to 100 orders, each with its own outcome: `changed`, `read_only` for an order of a shop system, `backwards` for a
/// status that would go back, or `missing`. May be repeated.
#[utoipa::path(
    post,
    path = "/v1/orders/bulk",
    operation_id = "changeOrders",
    tag = "orders",
    request_body = OrdersIn,
    responses((status = 200, description = "The outcomes, in the order of the ids", body = OrdersChanged)),
)]
async fn change_many(
    State(api): State<Api>,
    caller: May<op::ChangeOrders>,
    ip: ClientIp,
    Json(body): Json<OrdersIn>,
) -> Result<Json<OrdersChanged>, Problem> {
    let (ids, change) = body.change()?;
    api.note(&caller, &ip).await?;
    let tenant = caller.tenant;
    let one = async |id: OrderId| {
        let outcome = match api.orders.change(tenant, id, &change).await? {
            Changed::Yes(_) => OrderOutcome::Changed,
            Changed::ReadOnly => OrderOutcome::ReadOnly,
            Changed::Backwards(_) => OrderOutcome::Backwards,
            // A change of the status touches no sums.
            Changed::Ended | Changed::Total | Changed::Full | Changed::Missing => {
                OrderOutcome::Missing
            }
        };
        Ok::<_, Problem>(OrderChanged {
            order_id: id,
            outcome,
        })
    };
    let data = stream::iter(ids).map(one).buffered(AT_ONCE);
    Ok(Json(OrdersChanged {
        data: data.try_collect().await?,
    }))
}
