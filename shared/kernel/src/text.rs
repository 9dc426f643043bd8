//! Folding of Vietnamese text for search and for field names.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Lower case without diacritics, words separated by single spaces: `"  Trần  THỊ Ánh"` -> `"tran thi anh"`.
pub fn fold(text: &str) -> String {
    let plain: String = text
        .nfd()
        .filter(|&c| !is_combining_mark(c))
        .map(|c| match c {
            'đ' | 'Đ' => 'd',
            other => other,
        })
        .flat_map(char::to_lowercase)
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Canonical composition: what providers send as `NFD` is stored as `NFC`.
pub fn nfc(text: &str) -> String {
    text.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_composed_and_decomposed_alike() {
        assert_eq!(fold("  Trần  THỊ Ánh "), "tran thi anh");
        assert_eq!(fold("Đơn hàng"), "don hang");
        let decomposed: String = "Đơn hàng".nfd().collect();
        assert_eq!(fold(&decomposed), "don hang");
        assert_eq!(nfc(&decomposed), "Đơn hàng");
    }
}
