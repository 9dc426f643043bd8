//! Passwords: their rules, and argon2id with its recommended parameters.
//!
//! The rules are those of NIST SP 800-63B-4, 3.1.1.2: at least 15 characters, since a password is the only factor until
//! the user adds a second one; any characters; no rules of composition; none that is common or expected. A list of
//! leaked passwords holds few of 15 characters. So the check looks for what makes a long password guessable: common
//! words, the user's and the shop's own words, sequences, and few different characters.
//!
//! They are composed (NFC) first: one keyboard sends `ậ` as one character, another as three.

use std::collections::BTreeSet;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use cloud::Error;
use kernel::Entropy;

/// Characters of a password.
pub const LENGTH: std::ops::RangeInclusive<usize> = 15..=128;
/// Characters of a password that must not be expected.
const UNEXPECTED: usize = 6;
/// Different characters that a password has at least.
const DIFFERENT: usize = 6;
/// Shortest word of the user or the shop that counts as expected.
const OWN_WORD: usize = 4;
/// Parts of common passwords, folded: as in public lists of leaked passwords, and their Vietnamese forms.
const COMMON: [&str; 36] = [
    "password",
    "passw0rd",
    "matkhau",
    "mypassword",
    "qwertyuiop",
    "qwerty",
    "asdfghjkl",
    "asdfgh",
    "zxcvbnm",
    "1q2w3e4r5t",
    "1q2w3e4r",
    "1qaz2wsx",
    "qazwsx",
    "abc123",
    "abcdef",
    "letmein",
    "welcome",
    "iloveyou",
    "admin",
    "administrator",
    "login",
    "secret",
    "monkey",
    "dragon",
    "football",
    "sunshine",
    "princess",
    "changeme",
    "default",
    "anhyeuem",
    "emyeuanh",
    "vietnam",
    "hanoi",
    "saigon",
    "tanigo",
    "khongbiet",
];
/// More bytes than 128 characters have in any composition; a longer text is not read.
const MAX_BYTES: usize = 4096;
/// A hash of no password: verifying against it takes as long as against a real one.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The flaw of a chosen password, if it has one. `own` holds the texts that others know of the user: the address, the
/// name, the names of the account and its shop.
pub fn flaw(password: &str, own: &[&str]) -> Option<&'static str> {
    let wrong_length = Some("must have 15 to 128 characters");
    let Some(password) = composed(password) else {
        return wrong_length;
    };
    if password.chars().count() < *LENGTH.start() {
        return wrong_length;
    }
    is_expected(&password, own).then_some(
        "is easy to guess: use several words, and no common password, name, address or sequence",
    )
}

/// Whether little remains of the password without the parts that a guesser tries first.
fn is_expected(password: &str, own: &[&str]) -> bool {
    let letters =
        |text: &str| kernel::text::fold(text).replace(|c: char| !c.is_alphanumeric(), " ");
    let mut rest: String = letters(password).split_whitespace().collect();
    let different: BTreeSet<char> = password.to_lowercase().chars().collect();
    if different.len() < DIFFERENT {
        return true;
    }
    let own = own.iter().flat_map(|text| {
        let words = letters(text);
        let whole: String = words.split_whitespace().collect();
        let words = words.split_whitespace().map(str::to_owned);
        std::iter::once(whole).chain(words).collect::<Vec<_>>()
    });
    let mut parts: Vec<String> = own
        .filter(|word| word.chars().count() >= OWN_WORD)
        .collect();
    parts.extend(COMMON.map(str::to_owned));
    // Longer parts first: `password` would leave half of `mypassword`.
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    for part in &parts {
        rest = rest.replace(part.as_str(), "");
    }
    let signs = password
        .chars()
        .filter(|c| !c.is_alphanumeric() && !c.is_whitespace());
    without_sequences(&rest) + without_sequences(&signs.collect::<String>()) < UNEXPECTED
}

/// The characters that do not repeat or continue the one before, as `1234`, `cba` and `aaaa` do.
fn without_sequences(text: &str) -> usize {
    let codes: Vec<u32> = text.chars().map(u32::from).collect();
    let follows = |pair: &[u32]| pair[0].abs_diff(pair[1]) <= 1;
    let first = usize::from(!codes.is_empty());
    first + codes.windows(2).filter(|pair| !follows(pair)).count()
}

/// The password in the hashed form; `None` if it is longer than any password may be.
fn composed(password: &str) -> Option<String> {
    if password.len() > MAX_BYTES {
        return None;
    }
    let composed = kernel::text::nfc(password);
    (composed.chars().count() <= *LENGTH.end()).then_some(composed)
}

pub(crate) fn hash(password: &str, entropy: &Entropy) -> Result<String, Error> {
    let shape = |error: argon2::password_hash::Error| Error::Shape(error.to_string());
    let password =
        composed(password).ok_or_else(|| Error::Shape("the password is too long".into()))?;
    let salt = SaltString::encode_b64(&entropy.bytes::<16>()).map_err(shape)?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(shape)?;
    Ok(hash.to_string())
}

/// Whether the password matches the hash. For `None`, a user that does not exist, it takes as long. A text too long
/// for a password is not hashed; a short text is hashed in its place, so that the time is the same.
pub(crate) fn verify(password: &str, stored: Option<&str>) -> bool {
    let stored = composed(password).and(stored);
    let password = composed(password).unwrap_or_default();
    let fits = PasswordHash::new(stored.unwrap_or(DUMMY)).is_ok_and(|stored| {
        Argon2::default()
            .verify_password(password.as_bytes(), &stored)
            .is_ok()
    });
    fits && stored.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_argon2id() {
        let stored = hash("mật khẩu dài", &Entropy::seeded(1)).unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(verify("mật khẩu dài", Some(&stored)));
        assert!(!verify("mật khẩu dài ", Some(&stored)));
        assert!(!verify("mật khẩu dài", Some("not a hash")));
        assert!(!verify("", None));
    }

    #[test]
    fn one_password_is_the_same_from_every_keyboard() {
        let (composed, apart) = (
            "mật khẩu dài",
            "ma\u{323}\u{302}t kha\u{302}\u{309}u da\u{300}i",
        );
        assert_ne!(composed, apart);
        let stored = hash(apart, &Entropy::seeded(1)).unwrap();
        assert!(verify(composed, Some(&stored)) && verify(apart, Some(&stored)));
        // As many letters as 14 keys, although it has more characters before it is composed.
        let short = "ma\u{323}\u{302}t kha\u{302}\u{309}u cua ba";
        assert!(short.chars().count() >= 15 && flaw(short, &[]).is_some());
    }

    #[test]
    fn what_is_too_long_is_not_hashed() {
        let long = "x".repeat(129);
        assert!(hash(&long, &Entropy::seeded(1)).is_err());
        // It is not read, even if a longer one was hashed in the past.
        let salt = SaltString::encode_b64(&[1; 16]).unwrap();
        let stored = Argon2::default().hash_password(long.as_bytes(), &salt);
        let stored = stored.unwrap().to_string();
        assert!(!verify(&long, Some(&stored)));
    }

    #[test]
    fn nobody_is_verified_with_the_cost_of_somebody() {
        let stored = hash("x", &Entropy::seeded(1)).unwrap();
        let (real, dummy) = (
            PasswordHash::new(&stored).unwrap(),
            PasswordHash::new(DUMMY).unwrap(),
        );
        assert_eq!(real.params.to_string(), dummy.params.to_string());
        assert_eq!(real.algorithm, dummy.algorithm);
    }

    #[test]
    fn short_and_long_passwords_are_refused() {
        assert_eq!(flaw("bốn từ chẳng li", &[]), None, "15 characters");
        for wrong in ["bốn từ chẳng l", "", &"mười lăm ký tự ".repeat(9)] {
            assert_eq!(
                flaw(wrong, &[]),
                Some("must have 15 to 128 characters"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn passwords_that_a_guesser_tries_first_are_refused() {
        let own = ["tran.an@cuahang.vn", "Trần Thị An", "Cửa Hàng Áo Dài"];
        for expected in [
            "               ",
            "1234567890123456",
            "aaaaaaaaaaaaaaab",
            "abababababababab",
            "passwordpassword",
            "Password123456789",
            "Mật khẩu 123456789",
            "qwertyuiop123456",
            "tran.an@cuahang.vn",
            "TRAN.AN@cuahang.vn!",
            "cuahangaodai2026",
            "Cửa hàng áo dài 1",
            "abcdefghijklmnop",
            "!!!!!!!!!!!!!!!!!",
        ] {
            assert!(flaw(expected, &own).is_some(), "{expected}");
        }
        for fine in [
            "mật khẩu của chủ tiệm",
            "bốn từ không liên quan",
            "mat-khau-rat-dai",
            "correct horse battery",
            "x7#kQ!v9@Lm2$pRz",
            "3f9a1c77d2e84b50a6",
        ] {
            assert_eq!(flaw(fine, &own), None, "{fine}");
        }
    }

    proptest::proptest! {
        /// Long random text is never refused as expected: 30 letters of 36 hold 150 bits.
        #[test]
        fn random_text_is_fine(text in "[a-z0-9]{30}") {
            proptest::prop_assert_eq!(flaw(&text, &["an@example.vn"]), None);
        }

        /// Repetition and sequences add nothing.
        #[test]
        fn a_repeated_character_is_refused(c in "[a-zA-Z0-9]", n in 15_usize..100) {
            proptest::prop_assert!(flaw(&c.repeat(n), &[]).is_some());
        }
    }
}
