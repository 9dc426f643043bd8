//! The bodies of the API, and their checks. Orders themselves are `commerce::Order`.

use commerce::bounds::{MAX_CODE, MAX_ITEMS, MAX_NAME, MAX_NOTE, MAX_TAGS};
use commerce::{
    Amounts, IncomingOrder, Item, Listed, MOST_TOTAL, OrderStatus, PaymentMethod, PaymentStatus,
    Quantity, Receiver, Shipping, Source, Sums, add_up,
};
use jiff::Timestamp;
use kernel::{ContactId, Cursor, Money};
use lambda::http::{Flaws, Problem};
use serde::{Deserialize, Serialize};

mod changes;

pub use changes::{CancelIn, OrderChanged, OrderOutcome, OrderPatch, OrdersChanged, OrdersIn};

/// Largest amount of a field, in dong.
const MOST: i64 = MOST_TOTAL;
/// A page of orders with its sums.
#[derive(Default, Serialize, utoipa::ToSchema)]
#[schema(as = OrderPage)]
pub struct OrderPage {
    pub data: Vec<Listed>,
    /// Give it as `cursor` to read on; null on the last page.
    #[schema(required = true)]
    pub next: Option<Cursor>,
    /// The sums of this page.
    pub page: Sums,
}

/// The sums of a list.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OrderTotals)]
pub struct TotalsView {
    #[serde(flatten)]
    pub sums: Sums,
    /// Whether the sums hold the whole list. Otherwise they hold the latest 2,000 orders of the tab.
    pub is_complete: bool,
}

/// An item of a new order.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewOrderItem)]
#[serde(deny_unknown_fields)]
pub struct ItemIn {
    /// The shop's code of the article.
    #[schema(min_length = 1, max_length = 100, example = "AO-TR-M")]
    sku: Option<String>,
    #[schema(min_length = 1, max_length = 255, example = "Áo thun trắng M")]
    name: String,
    quantity: Quantity,
    /// Price of one, in VND.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 285_000)]
    price: i64,
    /// Discount on the whole line.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    discount: i64,
}

/// A new order.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewOrder)]
#[serde(deny_unknown_fields)]
pub struct OrderIn {
    /// The customer.
    pub contact_id: ContactId,
    /// The number that people call the order by; absent: the order's id.
    #[schema(min_length = 1, max_length = 100, example = "DH-1042")]
    code: Option<String>,
    /// When the customer ordered; absent: now.
    ordered_at: Option<Timestamp>,
    /// Neither cancelled nor returned.
    #[serde(default)]
    status: OrderStatus,
    #[serde(default)]
    payment_status: PaymentStatus,
    payment_method: Option<PaymentMethod>,
    #[serde(default)]
    shipping: Shipping,
    #[serde(default)]
    receiver: Receiver,
    /// 1 to 200 items.
    #[schema(min_items = 1, max_items = 200)]
    items: Vec<ItemIn>,
    /// Discount on the order.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    discount: i64,
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    shipping_fee: i64,
    /// Tax that is added.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    tax: i64,
    /// The amount that is paid already, of a partial payment.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    paid: i64,
    #[schema(min_length = 1, max_length = 1000)]
    note: Option<String>,
    #[serde(default)]
    #[schema(max_items = 50)]
    tags: Vec<String>,
}

pub fn is_bad(text: &str, most: usize) -> bool {
    !(1..=most).contains(&text.trim().chars().count())
}

pub fn amount(flaws: &mut Flaws, pointer: &str, amount: i64) {
    let is_bad = !(0..=MOST).contains(&amount);
    flaws.check(is_bad, pointer, "must be between 0 and 1000000000000");
}

impl From<ItemIn> for Item {
    fn from(given: ItemIn) -> Self {
        Self {
            sku: given.sku,
            name: given.name,
            quantity: given.quantity,
            price: Money::vnd(given.price),
            discount: Money::vnd(given.discount),
            ..Self::default()
        }
    }
}

fn check_items(items: &[ItemIn], flaws: &mut Flaws) {
    flaws.check(
        items.is_empty() || items.len() > MAX_ITEMS,
        "/items",
        "must have 1 to 200 items",
    );
    for (n, item) in items.iter().enumerate().take(MAX_ITEMS) {
        let at = |field: &str| format!("/items/{n}/{field}");
        let is_bad_sku = item.sku.as_ref().is_some_and(|sku| is_bad(sku, MAX_CODE));
        flaws.check(is_bad_sku, at("sku"), "must have 1 to 100 characters");
        let is_bad_name = is_bad(&item.name, MAX_NAME);
        flaws.check(is_bad_name, at("name"), "must have 1 to 255 characters");
        amount(flaws, &at("price"), item.price);
        amount(flaws, &at("discount"), item.discount);
    }
}

impl OrderIn {
    /// The order, or every fault of the body.
    pub fn incoming(self, name: Option<String>, now: Timestamp) -> Result<IncomingOrder, Problem> {
        let mut flaws = Flaws::default();
        self.check(&mut flaws);
        let items: Vec<Item> = self.items.into_iter().map(Item::from).collect();
        let mut amounts = Amounts {
            discount: Money::vnd(self.discount),
            shipping_fee: Money::vnd(self.shipping_fee),
            tax: Money::vnd(self.tax),
            ..Amounts::default()
        };
        add_up(&mut amounts, &items);
        let total = amounts.total.amount();
        flaws.check(
            !(0..=MOST).contains(&total),
            "/items",
            "the total must be between 0 and 1000000000000",
        );
        flaws.refuse()?;
        let paid = match self.payment_status {
            PaymentStatus::Unpaid => 0,
            PaymentStatus::Partial => self.paid,
            PaymentStatus::Paid | PaymentStatus::Refunded => total,
        };
        let is_refunded = self.payment_status == PaymentStatus::Refunded;
        amounts.paid = Money::vnd(paid);
        amounts.refunded = Money::vnd(if is_refunded { total } else { 0 });
        Ok(IncomingOrder {
            source: Source::Manual,
            code: self.code.unwrap_or_default(),
            ordered_at: self.ordered_at.unwrap_or(now),
            source_at: now,
            status: self.status,
            payment_status: self.payment_status,
            payment_method: self.payment_method,
            shipping: self.shipping,
            receiver: self.receiver,
            amounts,
            items,
            note: self.note,
            tags: self.tags,
            customer_name: name,
            ..IncomingOrder::default()
        })
    }

    fn check(&self, flaws: &mut Flaws) {
        let is_bad_code = self
            .code
            .as_ref()
            .is_some_and(|code| is_bad(code, MAX_CODE));
        flaws.check(is_bad_code, "/code", "must have 1 to 100 characters");
        flaws.check(
            self.status.is_void(),
            "/status",
            "a new order is neither cancelled nor returned",
        );
        check_items(&self.items, flaws);
        for (pointer, value) in [
            ("/discount", self.discount),
            ("/shipping_fee", self.shipping_fee),
            ("/tax", self.tax),
            ("/paid", self.paid),
        ] {
            amount(flaws, pointer, value);
        }
        check_note(self.note.as_deref(), "/note", flaws);
        check_tags(&self.tags, "/tags", flaws);
        check_shipping(&self.shipping, flaws);
        let Receiver {
            name,
            phone,
            address,
            ward,
            district,
            province,
            country,
        } = &self.receiver;
        for (field, value, most) in [
            ("name", name, MAX_NAME),
            ("phone", phone, 50),
            ("address", address, MAX_NOTE),
            ("ward", ward, MAX_NAME),
            ("district", district, MAX_NAME),
            ("province", province, MAX_NAME),
            ("country", country, MAX_NAME),
        ] {
            check_length(value.as_deref(), most, format!("/receiver/{field}"), flaws);
        }
    }
}

fn check_length(text: Option<&str>, most: usize, pointer: String, flaws: &mut Flaws) {
    let is_long = text.is_some_and(|text| text.chars().count() > most);
    flaws.check(is_long, pointer, "is too long");
}

fn check_shipping(shipping: &Shipping, flaws: &mut Flaws) {
    let (carrier, code) = (&shipping.carrier, &shipping.tracking_code);
    check_length(
        carrier.as_deref(),
        MAX_NAME,
        "/shipping/carrier".into(),
        flaws,
    );
    check_length(
        code.as_deref(),
        MAX_NAME,
        "/shipping/tracking_code".into(),
        flaws,
    );
}

fn check_note(note: Option<&str>, pointer: &str, flaws: &mut Flaws) {
    let is_bad = note.is_some_and(|note| is_bad(note, MAX_NOTE));
    flaws.check(is_bad, pointer, "must have 1 to 1,000 characters");
}

pub fn check_tags(tags: &[String], pointer: &str, flaws: &mut Flaws) {
    flaws.check(tags.len() > MAX_TAGS, pointer, "must have at most 50 tags");
    for (n, tag) in tags.iter().enumerate().take(MAX_TAGS) {
        let pointer = format!("{pointer}/{n}");
        flaws.check(
            is_bad(tag, MAX_NAME),
            pointer,
            "must have 1 to 255 characters",
        );
    }
}
