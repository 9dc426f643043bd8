//! Products of the lines of a file. Pure: no I/O.
//!
//! A wrong cell costs the cell. A wrong currency costs the row: its price would be another one.

use contacts::fields::Values;
use contacts::import::{self, Layout, Line, RowError};
use jiff::Timestamp;
use kernel::commerce::{IncomingProduct, ProductStatus, Source, VND};
use kernel::{Money, Patch};
use serde::Serialize;

use super::cells;
use super::reading::{Cells, told};
use super::words;
use crate::bounds::{self, MAX_CODE, MAX_NAME, MAX_NOTE};
use crate::product::{MAX_CATEGORIES, MAX_IMAGES, MAX_URL, ONLY_PLACE, compared};
use crate::product_change::ProductChange;

/// The fields of a product in a file; absent fields say nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct FileProduct {
    pub code: String,
    pub source: Option<Source>,
    pub name: Option<String>,
    pub price: Option<i64>,
    pub compare_price: Option<i64>,
    pub cost: Option<i64>,
    pub unit: Option<String>,
    pub stock: Option<i64>,
    pub status: Option<ProductStatus>,
    pub brand: Option<String>,
    pub categories: Vec<String>,
    pub tags: Vec<String>,
    pub description: Option<String>,
    pub url: Option<String>,
    pub images: Vec<String>,
}

/// A line of a file of products.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProductLine {
    pub line: u64,
    pub product: FileProduct,
    pub told: Vec<RowError>,
    /// Whether something is told for which the row is not taken.
    pub is_wrong: bool,
}

/// The product of a line.
pub(crate) fn product(line: &Line, layout: &Layout) -> ProductLine {
    let mut read = ProductLine {
        line: line.line,
        product: FileProduct::default(),
        told: line.fault.iter().chain(&line.note).cloned().collect(),
        is_wrong: line.fault.is_some(),
    };
    if line.fault.is_some() {
        read.told.truncate(1);
        return read;
    }
    let cells = Cells::of(line, layout);
    let code = cells.text("code").unwrap_or_default();
    if code.is_empty() || code.chars().count() > MAX_CODE {
        read.is_wrong = true;
        read.note("code", "expected a code of 1 to 100 characters");
    }
    code.clone_into(&mut read.product.code);
    if cells
        .text("currency")
        .is_some_and(|cell| !words::is_vnd(cell))
    {
        read.is_wrong = true;
        read.note("currency", "only prices in VND are taken");
    }
    read.texts(&cells);
    read.values(&cells);
    read
}

impl ProductLine {
    fn note(&mut self, column: &str, message: &str) {
        let column = Some(format!("product.{column}"));
        self.told.push(told(self.line, column, message));
    }

    fn texts(&mut self, cells: &Cells<'_>) {
        let product = &mut self.product;
        for (name, slot, most) in [
            ("name", &mut product.name, MAX_NAME),
            ("unit", &mut product.unit, MAX_CODE),
            ("brand", &mut product.brand, MAX_NAME),
            ("description", &mut product.description, MAX_NOTE),
        ] {
            *slot = cells.text(name).and_then(|cell| bounds::text(cell, most));
        }
        let several = |name: &str| cells.text(name).map(import::tags).unwrap_or_default();
        product.tags = bounds::tags(&several("tags"));
        let categories = several("categories").into_iter();
        let fitted = categories.filter_map(|one| bounds::text(&one, MAX_NAME));
        product.categories = fitted.take(MAX_CATEGORIES).collect();
        product.source = cells.text("source").and_then(words::source);
    }

    fn values(&mut self, cells: &Cells<'_>) {
        let product = &mut self.product;
        let mut wrong = Vec::new();
        for (name, slot) in [
            ("price", &mut product.price),
            ("compare_price", &mut product.compare_price),
            ("cost", &mut product.cost),
        ] {
            let cell = cells.text(name);
            *slot = cell.and_then(cells::amount);
            if cell.is_some() && slot.is_none() {
                wrong.push((
                    name,
                    "expected an amount in whole dong such as 285000 or 285.000",
                ));
            }
        }
        let stock = cells.text("stock");
        product.stock = stock.and_then(cells::count);
        if stock.is_some() && product.stock.is_none() {
            wrong.push(("stock", "expected a whole number"));
        }
        let status = cells.text("status");
        product.status = status.and_then(words::product_status);
        if status.is_some() && product.status.is_none() {
            wrong.push((
                "status",
                "expected active, hidden, out_of_stock or archived",
            ));
        }
        if let Some(cell) = cells.text("url") {
            product.url = address(cell);
            if product.url.is_none() {
                wrong.push(("url", "expected an address that begins with https://"));
            }
        }
        if let Some(cell) = cells.text("image") {
            let all: Vec<&str> = cell
                .split([' ', ';', ',', '\n'])
                .filter(|one| !one.is_empty())
                .collect();
            let good = all.iter().filter_map(|one| address(one)).take(MAX_IMAGES);
            product.images = good.collect();
            if product.images.len() < all.len().min(MAX_IMAGES) {
                wrong.push(("image", "expected addresses that begin with https://"));
            }
        }
        for (name, message) in wrong {
            self.note(name, message);
        }
    }
}

fn address(cell: &str) -> Option<String> {
    let is_web = cell.starts_with("https://") || cell.starts_with("http://");
    let is_plain = !cell.contains(char::is_whitespace) && cell.chars().count() <= MAX_URL;
    (is_web && is_plain).then(|| cell.to_owned())
}

impl FileProduct {
    /// The code as it names a product.
    pub fn key(&self) -> String {
        compared(&self.code)
    }

    /// Names what the file says.
    pub fn hash(&self) -> String {
        kernel::hash::name(&[&serde_json::to_string(self).unwrap_or_default()])
    }

    /// The change of a product that is known.
    pub fn change(&self) -> ProductChange {
        let set = |value: &Option<String>| value.clone().map_or(Patch::Keep, Patch::Set);
        let sum = |value: Option<i64>| value.map_or(Patch::Keep, |sum| Patch::Set(Money::vnd(sum)));
        let list = |all: &[String]| (!all.is_empty()).then(|| all.to_vec());
        ProductChange {
            name: self.name.clone(),
            description: set(&self.description),
            images: list(&self.images),
            categories: list(&self.categories),
            brand: set(&self.brand),
            price: self.price.map(Money::vnd),
            compare_price: sum(self.compare_price),
            cost: sum(self.cost),
            unit: set(&self.unit),
            stock: self.stock.map_or(Patch::Keep, Patch::Set),
            status: self.status,
            url: set(&self.url),
            variants: None,
            staff_tags: list(&self.tags),
            custom: Values::new(),
        }
    }

    /// The first version of the product, or why there is none.
    pub fn incoming(&self, at: Timestamp) -> Result<IncomingProduct, &'static str> {
        let (Some(name), Some(price)) = (self.name.clone(), self.price) else {
            return Err("a new product needs a name and a price");
        };
        let levels = self.stock.map(|count| (ONLY_PLACE.to_owned(), count));
        Ok(IncomingProduct {
            source: Source::Import,
            source_at: at,
            code: Some(self.code.clone()),
            name,
            price: Money::vnd(price),
            description: self.description.clone(),
            images: self.images.clone(),
            categories: self.categories.clone(),
            brand: self.brand.clone(),
            compare_price: self.compare_price.map(Money::vnd),
            cost: self.cost.map(Money::vnd),
            currency: VND.to_owned(),
            unit: self.unit.clone(),
            levels: levels.into_iter().collect(),
            status: self.status.unwrap_or_default(),
            url: self.url.clone(),
            ..IncomingProduct::default()
        })
    }
}
