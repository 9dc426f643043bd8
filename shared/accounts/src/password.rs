//! Passwords: their rules, and argon2id with its recommended parameters.
//!
//! They are composed (NFC) first: one keyboard sends `ậ` as one character, another as three.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use cloud::Error;
use kernel::Entropy;

const LENGTH: std::ops::RangeInclusive<usize> = 10..=128;
/// More bytes than 128 characters have in any composition; a longer text is not read.
const MAX_BYTES: usize = 4096;
/// A hash of no password: verifying against it takes as long as against a real one.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The flaw of a chosen password, if it has one.
pub fn flaw(password: &str, email: &str) -> Option<&'static str> {
    let wrong_length = Some("must have 10 to 128 characters");
    let Some(password) = composed(password) else {
        return wrong_length;
    };
    if password.chars().count() < *LENGTH.start() {
        return wrong_length;
    }
    password
        .eq_ignore_ascii_case(email)
        .then_some("must not be the e-mail address")
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
        assert!(
            flaw("ma\u{323}\u{302}t kha\u{302}u", "an@example.vn").is_some(),
            "8 letters"
        );
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
    fn short_long_and_obvious_passwords_are_refused() {
        assert!(flaw("mật khẩu n", "an@example.vn").is_none());
        assert!(flaw("mật khẩu", "an@example.vn").is_some());
        assert!(flaw(&"x".repeat(129), "an@example.vn").is_some());
        assert!(flaw("AN@example.vn", "an@example.vn").is_some());
    }
}
