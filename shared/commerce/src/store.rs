//! Writes of orders. Each may run twice, late, in any order and concurrently, and may be killed at any point.
//!
//! Order of the writes of a version: the row of its natural key, then the order under its version. That is the commit.
//! Then its rows follow: the code, the events, and last the row of the contact, whose mark says that all is done. A
//! repeated version writes nothing if that mark is the order's; else it does the rest.
//!
//! The row of the contact carries the message for the contact's totals, where they change ([`TOTALS`]).
//!
//! Write units with two items and an address (about 1.5 KB): a new order 8, and 3 more if it counts at once; a change
//! of the status 7; a repeated or older version 0, at 2 read units. The effect of the totals costs 3.
//!
//! A new order of a source or of staff within five days of a click counts for the campaign whose link the contact followed last: half a read
//! unit or so for the clicks, and a write unit if there is one. The event of the order is written once, and the run
//! that writes it counts.

use cloud::outbox::{Image, Rule};
use cloud::{Counters, Created, Effect, Error, Pending, Resources, Table, Update};
use contacts::{ContactChanged, Contacts};
use jiff::{SignedDuration, Timestamp};
use kernel::{ContactId, OrderId, TenantKey, UserId};
use serde::{Deserialize, Serialize};

use crate::change::{Change, Changed};
use crate::keys;
use crate::order::{CREATED, Order, Place, Row, counted, dong, event, mark, mark_of, products};
use kernel::commerce::IncomingOrder;
use kernel::commerce::PaymentStatus;

/// Tries of a write against other writers of the same order.
pub(crate) const ROUNDS: u32 = 8;

/// The outcome of [`Orders::record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The order.
    pub order: OrderId,
    /// The effect of the version.
    pub outcome: Outcome,
}

/// The outcome of [`Orders::create`].
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// The order, by this request or an earlier run of it.
    Yes(Box<Order>),
    /// Another order that staff entered has the code.
    CodeTaken,
}

/// The effect of a version of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The order is new.
    Created,
    /// The order changed.
    Changed,
    /// A later version is known.
    Older,
    /// The version is known.
    Same,
}

/// The row of a natural key.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Natural {
    pub order: OrderId,
}

/// The row of a code.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Coded {
    pub order: OrderId,
}

/// An order among those of its contact.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Placed {
    pub order: OrderId,
    pub ordered_at: Timestamp,
    #[serde(default)]
    pub counts: bool,
    /// Whole dong.
    #[serde(default)]
    pub dong: i64,
    #[serde(default)]
    pub products: Vec<u32>,
    pub mark: String,
}

/// On the row of a contact's order: has the totals of the contact made again.
pub(crate) const TOTALS: Rule = Rule {
    name: "commerce.totals",
    messages: totals,
};

#[derive(Deserialize)]
struct Moved {
    was: Option<ContactId>,
}

fn totals(image: &Image) -> Result<Vec<Effect>, Error> {
    let subject: String = image.subject()?;
    let contact = subject.strip_suffix("#ORD").map(str::parse);
    let Some(Ok(contact)) = contact else {
        return Err(Error::Shape("the row is no contact's order".into()));
    };
    let Moved { was } = image.row()?;
    let contacts = [Some(contact), was];
    let of = |contact: ContactId| {
        let message = ContactChanged::Ordered { contact };
        Effect::new(image.tenant(), format!("{contact}#orders"), &message)
    };
    contacts.into_iter().flatten().map(of).collect()
}

/// The orders of all workspaces; every call names the tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Orders {
    pub(crate) table: Table,
    pub(crate) contacts: Contacts,
    /// Absent if orders count for no campaign.
    pub(crate) counters: Option<Counters>,
}

impl Orders {
    /// Over the tables Commerce, Contacts, Directory and Timeline.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Commerce"),
            contacts: Contacts::over(resources),
            counters: None,
        }
    }

    /// The same orders, which count for the campaigns that they follow, in the table Reports.
    #[must_use]
    pub fn counting(self, resources: &Resources) -> Self {
        Self {
            counters: Some(Counters::over(resources)),
            ..self
        }
    }

    /// Over the same tables. Its events start no workflow.
    pub fn silent(resources: &Resources) -> Self {
        Self {
            contacts: Contacts::silent(resources),
            ..Self::over(resources)
        }
    }

    /// Records a version of an order of a source, for the contact that ordered. Without a contact the order has no place
    /// on a timeline and in totals, until a later version has one. Every order of arrival, and any
    /// repetition, ends with the latest version.
    pub async fn record(
        &self,
        tenant: TenantKey,
        contact: Option<ContactId>,
        incoming: &IncomingOrder,
    ) -> Result<Recorded, Error> {
        let mark = mark_of(incoming);
        for _ in 0..ROUNDS {
            let id = self.claimed(tenant, incoming).await?;
            let key = keys::order(tenant, id);
            let before: Option<Row> = self.table.get(&key).await?;
            if before.as_ref().is_some_and(|row| !row.is_of(incoming)) {
                // Two orders drew one id.
                self.draw_again(&natural(tenant, incoming), id).await?;
                continue;
            }
            if let Some(row) = before.as_ref().filter(|row| row.mark >= mark) {
                self.complete(tenant, row).await?;
                let is_same = row.mark == mark;
                let outcome = if is_same {
                    Outcome::Same
                } else {
                    Outcome::Older
                };
                return Ok(Recorded { order: id, outcome });
            }
            if let Some(row) = &before {
                // A run that was killed may have left the rows of the last version.
                self.complete(tenant, row).await?;
            }
            let now = self.table.clock().now();
            let row = Row::of(tenant, id, before.as_ref(), contact, incoming, now);
            let expected = before.as_ref().map(|row| row.version);
            match self.table.replace_or_create(&key, &row, expected).await {
                Ok(()) => {}
                Err(Error::Conflict) => continue,
                Err(error) => return Err(error),
            }
            self.finish(tenant, &row).await?;
            let outcome = if before.is_none() {
                Outcome::Created
            } else {
                Outcome::Changed
            };
            return Ok(Recorded { order: id, outcome });
        }
        Err(Error::Conflict)
    }

    /// The id of an order of a source. One half of a read unit for a known order; one write unit for a new one.
    async fn claimed(&self, tenant: TenantKey, incoming: &IncomingOrder) -> Result<OrderId, Error> {
        let key = natural(tenant, incoming);
        if let Some(known) = self.table.look_up::<Natural>(&key).await? {
            return Ok(known.order);
        }
        self.claim(&key, OrderId::new(self.table.clock(), self.table.entropy()))
            .await
    }

    /// The id of a natural key: this one if the key has none.
    pub(crate) async fn claim(&self, key: &cloud::Key, order: OrderId) -> Result<OrderId, Error> {
        match self.table.create(key, &Natural { order }).await? {
            Created::New => Ok(order),
            Created::Existing(known) => Ok(known.order),
        }
    }

    /// Another id for a natural key whose id belongs to another order. Returns the id that the key has then.
    pub(crate) async fn draw_again(
        &self,
        key: &cloud::Key,
        taken: OrderId,
    ) -> Result<OrderId, Error> {
        let order = OrderId::new(self.table.clock(), self.table.entropy());
        let update = Update::new()
            .set("order", order)
            .when_equals("order", taken);
        let outcome = self.table.update(key, update).await?;
        let now: Option<Natural> = outcome.item()?;
        now.map(|row| row.order).ok_or(Error::Conflict)
    }

    /// Makes an order that staff enter. Its code, if it has one, is its natural key: no other order that staff entered
    /// has it. One write unit for that. Safe to repeat.
    pub async fn create(
        &self,
        tenant: TenantKey,
        ids: &[OrderId],
        contact: ContactId,
        incoming: &IncomingOrder,
        staff: Option<UserId>,
    ) -> Result<Made, Error> {
        let at = incoming.source_at;
        let code = kernel::text::fold(&incoming.code);
        let natural = keys::natural(tenant, incoming.source, "", &code);
        let mut claimed = None;
        for &draw in ids {
            let id = match claimed {
                _ if code.is_empty() => draw,
                // The order of the code drew the id of another order.
                Some(taken) => self.draw_again(&natural, taken).await?,
                None => self.claim(&natural, draw).await?,
            };
            claimed = Some(id);
            let mut row = Row::of(tenant, id, None, Some(contact), incoming, at);
            row.order.staff_id = staff;
            let key = keys::order(tenant, id);
            let row = match self.table.create(&key, &row).await? {
                Created::New => {
                    self.finish(tenant, &row).await?;
                    row
                }
                Created::Existing(found) if found.first == row.first => {
                    self.complete(tenant, &found).await?;
                    found
                }
                Created::Existing(found) => {
                    let order = &found.order;
                    let is_own = order.source == incoming.source;
                    if is_own && !code.is_empty() && kernel::text::fold(&order.code) == code {
                        return Ok(Made::CodeTaken);
                    }
                    continue;
                }
            };
            return Ok(Made::Yes(Box::new(row.order)));
        }
        Err(Error::Conflict)
    }

    /// Changes an order as staff ask.
    pub async fn change(
        &self,
        tenant: TenantKey,
        id: OrderId,
        change: &Change,
    ) -> Result<Changed, Error> {
        for _ in 0..ROUNDS {
            let key = keys::order(tenant, id);
            let Some(before) = self.table.get::<Row>(&key).await? else {
                return Ok(Changed::Missing);
            };
            let now = self.table.clock().now();
            let mut order = before.order.clone();
            if let Err(refused) = change.apply(&mut order, now) {
                return Ok(refused);
            }
            self.complete(tenant, &before).await?;
            if order == before.order {
                return Ok(Changed::Yes(Box::new(before.order)));
            }
            order.updated_at = now;
            let row = if change.is_of_staff_only() {
                Row {
                    version: before.version + 1,
                    order,
                    ..before.clone()
                }
            } else {
                let at = after(&before.mark, now);
                let content = serde_json::to_string(&order)?;
                let mark = mark(at, (order.status, order.payment_status), &content);
                Row::next(tenant, Some(&before), mark, order, now)
            };
            match self.table.replace(&key, &row, before.version).await {
                Ok(()) => {}
                Err(Error::Conflict) => continue,
                Err(error) => return Err(error),
            }
            if row.mark != before.mark {
                self.finish(tenant, &row).await?;
            }
            return Ok(Changed::Yes(Box::new(row.order)));
        }
        Err(Error::Conflict)
    }

    /// Gives the orders of a contact to another one, or takes the person out of them: the amounts stay. May be
    /// repeated. Four write units an order, and two for each kilobyte.
    pub async fn hand_over(
        &self,
        tenant: TenantKey,
        from: ContactId,
        to: Option<ContactId>,
    ) -> Result<(), Error> {
        let placed = self.placed(tenant, from, usize::MAX).await?;
        for one in placed {
            self.hand_over_one(tenant, from, to, &one).await?;
        }
        Ok(())
    }

    async fn hand_over_one(
        &self,
        tenant: TenantKey,
        from: ContactId,
        to: Option<ContactId>,
        placed: &Placed,
    ) -> Result<(), Error> {
        let key = keys::order(tenant, placed.order);
        // Each conflict is the success of another run, so this loop ends.
        loop {
            let before: Option<Row> = self.table.get(&key).await?;
            let Some(before) = before.filter(|row| row.order.contact_id == Some(from)) else {
                let old = keys::order_of(tenant, from, placed.ordered_at, placed.order);
                return self.table.delete(&old).await;
            };
            self.complete(tenant, &before).await?;
            let mut row = before.clone();
            row.version += 1;
            row.latest.clear();
            row.recount = true;
            row.order.contact_id = to;
            // An erased contact is named nowhere.
            row.was = to.map(|_| Place {
                contact: from,
                at: before.order.ordered_at,
            });
            if to.is_none() {
                let order = &mut row.order;
                order.customer_name = None;
                order.receiver = kernel::commerce::Receiver::default();
                (order.note, order.staff_note) = (None, None);
                order.custom.clear();
            }
            match self.table.replace(&key, &row, before.version).await {
                Ok(()) if to.is_some() => return self.finish(tenant, &row).await,
                // Then the next round deletes the place of the order.
                Ok(()) | Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Does what is left of the last version. Half a read unit, and nothing else if all is done.
    pub(crate) async fn complete(&self, tenant: TenantKey, row: &Row) -> Result<(), Error> {
        let order = &row.order;
        let Some(contact) = order.contact_id else {
            let key = keys::code(tenant, &order.code, order.id);
            return match self.table.look_up::<Coded>(&key).await? {
                Some(_) => Ok(()),
                None => self.finish(tenant, row).await,
            };
        };
        let key = keys::order_of(tenant, contact, order.ordered_at, order.id);
        let placed: Option<Placed> = self.table.look_up(&key).await?;
        if placed.is_some_and(|placed| placed.mark >= row.mark) {
            return Ok(());
        }
        self.finish(tenant, row).await
    }

    /// The rows that follow from a version. The last write says that all of them are done.
    pub(crate) async fn finish(&self, tenant: TenantKey, row: &Row) -> Result<(), Error> {
        let order = &row.order;
        if row.latest.iter().any(|name| name == CREATED) {
            let key = keys::code(tenant, &order.code, order.id);
            self.table.put(&key, &Coded { order: order.id }).await?;
        }
        let place = order.contact_id.map(|contact| Place {
            contact,
            at: order.ordered_at,
        });
        if let Some(was) = row.was.filter(|_| row.was != place) {
            let old = keys::order_of(tenant, was.contact, was.at, order.id);
            self.table.delete(&old).await?;
        }
        let Some(contact) = order.contact_id else {
            return Ok(());
        };
        for event in row.latest.iter().filter_map(|name| event(row, name)) {
            let is_new = self.contacts.record(tenant, contact, &event).await?;
            if is_new && event.name == CREATED {
                self.credit(tenant, contact, order).await;
            }
        }
        let key = keys::order_of(tenant, contact, order.ordered_at, order.id);
        self.table.update(&key, placing(row)).await.map(drop)
    }
}

fn natural(tenant: TenantKey, incoming: &IncomingOrder) -> cloud::Key {
    let IncomingOrder {
        source,
        shop,
        external_id,
        ..
    } = incoming;
    keys::natural(tenant, *source, shop, external_id)
}

/// The row of the contact's order, unless a later version has written it.
fn placing(row: &Row) -> Update {
    let order = &row.order;
    let update = Update::new()
        .set("order", order.id)
        .set("ordered_at", kernel::clock::sortable(order.ordered_at))
        .set("status", order.status)
        .set("counts", counted(order).is_some())
        .set("dong", dong(order))
        .set("products", products(order))
        .set("mark", &row.mark)
        .set_some("was", row.was.map(|was| was.contact))
        .when_absent_or_less("mark", &row.mark);
    if row.recount {
        update.set("pending", Pending::of(&[TOTALS]))
    } else {
        update
    }
}

/// A time after that of the mark, so that the change of the staff is the latest version.
pub(crate) fn after(mark: &str, now: Timestamp) -> Timestamp {
    let last = mark.split('#').next().and_then(|at| at.parse().ok());
    let next = last.map(|last: Timestamp| last + SignedDuration::from_millis(1));
    next.map_or(now, |next| next.max(now))
}

/// Sets the amount that is paid, as the payment status says.
pub(crate) fn settle(order: &mut Order, status: PaymentStatus) {
    order.payment_status = status;
    let total = order.amounts.total;
    match status {
        PaymentStatus::Paid => order.amounts.paid = total,
        PaymentStatus::Unpaid => order.amounts.paid = kernel::Money::default(),
        PaymentStatus::Refunded => order.amounts.refunded = total,
        PaymentStatus::Partial => {}
    }
}
