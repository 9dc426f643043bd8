//! The page of a contact: the contact with its orders and its last activity, its segments and its workflows.

use access::op;
use axum::extract::State;
use contacts::Contact;
use jiff::Timestamp;
use kernel::{ContactId, Limit, Money};
use lambda::http::{Json, May, Path, Problem};
use segments::{Inside, Orders};
use serde::Serialize;
use workflows::Entered;

use crate::api::Api;
use crate::handler::find;

/// The completed orders of a contact, in VND. They follow a change of an order within seconds.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContactOrders)]
struct OrdersView {
    /// How many.
    count: u32,
    /// Sum of their totals.
    #[schema(value_type = i64)]
    total: Money,
    /// `total` divided by `count`, in whole dong; null without orders.
    #[schema(value_type = Option<i64>)]
    average: Option<Money>,
    /// When the first was ordered.
    #[serde(serialize_with = "kernel::clock::millis")]
    first_at: Option<Timestamp>,
    /// When the last was ordered.
    #[serde(serialize_with = "kernel::clock::millis")]
    last_at: Option<Timestamp>,
}

impl From<Orders> for OrdersView {
    fn from(orders: Orders) -> Self {
        let average = orders.sum.amount().checked_div(orders.count.into());
        Self {
            count: orders.count,
            total: orders.sum,
            average: average.map(Money::vnd),
            first_at: orders.first,
            last_at: orders.last,
        }
    }
}

/// A contact with what its page shows beside the profile.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContactPage)]
pub(crate) struct ContactPage {
    #[serde(flatten)]
    contact: Contact,
    orders: OrdersView,
    /// When the newest event of the timeline happened.
    #[serde(serialize_with = "kernel::clock::millis")]
    last_activity_at: Option<Timestamp>,
}

/// Show a contact, with its orders and its last activity.
///
/// `orders` counts completed orders. The segments and workflows of the contact are operations of their own.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}",
    operation_id = "showContact",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    responses((status = 200, description = "The contact", body = ContactPage)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowContact>,
    Path(id): Path<ContactId>,
) -> Result<Json<ContactPage>, Problem> {
    let contact = find(&api, caller.tenant, id).await?;
    let one = Limit::new(1).unwrap_or_default();
    let (orders, newest) = tokio::try_join!(
        api.dossiers.orders(caller.tenant, id),
        api.contacts.history(caller.tenant, &contact, one, None),
    )?;
    Ok(Json(ContactPage {
        contact,
        orders: orders.into(),
        last_activity_at: newest.data.first().map(|event| event.at),
    }))
}

/// The segments of a contact.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContactSegments)]
pub(crate) struct Segments {
    /// By name; a workspace has at most 200.
    data: Vec<Inside>,
}

/// List the segments that a contact is in.
///
/// A segment that is being built counts from the moment at which its members are complete.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}/segments",
    operation_id = "listContactSegments",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    responses((status = 200, description = "The segments", body = Segments)),
)]
pub async fn segments(
    State(api): State<Api>,
    caller: May<op::ListContactSegments>,
    Path(id): Path<ContactId>,
) -> Result<Json<Segments>, Problem> {
    find(&api, caller.tenant, id).await?;
    let data = api.dossiers.segments(caller.tenant, id).await?;
    Ok(Json(Segments { data }))
}

/// The workflows of a contact.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContactEnrollments)]
pub(crate) struct Enrollments {
    /// The latest 25, newest first.
    data: Vec<Entered>,
}

/// List the workflows that a contact entered.
///
/// The latest 25 runs, newest first, those of contacts that were merged into this one too. A run is shown some seconds after the
/// contact entered.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}/enrollments",
    operation_id = "listContactEnrollments",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact")),
    responses((status = 200, description = "The runs", body = Enrollments)),
)]
pub async fn enrollments(
    State(api): State<Api>,
    caller: May<op::ListContactEnrollments>,
    Path(id): Path<ContactId>,
) -> Result<Json<Enrollments>, Problem> {
    let contact = find(&api, caller.tenant, id).await?;
    let entered = api.workflows.of_contact(caller.tenant, contact.all_ids());
    let data = entered.await?;
    Ok(Json(Enrollments { data }))
}
