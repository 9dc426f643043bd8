//! Folding and cleaning of Vietnamese text, for search, field names and comparison.

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

/// The form in which texts of a shop are compared, such as tags: composed, lower case, words separated by single
/// spaces. Diacritics stay, since in Vietnamese they make another word.
pub fn alike(text: &str) -> String {
    let lower = nfc(text).to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    nfc(&words.join(" "))
}

/// Whether the character is not seen and was copied by accident: soft hyphen, byte order mark, zero width space,
/// direction marks. Joiners are such characters too; they are a part of some emoji, so [`is_invisible`] leaves them.
pub fn is_unseen(c: char) -> bool {
    is_invisible(c) || matches!(c, '\u{200c}' | '\u{200d}')
}

/// Like [`is_unseen`], without the joiners.
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
    ) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
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

    #[test]
    fn texts_of_a_shop_are_alike_in_any_case_and_composition() {
        let decomposed: String = " Hà  NỘI ".nfd().collect();
        assert_eq!(alike(&decomposed), alike("hà nội"));
        assert_ne!(alike("bơ"), alike("bò"));
    }
}
