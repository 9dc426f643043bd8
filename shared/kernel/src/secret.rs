//! Random secrets and their hashes. A secret of 256 random bits needs no slow hash.

use crate::Entropy;

/// A new secret: the prefix, which scanners look for, and 32 random bytes in hex.
pub fn generate(prefix: &str, entropy: &Entropy) -> String {
    format!("{prefix}_{}", hex::encode(entropy.bytes::<32>()))
}

/// SHA-256 in hex: the form that is stored and looked up.
pub fn hash(secret: &str) -> String {
    crate::hash::sha256(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_its_hash_is_sha_256() {
        let secret = generate("tng", &Entropy::seeded(1));
        assert_eq!(secret.len(), 4 + 64);
        assert_eq!(
            hash("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
