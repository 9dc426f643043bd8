//! Vietnamese mobile numbers, the only ones that SMS Brandname and ZNS reach.
//!
//! Rules: the numbering plan since 2018 (eleven-digit numbers beginning 01 became ten-digit ones),
//! Zalo and the carriers take `84` + 9 digits. The crate `phonenumber` does not know the repairs
//! below. It compiles the world's patterns at first use, which takes 1.1 s in a debug build. So it only
//! checks our table of ranges, in tests.

use std::fmt;
use std::str::FromStr;

use crate::text::is_unseen;

/// A mobile number in E.164: `+84912345678`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

/// Why a text is not a mobile number we can send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Letters, or too few or many digits.
    #[error("expected a Vietnamese phone number such as 0912345678")]
    Malformed,
    /// A number of another country, or one of Vietnam that cannot receive SMS or ZNS.
    #[error("expected a Vietnamese mobile number such as 0912345678; other numbers are not taken")]
    NotMobile,
}

/// 2018 renumbering: old four-digit prefix without the trunk 0, new prefix.
const RENUMBERED: [(&str, &str); 21] = [
    ("120", "70"),
    ("121", "79"),
    ("122", "77"),
    ("126", "76"),
    ("128", "78"),
    ("123", "83"),
    ("124", "84"),
    ("125", "85"),
    ("127", "81"),
    ("129", "82"),
    ("162", "32"),
    ("163", "33"),
    ("164", "34"),
    ("165", "35"),
    ("166", "36"),
    ("167", "37"),
    ("168", "38"),
    ("169", "39"),
    ("186", "56"),
    ("188", "58"),
    ("199", "59"),
];

/// Mobile ranges of the national plan: the two digits after the country code.
const MOBILE: [&str; 40] = [
    "30", "31", "32", "33", "34", "35", "36", "37", "38", "39", "51", "52", "55", "56", "58", "59",
    "70", "76", "77", "78", "79", "81", "82", "83", "84", "85", "86", "87", "88", "89", "90", "91",
    "92", "93", "94", "95", "96", "97", "98", "99",
];

/// Longest text of a number, with all characters between its digits.
const MAX_CHARACTERS: usize = 40;

impl Phone {
    /// `84912345678`: the form for Zalo and the SMS gateways.
    pub fn digits(&self) -> &str {
        &self.0[1..]
    }

    /// `+84912345678`.
    pub fn e164(&self) -> &str {
        &self.0
    }
}

impl FromStr for Phone {
    type Err = PhoneError;

    fn from_str(text: &str) -> Result<Self, PhoneError> {
        let national = national_digits(text)?;
        match national.len() {
            9 if MOBILE.contains(&&national[..2]) => Ok(Self(format!("+84{national}"))),
            9..=10 => Err(PhoneError::NotMobile),
            _ => Err(PhoneError::Malformed),
        }
    }
}

/// The digits, and whether a `+` precedes them.
fn digits(text: &str) -> Result<(String, bool), PhoneError> {
    let (mut digits, mut plus) = (String::new(), false);
    for (i, c) in text.trim().chars().enumerate() {
        match c {
            _ if i == MAX_CHARACTERS => return Err(PhoneError::Malformed),
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() && !plus => plus = true,
            _ if is_filler(c) => {}
            _ => return Err(PhoneError::Malformed),
        }
    }
    Ok((digits, plus))
}

/// Characters between digits that were typed or copied unseen: spaces of any width, long dashes, direction marks.
fn is_filler(c: char) -> bool {
    " .-()".contains(c)
        || matches!(
            c,
            '\u{a0}' | '\u{2212}' | '\u{3000}' | '\u{202f}' | '\u{2000}'..='\u{2015}'
        )
        || is_unseen(c)
}

/// The digits after the country code, with the repairs for shops' data.
fn national_digits(text: &str) -> Result<String, PhoneError> {
    let (digits, plus) = digits(text)?;
    let (international, rest) = if let Some(rest) = digits.strip_prefix("0084") {
        (true, rest)
    } else if plus {
        (
            true,
            digits.strip_prefix("84").ok_or(PhoneError::NotMobile)?,
        )
    } else if digits.len() >= 11
        && let Some(rest) = digits.strip_prefix("84")
    {
        (true, rest)
    } else {
        (false, digits.as_str())
    };
    let trunk = rest.strip_prefix('0');
    let national = trunk.unwrap_or(rest);
    if national.len() == 10
        && let Some((old, new)) = RENUMBERED.iter().find(|(old, _)| national.starts_with(old))
    {
        return Ok(format!("{new}{}", &national[old.len()..]));
    }
    // Without trunk prefix or country code, only a number that lost its zero in a spreadsheet is valid: nine digits.
    if !international && trunk.is_none() && national.len() != 9 {
        return Err(PhoneError::Malformed);
    }
    Ok(national.to_owned())
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Phone {
    /// Debug output ends in logs, and logs hold no personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone(***{})", &self.0[self.0.len() - 2..])
    }
}

impl serde::Serialize for Phone {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Phone {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn normalises_what_people_type() {
        for (input, expected) in [
            ("0912 345 678", "84912345678"),
            ("+84 912.345.678", "84912345678"),
            ("+84 (0)912345678", "84912345678"),
            ("(+84) 912 345 678", "84912345678"),
            ("0084912345678", "84912345678"),
            ("\u{202a}+84 912 345 678\u{202c}", "84912345678"),
            ("0912\u{2013}345\u{2013}678", "84912345678"),
            ("0912\u{202f}345\u{200b}678\u{feff}", "84912345678"),
            ("912345678", "84912345678"),
            ("84912345678", "84912345678"),
            ("01234567890", "84834567890"),
            ("01681234567", "84381234567"),
        ] {
            assert_eq!(
                input.parse::<Phone>().unwrap().digits(),
                expected,
                "{input}"
            );
        }
    }

    #[test]
    fn refuses_what_cannot_receive_a_message() {
        for bad in [
            "02838221234",
            "0123456789",
            "8412345678",
            "",
            "abc",
            "0912345678 ext 5",
            "+1 202 555 0123",
            "09123456789012345678901234567890123456789012",
            "0912+345678",
            "++84912345678",
            "+84+912345678",
            "0912/345678",
            "９１２３４５６７８",
        ] {
            assert!(bad.parse::<Phone>().is_err(), "{bad}");
        }
        for (text, error) in [
            ("02838221234", PhoneError::NotMobile),
            ("+842838221234", PhoneError::NotMobile),
            ("9123456789", PhoneError::Malformed),
        ] {
            assert_eq!(text.parse::<Phone>(), Err(error), "{text}");
        }
    }

    #[test]
    fn debug_hides_the_number() {
        assert_eq!(
            format!("{:?}", "0912345678".parse::<Phone>().unwrap()),
            "Phone(***78)"
        );
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent_and_never_panics(text in "\\PC{0,24}") {
            if let Ok(phone) = text.parse::<Phone>() {
                prop_assert_eq!(phone.e164().parse::<Phone>().unwrap(), phone.clone());
                prop_assert_eq!(phone.digits().parse::<Phone>().unwrap(), phone);
            }
        }

    }

    /// Compares the table with the numbering data of libphonenumber.
    #[test]
    fn ranges_agree_with_libphonenumber() {
        use phonenumber::{Type, country::Id::VN, metadata::DATABASE};
        let (mut only_ours, mut only_theirs) = (Vec::new(), Vec::new());
        for prefix in 20..100 {
            let theirs = ["1234567", "2000001", "6876543", "9876543"]
                .iter()
                .any(|tail| {
                    let number =
                        phonenumber::parse(Some(VN), format!("+84{prefix}{tail}")).unwrap();
                    number.is_valid() && number.number_type(&DATABASE) == Type::Mobile
                });
            let ours = format!("0{prefix}1234567").parse::<Phone>().is_ok();
            if ours && !theirs {
                only_ours.push(prefix);
            }
            if theirs && !ours {
                only_theirs.push(prefix);
            }
        }
        assert_eq!((only_ours, only_theirs), (vec![], vec![]));
    }
}
