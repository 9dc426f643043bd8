//! Writes of the orders of a file. Each may run twice, late and concurrently, and may be killed at any point.
//!
//! An order of a file has its code as natural key. It remembers the row that told it: a repeated step finds its own
//! order, and a file that says the same changes nothing.
//!
//! Write units of an order: as that of a source. A row that says nothing new: 0, at 3.5 read units.

use cloud::Error;
use jiff::Timestamp;
use kernel::commerce::Source;
use kernel::{ContactId, OrderId, TenantKey};

use super::filed::{Asking, Settled};
use super::orders::FileOrder;
use crate::keys;
use crate::order::{Row, mark};
use crate::store::{Natural, Orders, ROUNDS, after};

/// The end of a row, and its order.
pub(crate) type End = (Settled, Option<OrderId>);

/// The order of a code, as it is known.
struct Known {
    id: Option<OrderId>,
    row: Option<Row>,
}

impl Orders {
    /// The end of a row if its order does not change, and whether the order is known. Does what a killed run left, unless
    /// this is a trial.
    pub(crate) async fn judge_file(
        &self,
        tenant: TenantKey,
        told: &FileOrder,
        asking: &Asking,
        is_trial: bool,
    ) -> Result<(Option<End>, bool), Error> {
        if let Some(end) = self.of_staff(tenant, told).await? {
            return Ok((Some(end), true));
        }
        let known = self.filed(tenant, told).await?;
        let row = known.row.as_ref().filter(|row| is_of(row, told));
        if let Some(row) = row.filter(|_| !is_trial) {
            self.complete(tenant, row).await?;
        }
        let is_known = row.is_some();
        Ok((end_of(told, asking, &known), is_known))
    }

    /// Stores what a file says about an order, for the contact that ordered.
    pub(crate) async fn file(
        &self,
        tenant: TenantKey,
        contact: Option<ContactId>,
        told: &FileOrder,
        asking: &Asking,
    ) -> Result<End, Error> {
        let natural = keys::natural(tenant, Source::Import, "", &told.key());
        for _ in 0..ROUNDS {
            let mut known = self.filed(tenant, told).await?;
            if let Some(row) = known.row.as_ref().filter(|row| is_of(row, told)) {
                // A run that was killed may have left the rows of the last version.
                self.complete(tenant, row).await?;
            }
            if let Some(end) = end_of(told, asking, &known) {
                return Ok(end);
            }
            let id = match known.id {
                Some(id) => id,
                None => {
                    self.claim(
                        &natural,
                        OrderId::new(self.table.clock(), self.table.entropy()),
                    )
                    .await?
                }
            };
            if known.id.is_none() {
                known.row = self.table.get(&keys::order(tenant, id)).await?;
            }
            if known.row.as_ref().is_some_and(|row| !is_of(row, told)) {
                // Two orders drew one id.
                self.draw_again(&natural, id).await?;
                continue;
            }
            if known.id.is_none() && known.row.is_some() {
                continue;
            }
            match self
                .write_filed(tenant, (id, known.row.as_ref()), contact, told, asking)
                .await
            {
                Err(Error::Conflict) => {}
                other => return other,
            }
        }
        Err(Error::Conflict)
    }

    async fn write_filed(
        &self,
        tenant: TenantKey,
        (id, before): (OrderId, Option<&Row>),
        contact: Option<ContactId>,
        told: &FileOrder,
        asking: &Asking,
    ) -> Result<End, Error> {
        let old = before.map(|row| &row.order);
        let incoming = match told.incoming(old, asking.at) {
            Ok(incoming) => incoming,
            Err(why) => return Ok((Settled::failed(why), None)),
        };
        let now = self.table.clock().now();
        let at = before.map_or(asking.at, |row| after(&row.mark, asking.at));
        let version = Row::of(tenant, id, before, contact, &incoming, now);
        let state = (incoming.status, incoming.payment_status);
        let mark = mark(at, state, &asking.hash);
        // The events of an old order are not of today.
        let happened = if before.is_some() {
            at
        } else {
            incoming.ordered_at
        };
        let mut row = Row::next(tenant, before, mark, version.order, happened);
        row.filed = Some(asking.filed(before.is_none()));
        let expected = before.map(|row| row.version);
        let key = keys::order(tenant, id);
        self.table.replace_or_create(&key, &row, expected).await?;
        self.finish(tenant, &row).await?;
        let is_backwards = told.is_backwards(old);
        let note = "the status of an order only moves forward: it stays";
        let told = is_backwards.then(|| note.to_owned());
        let stored = Settled::stored(before.is_none());
        Ok((Settled { told, ..stored }, Some(id)))
    }

    /// The end of a row about an order that staff entered: it stays. One read unit.
    async fn of_staff(&self, tenant: TenantKey, told: &FileOrder) -> Result<Option<End>, Error> {
        let code = kernel::text::fold(&told.code);
        let key = keys::natural(tenant, Source::Manual, "", &code);
        let found: Option<Natural> = self.table.get(&key).await?;
        let end = Settled::skipped("staff entered an order with this code: it is changed there");
        Ok(found.map(|natural| (end, Some(natural.order))))
    }

    async fn filed(&self, tenant: TenantKey, told: &FileOrder) -> Result<Known, Error> {
        let key = keys::natural(tenant, Source::Import, "", &told.key());
        let Some(natural) = self.table.get::<Natural>(&key).await? else {
            return Ok(Known {
                id: None,
                row: None,
            });
        };
        let row: Option<Row> = self.table.get(&keys::order(tenant, natural.order)).await?;
        Ok(Known {
            id: Some(natural.order),
            row,
        })
    }
}

/// Whether the row is the order of this code, and not another one with the same drawn id.
fn is_of(row: &Row, told: &FileOrder) -> bool {
    let order = &row.order;
    order.source == Source::Import && order.external_id.as_deref() == Some(told.key().as_str())
}

fn end_of(told: &FileOrder, asking: &Asking, known: &Known) -> Option<End> {
    let row = known.row.as_ref().filter(|row| is_of(row, told))?;
    let changed_at = row.mark.split('#').next().and_then(|at| at.parse().ok());
    let settled = asking.settled(
        row.filed.as_ref(),
        changed_at.unwrap_or(Timestamp::UNIX_EPOCH),
    );
    settled.map(|settled| (settled, Some(row.order.id)))
}
