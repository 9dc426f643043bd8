//! The text of a message as it goes to carriers: without diacritics, with the label and the way out of advertising. Pure.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The label of advertising by Decree 91/2020/NĐ-CP, at the very start of the text.
pub const LABEL: &str = "[QC]";
/// The labels that the decree allows.
const LABELS: [&str; 2] = [LABEL, "[AD]"];

/// The text without diacritics, so that it fits the GSM alphabet: `Đơn hàng` becomes `Don hang`. Quotes and dashes of word
/// processors become plain ones; characters that are not seen are left out. Other characters stay.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.nfd() {
        match c {
            // The second is the sign of the currency.
            'đ' | '\u{20ab}' => plain.push('d'),
            'Đ' => plain.push('D'),
            '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{2032}' => plain.push('\''),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' => plain.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => plain.push('-'),
            '\u{2026}' => plain.push_str("..."),
            '\u{2022}' => plain.push('*'),
            '\u{a0}' | '\u{202f}' | '\u{3000}' | '\u{2000}'..='\u{200a}' => plain.push(' '),
            _ if is_combining_mark(c) || kernel::text::is_unseen(c) => {}
            _ => plain.push(c),
        }
    }
    plain
}

/// Whether the text begins with a label of advertising.
pub fn is_labelled(text: &str) -> bool {
    let head: String = text.trim_start().chars().take(4).collect();
    LABELS.contains(&head.to_uppercase().as_str())
}

/// The text with the label of advertising at its start, and the way out at its end.
pub fn advertising(text: &str, opt_out: &str) -> String {
    let text = text.trim();
    let head = if is_labelled(text) {
        text.to_owned()
    } else {
        format!("{LABEL} {text}")
    };
    let (body, way) = (plain(&head).to_lowercase(), plain(opt_out).to_lowercase());
    if opt_out.is_empty() || body.contains(&way) {
        return head;
    }
    format!("{head} {opt_out}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::segments::is_gsm;
    use proptest::prelude::*;

    #[test]
    fn diacritics_and_typographic_signs_are_dropped() {
        for (text, expected) in [
            ("Đơn hàng đã được xác nhận", "Don hang da duoc xac nhan"),
            (
                "“Tết” – giảm 50%… 350.000\u{a0}₫",
                "\"Tet\" - giam 50%... 350.000 d",
            ),
            ("a\u{200b}b", "ab"),
            ("Cảm ơn 🎉", "Cam on 🎉"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn advertising_has_its_label_and_its_way_out_once() {
        let out = "TC: soạn TC gửi 1551";
        let first = advertising(" Giảm 50% ", out);
        assert_eq!(first, "[QC] Giảm 50% TC: soạn TC gửi 1551");
        assert_eq!(advertising(&first, out), first);
        assert_eq!(advertising("[ad] Sale", ""), "[ad] Sale");
        assert!(!is_labelled("Giảm [QC]"));
    }

    proptest! {
        #[test]
        fn vietnamese_becomes_gsm_and_stays_so(text in "[a-zA-Z0-9 àáảãạăắằẳẵặâấầẩẫậđèéẻẽẹêếềểễệìíỉĩịòóỏõọôốồổỗộơớờởỡợùúủũụưứừửữựỳýỷỹỵĐƯƠ.,!?-]{0,200}") {
            let once = plain(&text);
            prop_assert!(is_gsm(&once), "{}", once);
            prop_assert_eq!(plain(&once), once.clone());
            prop_assert_eq!(once.chars().count(), text.nfc().count());
        }
    }
}
