//! A change of an order that staff make. Pure.

use contacts::fields::{Values, change_values};
use jiff::Timestamp;
use kernel::{Money, Patch};

use crate::bounds;
use crate::order::{Order, add_up};
use crate::store::settle;
use kernel::commerce::{Item, Shipping};
use kernel::commerce::{OrderStatus, PaymentMethod, PaymentStatus};

/// The fields to change. The note, the tags and the custom fields of the staff may be changed for every order. All else may be
/// changed only for orders that are managed here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// A later status, or the end of the order.
    pub status: Option<OrderStatus>,
    /// Why it is cancelled.
    pub cancel_reason: Patch<String>,
    /// How much is paid.
    pub payment_status: Option<PaymentStatus>,
    /// How it is paid.
    pub payment_method: Patch<PaymentMethod>,
    /// The parcel.
    pub shipping: Option<Shipping>,
    /// The items. With them, or one of the next three, the sums follow from the items.
    pub items: Option<Vec<Item>>,
    /// Discount on the order.
    pub discount: Option<Money>,
    /// The fee for shipping.
    pub shipping_fee: Option<Money>,
    /// Tax that is added.
    pub tax: Option<Money>,
    /// The note of the staff.
    pub staff_note: Patch<String>,
    /// The tags of the staff.
    pub staff_tags: Option<Vec<String>>,
    /// Custom fields in their stored form; null clears.
    pub custom: Values,
}

/// The outcome of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// The order after it.
    Yes(Box<Order>),
    /// The order is changed at its source.
    ReadOnly,
    /// The order does not go back from this status.
    Backwards(OrderStatus),
    /// The items of an order that is cancelled or returned stay.
    Ended,
    /// The total would be negative or too large.
    Total,
    /// The custom fields would be longer than [`contacts::fields::MAX_VALUES_BYTES`].
    Full,
    /// There is no such order.
    Missing,
}

/// Largest total of an order that is managed here, in dong.
pub const MOST_TOTAL: i64 = 1_000_000_000_000;

impl Change {
    /// Whether only the note, the tags and the custom fields of the staff change.
    pub(crate) fn is_of_staff_only(&self) -> bool {
        let bare = Self {
            staff_note: self.staff_note.clone(),
            staff_tags: self.staff_tags.clone(),
            custom: self.custom.clone(),
            ..Self::default()
        };
        *self == bare
    }

    fn changes_sums(&self) -> bool {
        self.items.is_some()
            || self.discount.is_some()
            || self.shipping_fee.is_some()
            || self.tax.is_some()
    }

    /// The items and the sums that follow from them. An order that is paid stays paid.
    fn apply_sums(&self, order: &mut Order) -> Result<(), Changed> {
        if order.status.is_void() {
            return Err(Changed::Ended);
        }
        if let Some(items) = &self.items {
            order.items.clone_from(items);
        }
        let amounts = &mut order.amounts;
        amounts.discount = self.discount.unwrap_or(amounts.discount);
        amounts.shipping_fee = self.shipping_fee.unwrap_or(amounts.shipping_fee);
        amounts.tax = self.tax.unwrap_or(amounts.tax);
        add_up(amounts, &order.items);
        if !(0..=MOST_TOTAL).contains(&amounts.total.amount()) {
            return Err(Changed::Total);
        }
        let status = order.payment_status;
        if status == PaymentStatus::Paid {
            settle(order, status);
        }
        Ok(())
    }

    /// Changes the order, or says why not.
    pub(crate) fn apply(&self, order: &mut Order, now: Timestamp) -> Result<(), Changed> {
        if !self.is_of_staff_only() && !order.source.is_own() {
            return Err(Changed::ReadOnly);
        }
        if self.changes_sums() {
            self.apply_sums(order)?;
        }
        if let Some(status) = self.status.filter(|status| *status != order.status) {
            if !order.status.may_become(status) {
                return Err(Changed::Backwards(order.status));
            }
            order.status = status;
            reach(order, now);
        }
        if let Some(status) = self
            .payment_status
            .filter(|one| *one != order.payment_status)
        {
            settle(order, status);
            if status == PaymentStatus::Paid {
                order.times.paid_at = Some(now);
            }
        }
        let reason = self.cancel_reason.clone().onto(order.cancel_reason.take());
        order.cancel_reason = reason.and_then(|text| bounds::text(&text, bounds::MAX_NOTE));
        order.payment_method = self.payment_method.onto(order.payment_method);
        if let Some(shipping) = &self.shipping {
            order.shipping = shipping.clone();
        }
        let note = self.staff_note.clone().onto(order.staff_note.take());
        order.staff_note = note.and_then(|text| bounds::text(&text, bounds::MAX_NOTE));
        if let Some(tags) = &self.staff_tags {
            order.staff_tags = bounds::tags(tags);
        }
        change_values(&mut order.custom, &self.custom).map_err(|_| Changed::Full)
    }
}

/// Notes when the order reached its status.
fn reach(order: &mut Order, now: Timestamp) {
    let times = &mut order.times;
    let slot = match order.status {
        OrderStatus::Confirmed => &mut times.confirmed_at,
        OrderStatus::Shipping => &mut times.shipped_at,
        OrderStatus::Delivered => &mut times.delivered_at,
        OrderStatus::Completed => &mut times.completed_at,
        OrderStatus::Returned | OrderStatus::Cancelled => &mut times.ended_at,
        OrderStatus::Draft | OrderStatus::New | OrderStatus::Processing => return,
    };
    *slot = Some(now);
}
