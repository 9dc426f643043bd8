//! Every key of the table Commerce.

use cloud::Key;
use jiff::Timestamp;
use kernel::{ContactId, OrderId, ProductId, TenantKey, clock};

use kernel::commerce::Source;

/// Last characters of a code that are part of the partition key. Codes of a shop begin alike.
pub const TAIL: usize = 3;

pub fn order(tenant: TenantKey, order: OrderId) -> Key {
    Key::new(format!("{tenant}#{order}"), "ORDER")
}

/// Row that names the order of an id at a source. The ids of a shop begin alike: a hash spreads them over 256
/// partitions.
pub fn natural(tenant: TenantKey, source: Source, shop: &str, external_id: &str) -> Key {
    spread(tenant, "ORDX", source, shop, external_id)
}

fn spread(tenant: TenantKey, kind: &str, source: Source, shop: &str, external_id: &str) -> Key {
    let hash = kernel::hash::name(&[external_id]);
    let (source, head) = (source.name(), hash.get(..2).unwrap_or_default());
    Key::new(
        format!("{tenant}#{kind}#{source}#{shop}#{head}"),
        external_id,
    )
}

/// Partition of a contact's orders.
pub fn orders_of(tenant: TenantKey, contact: ContactId) -> String {
    format!("{tenant}#{contact}#ORD")
}

pub fn order_of(tenant: TenantKey, contact: ContactId, at: Timestamp, order: OrderId) -> Key {
    let sk = format!("{}#{order}", clock::sortable(at));
    Key::new(orders_of(tenant, contact), sk)
}

/// A code from its end, in the form that is compared.
pub fn reversed(code: &str) -> String {
    kernel::text::fold(code).chars().rev().collect()
}

/// Partition of the codes of orders that end like this one; the text is reversed.
pub fn codes(tenant: TenantKey, reversed: &str) -> String {
    ends(tenant, "OC", reversed)
}

/// Partition of the codes of products that end like this one; the text is reversed.
pub fn product_codes(tenant: TenantKey, reversed: &str) -> String {
    ends(tenant, "PC", reversed)
}

fn ends(tenant: TenantKey, kind: &str, reversed: &str) -> String {
    let tail: String = reversed.chars().take(TAIL).collect();
    format!("{tenant}#{kind}#{tail:TAIL$}")
}

/// Row by which a code is found from its end.
pub fn code(tenant: TenantKey, code: &str, order: OrderId) -> Key {
    let reversed = reversed(code);
    Key::new(codes(tenant, &reversed), format!("{reversed}#{order}"))
}

/// Row by which a product's code is found from its end.
pub fn product_code(tenant: TenantKey, code: &str, product: ProductId) -> Key {
    let reversed = reversed(code);
    let partition = product_codes(tenant, &reversed);
    Key::new(partition, format!("{reversed}#{product}"))
}

/// Begin of the sort keys of a product's stock at its places.
pub const LEVEL: &str = "STOCK#";

pub fn product(tenant: TenantKey, product: ProductId) -> Key {
    Key::new(format!("{tenant}#{product}"), "PRODUCT")
}

/// The stock at a place, in the partition of its product.
pub fn level(tenant: TenantKey, product: ProductId, place: &str) -> Key {
    Key::new(format!("{tenant}#{product}"), format!("{LEVEL}{place}"))
}

/// Row that names the product of an id at a source, spread like those of orders.
pub fn product_natural(tenant: TenantKey, source: Source, shop: &str, external_id: &str) -> Key {
    spread(tenant, "PRDX", source, shop, external_id)
}

/// A cart of a source.
pub fn cart(tenant: TenantKey, source: Source, shop: &str, external_id: &str) -> Key {
    spread(tenant, "CART", source, shop, external_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_these_exact_texts() {
        #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
        let t = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let o: OrderId = "ord_0123456789a".parse().unwrap();
        let p: ProductId = "prd_0123456789a".parse().unwrap();
        let c: ContactId = "con_0123456789a".parse().unwrap();
        let at: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let head = &kernel::hash::name(&["1200450077"])[..2];
        let natural_pk = format!("ws_0123456789a#ORDX#haravan#ao-dai#{head}");
        for (key, pk, sk) in [
            (order(t, o), "ws_0123456789a#ord_0123456789a", "ORDER"),
            (
                natural(t, Source::Haravan, "ao-dai", "1200450077"),
                natural_pk.as_str(),
                "1200450077",
            ),
            (
                order_of(t, c, at, o),
                "ws_0123456789a#con_0123456789a#ORD",
                "2026-03-02T08:00:00.000Z#ord_0123456789a",
            ),
            (
                code(t, "#DH104512", o),
                "ws_0123456789a#OC#215",
                "215401hd##ord_0123456789a",
            ),
            (
                code(t, "7", o),
                "ws_0123456789a#OC#7  ",
                "7#ord_0123456789a",
            ),
            (product(t, p), "ws_0123456789a#prd_0123456789a", "PRODUCT"),
            (
                level(t, p, "11"),
                "ws_0123456789a#prd_0123456789a",
                "STOCK#11",
            ),
            (
                product_code(t, "AO-TR-M", p),
                "ws_0123456789a#PC#m-r",
                "m-rt-oa#prd_0123456789a",
            ),
            (
                product_natural(t, Source::Haravan, "ao-dai", "1200450077"),
                &natural_pk.replace("ORDX", "PRDX"),
                "1200450077",
            ),
            (
                cart(t, Source::Haravan, "ao-dai", "1200450077"),
                &natural_pk.replace("ORDX", "CART"),
                "1200450077",
            ),
        ] {
            assert_eq!(key, Key::new(pk, sk));
        }
    }
}
