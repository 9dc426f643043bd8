//! The bodies that change orders, and their checks.

use std::collections::BTreeSet;

use commerce::{Change, Item, OrderStatus, PaymentMethod, PaymentStatus, Shipping};
use contacts::Definitions;
use contacts::fields::Values;
use kernel::{Money, OrderId, Patch};
use lambda::http::{Flaws, Problem};
use serde::{Deserialize, Serialize};

use super::{ItemIn, amount, check_items, check_note, check_shipping, check_tags};

/// The fields of an order to change (RFC 7396): absent ones stay, `null` clears.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = OrderChange)]
#[serde(deny_unknown_fields)]
pub struct OrderPatch {
    /// A later status; of an order that is managed here.
    status: Option<OrderStatus>,
    payment_status: Option<PaymentStatus>,
    #[serde(default)]
    #[schema(value_type = Option<PaymentMethod>)]
    payment_method: Patch<PaymentMethod>,
    shipping: Option<Shipping>,
    /// All items of the order; not of one that is cancelled or returned.
    #[schema(min_items = 1, max_items = 200)]
    items: Option<Vec<ItemIn>>,
    /// Discount on the order.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    discount: Option<i64>,
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    shipping_fee: Option<i64>,
    /// Tax that is added.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    tax: Option<i64>,
    /// The note of the staff; of every order.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000)]
    staff_note: Patch<String>,
    /// The tags of the staff; of every order.
    #[schema(max_items = 50)]
    staff_tags: Option<Vec<String>>,
    /// Values of the fields that `/v1/fields` defines for orders, by key; null clears. Of every order.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub custom: Values,
}

impl OrderPatch {
    /// The change, or every fault of the body.
    pub fn change(self, fields: &Definitions) -> Result<Change, Problem> {
        let mut flaws = Flaws::default();
        let (custom, wrong) = fields.judge(self.custom);
        flaws.extend(wrong);
        let note = self.staff_note.value().map(String::as_str);
        check_note(note, "/staff_note", &mut flaws);
        let tags = self.staff_tags.as_deref().unwrap_or_default();
        check_tags(tags, "/staff_tags", &mut flaws);
        if let Some(shipping) = &self.shipping {
            check_shipping(shipping, &mut flaws);
        }
        if let Some(items) = &self.items {
            check_items(items, &mut flaws);
        }
        for (pointer, value) in [
            ("/discount", self.discount),
            ("/shipping_fee", self.shipping_fee),
            ("/tax", self.tax),
        ] {
            amount(&mut flaws, pointer, value.unwrap_or(0));
        }
        flaws.refuse()?;
        let items = self.items;
        Ok(Change {
            status: self.status,
            payment_status: self.payment_status,
            payment_method: self.payment_method,
            shipping: self.shipping,
            items: items.map(|all| all.into_iter().map(Item::from).collect()),
            discount: self.discount.map(Money::vnd),
            shipping_fee: self.shipping_fee.map(Money::vnd),
            tax: self.tax.map(Money::vnd),
            staff_note: self.staff_note,
            staff_tags: self.staff_tags,
            custom,
            ..Change::default()
        })
    }
}

/// Why an order is cancelled.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = OrderCancellation)]
#[serde(deny_unknown_fields)]
pub struct CancelIn {
    #[schema(min_length = 1, max_length = 1000, example = "Khách đổi ý")]
    reason: Option<String>,
}

impl CancelIn {
    /// The change, or the fault of the body.
    pub fn change(self) -> Result<Change, Problem> {
        let mut flaws = Flaws::default();
        check_note(self.reason.as_deref(), "/reason", &mut flaws);
        flaws.refuse()?;
        Ok(Change {
            status: Some(OrderStatus::Cancelled),
            cancel_reason: self.reason.map_or(Patch::Keep, Patch::Set),
            ..Change::default()
        })
    }
}

/// Orders whose status changes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = OrdersChange)]
#[serde(deny_unknown_fields)]
pub struct OrdersIn {
    /// 1 to 100 orders, each once.
    #[schema(min_items = 1, max_items = 100)]
    order_ids: Vec<OrderId>,
    status: OrderStatus,
    /// Why they are cancelled.
    #[schema(min_length = 1, max_length = 1000, example = "Hết hàng")]
    cancel_reason: Option<String>,
}

/// Orders of one request.
const MOST_ORDERS: usize = 100;

impl OrdersIn {
    /// The orders and their change, or every fault of the body.
    pub fn change(self) -> Result<(Vec<OrderId>, Change), Problem> {
        let mut flaws = Flaws::default();
        let count = self.order_ids.len();
        let distinct: BTreeSet<&OrderId> = self.order_ids.iter().collect();
        flaws.check(
            !(1..=MOST_ORDERS).contains(&count) || distinct.len() != count,
            "/order_ids",
            "must have 1 to 100 different ids",
        );
        check_note(self.cancel_reason.as_deref(), "/cancel_reason", &mut flaws);
        let is_out_of_place = self.cancel_reason.is_some() && self.status != OrderStatus::Cancelled;
        flaws.check(
            is_out_of_place,
            "/cancel_reason",
            "only for the status cancelled",
        );
        flaws.refuse()?;
        let change = Change {
            status: Some(self.status),
            cancel_reason: self.cancel_reason.map_or(Patch::Keep, Patch::Set),
            ..Change::default()
        };
        Ok((self.order_ids, change))
    }
}

/// The outcomes of a change of many orders.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OrdersChanged {
    pub data: Vec<OrderChanged>,
}

/// The outcome for one order.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OrderChanged {
    pub order_id: OrderId,
    pub outcome: OrderOutcome,
}

/// The outcome of an order.
#[derive(Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderOutcome {
    /// It has the status.
    Changed,
    /// It is changed at its source.
    ReadOnly,
    /// Its status would go back.
    Backwards,
    /// There is no such order.
    Missing,
}
