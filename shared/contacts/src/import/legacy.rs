//! The two encodings of Vietnamese fonts before Unicode, and whether a text is Vietnamese. Pure.
//!
//! No crate has these tables. TCVN3 is the upper half of TCVN 5712:1993 as glibc has it. VNI writes a letter and then
//! one byte for all of its marks.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The characters of TCVN3 from the byte A0 on.
const TCVN3: &str = "\u{a0}ĂÂÊÔƠƯĐăâêôơưđẰ\u{300}\u{309}\u{303}\u{301}\u{323}àảãáạẲằẳẵắẴẮẦẨẪẤỀặầẩẫấậèỂẻẽéẹềểễếệìỉỄẾỒĩíịòỔỏõóọồổỗốộờởỡớợùỖủũúụừửữứựỳỷỹýỵỐ";

/// Marks of VNI in lower case: circumflex, breve and tones, by byte. Upper case is 32 lower.
const VNI_MARKS: [(u8, &str); 17] = [
    (0xf9, "\u{301}"),
    (0xf8, "\u{300}"),
    (0xfb, "\u{309}"),
    (0xf5, "\u{303}"),
    (0xef, "\u{323}"),
    (0xe2, "\u{302}"),
    (0xe1, "\u{302}\u{301}"),
    (0xe0, "\u{302}\u{300}"),
    (0xe5, "\u{302}\u{309}"),
    (0xe3, "\u{302}\u{303}"),
    (0xe4, "\u{302}\u{323}"),
    (0xea, "\u{306}"),
    (0xe9, "\u{306}\u{301}"),
    (0xe8, "\u{306}\u{300}"),
    (0xfa, "\u{306}\u{309}"),
    (0xfc, "\u{306}\u{303}"),
    (0xeb, "\u{306}\u{323}"),
];
/// Letters of VNI that take one byte. Upper case is 32 lower.
const VNI_LETTERS: [(u8, &str); 9] = [
    (0xf4, "ơ"),
    (0xf6, "ư"),
    (0xed, "í"),
    (0xec, "ì"),
    (0xe6, "ỉ"),
    (0xf3, "ĩ"),
    (0xf2, "ị"),
    (0xee, "ỵ"),
    (0xf1, "đ"),
];

/// The text of bytes in TCVN3.
pub fn tcvn3(bytes: &[u8]) -> String {
    let letter = |byte: u8| match byte {
        0..0x80 => char::from(byte),
        0x80..0xa0 => '\u{fffd}',
        _ => TCVN3
            .chars()
            .nth(usize::from(byte) - 0xa0)
            .unwrap_or('\u{fffd}'),
    };
    bytes.iter().map(|byte| letter(*byte)).collect()
}

/// The text of bytes in VNI for Windows.
pub fn vni(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii() {
            text.push(char::from(byte));
            continue;
        }
        let is_upper = byte < 0xe0;
        let lower = byte | 0x20;
        let find = |table: &[(u8, &'static str)]| {
            let found = table.iter().find(|(one, _)| *one == lower);
            found.map(|(_, text)| *text)
        };
        match (find(&VNI_LETTERS), find(&VNI_MARKS)) {
            (Some(letter), _) if is_upper => text.push_str(&letter.to_uppercase()),
            (Some(letter), _) => text.push_str(letter),
            (None, Some(marks)) => text.push_str(marks),
            (None, None) => text.push('\u{fffd}'),
        }
    }
    text
}

/// Words with marks that a Vietnamese text may have, less those that it may not.
pub fn score(text: &str) -> i64 {
    let words = text.split(|c: char| c.is_ascii() && !c.is_ascii_alphabetic());
    let marked = words.filter(|word| !word.is_ascii());
    marked
        .map(|word| if is_syllable(word) { 1 } else { -1 })
        .sum()
}

/// Whether a word has the form of a Vietnamese syllable: consonants, one to four vowels, a known end, at most one
/// tone. Capitals are only at its beginning or everywhere.
fn is_syllable(word: &str) -> bool {
    const ENDS: [&str; 9] = ["", "c", "ch", "m", "n", "ng", "nh", "p", "t"];
    if !word
        .chars()
        .all(|c| c.is_alphabetic() || is_combining_mark(c))
    {
        return false;
    }
    let letters: Vec<char> = word.nfd().collect();
    let tones = letters
        .iter()
        .filter(|c| "\u{300}\u{301}\u{303}\u{309}\u{323}".contains(**c));
    let plain: String = letters.iter().filter(|c| !is_combining_mark(**c)).collect();
    let upper = plain.chars().filter(|c| c.is_uppercase()).count();
    let starts_upper = plain.chars().next().is_some_and(char::is_uppercase);
    let cases = upper == 0 || upper == plain.chars().count() || (upper == 1 && starts_upper);
    let lower = plain.to_lowercase().replace('đ', "d");
    let is_vowel = |c: char| "aeiouy".contains(c);
    let rest = lower.trim_start_matches(|c: char| !is_vowel(c));
    let end = rest.trim_start_matches(is_vowel);
    let vowels = rest.len() - end.len();
    let onset = lower.len() - rest.len();
    tones.count() <= 1
        && cases
        && lower.is_ascii()
        && onset <= 3
        && (1..=4).contains(&vowels)
        && ENDS.contains(&end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::text::nfc;

    #[test]
    fn all_letters_of_both_fonts_are_known() {
        let tcvn3: String = tcvn3(&(0xa1..=0xfe).collect::<Vec<u8>>());
        for letter in "àảãáạăằẳẵắặâầẩẫấậđèẻẽéẹêềểễếệìỉĩíịòỏõóọôồổỗốộơờởỡớợùủũúụưừửữứựỳỷỹýỵ".chars()
        {
            assert!(tcvn3.contains(letter), "{letter}");
        }
        let word = |bytes: &[u8]| nfc(&vni(bytes));
        assert_eq!(word(b"Nguye\xe3n Va\xean \xd1\xf6\xf9c"), "Nguyễn Văn Đức");
        assert_eq!(word(b"TRA\xc0N TH\xd2 A\xd9NH"), "TRẦN THỊ ÁNH");
        assert_eq!(word(b"C\xf6\xf4\xefng"), "Cượng");
    }

    #[test]
    fn a_text_in_the_wrong_encoding_has_fewer_syllables() {
        assert_eq!(score("Nguyễn Văn An, Họ và tên"), 5);
        assert!(score("NguyÔn V¨n An Hä vµ tªn") < 3);
    }
}
