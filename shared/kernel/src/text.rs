//! Folding and cleaning of Vietnamese text for search, field names and comparison, and text in HTML.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// Lower case without diacritics, words separated by single spaces: `"  Trần  THỊ Ánh"` -> `"tran thi anh"`.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(text, &mut folded);
    folded
}

/// Like [`fold`], appended to a buffer: for code that folds many texts.
pub fn fold_into(text: &str, folded: &mut String) {
    let start = folded.len();
    let mut is_between = false;
    let mut push = |c: char| {
        if c.is_whitespace() {
            is_between = true;
            return;
        }
        if std::mem::take(&mut is_between) && folded.len() > start {
            folded.push(' ');
        }
        folded.push(c);
    };
    for c in text.chars() {
        if c.is_ascii() {
            push(c.to_ascii_lowercase());
            continue;
        }
        decompose_canonical(c, |part| match part {
            'đ' | 'Đ' => push('d'),
            _ if is_combining_mark(part) => {}
            _ => part.to_lowercase().for_each(&mut push),
        });
    }
}

/// Texts between two numbers or two addresses in one cell or field, or between an address and its label.
const BETWEEN: [&str; 8] = [";", ",", "/", "|", "\n", ":", " hoặc ", " - "];

/// The parts of a text with several values: `"0904000112 / 0904000113"`, `"Zalo: 0904000111"`.
pub fn parts(text: &str) -> Vec<&str> {
    BETWEEN.iter().fold(vec![text], |parts, between| {
        let split = parts.iter().flat_map(|part| part.split(between));
        split
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect()
    })
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

/// The text as HTML shows it, in an element or in a quoted attribute.
pub fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
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

    proptest::proptest! {
        /// The form that is stored and searched never changes.
        #[test]
        fn folding_is_decomposition_without_marks(text in "[ -~À-ỹđĐ\u{300}-\u{36f}\u{a0}\u{2000}]{0,40}|\\PC{0,40}") {
            let plain: String = text
                .nfd()
                .filter(|&c| !is_combining_mark(c))
                .map(|c| if matches!(c, 'đ' | 'Đ') { 'd' } else { c })
                .flat_map(char::to_lowercase)
                .collect();
            let words: Vec<&str> = plain.split_whitespace().collect();
            proptest::prop_assert_eq!(fold(&text), words.join(" "));
        }
    }

    #[test]
    fn texts_of_a_shop_are_alike_in_any_case_and_composition() {
        let decomposed: String = " Hà  NỘI ".nfd().collect();
        assert_eq!(alike(&decomposed), alike("hà nội"));
        assert_ne!(alike("bơ"), alike("bò"));
    }

    #[test]
    fn html_shows_the_text_and_nothing_else() {
        assert_eq!(
            html("a & <b x=\"'\">"),
            "a &amp; &lt;b x=&quot;&#39;&quot;&gt;"
        );
    }
}
