//! A change of an order that staff make. Pure.

use jiff::Timestamp;
use kernel::Patch;

use crate::bounds;
use crate::order::Order;
use crate::store::settle;
use kernel::commerce::Shipping;
use kernel::commerce::{OrderStatus, PaymentMethod, PaymentStatus};

/// The fields to change. The note and the tags of the staff may be changed for every order, all else only for orders that
/// are managed here.
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
    /// The note of the staff.
    pub staff_note: Patch<String>,
    /// The tags of the staff.
    pub staff_tags: Option<Vec<String>>,
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
    /// There is no such order.
    Missing,
}

impl Change {
    /// Whether only the note and the tags of the staff change.
    pub(crate) fn is_of_staff_only(&self) -> bool {
        let bare = Self {
            staff_note: self.staff_note.clone(),
            staff_tags: self.staff_tags.clone(),
            ..Self::default()
        };
        *self == bare
    }

    /// Changes the order, or says why not.
    pub(crate) fn apply(&self, order: &mut Order, now: Timestamp) -> Result<(), Changed> {
        if !self.is_of_staff_only() && !order.source.is_own() {
            return Err(Changed::ReadOnly);
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
        Ok(())
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
