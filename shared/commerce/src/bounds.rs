//! The longest texts and lists of an order. Pure: what a source sends beyond them is cut.

use kernel::commerce::{IncomingOrder, Item, Receiver};

/// Items of an order.
pub const MAX_ITEMS: usize = 200;
/// Tags of an order.
pub const MAX_TAGS: usize = 50;
/// Characters of a name, a code or an id.
pub const MAX_NAME: usize = 255;
/// Characters of a note or an address.
pub const MAX_NOTE: usize = 1_000;
/// Characters of a code.
pub const MAX_CODE: usize = 100;
/// Parameters of the page that led to the order.
const MAX_UTM: usize = 10;

/// The text within `most` characters, without control characters; none if nothing is left.
pub fn text(text: &str, most: usize) -> Option<String> {
    let text: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(most)
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn some(value: Option<&String>, most: usize) -> Option<String> {
    value.and_then(|value| text(value, most))
}

/// Tags within their bounds, each once.
pub fn tags(tags: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for tag in tags.iter().filter_map(|tag| text(tag, MAX_NAME)) {
        if all.len() < MAX_TAGS && !all.contains(&tag) {
            all.push(tag);
        }
    }
    all
}

/// The same order within the bounds of what is stored.
pub(crate) fn fitted(order: &IncomingOrder) -> IncomingOrder {
    let items = order.items.iter().take(MAX_ITEMS);
    let utm = order.utm.iter().take(MAX_UTM);
    let utm = utm.filter_map(|(name, value)| Some((text(name, 50)?, text(value, MAX_NAME)?)));
    IncomingOrder {
        customer_name: some(order.customer_name.as_ref(), MAX_NAME),
        external_status: some(order.external_status.as_ref(), MAX_CODE),
        code: text(&order.code, MAX_CODE).unwrap_or_default(),
        cancel_reason: some(order.cancel_reason.as_ref(), MAX_NOTE),
        note: some(order.note.as_ref(), MAX_NOTE),
        branch: some(order.branch.as_ref(), MAX_NAME),
        tags: tags(&order.tags),
        items: items.map(fitted_item).collect(),
        receiver: fitted_receiver(&order.receiver),
        utm: utm.collect(),
        ..order.clone()
    }
}

pub(crate) fn fitted_item(item: &Item) -> Item {
    Item {
        product: some(item.product.as_ref(), MAX_CODE),
        variant: some(item.variant.as_ref(), MAX_CODE),
        sku: some(item.sku.as_ref(), MAX_CODE),
        name: text(&item.name, MAX_NAME).unwrap_or_default(),
        ..item.clone()
    }
}

/// A receiver within the bounds.
pub fn fitted_receiver(receiver: &Receiver) -> Receiver {
    Receiver {
        name: some(receiver.name.as_ref(), MAX_NAME),
        phone: some(receiver.phone.as_ref(), 50),
        address: some(receiver.address.as_ref(), MAX_NOTE),
        ward: some(receiver.ward.as_ref(), MAX_NAME),
        district: some(receiver.district.as_ref(), MAX_NAME),
        province: some(receiver.province.as_ref(), MAX_NAME),
        country: some(receiver.country.as_ref(), MAX_NAME),
    }
}
