//! The orders and invoices of KiotViet.
//!
//! An order ("Đặt hàng") becomes an invoice ("Hóa đơn") when the goods are sold. Only the invoice is the sale: an order
//! whose goods were sold is shown as processing, so that a sale counts once.

use jiff::Timestamp;
use kernel::Money;
use kernel::commerce::{
    Amounts, IncomingOrder, Item, OrderStatus, PaymentMethod, PaymentStatus, Quantity, Receiver,
    Shipping, ShippingStatus, Source, Times,
};
use serde_json::Value;

use crate::json;
use crate::terms::{method, subtotal, sum};

/// Which of the two an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// "Đặt hàng".
    Order,
    /// "Hóa đơn".
    Invoice,
}

/// An order or an invoice. Their ids are of two kinds, so an invoice's id has a prefix.
pub fn order(
    value: &Value,
    kind: Kind,
    shop: &str,
    received_at: Timestamp,
) -> Option<IncomingOrder> {
    let id = json::text_at(value, "Id")?;
    let details = match kind {
        Kind::Order => "OrderDetails",
        Kind::Invoice => "InvoiceDetails",
    };
    let items: Vec<Item> = json::list(value, details).iter().map(item).collect();
    let total = json::money(value, "Total").unwrap_or_default();
    let payments = json::list(value, "Payments");
    let paid = json::money(value, "TotalPayment").unwrap_or_else(|| sum(payments, "Amount"));
    let status = match kind {
        Kind::Order => order_status(value),
        Kind::Invoice => invoice_status(value),
    };
    let changed = json::time(value, "ModifiedDate");
    let ordered = json::time(value, "PurchaseDate").or(json::time(value, "CreatedDate"));
    let source_at = changed.or(ordered).unwrap_or(received_at);
    let discount = json::money(value, "Discount").unwrap_or_default();
    Some(IncomingOrder {
        source: Source::Kiotviet,
        shop: shop.to_owned(),
        code: json::text_at(value, "Code").unwrap_or_else(|| id.clone()),
        external_id: match kind {
            Kind::Order => id,
            Kind::Invoice => format!("invoice-{id}"),
        },
        external_status: json::text_at(value, "StatusValue"),
        ordered_at: ordered.unwrap_or(source_at),
        source_at,
        status,
        times: Times {
            completed_at: (status == OrderStatus::Completed).then_some(source_at),
            ended_at: status.is_void().then_some(source_at),
            ..Times::default()
        },
        payment_status: payment_status(paid, total),
        payment_method: payment_method(value, payments),
        shipping: shipping(value),
        amounts: Amounts {
            subtotal: subtotal(&items),
            discount,
            shipping_fee: json::money(value, "InvoiceDelivery.Price").unwrap_or_default(),
            total,
            paid,
            ..Amounts::default()
        },
        items,
        note: json::text_at(value, "Description"),
        branch: json::text_at(value, "BranchName").or(json::text_at(value, "BranchId")),
        receiver: Receiver {
            name: json::text_at(value, "InvoiceDelivery.Receiver"),
            phone: json::text_at(value, "InvoiceDelivery.ContactNumber"),
            address: json::text_at(value, "InvoiceDelivery.Address"),
            ward: json::text_at(value, "InvoiceDelivery.WardName"),
            province: json::text_at(value, "InvoiceDelivery.LocationName"),
            ..Receiver::default()
        },
        customer_name: json::text_at(value, "CustomerName"),
        ..IncomingOrder::default()
    })
}

/// By the text: the numbers of an order's states are not documented.
fn order_status(value: &Value) -> OrderStatus {
    let text = json::text_at(value, "StatusValue").unwrap_or_default();
    let text = kernel::text::fold(&text);
    if text.contains("huy") {
        OrderStatus::Cancelled
    } else if text.contains("dang giao") {
        OrderStatus::Shipping
    } else if text.contains("hoan thanh") {
        OrderStatus::Processing
    } else if text.contains("xac nhan") {
        OrderStatus::Confirmed
    } else {
        OrderStatus::New
    }
}

/// 1 completed, 2 cancelled, 3 processing, 5 undeliverable.
fn invoice_status(value: &Value) -> OrderStatus {
    match value.get("Status").and_then(Value::as_u64) {
        Some(1) => OrderStatus::Completed,
        Some(2) => OrderStatus::Cancelled,
        Some(5) => OrderStatus::Returned,
        _ if shipping(value).status == Some(ShippingStatus::InTransit) => OrderStatus::Shipping,
        _ => OrderStatus::Processing,
    }
}

/// 1 not shipped, 2 shipping, 3 delivered, 4 returning, 5 returned, 6 cancelled.
fn shipping(value: &Value) -> Shipping {
    let state = json::at(value, "InvoiceDelivery.Status").and_then(Value::as_u64);
    Shipping {
        carrier: json::text_at(value, "InvoiceDelivery.PartnerDelivery.Name"),
        tracking_code: json::text_at(value, "InvoiceDelivery.DeliveryCode"),
        status: match state {
            Some(1) => Some(ShippingStatus::Waiting),
            Some(2) => Some(ShippingStatus::InTransit),
            Some(3) => Some(ShippingStatus::Delivered),
            Some(4) => Some(ShippingStatus::Returning),
            Some(5) => Some(ShippingStatus::Returned),
            Some(6) => Some(ShippingStatus::Failed),
            _ => None,
        },
    }
}

fn payment_status(paid: Money, total: Money) -> PaymentStatus {
    if paid.amount() <= 0 {
        PaymentStatus::Unpaid
    } else if paid < total {
        PaymentStatus::Partial
    } else {
        PaymentStatus::Paid
    }
}

fn payment_method(value: &Value, payments: &[Value]) -> Option<PaymentMethod> {
    let named = payments.iter().find_map(|one| json::text_at(one, "Method"));
    let cod = value.get("UsingCod").and_then(Value::as_bool);
    match named {
        Some(text) => Some(method(&text)),
        None => (cod == Some(true)).then_some(PaymentMethod::Cod),
    }
}

fn item(value: &Value) -> Item {
    let quantity = value.get("Quantity").and_then(Value::as_f64);
    Item {
        product: json::text_at(value, "ProductId"),
        variant: None,
        sku: json::text_at(value, "ProductCode"),
        name: json::text_at(value, "ProductName").unwrap_or_default(),
        quantity: quantity.and_then(Quantity::of).unwrap_or_default(),
        price: json::money(value, "Price").unwrap_or_default(),
        discount: json::money(value, "Discount").unwrap_or_default(),
    }
}
