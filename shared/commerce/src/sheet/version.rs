//! The version of an order that follows from what a file says. Pure. Absent fields stay as they are.

use jiff::Timestamp;
use kernel::Money;
use kernel::commerce::{
    Amounts, IncomingOrder, Item, OrderStatus, PaymentStatus, Receiver, Shipping, Source, Times,
};

use super::orders::FileOrder;
use crate::change::MOST_TOTAL;
use crate::order::{Order, add_up};
use crate::product::compared;

impl FileOrder {
    /// The code as it names an order.
    pub fn key(&self) -> String {
        compared(&self.code)
    }

    /// Names what the file says: the same file says the same.
    pub fn hash(&self) -> String {
        kernel::hash::name(&[&serde_json::to_string(self).unwrap_or_default()])
    }

    /// The version of the order after this file, or why the order cannot be made of it. Absent fields stay as they are.
    pub fn incoming(
        &self,
        before: Option<&Order>,
        at: Timestamp,
    ) -> Result<IncomingOrder, &'static str> {
        let Some(ordered_at) = self.ordered_at.or(before.map(|one| one.ordered_at)) else {
            return Err("a new order needs the time at which it was ordered");
        };
        let items = if self.items.is_empty() {
            before.map(|one| one.items.clone()).unwrap_or_default()
        } else {
            self.items.clone()
        };
        let mut amounts = self.amounts(before, &items)?;
        let total = amounts.total.amount();
        let payment_status = self.payment(before, total);
        let kept = before.map(|one| one.amounts.paid.amount());
        let paid = match payment_status {
            PaymentStatus::Unpaid => 0,
            PaymentStatus::Partial => self.paid.or(kept).unwrap_or(0),
            PaymentStatus::Paid | PaymentStatus::Refunded => total,
        };
        amounts.paid = Money::vnd(paid);
        let is_refunded = payment_status == PaymentStatus::Refunded;
        amounts.refunded = Money::vnd(if is_refunded { total } else { 0 });
        let or = |new: &Option<String>, old: Option<String>| new.clone().or(old);
        let (shipping, receiver, times) = before.map_or_else(Default::default, |one| {
            (one.shipping.clone(), one.receiver.clone(), one.times)
        });
        let ours = &self.receiver;
        Ok(IncomingOrder {
            source: Source::Import,
            external_id: self.key(),
            code: self.code.clone(),
            ordered_at,
            source_at: at,
            status: self.status_after(before),
            cancel_reason: or(
                &self.cancel_reason,
                before.and_then(|one| one.cancel_reason.clone()),
            ),
            times: Times {
                paid_at: self.paid_at.or(times.paid_at),
                completed_at: self.completed_at.or(times.completed_at),
                ..times
            },
            payment_status,
            payment_method: self
                .payment_method
                .or(before.and_then(|one| one.payment_method)),
            shipping: Shipping {
                carrier: or(&self.carrier, shipping.carrier),
                tracking_code: or(&self.tracking_code, shipping.tracking_code),
                status: shipping.status,
            },
            amounts,
            items,
            note: or(&self.note, before.and_then(|one| one.note.clone())),
            tags: if self.tags.is_empty() {
                before.map(|one| one.tags.clone()).unwrap_or_default()
            } else {
                self.tags.clone()
            },
            branch: or(&self.branch, before.and_then(|one| one.branch.clone())),
            receiver: Receiver {
                name: or(&ours.name, receiver.name),
                phone: or(&ours.phone, receiver.phone),
                address: or(&ours.address, receiver.address),
                ward: or(&ours.ward, receiver.ward),
                district: or(&ours.district, receiver.district),
                province: or(&ours.province, receiver.province),
                country: receiver.country,
            },
            customer_name: or(
                &self.customer_name,
                before.and_then(|one| one.customer_name.clone()),
            ),
            ..IncomingOrder::default()
        })
    }

    /// Whether the file says a status to which the order does not go back.
    pub fn is_backwards(&self, before: Option<&Order>) -> bool {
        let told = self.status.zip(before);
        told.is_some_and(|(new, one)| new != one.status && !one.status.may_become(new))
    }

    fn status_after(&self, before: Option<&Order>) -> OrderStatus {
        match (self.status, before) {
            (Some(status), _) if !self.is_backwards(before) => status,
            (_, Some(one)) => one.status,
            (_, None) => OrderStatus::default(),
        }
    }

    /// The sums: the total that the file says, or that of the items.
    fn amounts(&self, before: Option<&Order>, items: &[Item]) -> Result<Amounts, &'static str> {
        let sums = [self.discount, self.shipping_fee, self.tax, self.total];
        let is_silent = self.items.is_empty() && sums.iter().all(Option::is_none);
        match before {
            Some(one) if is_silent => return Ok(one.amounts),
            None if self.items.is_empty() && self.total.is_none() => {
                return Err("a new order needs an item or a total");
            }
            _ => {}
        }
        let mut amounts = before.map(|one| one.amounts).unwrap_or_default();
        for (slot, told) in [
            (&mut amounts.discount, self.discount),
            (&mut amounts.shipping_fee, self.shipping_fee),
            (&mut amounts.tax, self.tax),
        ] {
            *slot = told.map_or(*slot, Money::vnd);
        }
        add_up(&mut amounts, items);
        if let Some(total) = self.total {
            amounts.total = Money::vnd(total);
        }
        if !(0..=MOST_TOTAL).contains(&amounts.total.amount()) {
            return Err("the total must be between 0 and 1000000000000");
        }
        Ok(amounts)
    }

    fn payment(&self, before: Option<&Order>, total: i64) -> PaymentStatus {
        let told = self.payment_status.or_else(|| {
            self.paid.map(|paid| match paid {
                0 => PaymentStatus::Unpaid,
                paid if paid >= total => PaymentStatus::Paid,
                _ => PaymentStatus::Partial,
            })
        });
        told.or(before.map(|one| one.payment_status))
            .unwrap_or_default()
    }
}
