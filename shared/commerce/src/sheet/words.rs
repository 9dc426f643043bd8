//! The words of cells of orders and products: statuses, ways of payment, sources, the currency. Pure.

use kernel::commerce::{OrderStatus, PaymentMethod, PaymentStatus, ProductStatus, Source};
use kernel::text::fold;

/// A word in the form that is compared: `"Đã_thanh toán"` is `da thanh toan`.
fn word(cell: &str) -> String {
    fold(cell).replace(['_', '-'], " ")
}

fn meant<T: Copy>(cell: &str, table: &[(T, &str, &[&str])]) -> Option<T> {
    let said = word(cell);
    let is_meant = |(_, name, words): &&(T, &str, &[&str])| {
        word(name) == said || words.contains(&said.as_str())
    };
    table.iter().find(is_meant).map(|(value, ..)| *value)
}

/// The status of an order.
pub fn order_status(cell: &str) -> Option<OrderStatus> {
    use OrderStatus::{
        Cancelled, Completed, Confirmed, Delivered, Draft, New, Processing, Returned, Shipping,
    };
    meant(
        cell,
        &[
            (Draft, "draft", &["nhap", "phieu tam", "don nhap"]),
            (
                New,
                "new",
                &[
                    "moi",
                    "don moi",
                    "cho xac nhan",
                    "dat hang",
                    "cho duyet",
                    "open",
                    "pending",
                ],
            ),
            (Confirmed, "confirmed", &["da xac nhan", "da duyet"]),
            (
                Processing,
                "processing",
                &[
                    "dang xu ly",
                    "dang dong goi",
                    "cho dong goi",
                    "cho lay hang",
                    "dang thuc hien",
                ],
            ),
            (
                Shipping,
                "shipping",
                &["dang giao", "dang giao hang", "dang van chuyen", "shipped"],
            ),
            (
                Delivered,
                "delivered",
                &["da giao", "da giao hang", "giao thanh cong", "da nhan hang"],
            ),
            (
                Completed,
                "completed",
                &[
                    "hoan thanh",
                    "da hoan thanh",
                    "thanh cong",
                    "da ket thuc",
                    "ket thuc",
                    "closed",
                    "done",
                ],
            ),
            (
                Returned,
                "returned",
                &["tra hang", "da tra hang", "hoan hang", "da hoan"],
            ),
            (
                Cancelled,
                "cancelled",
                &["huy", "huy bo", "da huy", "canceled", "khong giao duoc"],
            ),
        ],
    )
}

/// How much of an order is paid.
pub fn payment_status(cell: &str) -> Option<PaymentStatus> {
    use PaymentStatus::{Paid, Partial, Refunded, Unpaid};
    meant(
        cell,
        &[
            (
                Unpaid,
                "unpaid",
                &["chua thanh toan", "cho thanh toan", "chua tra", "pending"],
            ),
            (
                Partial,
                "partial",
                &["thanh toan mot phan", "tra mot phan", "partially paid"],
            ),
            (
                Paid,
                "paid",
                &[
                    "da thanh toan",
                    "da tra",
                    "thanh toan du",
                    "thanh toan toan bo",
                ],
            ),
            (
                Refunded,
                "refunded",
                &["da hoan tien", "hoan tien", "hoan tien toan bo"],
            ),
        ],
    )
}

/// How an order is paid.
pub fn payment_method(cell: &str) -> Option<PaymentMethod> {
    use PaymentMethod::{BankTransfer, Card, Cash, Cod, EWallet, Other};
    meant(
        cell,
        &[
            (Cash, "cash", &["tien mat"]),
            (
                Cod,
                "cod",
                &[
                    "thu ho",
                    "thanh toan khi nhan hang",
                    "thanh toan khi giao hang (cod)",
                    "cash on delivery",
                ],
            ),
            (
                Card,
                "card",
                &["the", "quet the", "the tin dung", "credit card"],
            ),
            (
                BankTransfer,
                "bank_transfer",
                &["chuyen khoan", "chuyen khoan ngan hang"],
            ),
            (
                EWallet,
                "e_wallet",
                &["vi dien tu", "momo", "vi", "zalopay", "vnpay", "shopeepay"],
            ),
            (Other, "other", &["khac"]),
        ],
    )
}

/// The status of a product.
pub fn product_status(cell: &str) -> Option<ProductStatus> {
    use ProductStatus::{Active, Archived, Hidden, OutOfStock};
    meant(
        cell,
        &[
            (
                Active,
                "active",
                &[
                    "dang ban",
                    "dang kinh doanh",
                    "dang giao dich",
                    "hien",
                    "con hang",
                ],
            ),
            (Hidden, "hidden", &["an", "tam an", "draft"]),
            (OutOfStock, "out_of_stock", &["het hang", "tam het hang"]),
            (
                Archived,
                "archived",
                &[
                    "ngung ban",
                    "ngung kinh doanh",
                    "ngung giao dich",
                    "luu tru",
                ],
            ),
        ],
    )
}

/// The source that one of our own files names; none for another word.
pub fn source(cell: &str) -> Option<Source> {
    let said = word(cell);
    Source::ALL
        .iter()
        .copied()
        .find(|source| source.name() == said)
}

/// Whether the cell names the currency of Vietnam.
pub fn is_vnd(cell: &str) -> bool {
    matches!(
        word(cell).as_str(),
        "vnd" | "d" | "₫" | "dong" | "viet nam dong"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_api_is_understood() {
        for &one in OrderStatus::ALL {
            assert_eq!(order_status(one.name()), Some(one));
        }
        for &one in PaymentStatus::ALL {
            assert_eq!(payment_status(one.name()), Some(one));
        }
        for &one in PaymentMethod::ALL {
            assert_eq!(payment_method(one.name()), Some(one));
        }
        for &one in ProductStatus::ALL {
            assert_eq!(product_status(one.name()), Some(one));
        }
        assert_eq!(order_status("Hoàn thành"), Some(OrderStatus::Completed));
        assert_eq!(order_status("Hủy bỏ"), Some(OrderStatus::Cancelled));
        assert_eq!(payment_status("Đã thanh toán"), Some(PaymentStatus::Paid));
        assert_eq!(
            product_status("Ngừng kinh doanh"),
            Some(ProductStatus::Archived)
        );
        assert_eq!(source("haravan"), Some(Source::Haravan));
    }
}
