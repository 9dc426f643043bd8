//! A stored order, and its next version. Pure: no I/O, no clock.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::{ContactId, Money, OrderId, TenantKey, UserId, clock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sheet::filed::Filed;
use kernel::commerce::{Amounts, IncomingOrder, Item, Receiver, Shipping, Times, VND};
use kernel::commerce::{OrderStatus, PaymentMethod, PaymentStatus, Source};

/// An order was placed.
pub const CREATED: &str = "order.created";
/// An order was paid.
pub const PAID: &str = "order.paid";
/// Shards of the indexes; one takes 500 orders a second.
const SHARD: u32 = 0;
/// Products that an event or a contact's row names.
const NAMED: usize = 10;

/// An order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Order {
    /// Our id.
    pub id: OrderId,
    /// The number that people call the order by.
    pub code: String,
    /// Where the order comes from.
    pub source: Source,
    /// The shop at the source.
    pub shop: Option<String>,
    /// The id at the source.
    pub external_id: Option<String>,
    /// The source's own word for the status.
    pub external_status: Option<String>,
    /// The customer; null if nobody is known, or the contact was erased.
    pub contact_id: Option<ContactId>,
    /// The customer's name at the time of the order.
    pub customer_name: Option<String>,
    /// The status.
    pub status: OrderStatus,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// How much is paid.
    pub payment_status: PaymentStatus,
    /// How it is paid.
    pub payment_method: Option<PaymentMethod>,
    /// The parcel.
    pub shipping: Shipping,
    /// Where the goods go.
    pub receiver: Receiver,
    /// ISO 4217. Amounts in VND are whole dong, others in the smallest unit.
    pub currency: String,
    /// The sums.
    #[serde(flatten)]
    pub amounts: Amounts,
    /// The items.
    pub items: Vec<Item>,
    /// The note that came with the order.
    pub note: Option<String>,
    /// The tags that came with the order.
    pub tags: Vec<String>,
    /// The note of the staff; it stays when the source changes the order.
    #[serde(default)]
    pub staff_note: Option<String>,
    /// The tags of the staff.
    #[serde(default)]
    pub staff_tags: Vec<String>,
    /// Custom fields of the shop's own definition; they stay when the source changes the order.
    #[serde(default)]
    pub custom: BTreeMap<String, Value>,
    /// The person who entered the order.
    #[serde(default)]
    pub staff_id: Option<UserId>,
    /// The shop's branch.
    pub branch: Option<String>,
    /// `utm_source` and the others.
    pub utm: BTreeMap<String, String>,
    /// When the customer ordered.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub ordered_at: Timestamp,
    /// When it reached its states.
    #[serde(flatten)]
    pub times: Times,
    /// When the product learned of it.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
    /// When the record last changed.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub updated_at: Timestamp,
}

/// The place of an order among those of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub contact: ContactId,
    pub at: Timestamp,
}

/// The stored item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Increases with each write.
    pub version: u64,
    /// Orders the versions of the source: see [`mark`].
    pub mark: String,
    /// The mark of the first version: a repeated request finds its own order by it.
    pub first: String,
    /// HASH of both indexes.
    pub tenant: String,
    /// HASH of `ByTime`; absent for an order that the tab of all orders leaves out.
    pub shown: Option<String>,
    /// HASH of `ByTab`.
    pub tab: String,
    /// The events of the order, each told once.
    #[serde(default)]
    pub told: BTreeMap<String, Timestamp>,
    /// Those of the last version.
    #[serde(default)]
    pub latest: Vec<String>,
    /// Whether the last version changes the totals of a contact.
    #[serde(default)]
    pub recount: bool,
    /// The hashes of the ordered products, for the filter of the lists.
    #[serde(default)]
    pub products: Vec<u32>,
    /// The former place among a contact's orders.
    #[serde(default)]
    pub was: Option<Place>,
    /// The row of the file that last told it.
    #[serde(default)]
    pub filed: Option<Filed>,
    #[serde(flatten)]
    pub order: Order,
}

/// Orders the versions of an order: by the time of the source, then by progress, then by content. So two changes of one
/// second are both kept, and every order of arrival ends with the same version.
pub(crate) fn mark(
    at: Timestamp,
    (status, payment): (OrderStatus, PaymentStatus),
    content: &str,
) -> String {
    let (status, payment) = (status as u8, payment as u8);
    let hash = kernel::hash::name(&[content]);
    let hash = hash.get(..8).unwrap_or_default();
    format!("{}#{status:02}{payment}{hash}", clock::sortable(at))
}

/// The mark of a version of the source.
pub(crate) fn mark_of(incoming: &IncomingOrder) -> String {
    let content = serde_json::to_string(incoming).unwrap_or_default();
    let state = (incoming.status, incoming.payment_status);
    mark(incoming.source_at, state, &content)
}

impl Row {
    /// The row after this version of the source. `before` has an earlier mark.
    pub fn of(
        tenant: TenantKey,
        id: OrderId,
        before: Option<&Self>,
        contact: Option<ContactId>,
        incoming: &IncomingOrder,
        now: Timestamp,
    ) -> Self {
        let mark = mark_of(incoming);
        let order = order(id, before.map(|row| &row.order), contact, incoming, now);
        let at = incoming.source_at;
        Self::next(tenant, before, mark, order, at)
    }

    /// The row after a change of the order.
    pub fn next(
        tenant: TenantKey,
        before: Option<&Self>,
        mark: String,
        order: Order,
        at: Timestamp,
    ) -> Self {
        let mut told = before.map(|row| row.told.clone()).unwrap_or_default();
        let old = before.map(|row| &row.order);
        let mut latest = Vec::new();
        // A customer who becomes known later has an empty timeline.
        let seen = old.filter(|old| old.contact_id.is_some() || order.contact_id.is_none());
        for name in reached(seen, &order) {
            if seen.is_none() || !told.contains_key(name) {
                let at = happened(name, &order, at);
                told.entry(name.to_owned()).or_insert(at);
                latest.push(name.to_owned());
            }
        }
        let place = |order: &Order| {
            let contact = order.contact_id?;
            let at = order.ordered_at;
            Some(Place { contact, at })
        };
        let former = old.and_then(place);
        let has_moved = old.is_some() && former != place(&order);
        let recount = has_moved || old.and_then(counted) != counted(&order);
        Self {
            version: before.map_or(0, |row| row.version) + 1,
            first: before.map_or_else(|| mark.clone(), |row| row.first.clone()),
            mark,
            tenant: tenant.to_string(),
            shown: (!order.status.is_void()).then(|| format!("1#{SHARD}")),
            tab: tab(order.status),
            products: products(&order),
            told,
            latest,
            recount,
            was: if has_moved {
                former
            } else {
                before.and_then(|row| row.was)
            },
            filed: before.and_then(|row| row.filed.clone()),
            order,
        }
    }

    /// Whether the row is this order of its source, and not another one with the same drawn id.
    pub fn is_of(&self, incoming: &IncomingOrder) -> bool {
        let order = &self.order;
        order.source == incoming.source
            && order.shop.as_deref().unwrap_or_default() == incoming.shop
            && order.external_id.as_deref() == Some(incoming.external_id.as_str())
    }
}

/// HASH of an order in the index `ByTab`.
pub(crate) fn tab(status: OrderStatus) -> String {
    format!("{}#{SHARD}", status.name())
}

/// HASH of all shown orders in the index `ByTime`.
pub(crate) fn all() -> String {
    format!("1#{SHARD}")
}

fn order(
    id: OrderId,
    before: Option<&Order>,
    contact: Option<ContactId>,
    incoming: &IncomingOrder,
    now: Timestamp,
) -> Order {
    let told = crate::bounds::fitted(incoming);
    let currency = Some(told.currency).filter(|currency| !currency.is_empty());
    Order {
        id,
        code: if told.code.is_empty() {
            id.to_string()
        } else {
            told.code
        },
        source: told.source,
        shop: Some(told.shop).filter(|shop| !shop.is_empty()),
        external_id: Some(told.external_id).filter(|external| !external.is_empty()),
        external_status: told.external_status,
        contact_id: contact.or_else(|| before.and_then(|order| order.contact_id)),
        customer_name: told.customer_name.or_else(|| told.receiver.name.clone()),
        status: told.status,
        cancel_reason: told.cancel_reason,
        payment_status: told.payment_status,
        payment_method: told.payment_method,
        shipping: told.shipping,
        receiver: told.receiver,
        currency: currency.unwrap_or_else(|| VND.to_owned()),
        amounts: told.amounts,
        items: told.items,
        note: told.note,
        tags: told.tags,
        staff_note: before.and_then(|order| order.staff_note.clone()),
        staff_tags: before.map_or_else(Vec::new, |order| order.staff_tags.clone()),
        custom: before.map_or_else(BTreeMap::new, |order| order.custom.clone()),
        staff_id: before.and_then(|order| order.staff_id),
        branch: told.branch,
        utm: told.utm,
        ordered_at: told.ordered_at,
        times: told.times,
        created_at: before.map_or(now, |order| order.created_at),
        updated_at: now,
    }
}

/// The price of an item: price times quantity, less its discount; whole dong, halves up.
fn line(item: &Item) -> i64 {
    let exact = i128::from(item.price.amount()) * i128::from(item.quantity.thousandths());
    let gross = i64::try_from((exact + 500) / 1_000).unwrap_or(i64::MAX);
    gross.saturating_sub(item.discount.amount())
}

/// Sets the sums that follow from the items, the discount, the fee and the tax of an order that is managed here.
pub fn add_up(amounts: &mut Amounts, items: &[Item]) {
    let subtotal = items.iter().map(line).fold(0i64, i64::saturating_add);
    let total = subtotal
        .saturating_sub(amounts.discount.amount())
        .saturating_add(amounts.shipping_fee.amount())
        .saturating_add(amounts.tax.amount());
    amounts.subtotal = Money::vnd(subtotal);
    amounts.total = Money::vnd(total);
}

/// The events of a change, in their order.
fn reached(before: Option<&Order>, order: &Order) -> Vec<&'static str> {
    let mut names = Vec::new();
    if before.is_none() {
        names.push(CREATED);
    }
    if before.is_none_or(|before| before.status != order.status) {
        names.extend(event_of(order.status));
    }
    let is_paid = |order: &Order| order.payment_status == PaymentStatus::Paid;
    if is_paid(order) && !before.is_some_and(is_paid) {
        names.push(PAID);
    }
    names
}

/// The event of an order that reaches the status.
pub fn event_of(status: OrderStatus) -> Option<&'static str> {
    match status {
        OrderStatus::Draft | OrderStatus::New => None,
        OrderStatus::Confirmed => Some("order.confirmed"),
        OrderStatus::Processing => Some("order.processing"),
        OrderStatus::Shipping => Some("order.shipped"),
        OrderStatus::Delivered => Some("order.delivered"),
        OrderStatus::Completed => Some("order.completed"),
        OrderStatus::Returned => Some("order.returned"),
        OrderStatus::Cancelled => Some("order.cancelled"),
    }
}

/// When an event happened, as the source says; otherwise when the source changed the order.
fn happened(name: &str, order: &Order, at: Timestamp) -> Timestamp {
    let times = &order.times;
    let told = match name {
        CREATED => Some(order.ordered_at),
        PAID => times.paid_at,
        "order.confirmed" => times.confirmed_at,
        "order.shipped" => times.shipped_at,
        "order.delivered" => times.delivered_at,
        "order.completed" => times.completed_at,
        "order.returned" | "order.cancelled" => times.ended_at,
        _ => None,
    };
    told.unwrap_or(at)
}

/// The part of an order in the totals of its contact: completed orders count.
pub(crate) fn counted(order: &Order) -> Option<(i64, Vec<u32>)> {
    let is_counted = order.status == OrderStatus::Completed;
    is_counted.then(|| (dong(order), products(order)))
}

/// The total in dong; nothing in another currency.
pub(crate) fn dong(order: &Order) -> i64 {
    if order.currency == VND {
        order.amounts.total.amount()
    } else {
        0
    }
}

/// The hashes of the ordered products, by the shop's code and by the id at the source.
pub(crate) fn products(order: &Order) -> Vec<u32> {
    let items = order.items.iter().take(2 * NAMED);
    let ids = items.flat_map(|item| item.sku.iter().chain(&item.product));
    let mut hashes = Vec::new();
    for hash in ids.map(|id| product_hash(id)) {
        if !hashes.contains(&hash) {
            hashes.push(hash);
        }
    }
    hashes
}

/// The hash under which a contact's state keeps a product that was bought.
pub fn product_hash(id: &str) -> u32 {
    let name = kernel::hash::name(&["product", id]);
    u32::from_str_radix(name.get(..8).unwrap_or_default(), 16).unwrap_or_default()
}

/// An event of the order on the timeline of its contact.
pub(crate) fn event(row: &Row, name: &str) -> Option<contacts::Event> {
    let order = &row.order;
    let skus = order.items.iter().take(NAMED);
    let skus = skus.filter_map(|item| item.sku.as_ref().or(item.product.as_ref()));
    Some(contacts::Event {
        id: format!("{}#{name}", order.id),
        name: name.to_owned(),
        at: *row.told.get(name)?,
        source: order.source.name().to_owned(),
        data: json!({
            "order_id": order.id,
            "code": order.code,
            "source": order.source,
            "shop": order.shop,
            "status": order.status,
            "payment_status": order.payment_status,
            "payment_method": order.payment_method,
            "total": order.amounts.total,
            "currency": order.currency,
            "products": skus.collect::<Vec<_>>(),
        }),
    })
}
