//! A change of a product that staff make. Pure.

use std::collections::BTreeMap;

use contacts::fields::{Values, change_values};
use kernel::commerce::{ProductStatus, Source, Variant};
use kernel::{Money, Patch};

use crate::bounds;
use crate::product::{ONLY_PLACE, Product, ProductRow};

/// The fields to change. The tags and the custom fields of the staff may be changed for every product, all else only for
/// products that staff entered. Texts are within their bounds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProductChange {
    /// Name.
    pub name: Option<String>,
    /// Description.
    pub description: Patch<String>,
    /// Addresses of pictures.
    pub images: Option<Vec<String>>,
    /// Categories.
    pub categories: Option<Vec<String>>,
    /// Brand or maker.
    pub brand: Patch<String>,
    /// Price of one.
    pub price: Option<Money>,
    /// The price before a reduction.
    pub compare_price: Patch<Money>,
    /// The price that the shop pays.
    pub cost: Patch<Money>,
    /// Unit.
    pub unit: Patch<String>,
    /// How many there are.
    pub stock: Patch<i64>,
    /// The status.
    pub status: Option<ProductStatus>,
    /// The product's page.
    pub url: Patch<String>,
    /// Variants.
    pub variants: Option<Vec<Variant>>,
    /// The tags of the staff.
    pub staff_tags: Option<Vec<String>>,
    /// Custom fields in their stored form; null clears.
    pub custom: Values,
}

/// The outcome of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum ProductChanged {
    /// The product after it.
    Yes(Box<Product>),
    /// The product is changed at its source.
    ReadOnly,
    /// The custom fields would be longer than [`contacts::fields::MAX_VALUES_BYTES`].
    Full,
    /// There is no such product.
    Missing,
}

/// Whether products of this source are managed here.
fn is_own(source: Source) -> bool {
    matches!(source, Source::Manual | Source::Import)
}

impl ProductChange {
    /// Changes the product, or says why not.
    pub(crate) fn apply(&self, row: &mut ProductRow) -> Result<(), ProductChanged> {
        let bare = Self {
            staff_tags: self.staff_tags.clone(),
            custom: self.custom.clone(),
            ..Self::default()
        };
        let product = &mut row.product;
        if *self != bare && !is_own(product.source) {
            return Err(ProductChanged::ReadOnly);
        }
        change_values(&mut product.custom, &self.custom).map_err(|_| ProductChanged::Full)?;
        if let Some(tags) = &self.staff_tags {
            product.staff_tags = bounds::tags(tags);
        }
        let set = |slot: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                slot.clone_from(value);
            }
        };
        set(&mut product.name, &self.name);
        let lists = [
            (&mut product.images, &self.images),
            (&mut product.categories, &self.categories),
        ];
        for (slot, value) in lists {
            if let Some(value) = value {
                slot.clone_from(value);
            }
        }
        product.description = self.description.clone().onto(product.description.take());
        product.brand = self.brand.clone().onto(product.brand.take());
        product.unit = self.unit.clone().onto(product.unit.take());
        product.url = self.url.clone().onto(product.url.take());
        product.price = self.price.unwrap_or(product.price);
        product.compare_price = self.compare_price.onto(product.compare_price);
        product.cost = self.cost.onto(product.cost);
        product.status = self.status.unwrap_or(product.status);
        if let Some(variants) = &self.variants {
            product.variants.clone_from(variants);
        }
        match self.stock {
            Patch::Keep => {}
            Patch::Clear => row.levels.clear(),
            Patch::Set(count) => row.levels = BTreeMap::from([(ONLY_PLACE.to_owned(), count)]),
        }
        Ok(())
    }
}
