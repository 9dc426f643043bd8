//! Passwords: what they must be, and argon2id with its recommended parameters.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use cloud::Error;
use kernel::Entropy;

const LENGTH: std::ops::RangeInclusive<usize> = 10..=128;
/// A hash of nothing in particular: verifying against it takes as long as against a real one.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What is wrong with a password that somebody chose.
pub fn flaw(password: &str, email: &str) -> Option<&'static str> {
    if !LENGTH.contains(&password.chars().count()) {
        return Some("must have 10 to 128 characters");
    }
    password
        .eq_ignore_ascii_case(email)
        .then_some("must not be the e-mail address")
}

pub(crate) fn hash(password: &str, entropy: &Entropy) -> Result<String, Error> {
    let shape = |error: argon2::password_hash::Error| Error::Shape(error.to_string());
    let salt = SaltString::encode_b64(&entropy.bytes::<16>()).map_err(shape)?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(shape)?;
    Ok(hash.to_string())
}

/// Whether the password is the one that was hashed. `None` stands for nobody and takes as long.
pub(crate) fn verify(password: &str, stored: Option<&str>) -> bool {
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
