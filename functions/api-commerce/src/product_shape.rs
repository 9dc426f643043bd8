//! The bodies and queries of products, and their checks. Products themselves are `commerce::Product`.

use std::collections::BTreeMap;

use commerce::bounds::{MAX_CODE, MAX_NAME, MAX_NOTE};
use commerce::{
    IncomingProduct, ListedProduct, MAX_CATEGORIES, MAX_IMAGES, MAX_URL, MAX_VARIANTS,
    ProductChange, ProductStatus, Source, Variant,
};
use contacts::Definitions;
use contacts::fields::Values;
use jiff::Timestamp;
use kernel::{Cursor, Limit, Money, Patch};
use lambda::http::{Flaws, Problem};
use serde::{Deserialize, Serialize};

use crate::query::LEAST_CODE;
use crate::shape::{amount, check_tags, is_bad};

/// A page of products.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ProductPage)]
pub struct ProductPage {
    pub data: Vec<ListedProduct>,
    /// Give it as `cursor` to read on; null on the last page.
    #[schema(required = true)]
    pub next: Option<Cursor>,
}

/// Query of the list of products.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ProductQuery {
    /// Absent: `active`.
    #[serde(default)]
    #[param(value_type = Option<ProductStatus>)]
    pub status: ProductStatus,
    /// The begin of a name.
    #[param(min_length = 1, max_length = 100)]
    pub query: Option<String>,
    /// The products whose code ends like this, in every status; without `query`.
    #[param(min_length = 3, max_length = 100)]
    pub code: Option<String>,
    #[serde(default)]
    #[param(value_type = Option<Limit>)]
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

impl ProductQuery {
    /// Refuses a text that is none.
    pub fn check(&self) -> Result<(), Problem> {
        let mut flaws = Flaws::default();
        let is_flawed = self
            .query
            .as_ref()
            .is_some_and(|text| is_bad(text, MAX_CODE));
        flaws.check(is_flawed, "?query", "must have 1 to 100 characters");
        let length = |code: &String| code.trim().chars().count();
        let length = self.code.as_ref().map_or(LEAST_CODE, length);
        flaws.check(
            !(LEAST_CODE..=MAX_CODE).contains(&length),
            "?code",
            "must have 3 to 100 characters",
        );
        flaws.check(
            self.code.is_some() && self.query.is_some(),
            "?code",
            "may not be given with query",
        );
        flaws.refuse()
    }
}

/// A variant of a new product.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewProductVariant)]
#[serde(deny_unknown_fields)]
pub struct VariantIn {
    #[schema(min_length = 1, max_length = 100, example = "AO-TR-M")]
    sku: Option<String>,
    #[schema(min_length = 1, max_length = 255, example = "Trắng / M")]
    name: String,
    /// Price of one, in VND.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 285_000)]
    price: i64,
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    stock: Option<i64>,
    #[schema(min_length = 1, max_length = 500)]
    image: Option<String>,
}

impl From<VariantIn> for Variant {
    fn from(given: VariantIn) -> Self {
        Self {
            external_id: None,
            sku: given.sku,
            name: given.name,
            price: Money::vnd(given.price),
            stock: given.stock,
            image: given.image,
        }
    }
}

/// A new product. Amounts are whole dong.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewProduct)]
#[serde(deny_unknown_fields)]
pub struct ProductIn {
    /// Unique among the products that staff entered.
    #[schema(min_length = 1, max_length = 100, example = "AO-TR")]
    code: String,
    #[schema(min_length = 1, max_length = 255, example = "Áo thun trắng")]
    name: String,
    #[schema(min_length = 1, max_length = 1000)]
    description: Option<String>,
    #[serde(default)]
    #[schema(max_items = 10)]
    images: Vec<String>,
    #[serde(default)]
    #[schema(max_items = 20)]
    categories: Vec<String>,
    #[schema(min_length = 1, max_length = 255)]
    brand: Option<String>,
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 285_000)]
    price: i64,
    /// The price before a reduction.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    compare_price: Option<i64>,
    /// The price that the shop pays.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    cost: Option<i64>,
    #[schema(min_length = 1, max_length = 100, example = "cái")]
    unit: Option<String>,
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    stock: Option<i64>,
    #[serde(default)]
    status: ProductStatus,
    /// The product's page.
    #[schema(min_length = 1, max_length = 500)]
    url: Option<String>,
    #[serde(default)]
    #[schema(max_items = 100)]
    variants: Vec<VariantIn>,
    #[serde(default)]
    #[schema(max_items = 50)]
    staff_tags: Vec<String>,
}

/// Largest stock.
const MOST_STOCK: i64 = 1_000_000_000;

fn text(flaws: &mut Flaws, pointer: &str, text: Option<&String>, most: usize) {
    let is_flawed = text.is_some_and(|text| is_bad(text, most));
    flaws.check(
        is_flawed,
        pointer,
        &format!("must have 1 to {most} characters"),
    );
}

fn texts(flaws: &mut Flaws, pointer: &str, all: &[String], (most, longest): (usize, usize)) {
    let is_flawed = all.len() > most || all.iter().any(|one| is_bad(one, longest));
    let message = format!("holds at most {most} texts of 1 to {longest} characters");
    flaws.check(is_flawed, pointer, &message);
}

fn stock(flaws: &mut Flaws, pointer: &str, stock: Option<i64>) {
    let is_flawed = stock.is_some_and(|count| !(-MOST_STOCK..=MOST_STOCK).contains(&count));
    let message = "must be between -1000000000 and 1000000000";
    flaws.check(is_flawed, pointer, message);
}

fn variants(flaws: &mut Flaws, all: &[VariantIn]) {
    flaws.check(
        all.len() > MAX_VARIANTS,
        "/variants",
        "must have at most 100 variants",
    );
    for (n, one) in all.iter().enumerate().take(MAX_VARIANTS) {
        let at = |field: &str| format!("/variants/{n}/{field}");
        text(flaws, &at("sku"), one.sku.as_ref(), MAX_CODE);
        text(flaws, &at("name"), Some(&one.name), MAX_NAME);
        text(flaws, &at("image"), one.image.as_ref(), MAX_URL);
        amount(flaws, &at("price"), one.price);
        stock(flaws, &at("stock"), one.stock);
    }
}

impl ProductIn {
    /// The product and the tags of the staff, or every fault of the body.
    pub fn incoming(self, now: Timestamp) -> Result<(IncomingProduct, Vec<String>), Problem> {
        let mut flaws = Flaws::default();
        text(&mut flaws, "/code", Some(&self.code), MAX_CODE);
        text(&mut flaws, "/name", Some(&self.name), MAX_NAME);
        text(
            &mut flaws,
            "/description",
            self.description.as_ref(),
            MAX_NOTE,
        );
        texts(&mut flaws, "/images", &self.images, (MAX_IMAGES, MAX_URL));
        let categories = (MAX_CATEGORIES, MAX_NAME);
        texts(&mut flaws, "/categories", &self.categories, categories);
        text(&mut flaws, "/brand", self.brand.as_ref(), MAX_NAME);
        text(&mut flaws, "/unit", self.unit.as_ref(), MAX_CODE);
        text(&mut flaws, "/url", self.url.as_ref(), MAX_URL);
        amount(&mut flaws, "/price", self.price);
        amount(
            &mut flaws,
            "/compare_price",
            self.compare_price.unwrap_or(0),
        );
        amount(&mut flaws, "/cost", self.cost.unwrap_or(0));
        stock(&mut flaws, "/stock", self.stock);
        variants(&mut flaws, &self.variants);
        check_tags(&self.staff_tags, "/staff_tags", &mut flaws);
        flaws.refuse()?;
        let code = self.code.trim().to_owned();
        let level = self.stock.map(|count| (String::new(), count));
        let incoming = IncomingProduct {
            source: Source::Manual,
            source_at: now,
            code: Some(code),
            name: self.name,
            description: self.description,
            images: self.images,
            categories: self.categories,
            brand: self.brand,
            price: Money::vnd(self.price),
            compare_price: self.compare_price.map(Money::vnd),
            cost: self.cost.map(Money::vnd),
            unit: self.unit,
            levels: level.into_iter().collect::<BTreeMap<_, _>>(),
            status: self.status,
            url: self.url,
            variants: self.variants.into_iter().map(Variant::from).collect(),
            ..IncomingProduct::default()
        };
        Ok((incoming, self.staff_tags))
    }
}

/// The fields of a product to change (RFC 7396): absent ones stay, `null` clears. All but `staff_tags` and `custom` only of
/// products that staff entered.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = ProductPatch)]
#[serde(deny_unknown_fields)]
pub struct ProductPatch {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1000)]
    description: Patch<String>,
    #[schema(max_items = 10)]
    images: Option<Vec<String>>,
    #[schema(max_items = 20)]
    categories: Option<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    brand: Patch<String>,
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    price: Option<i64>,
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64)]
    compare_price: Patch<i64>,
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64)]
    cost: Patch<i64>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    unit: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = -1_000_000_000, maximum = 1_000_000_000)]
    stock: Patch<i64>,
    status: Option<ProductStatus>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500)]
    url: Patch<String>,
    #[schema(max_items = 100)]
    variants: Option<Vec<VariantIn>>,
    /// The tags of the staff; of every product.
    #[schema(max_items = 50)]
    staff_tags: Option<Vec<String>>,
    /// Values of the fields that `/v1/fields` defines for products, by key; null clears. Of every product.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub custom: Values,
}

fn dong(patch: Patch<i64>) -> Patch<Money> {
    match patch {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(amount) => Patch::Set(Money::vnd(amount)),
    }
}

impl ProductPatch {
    /// The change, or every fault of the body.
    pub fn change(self, fields: &Definitions) -> Result<ProductChange, Problem> {
        let mut flaws = Flaws::default();
        let (custom, wrong) = fields.judge(self.custom);
        flaws.extend(wrong);
        text(&mut flaws, "/name", self.name.as_ref(), MAX_NAME);
        text(
            &mut flaws,
            "/description",
            self.description.value(),
            MAX_NOTE,
        );
        text(&mut flaws, "/brand", self.brand.value(), MAX_NAME);
        text(&mut flaws, "/unit", self.unit.value(), MAX_CODE);
        text(&mut flaws, "/url", self.url.value(), MAX_URL);
        let images = self.images.as_deref().unwrap_or_default();
        texts(&mut flaws, "/images", images, (MAX_IMAGES, MAX_URL));
        let categories = self.categories.as_deref().unwrap_or_default();
        let most = (MAX_CATEGORIES, MAX_NAME);
        texts(&mut flaws, "/categories", categories, most);
        for (pointer, given) in [
            ("/price", self.price),
            ("/compare_price", self.compare_price.value().copied()),
            ("/cost", self.cost.value().copied()),
        ] {
            amount(&mut flaws, pointer, given.unwrap_or(0));
        }
        stock(&mut flaws, "/stock", self.stock.value().copied());
        variants(&mut flaws, self.variants.as_deref().unwrap_or_default());
        let tags = self.staff_tags.as_deref().unwrap_or_default();
        check_tags(tags, "/staff_tags", &mut flaws);
        flaws.refuse()?;
        let trimmed = |text: String| text.trim().to_owned();
        let variants = self.variants;
        Ok(ProductChange {
            name: self.name.map(trimmed),
            description: self.description,
            images: self.images,
            categories: self.categories,
            brand: self.brand,
            price: self.price.map(Money::vnd),
            compare_price: dong(self.compare_price),
            cost: dong(self.cost),
            unit: self.unit,
            stock: self.stock,
            status: self.status,
            url: self.url,
            variants: variants.map(|all| all.into_iter().map(Variant::from).collect()),
            staff_tags: self.staff_tags,
            custom,
        })
    }
}
