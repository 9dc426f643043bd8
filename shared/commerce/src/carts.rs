//! [`Carts`]: carts of sources, and the event of those that are left behind.
//!
//! A version of a cart moves the time at which the cart counts as left behind. The timer is written before the version,
//! and names its mark: a timer of an older version does nothing. When the timer is due, an order of the contact since
//! the cart began ends the wait. Otherwise the cart notes what it tells, then the event is written: a repetition writes
//! the same event. A cart is told once.
//!
//! Write units of a cart of a kilobyte: each version 1 and its timer 1; the event 2. A repeated or older version 0, at one
//! read unit.

use cloud::{Error, Key, Query, Resources, Table};
use contacts::{Contacts, Event};
use jiff::{SignedDuration, Timestamp};
use kernel::commerce::{CartDue, IncomingCart, IncomingOrder, VND};
use kernel::page::Page;
use kernel::{ContactId, TenantKey, clock};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::store::Placed;
use crate::{bounds, keys};

/// The event of a cart that is left behind.
pub const ABANDONED: &str = "cart.abandoned";
/// How long after it was due a cart is still told. A source that is connected later tells old carts.
const LATE: SignedDuration = SignedDuration::from_hours(24);
/// How long a cart is kept after its last version.
const KEEP: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Items that the event names.
const NAMED: usize = 10;

/// The stored item.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    version: u64,
    mark: String,
    contact: Option<ContactId>,
    due_at: Timestamp,
    is_ordered: bool,
    told: Option<Told>,
    /// Epoch seconds of expiry.
    ttl: i64,
    cart: IncomingCart,
}

/// The event of a cart: what a repetition writes again.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Told {
    mark: String,
    contact: ContactId,
    at: Timestamp,
}

/// A version of a cart that is not stored yet, and the timer to write before it.
#[derive(Debug)]
pub struct Due {
    key: Key,
    row: Row,
    expected: Option<u64>,
    /// When the cart counts as left behind, and the message for that time. `None`: nothing will be told.
    pub timer: Option<(Timestamp, CartDue)>,
}

/// The carts of all workspaces; every call names the tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Carts {
    table: Table,
    contacts: Contacts,
}

fn fitted(cart: &IncomingCart) -> IncomingCart {
    let text = |value: &String, most| bounds::text(value, most).unwrap_or_default();
    let items = cart.items.iter().take(NAMED);
    IncomingCart {
        url: cart.url.as_ref().map(|url| text(url, bounds::MAX_NOTE)),
        currency: text(&cart.currency, 3),
        items: items.map(bounds::fitted_item).collect(),
        ..cart.clone()
    }
}

fn mark_of(cart: &IncomingCart) -> String {
    let content = serde_json::to_string(cart).unwrap_or_default();
    let hash = kernel::hash::name(&[&content]);
    let hash = hash.get(..8).unwrap_or_default();
    let ordered = u8::from(cart.is_ordered);
    format!("{}#{ordered}{hash}", clock::sortable(cart.source_at))
}

impl Carts {
    /// Over the tables Commerce, Contacts, Directory and Timeline.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Commerce"),
            contacts: Contacts::over(resources),
        }
    }

    /// The next state of a cart after this version, which [`Carts::store`] writes after its timer. `None`: the version is
    /// not newer. `idle` is the time after the last change at which a cart counts as left behind.
    pub async fn next(
        &self,
        tenant: TenantKey,
        contact: Option<ContactId>,
        cart: &IncomingCart,
        idle: SignedDuration,
    ) -> Result<Option<Due>, Error> {
        let key = keys::cart(tenant, cart.source, &cart.shop, &cart.external_id);
        let before: Option<Row> = self.table.get(&key).await?;
        let mark = mark_of(cart);
        if before.as_ref().is_some_and(|row| row.mark >= mark) {
            return Ok(None);
        }
        let now = self.table.clock().now();
        let idle = if cart.is_abandoned {
            SignedDuration::ZERO
        } else {
            idle
        };
        let due_at = cart.source_at.saturating_add(idle).unwrap_or(now);
        let row = Row {
            version: before.as_ref().map_or(0, |row| row.version) + 1,
            contact: contact.or_else(|| before.as_ref()?.contact),
            due_at,
            is_ordered: cart.is_ordered || before.as_ref().is_some_and(|row| row.is_ordered),
            told: before.as_ref().and_then(|row| row.told.clone()),
            ttl: now.saturating_add(KEEP).unwrap_or(now).as_second(),
            cart: fitted(cart),
            mark: mark.clone(),
        };
        let is_late = due_at.saturating_add(LATE).is_ok_and(|last| last < now);
        let is_silent = row.is_ordered || row.told.is_some() || row.contact.is_none() || is_late;
        let due = CartDue {
            source: cart.source,
            shop: cart.shop.clone(),
            external_id: cart.external_id.clone(),
            mark,
        };
        Ok(Some(Due {
            key,
            row,
            expected: before.map(|row| row.version),
            timer: (!is_silent).then_some((due_at, due)),
        }))
    }

    /// Stores a version whose timer is written. [`Error::Conflict`]: another version came first.
    pub async fn store(&self, due: Due) -> Result<(), Error> {
        let Due {
            key, row, expected, ..
        } = due;
        self.table.replace_or_create(&key, &row, expected).await
    }

    /// Ends the wait of a cart that became an order of any contact. A cart that is not known stays unknown: an order of
    /// its contact ends its wait. Half a read unit, and one write unit for a cart that waits.
    pub async fn ordered(&self, tenant: TenantKey, order: &IncomingOrder) -> Result<(), Error> {
        let Some(cart) = order.cart.as_deref().filter(|cart| !cart.is_empty()) else {
            return Ok(());
        };
        let key = keys::cart(tenant, order.source, &order.shop, cart);
        let found: Option<Row> = self.table.look_up(&key).await?;
        let Some(mut row) = found.filter(|row| !row.is_ordered && row.told.is_none()) else {
            return Ok(());
        };
        let expected = row.version;
        row.version += 1;
        row.is_ordered = true;
        self.table.replace(&key, &row, expected).await
    }

    /// Tells of a cart that is left behind, unless its customer went on or ordered. Returns whether the event is new.
    pub async fn fall_due(&self, tenant: TenantKey, due: &CartDue) -> Result<bool, Error> {
        let key = keys::cart(tenant, due.source, &due.shop, &due.external_id);
        let Some(mut row) = self.table.get::<Row>(&key).await? else {
            return Ok(false);
        };
        if row.told.is_none() {
            let Some(contact) = row
                .contact
                .filter(|_| row.mark == due.mark && !row.is_ordered)
            else {
                return Ok(false);
            };
            let expected = row.version;
            row.version += 1;
            if self
                .has_ordered(tenant, contact, row.cart.started_at)
                .await?
            {
                row.is_ordered = true;
            } else {
                row.told = Some(Told {
                    mark: due.mark.clone(),
                    contact,
                    at: row.due_at,
                });
            }
            self.table.replace(&key, &row, expected).await?;
        }
        match row.told.as_ref().filter(|told| told.mark == due.mark) {
            Some(told) => {
                let event = event(&row.cart, told.at);
                let recorded = self.contacts.record_of_known(tenant, told.contact, &event);
                recorded.await
            }
            None => Ok(false),
        }
    }

    /// Whether the contact has an order since that time. One read unit.
    async fn has_ordered(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        since: Timestamp,
    ) -> Result<bool, Error> {
        let now = self.contacts.forward(tenant, contact).await?;
        let query = Query::partition(keys::orders_of(tenant, now.unwrap_or(contact)));
        let query = query.between(clock::sortable(since), "9").limit(1);
        let page: Page<Placed> = self.table.query(query).await?;
        Ok(!page.data.is_empty())
    }
}

/// The event, as the timeline of the contact has it.
fn event(cart: &IncomingCart, at: Timestamp) -> Event {
    let skus = cart.items.iter();
    let skus = skus.filter_map(|item| item.sku.as_ref().or(item.product.as_ref()));
    let currency = Some(cart.currency.as_str()).filter(|currency| !currency.is_empty());
    let source = cart.source.name();
    let id = kernel::hash::name(&["cart", source, &cart.shop, &cart.external_id]);
    Event {
        id: format!("{id}#{ABANDONED}"),
        name: ABANDONED.to_owned(),
        at,
        source: source.to_owned(),
        data: json!({
            "cart_id": cart.external_id,
            "source": cart.source,
            "shop": cart.shop,
            "url": cart.url,
            "total": cart.total,
            "currency": currency.unwrap_or(VND),
            "items": cart.items,
            "products": skus.collect::<Vec<_>>(),
        }),
    }
}
