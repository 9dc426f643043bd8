//! The products and the stock of KiotViet. Each variant is a product of its own there.

use jiff::Timestamp;
use kernel::Money;
use kernel::commerce::{IncomingProduct, ProductStatus, Source, StockLevel};
use serde_json::Value;

use crate::json;

/// The product of a notification. `None` if the object names no product.
pub fn product(value: &Value, shop: &str, received_at: Timestamp) -> Option<IncomingProduct> {
    let external_id = json::text_at(value, "Id")?;
    let first = |names: &[&str]| names.iter().find_map(|name| json::text_at(value, name));
    let places = json::list(value, "Inventories");
    let images = json::list(value, "Images").iter();
    let cost = places.iter().find_map(|one| json::money(one, "Cost"));
    let is_sold = value.get("AllowsSale").and_then(Value::as_bool);
    Some(IncomingProduct {
        source: Source::Kiotviet,
        shop: shop.to_owned(),
        external_id,
        source_at: json::time(value, "ModifiedDate").unwrap_or(received_at),
        code: first(&["Code"]),
        name: first(&["FullName", "Name"]).unwrap_or_default(),
        images: images
            .filter_map(|one| json::text(one).or_else(|| json::text_at(one, "Image")))
            .collect(),
        categories: first(&["CategoryName"]).into_iter().collect(),
        price: json::money(value, "BasePrice").unwrap_or_default(),
        cost: cost.filter(|cost: &Money| cost.amount() > 0),
        unit: first(&["Unit"]),
        levels: places.iter().filter_map(level).collect(),
        status: if is_sold == Some(false) {
            ProductStatus::Hidden
        } else {
            ProductStatus::Active
        },
        ..IncomingProduct::default()
    })
}

/// A branch and its stock: whole pieces, the rest is cut off.
fn level(value: &Value) -> Option<(String, i64)> {
    let count = value.get("OnHand").and_then(Value::as_f64)?;
    Some((json::text_at(value, "BranchId")?, count as i64))
}

/// The stock of a notification, which has no time of its own.
pub fn stock(value: &Value, shop: &str, received_at: Timestamp) -> Option<StockLevel> {
    let (place, count) = level(value)?;
    Some(StockLevel {
        source: Source::Kiotviet,
        shop: shop.to_owned(),
        external_id: json::text_at(value, "ProductId")?,
        place,
        count,
        at: json::time(value, "ModifiedDate").unwrap_or(received_at),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_product_has_its_stock_at_each_branch() {
        let at = "2026-03-02T08:00:00Z".parse().unwrap();
        let body = json!({
            "Id": 501, "Code": "AO-TR-M", "Name": "Áo thun trắng", "FullName": "Áo thun trắng M", "CategoryName": "Áo",
            "AllowsSale": true, "BasePrice": 300_000, "Unit": "cái", "ModifiedDate": "2026-03-02T08:15:31.0000000+07:00",
            "Inventories": [{ "BranchId": 11, "OnHand": 12.5, "Cost": 120_000 }, { "BranchId": 12, "OnHand": 3, "Cost": 0 }],
            "Images": [{ "Image": "https://cdn.example.vn/ao.jpg" }],
        });
        let product = product(&body, "500123", at).unwrap();
        assert_eq!(product.name, "Áo thun trắng M");
        assert_eq!(product.levels.values().sum::<i64>(), 15);
        assert_eq!(product.cost, Some(Money::vnd(120_000)));
        assert_eq!(product.images, ["https://cdn.example.vn/ao.jpg"]);
        assert_eq!(product.source_at.to_string(), "2026-03-02T01:15:31Z");
        let told = json!({ "ProductId": 501, "BranchId": 12, "OnHand": 1, "Reserved": 0 });
        let level = stock(&told, "500123", at).unwrap();
        assert_eq!((level.place.as_str(), level.count, level.at), ("12", 1, at));
        assert_eq!(stock(&json!({ "ProductId": 501 }), "500123", at), None);
    }
}
