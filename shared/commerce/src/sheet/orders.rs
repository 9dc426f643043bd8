//! Orders of the lines of a file. Pure: no I/O.
//!
//! Lines that follow each other with one code are one order; a line without a code goes on with the order before it. Of a
//! field of the order the first cell that says something counts. A wrong cell costs the cell. A wrong date, currency,
//! quantity or amount costs the order: it would be another order without it.

use contacts::Identity;
use contacts::import::{self, Layout, Line, RowError};
use jiff::Timestamp;
use kernel::Money;
use kernel::commerce::{
    Item, OrderStatus, PaymentMethod, PaymentStatus, Quantity, Receiver, Source,
};
use serde::Serialize;

use super::cells;
use super::reading::{Cells, told};
use super::words;
use crate::bounds::{self, MAX_CODE, MAX_ITEMS, MAX_NAME, MAX_NOTE};

const AMOUNT: &str = "expected an amount in whole dong such as 285000 or 285.000";

/// The fields of an order in a file; absent fields say nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct FileOrder {
    pub code: String,
    pub source: Option<Source>,
    pub buyer: Vec<Identity>,
    pub customer_name: Option<String>,
    pub ordered_at: Option<Timestamp>,
    pub status: Option<OrderStatus>,
    pub payment_status: Option<PaymentStatus>,
    pub payment_method: Option<PaymentMethod>,
    pub discount: Option<i64>,
    pub shipping_fee: Option<i64>,
    pub tax: Option<i64>,
    pub total: Option<i64>,
    pub paid: Option<i64>,
    pub receiver: Receiver,
    pub carrier: Option<String>,
    pub tracking_code: Option<String>,
    pub branch: Option<String>,
    pub note: Option<String>,
    pub tags: Vec<String>,
    pub cancel_reason: Option<String>,
    pub paid_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub items: Vec<Item>,
}

/// The lines of one order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrderLines {
    pub order: FileOrder,
    /// Its lines, each with what is told about it.
    pub lines: Vec<(u64, Vec<RowError>)>,
    /// Whether something is told for which the order is not taken.
    pub is_wrong: bool,
}

impl OrderLines {
    /// The line by which the order is known.
    pub fn first(&self) -> u64 {
        self.lines.first().map_or(0, |(line, _)| *line)
    }

    fn refuse(&mut self, line: u64, column: Option<&str>, message: &str) {
        self.is_wrong = true;
        self.note(line, column, message);
    }

    fn note(&mut self, line: u64, column: Option<&str>, message: &str) {
        let column = column.map(|name| format!("order.{name}"));
        if let Some((_, all)) = self.lines.last_mut() {
            all.push(told(line, column, message));
        }
    }
}

/// The orders of the lines, in their order. A line that cannot be read inside of an order makes the order wrong.
pub(crate) fn orders(lines: &[Line], layout: &Layout) -> Vec<OrderLines> {
    let mut all: Vec<OrderLines> = Vec::new();
    let mut broken: Vec<&Line> = Vec::new();
    for line in lines {
        let cells = Cells::of(line, layout);
        let code = cells.text("code").unwrap_or_default();
        if line.fault.is_some() {
            broken.push(line);
            continue;
        }
        let last = all.last_mut();
        let goes_on = last.filter(|one| {
            let known = one.order.code.as_str();
            !known.is_empty() && (code.is_empty() || code == known)
        });
        if let Some(order) = goes_on {
            for one in broken.drain(..) {
                order.is_wrong = true;
                order
                    .lines
                    .push((one.line, one.fault.clone().into_iter().collect()));
            }
            order
                .lines
                .push((line.line, line.note.clone().into_iter().collect()));
            order.take(line.line, &cells);
            continue;
        }
        all.extend(broken.drain(..).map(lost));
        let mut order = OrderLines {
            order: FileOrder::default(),
            lines: vec![(line.line, line.note.clone().into_iter().collect())],
            is_wrong: false,
        };
        if code.is_empty() || code.chars().count() > MAX_CODE {
            order.refuse(
                line.line,
                Some("code"),
                "expected a code of 1 to 100 characters",
            );
        }
        code.clone_into(&mut order.order.code);
        order.take(line.line, &cells);
        all.push(order);
    }
    all.extend(broken.drain(..).map(lost));
    all
}

/// A line that belongs to no order.
fn lost(line: &Line) -> OrderLines {
    OrderLines {
        order: FileOrder::default(),
        lines: vec![(line.line, line.fault.clone().into_iter().collect())],
        is_wrong: true,
    }
}

impl OrderLines {
    fn take(&mut self, line: u64, cells: &Cells<'_>) {
        self.currency(line, cells);
        self.sums(line, cells);
        self.words(line, cells);
        self.buyer(line, cells);
        self.texts(cells);
        self.item(line, cells);
    }

    /// Sets a field from the first cell that says something. Returns whether the cell is wrong.
    fn first_of<T>(
        slot: &mut Option<T>,
        cells: &Cells<'_>,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> bool {
        match cells.text(name) {
            Some(cell) if slot.is_none() => {
                *slot = read(cell);
                slot.is_none()
            }
            _ => false,
        }
    }

    fn currency(&mut self, line: u64, cells: &Cells<'_>) {
        if cells
            .text("currency")
            .is_some_and(|cell| !words::is_vnd(cell))
        {
            self.refuse(line, Some("currency"), "only orders in VND are taken");
        }
        Self::first_of(&mut self.order.source, cells, "source", words::source);
    }

    fn sums(&mut self, line: u64, cells: &Cells<'_>) {
        let order = &mut self.order;
        let slots = [
            ("discount", &mut order.discount),
            ("shipping_fee", &mut order.shipping_fee),
            ("tax", &mut order.tax),
            ("total", &mut order.total),
            ("paid", &mut order.paid),
        ];
        let wrong = slots.into_iter().filter_map(|(name, slot)| {
            Self::first_of(slot, cells, name, cells::amount).then_some(name)
        });
        for name in wrong.collect::<Vec<_>>() {
            self.refuse(line, Some(name), AMOUNT);
        }
        if Self::first_of(&mut self.order.ordered_at, cells, "ordered_at", cells::time) {
            let message = "expected a time such as 02/03/2026 09:30";
            self.refuse(line, Some("ordered_at"), message);
        }
    }

    fn words(&mut self, line: u64, cells: &Cells<'_>) {
        let order = &mut self.order;
        let mut wrong = Vec::new();
        if Self::first_of(&mut order.status, cells, "status", words::order_status) {
            wrong.push((
                "status",
                "expected a status such as new, completed or cancelled",
            ));
        }
        let payment = &mut order.payment_status;
        if Self::first_of(payment, cells, "payment_status", words::payment_status) {
            wrong.push((
                "payment_status",
                "expected unpaid, partial, paid or refunded",
            ));
        }
        let method = &mut order.payment_method;
        if Self::first_of(method, cells, "payment_method", words::payment_method) {
            order.payment_method = Some(PaymentMethod::Other);
            wrong.push(("payment_method", "read as another way of payment"));
        }
        for (name, slot) in [
            ("paid_at", &mut order.paid_at),
            ("completed_at", &mut order.completed_at),
        ] {
            if Self::first_of(slot, cells, name, cells::time) {
                wrong.push((name, "expected a time such as 02/03/2026 09:30"));
            }
        }
        for (name, message) in wrong {
            self.note(line, Some(name), message);
        }
    }

    fn buyer(&mut self, line: u64, cells: &Cells<'_>) {
        let has = |kind: fn(&Identity) -> bool| self.order.buyer.iter().any(kind);
        let (mut found, mut wrong) = (Vec::new(), Vec::new());
        if let Some(cell) = cells.text("customer_code")
            && !has(|one| matches!(one, Identity::External { .. }))
        {
            if cell.chars().count() > import::MAX_EXTERNAL {
                wrong.push(("customer_code", "at most 255 characters".to_owned()));
            } else {
                found.push(Identity::own(cell));
            }
        }
        if let Some(cell) = cells.text("customer_email")
            && !has(|one| matches!(one, Identity::Email(_)))
        {
            let read = import::email(cell);
            found.extend(read.value.map(Identity::Email));
            wrong.extend(read.told.map(|told| ("customer_email", told)));
        }
        if let Some(cell) = cells.text("customer_phone")
            && !has(|one| matches!(one, Identity::Phone(_)))
        {
            let read = import::phone(cell);
            found.extend(read.value.map(Identity::Phone));
            wrong.extend(read.told.map(|told| ("customer_phone", told)));
        }
        self.order.buyer.extend(found);
        // The strongest identity comes first.
        self.order.buyer.sort_unstable();
        for (name, message) in wrong {
            self.note(line, Some(name), &message);
        }
    }

    fn texts(&mut self, cells: &Cells<'_>) {
        let order = &mut self.order;
        let receiver = &mut order.receiver;
        for (name, slot, most) in [
            ("customer_name", &mut order.customer_name, MAX_NAME),
            ("receiver_name", &mut receiver.name, MAX_NAME),
            ("receiver_phone", &mut receiver.phone, 50),
            ("receiver_address", &mut receiver.address, MAX_NOTE),
            ("receiver_ward", &mut receiver.ward, MAX_NAME),
            ("receiver_district", &mut receiver.district, MAX_NAME),
            ("receiver_province", &mut receiver.province, MAX_NAME),
            ("carrier", &mut order.carrier, MAX_NAME),
            ("tracking_code", &mut order.tracking_code, MAX_NAME),
            ("branch", &mut order.branch, MAX_NAME),
            ("note", &mut order.note, MAX_NOTE),
            ("cancel_reason", &mut order.cancel_reason, MAX_NOTE),
        ] {
            Self::first_of(slot, cells, name, |cell| bounds::text(cell, most));
        }
        if order.tags.is_empty() {
            let tags = cells.text("tags").map(import::tags);
            order.tags = bounds::tags(&tags.unwrap_or_default());
        }
    }

    fn item(&mut self, line: u64, cells: &Cells<'_>) {
        let sku = cells
            .text("item_sku")
            .and_then(|cell| bounds::text(cell, MAX_CODE));
        let name = cells
            .text("item_name")
            .and_then(|cell| bounds::text(cell, MAX_NAME));
        let Some(name) = name.or_else(|| sku.clone()) else {
            return;
        };
        let mut item = Item {
            sku,
            name,
            quantity: Quantity::pieces(1),
            ..Item::default()
        };
        if let Some(cell) = cells.text("item_quantity") {
            match cells::quantity(cell) {
                Some(quantity) => item.quantity = quantity,
                None => self.refuse(
                    line,
                    Some("item_quantity"),
                    "expected a quantity such as 2 or 0,5, without separators of thousands",
                ),
            }
        }
        for (name, slot) in [
            ("item_price", &mut item.price),
            ("item_discount", &mut item.discount),
        ] {
            match cells.text(name).map(cells::amount) {
                None => {}
                Some(Some(amount)) => *slot = Money::vnd(amount),
                Some(None) => self.refuse(line, Some(name), AMOUNT),
            }
        }
        if self.order.items.len() == MAX_ITEMS {
            self.refuse(line, None, "an order has at most 200 items");
            return;
        }
        self.order.items.push(item);
    }
}
