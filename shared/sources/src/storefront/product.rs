//! The products of Haravan and Sapo Web.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::commerce::{IncomingProduct, ProductStatus, Variant};
use serde_json::Value;

use super::Shape;
use crate::{json, terms};

/// Choices that name a variant.
const OPTIONS: [&str; 3] = ["option1", "option2", "option3"];
/// The only choice of a product without variants.
const NO_CHOICE: &str = "Default Title";

/// The product of a body. `None` if the body names no product.
pub fn product(
    value: &Value,
    shape: &Shape,
    shop: &str,
    received_at: Timestamp,
) -> Option<IncomingProduct> {
    let external_id = json::text_at(value, "id")?;
    let first = |names: &[&str]| names.iter().find_map(|name| json::text_at(value, name));
    let all = json::list(value, "variants");
    let one = all.first().unwrap_or(&Value::Null);
    let variants: Vec<Variant> = all.iter().map(|one| variant(one, value)).collect();
    let counted: Vec<i64> = variants.iter().filter_map(|one| one.stock).collect();
    let sum = counted.iter().fold(0, |sum: i64, n| sum.saturating_add(*n));
    let levels = (!counted.is_empty()).then(|| (String::new(), sum));
    let images = json::list(value, "images").iter();
    // The field is absent in older bodies, and null for a product that the shop does not show.
    let is_hidden = value.get(shape.published).is_some_and(Value::is_null);
    Some(IncomingProduct {
        source: shape.source,
        shop: shop.to_owned(),
        external_id,
        source_at: json::time(value, shape.updated).unwrap_or(received_at),
        code: if all.len() == 1 {
            json::text_at(one, "sku")
        } else {
            None
        },
        name: first(&["title", "name"]).unwrap_or_default(),
        description: first(&["body_html", "content"]).map(|html| terms::plain(&html)),
        images: images.filter_map(|one| json::text_at(one, "src")).collect(),
        categories: first(&["product_type"]).into_iter().collect(),
        brand: first(&["vendor"]),
        price: json::money(one, "price").unwrap_or_default(),
        compare_price: json::money(one, "compare_at_price").filter(|price| price.amount() > 0),
        levels: levels.into_iter().collect::<BTreeMap<_, _>>(),
        status: if is_hidden {
            ProductStatus::Hidden
        } else {
            ProductStatus::Active
        },
        variants: if all.len() > 1 { variants } else { Vec::new() },
        tags: terms::tags(value),
        ..IncomingProduct::default()
    })
}

fn variant(value: &Value, product: &Value) -> Variant {
    let options = OPTIONS.iter().filter_map(|name| json::text_at(value, name));
    let options: Vec<String> = options.filter(|option| option != NO_CHOICE).collect();
    let name = if options.is_empty() {
        json::text_at(value, "title").unwrap_or_default()
    } else {
        options.join(" / ")
    };
    let image = json::text_at(value, "image_id");
    let mut images = json::list(product, "images").iter();
    let image = images.find(|one| image.is_some() && json::text_at(one, "id") == image);
    Variant {
        external_id: json::text_at(value, "id"),
        sku: json::text_at(value, "sku"),
        name,
        price: json::money(value, "price").unwrap_or_default(),
        stock: value.get("inventory_quantity").and_then(Value::as_i64),
        image: image.and_then(|one| json::text_at(one, "src")),
    }
}

#[cfg(test)]
mod tests {
    use kernel::Money;
    use serde_json::json;

    use super::*;
    use crate::haravan::SHAPE;

    fn read(value: &Value) -> IncomingProduct {
        let at = "2026-03-02T08:00:00Z".parse().unwrap();
        product(value, &SHAPE, "1000101234", at).unwrap()
    }

    #[test]
    fn a_product_with_two_variants_counts_both() {
        let product = read(&json!({
            "id": 1_031_110_022, "title": "Áo thun", "body_html": "<p>Vải <b>cotton</b> &amp; mát</p>", "vendor": "Gốm",
            "product_type": "Áo", "tags": "hè, mới", "updated_at": "2026-03-02T01:12:11.500Z", "published_at": "2026-03-01T00:00:00Z",
            "images": [{ "id": 7, "src": "https://product.example.vn/ao.jpg" }],
            "variants": [
                { "id": 1, "sku": "AO-TR-M", "price": 285_000.0, "compare_at_price": 300_000.0, "inventory_quantity": 4, "option1": "Trắng", "option2": "M", "image_id": 7 },
                { "id": 2, "sku": "AO-TR-L", "price": 295_000, "inventory_quantity": -1, "option1": "Trắng", "option2": "L" },
            ],
        }));
        assert_eq!(product.name, "Áo thun");
        assert_eq!(product.description.as_deref(), Some("Vải cotton & mát"));
        assert_eq!(product.price, Money::vnd(285_000));
        assert_eq!(product.levels.get(""), Some(&3));
        assert_eq!((product.code, product.variants.len()), (None, 2));
        assert_eq!(product.variants[0].name, "Trắng / M");
        let image = product.variants[0].image.as_deref();
        assert_eq!(image, Some("https://product.example.vn/ao.jpg"));
        assert_eq!(product.tags, ["hè", "mới"]);
        assert_eq!(product.status, ProductStatus::Active);
    }

    #[test]
    fn the_only_variant_is_the_product() {
        let product = read(&json!({
            "id": 1, "title": "Bát", "published_at": null,
            "variants": [{ "id": 2, "sku": "BAT", "price": "95000", "option1": "Default Title" }],
        }));
        assert_eq!(product.code.as_deref(), Some("BAT"));
        assert!(product.variants.is_empty() && product.levels.is_empty());
        assert_eq!(product.status, ProductStatus::Hidden);
    }
}
