//! Files of orders and of products for people: what to export, the columns, and the lines of a page. The job is that of
//! `contacts::export`.

use cloud::Error;
use contacts::csv_out;
use jiff::Timestamp;
use kernel::commerce::{Item, ProductStatus};
use kernel::page::Page;
use kernel::{Cursor, Limit, TenantKey};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::order::Order;
use crate::product::{Product, ProductRow};
use crate::products::Products;
use crate::reading::Asked;
use crate::store::Orders;

/// Rows of a page.
const PAGE: u32 = 100;

/// The rows of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exported {
    /// The orders of a list.
    Orders(Asked),
    /// The products of a status.
    Products(ProductsAsked),
}

/// The products of an export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ProductFilter)]
#[serde(default, deny_unknown_fields)]
pub struct ProductsAsked {
    /// Absent: `active`.
    pub status: ProductStatus,
}

/// The columns of a file of orders.
pub const ORDER_COLUMNS: [&str; 40] = [
    "order_id",
    "code",
    "source",
    "shop",
    "external_id",
    "status",
    "external_status",
    "ordered_at",
    "contact_id",
    "customer_name",
    "receiver_name",
    "receiver_phone",
    "receiver_address",
    "receiver_ward",
    "receiver_district",
    "receiver_province",
    "items",
    "subtotal",
    "discount",
    "shipping_fee",
    "tax",
    "total",
    "paid",
    "refunded",
    "currency",
    "payment_status",
    "payment_method",
    "carrier",
    "tracking_code",
    "note",
    "staff_note",
    "tags",
    "staff_tags",
    "staff_id",
    "branch",
    "cancel_reason",
    "paid_at",
    "completed_at",
    "created_at",
    "updated_at",
];

/// The columns of a file of products.
pub const PRODUCT_COLUMNS: [&str; 20] = [
    "product_id",
    "code",
    "source",
    "shop",
    "external_id",
    "name",
    "description",
    "brand",
    "categories",
    "price",
    "compare_price",
    "cost",
    "currency",
    "unit",
    "status",
    "url",
    "image",
    "variants",
    "tags",
    "staff_tags",
];

impl Exported {
    /// The first line of the file.
    pub fn heading(&self) -> String {
        let line = match self {
            Self::Orders(_) => csv_out::line(ORDER_COLUMNS),
            Self::Products(_) => csv_out::line(PRODUCT_COLUMNS),
        };
        csv_out::MARK.to_owned() + &line
    }

    /// The name of the exported things.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Orders(_) => "orders",
            Self::Products(_) => "products",
        }
    }
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_default()
}

fn time(value: Option<Timestamp>) -> String {
    value.map(|at| at.to_string()).unwrap_or_default()
}

fn several(values: &[String]) -> String {
    values.join("; ")
}

/// An item as people read it: `2 x AO-TR-M Áo thun`.
fn item(item: &Item) -> String {
    let quantity = serde_json::to_value(item.quantity).unwrap_or_default();
    let sku = item.sku.as_ref().or(item.product.as_ref());
    let words = [text(sku), item.name.clone()];
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    format!("{quantity} x {}", words.join(" "))
}

/// The line of an order.
fn order_line(order: &Order) -> String {
    let (amounts, receiver, times) = (&order.amounts, &order.receiver, &order.times);
    let amount = |money: kernel::Money| money.amount().to_string();
    let items: Vec<String> = order.items.iter().map(item).collect();
    let id = |id: Option<String>| id.unwrap_or_default();
    let method = order.payment_method.map(|method| method.name().to_owned());
    csv_out::line([
        order.id.to_string(),
        order.code.clone(),
        order.source.name().to_owned(),
        text(order.shop.as_ref()),
        text(order.external_id.as_ref()),
        order.status.name().to_owned(),
        text(order.external_status.as_ref()),
        order.ordered_at.to_string(),
        id(order.contact_id.map(|id| id.to_string())),
        text(order.customer_name.as_ref()),
        text(receiver.name.as_ref()),
        text(receiver.phone.as_ref()),
        text(receiver.address.as_ref()),
        text(receiver.ward.as_ref()),
        text(receiver.district.as_ref()),
        text(receiver.province.as_ref()),
        items.join("; "),
        amount(amounts.subtotal),
        amount(amounts.discount),
        amount(amounts.shipping_fee),
        amount(amounts.tax),
        amount(amounts.total),
        amount(amounts.paid),
        amount(amounts.refunded),
        order.currency.clone(),
        order.payment_status.name().to_owned(),
        id(method),
        text(order.shipping.carrier.as_ref()),
        text(order.shipping.tracking_code.as_ref()),
        text(order.note.as_ref()),
        text(order.staff_note.as_ref()),
        several(&order.tags),
        several(&order.staff_tags),
        id(order.staff_id.map(|id| id.to_string())),
        text(order.branch.as_ref()),
        text(order.cancel_reason.as_ref()),
        time(times.paid_at),
        time(times.completed_at),
        order.created_at.to_string(),
        order.updated_at.to_string(),
    ])
}

/// The line of a product.
fn product_line(product: &Product) -> String {
    let amount = |money: kernel::Money| money.amount().to_string();
    let variants = product.variants.iter().map(|variant| {
        let sku = text(variant.sku.as_ref());
        let words = [sku, variant.name.clone(), amount(variant.price)];
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ")
    });
    let variants: Vec<String> = variants.collect();
    csv_out::line([
        product.id.to_string(),
        product.code.clone(),
        product.source.name().to_owned(),
        text(product.shop.as_ref()),
        text(product.external_id.as_ref()),
        product.name.clone(),
        text(product.description.as_ref()),
        text(product.brand.as_ref()),
        several(&product.categories),
        amount(product.price),
        product.compare_price.map(amount).unwrap_or_default(),
        product.cost.map(amount).unwrap_or_default(),
        product.currency.clone(),
        text(product.unit.as_ref()),
        product.status.name().to_owned(),
        text(product.url.as_ref()),
        text(product.images.first()),
        several(&variants),
        several(&product.tags),
        several(&product.staff_tags),
    ])
}

impl Orders {
    /// The lines of a page of orders, the latest first. A page may have none, and a next one.
    pub async fn lines(
        &self,
        tenant: TenantKey,
        asked: &Asked,
        cursor: Option<Cursor>,
    ) -> Result<Page<String>, Error> {
        let limit = Limit::new(PAGE).unwrap_or_default();
        let page = self.page(tenant, asked, limit, cursor).await?;
        let keys = page.data.iter().map(|one| keys::order(tenant, one.id));
        let found = self.table.get_many::<Order>(keys.collect()).await?;
        let mut orders: Vec<Order> = found.into_iter().map(|(_, order)| order).collect();
        orders.sort_unstable_by_key(|one| std::cmp::Reverse((one.ordered_at, one.id)));
        Ok(Page {
            data: orders.iter().map(order_line).collect(),
            next: page.next,
        })
    }
}

impl Products {
    /// The lines of a page of products by name, without the stock.
    pub async fn lines(
        &self,
        tenant: TenantKey,
        asked: &ProductsAsked,
        cursor: Option<Cursor>,
    ) -> Result<Page<String>, Error> {
        let limit = Limit::new(PAGE).unwrap_or_default();
        let page = self.page(tenant, asked.status, "", limit, cursor).await?;
        let keys = page.data.iter().map(|one| keys::product(tenant, one.id));
        let found = self.table.get_many::<ProductRow>(keys.collect()).await?;
        let mut products: Vec<Product> = found.into_iter().map(|(_, row)| row.product).collect();
        products.sort_unstable_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(Page {
            data: products.iter().map(product_line).collect(),
            next: page.next,
        })
    }
}
