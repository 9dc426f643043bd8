//! The length of a text message: its encoding, its units and its segments, by the technical rules of GSM 03.38. Pure.
//!
//! Carriers bill by rules of their own, which are in [`billing`](super::billing).

use serde::Serialize;

/// The alphabet of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SmsEncoding)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The GSM alphabet of 7 bits.
    Gsm7,
    /// UCS-2, of 16 bits.
    Ucs2,
}

impl Encoding {
    /// Units of a message of one segment, and units of each segment of a longer one.
    fn room(self) -> (u32, u32) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// The length of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// The alphabet that the text needs.
    pub encoding: Encoding,
    /// Septets for GSM-7, UTF-16 code units for UCS-2.
    pub units: u32,
    /// Messages that a phone puts together; 0 for an empty text.
    pub segments: u32,
}

/// Characters of one septet: the basic table of GSM 03.38 without its escape.
/// <https://www.unicode.org/Public/MAPPINGS/ETSI/GSM0338.TXT>
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Characters of two septets: the extension table.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// Septets of a character; `None`: it is not in GSM 03.38.
fn septets(c: char) -> Option<u32> {
    if c.is_ascii_alphanumeric() || BASIC.contains(c) {
        Some(1)
    } else {
        EXTENSION.contains(c).then_some(2)
    }
}

/// Whether the text can be sent in the GSM alphabet.
pub fn is_gsm(text: &str) -> bool {
    text.chars().all(|c| septets(c).is_some())
}

/// The length of a text as it is. A character is never split between two segments.
pub fn length(text: &str) -> Length {
    let encoding = if is_gsm(text) {
        Encoding::Gsm7
    } else {
        Encoding::Ucs2
    };
    let width = |c: char| match encoding {
        Encoding::Gsm7 => septets(c).unwrap_or_default(),
        Encoding::Ucs2 => c.len_utf16() as u32,
    };
    let units: u32 = text.chars().map(width).sum();
    let (one, each) = encoding.room();
    let segments = if units == 0 {
        0
    } else if units <= one {
        1
    } else {
        let (mut segments, mut used) = (1, 0);
        for width in text.chars().map(width) {
            if used + width > each {
                (segments, used) = (segments + 1, 0);
            }
            used += width;
        }
        segments
    };
    Length {
        encoding,
        units,
        segments,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(text: &str) -> (Encoding, u32, u32) {
        let length = length(text);
        (length.encoding, length.units, length.segments)
    }

    #[test]
    fn the_known_lengths() {
        use Encoding::{Gsm7, Ucs2};
        for (text, expected) in [
            (
                "ACME: Don hang DH000123 da duoc xac nhan.".to_owned(),
                (Gsm7, 41, 1),
            ),
            (
                "ACME: Đơn hàng DH000123 đã được xác nhận.".to_owned(),
                (Ucs2, 41, 1),
            ),
            ("a".repeat(160), (Gsm7, 160, 1)),
            ("a".repeat(161), (Gsm7, 161, 2)),
            ("a".repeat(306), (Gsm7, 306, 2)),
            ("a".repeat(307), (Gsm7, 307, 3)),
            ("€".repeat(80), (Gsm7, 160, 1)),
            ("€".repeat(81), (Gsm7, 162, 2)),
            ("ả".repeat(70), (Ucs2, 70, 1)),
            ("ả".repeat(71), (Ucs2, 71, 2)),
            ("ả".repeat(134), (Ucs2, 134, 2)),
            ("ả".repeat(135), (Ucs2, 135, 3)),
            ("à è é ì ò ù".to_owned(), (Gsm7, 11, 1)),
            ("á".to_owned(), (Ucs2, 1, 1)),
            ("Cảm ơn 🎉".to_owned(), (Ucs2, 9, 1)),
            ("Đơn hàng đã được".to_owned(), (Ucs2, 16, 1)),
            (String::new(), (Gsm7, 0, 0)),
        ] {
            assert_eq!(counted(&text), expected, "{text}");
        }
        let decomposed =
            "\u{110}o\u{31b}n ha\u{300}ng \u{111}a\u{303} \u{111}u\u{31b}o\u{31b}\u{323}c";
        assert_eq!(counted(decomposed), (Ucs2, 22, 1));
        // 153 septets hold 76 of these, so a septet of each segment stays empty.
        assert_eq!(counted(&"€".repeat(153)), (Gsm7, 306, 3));
        assert_eq!(counted(&"🎉".repeat(67)), (Ucs2, 134, 3));
    }

    #[test]
    fn the_basic_table_has_127_characters_beside_the_escape() {
        let mut all: Vec<char> = BASIC.chars().chain(EXTENSION.chars()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(
            (BASIC.chars().count(), EXTENSION.chars().count()),
            (127, 10)
        );
        assert_eq!(all.len(), 137);
    }

    proptest! {
        #[test]
        fn segments_hold_all_units_and_none_is_empty(text in "[a-z€ảđ🎉 ]{0,400}") {
            let length = length(&text);
            let (one, each) = length.encoding.room();
            let most = if length.segments <= 1 { one } else { length.segments * each };
            prop_assert!(length.units <= most);
            // All segments but the last lack at most one unit.
            let full = length.segments.saturating_sub(1) * (each - 1);
            prop_assert!(length.units > full || length.units == 0);
        }

        #[test]
        fn a_longer_text_never_has_fewer_segments(text in "[a-z€ảđ🎉]{0,300}", more in "[a-zả€🎉]{0,20}") {
            let longer = format!("{text}{more}");
            prop_assert!(length(&longer).segments >= length(&text).segments);
        }
    }
}
