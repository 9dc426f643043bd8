//! A stored product, and its next version. Pure: no I/O, no clock.

use std::collections::BTreeMap;

use contacts::fields::Values;
use jiff::Timestamp;
use kernel::commerce::{IncomingProduct, ProductGone, ProductStatus, Source, VND, Variant};
use kernel::{Money, ProductId, TenantKey, clock};
use serde::{Deserialize, Serialize};

use crate::bounds::{self, MAX_CODE, MAX_NAME, MAX_NOTE};
use crate::sheet::filed::Filed;

/// Pictures of a product.
pub const MAX_IMAGES: usize = 10;
/// Characters of an address of a picture or a page.
pub const MAX_URL: usize = 500;
/// Categories of a product.
pub const MAX_CATEGORIES: usize = 20;
/// Variants of a product.
pub const MAX_VARIANTS: usize = 100;
/// Places of a shop.
pub(crate) const MAX_PLACES: usize = 100;

/// A product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Product {
    /// Our id.
    pub id: ProductId,
    /// The shop's code. Two products that staff entered have different codes.
    pub code: String,
    /// Where the product comes from.
    pub source: Source,
    /// The shop at the source.
    pub shop: Option<String>,
    /// The id at the source.
    pub external_id: Option<String>,
    /// Name.
    pub name: String,
    /// Description, as plain text.
    pub description: Option<String>,
    /// Addresses of pictures.
    pub images: Vec<String>,
    /// Categories.
    pub categories: Vec<String>,
    /// Brand or maker.
    pub brand: Option<String>,
    /// Price of one.
    #[schema(value_type = i64)]
    pub price: Money,
    /// The price before a reduction.
    #[schema(value_type = Option<i64>)]
    pub compare_price: Option<Money>,
    /// The price that the shop pays.
    #[schema(value_type = Option<i64>)]
    pub cost: Option<Money>,
    /// ISO 4217. Amounts in VND are whole dong, others in the smallest unit.
    pub currency: String,
    /// Unit, such as `cái`.
    pub unit: Option<String>,
    /// How many there are at all places of the shop; null if the source does not count.
    pub stock: Option<i64>,
    /// The status.
    pub status: ProductStatus,
    /// The product's page.
    pub url: Option<String>,
    /// Variants.
    pub variants: Vec<Variant>,
    /// The tags that came with the product.
    pub tags: Vec<String>,
    /// The tags of the staff; they stay when the source changes the product.
    #[serde(default)]
    pub staff_tags: Vec<String>,
    /// Values of the fields that `/v1/fields` defines for products, by key. A new version from the source keeps these.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub custom: Values,
    /// When the product learned of it.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
    /// When the record last changed.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub updated_at: Timestamp,
}

/// The stored item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProductRow {
    /// Increases with each write.
    pub version: u64,
    /// Orders the versions of the source: its time, then a hash of the content.
    pub mark: String,
    /// The mark of the first version: a repeated request finds its own product by it.
    pub first: String,
    /// HASH of the index `Products`.
    pub tenant: String,
    /// HASH of the index `Products`; absent for a product of which only its deletion is known.
    pub pstatus: Option<String>,
    /// RANGE of the index `Products`.
    pub name_folded: String,
    /// The first picture, for lists.
    pub image: Option<String>,
    /// The stock at each place, as the last version tells it.
    pub levels: BTreeMap<String, i64>,
    /// When the source last changed the product.
    pub source_at: Timestamp,
    /// The row of the file that last told it, and when that was stored.
    #[serde(default)]
    pub filed: Option<Filed>,
    #[serde(default)]
    pub filed_at: Option<Timestamp>,
    #[serde(flatten)]
    pub product: Product,
}

/// The stock at a place, told apart from the product.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LevelRow {
    pub place: String,
    pub count: i64,
    pub at: Timestamp,
}

/// The mark of a version. A deletion is later than a version of the same time.
fn mark(at: Timestamp, content: &str) -> String {
    let hash = kernel::hash::name(&[content]);
    let hash = hash.get(..8).unwrap_or_default();
    format!("{}#{hash}", clock::sortable(at))
}

/// The mark of a version of the source.
pub(crate) fn mark_of(incoming: &IncomingProduct) -> String {
    // The mark begins with the time: the same content at another time has the same hash.
    let content = IncomingProduct {
        source_at: Timestamp::UNIX_EPOCH,
        ..incoming.clone()
    };
    let content = serde_json::to_string(&content).unwrap_or_default();
    mark(incoming.source_at, &content)
}

/// The stored name of the only place of a shop. DynamoDB takes no empty name in a map.
pub(crate) const ONLY_PLACE: &str = "-";

/// The stored name of a place.
pub(crate) fn place_name(place: &str) -> String {
    let name = bounds::text(place, bounds::MAX_CODE);
    name.unwrap_or_else(|| ONLY_PLACE.to_owned())
}

impl ProductRow {
    /// The row after this version of the source. `before` has an earlier mark.
    pub fn of(
        tenant: TenantKey,
        id: ProductId,
        before: Option<&Self>,
        incoming: &IncomingProduct,
        now: Timestamp,
    ) -> Self {
        let old = before.map(|row| &row.product);
        let mark = mark_of(incoming);
        let levels = incoming.levels.iter().take(MAX_PLACES);
        let levels = levels.map(|(place, count)| (place_name(place), *count));
        let row = Self {
            version: before.map_or(0, |row| row.version) + 1,
            first: before.map_or_else(|| mark.clone(), |row| row.first.clone()),
            mark,
            tenant: tenant.to_string(),
            pstatus: None,
            name_folded: String::new(),
            image: None,
            levels: levels.collect(),
            source_at: incoming.source_at,
            filed: None,
            filed_at: None,
            product: product(id, old, incoming, now),
        };
        row.listed()
    }

    /// The row after its source has deleted the product. `before` has an earlier mark.
    pub fn gone(
        tenant: TenantKey,
        id: ProductId,
        before: Option<&Self>,
        gone: &ProductGone,
        now: Timestamp,
    ) -> Self {
        let mut row = if let Some(row) = before {
            row.clone()
        } else {
            let bare = IncomingProduct {
                source: gone.source,
                shop: gone.shop.clone(),
                external_id: gone.external_id.clone(),
                ..IncomingProduct::default()
            };
            Self::of(tenant, id, None, &bare, now)
        };
        row.version = before.map_or(0, |row| row.version) + 1;
        row.mark = gone_mark(gone);
        row.source_at = gone.at;
        row.product.status = ProductStatus::Archived;
        row.product.updated_at = now;
        row.listed()
    }

    /// The same row with the attributes of the list, which follow from the product.
    pub fn listed(mut self) -> Self {
        let product = &self.product;
        self.name_folded = kernel::text::fold(&product.name);
        self.pstatus = (!self.name_folded.is_empty()).then(|| product.status.name().to_owned());
        if self.name_folded.is_empty() {
            // A key of an index is not empty.
            "-".clone_into(&mut self.name_folded);
        }
        self.image = product.images.first().cloned();
        self
    }

    /// Whether the row is this product of its source, and not another one with the same drawn id.
    pub fn is_of(&self, source: Source, shop: &str, external_id: &str) -> bool {
        let product = &self.product;
        product.source == source
            && product.shop.as_deref().unwrap_or_default() == shop
            && product.external_id.as_deref() == Some(external_id)
    }

    /// Whether the row is in the lists, and its code differs from that of the row before it. Then the code gets a row.
    pub fn has_new_code(&self, before: Option<&Self>) -> bool {
        let before = before.filter(|row| row.pstatus.is_some());
        let is_new = before.is_none_or(|row| row.product.code != self.product.code);
        self.pstatus.is_some() && is_new
    }

    /// Whether the row is the product that staff entered with this code, as it is compared.
    pub fn is_own(&self, source: Source, code: &str) -> bool {
        self.product.source == source && compared(&self.product.code) == code
    }

    /// The product with its stock: at each place the newer of what the product's version and the place's own row tell.
    pub fn with_stock(self, told: &[LevelRow]) -> Product {
        let mut levels = self.levels;
        for level in told.iter().filter(|level| level.at > self.source_at) {
            levels.insert(level.place.clone(), level.count);
        }
        let mut product = self.product;
        let sum = levels
            .values()
            .fold(0, |sum: i64, n| sum.saturating_add(*n));
        product.stock = (!levels.is_empty()).then_some(sum);
        product
    }
}

/// The mark of a deletion: later than each version of its time.
pub(crate) fn gone_mark(gone: &ProductGone) -> String {
    format!("{}#~", clock::sortable(gone.at))
}

/// A code, as it is compared. A code of marks only is compared as it is.
pub(crate) fn compared(code: &str) -> String {
    let folded = kernel::text::fold(code);
    if folded.is_empty() {
        code.to_owned()
    } else {
        folded
    }
}

fn texts(all: &[String], most: usize, longest: usize) -> Vec<String> {
    let fitted = all.iter().filter_map(|one| bounds::text(one, longest));
    fitted.take(most).collect()
}

fn product(
    id: ProductId,
    before: Option<&Product>,
    told: &IncomingProduct,
    now: Timestamp,
) -> Product {
    let some = |value: &Option<String>, most| bounds::text(value.as_deref()?, most);
    let code = some(&told.code, MAX_CODE);
    let external_id = Some(told.external_id.clone()).filter(|text| !text.is_empty());
    let name = bounds::text(&told.name, MAX_NAME);
    Product {
        id,
        code: code
            .or_else(|| external_id.clone())
            .unwrap_or_else(|| id.to_string()),
        source: told.source,
        shop: Some(told.shop.clone()).filter(|shop| !shop.is_empty()),
        external_id,
        name: name.unwrap_or_default(),
        description: some(&told.description, MAX_NOTE),
        images: texts(&told.images, MAX_IMAGES, MAX_URL),
        categories: texts(&told.categories, MAX_CATEGORIES, MAX_NAME),
        brand: some(&told.brand, MAX_NAME),
        price: told.price,
        compare_price: told.compare_price,
        cost: told.cost,
        currency: bounds::text(&told.currency, 3).unwrap_or_else(|| VND.to_owned()),
        unit: some(&told.unit, MAX_CODE),
        stock: None,
        status: told.status,
        url: some(&told.url, MAX_URL),
        variants: told
            .variants
            .iter()
            .take(MAX_VARIANTS)
            .map(variant)
            .collect(),
        tags: bounds::tags(&told.tags),
        staff_tags: before.map_or_else(Vec::new, |product| product.staff_tags.clone()),
        custom: before.map_or_else(Values::new, |product| product.custom.clone()),
        created_at: before.map_or(now, |product| product.created_at),
        updated_at: now,
    }
}

fn variant(variant: &Variant) -> Variant {
    let some = |value: &Option<String>, most| bounds::text(value.as_deref()?, most);
    Variant {
        external_id: some(&variant.external_id, MAX_CODE),
        sku: some(&variant.sku, MAX_CODE),
        name: bounds::text(&variant.name, MAX_NAME).unwrap_or_default(),
        image: some(&variant.image, MAX_URL),
        ..variant.clone()
    }
}
