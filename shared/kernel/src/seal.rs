//! Secrets that must be read again, such as those of second factors. They are sealed at rest with XChaCha20-Poly1305
//! and bound to their owner. So a row copied to another owner cannot be unsealed.

use crate::Entropy;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

const NONCE: usize = 24;

/// Seals and unseals; the key follows from the installation's secret.
#[derive(Clone)]
pub struct Seal(XChaCha20Poly1305);

impl Seal {
    /// `secret` is random and long, so one hash gives a key. Seals of another `purpose` have another key.
    pub fn new(purpose: &str, secret: &str) -> Self {
        let key = Sha256::new()
            .chain_update(format!("tanigo {purpose} seal v1\0"))
            .chain_update(secret)
            .finalize();
        Self(XChaCha20Poly1305::new(&Key::from(<[u8; 32]>::from(key))))
    }

    /// Seals bytes for `owner`; hex of nonce and ciphertext. `None` only for gigabytes.
    pub fn close(&self, entropy: &Entropy, owner: &str, plain: &[u8]) -> Option<String> {
        let nonce = entropy.bytes::<NONCE>();
        let payload = Payload {
            msg: plain,
            aad: owner.as_bytes(),
        };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(hex::encode([&nonce[..], &sealed].concat()))
    }

    /// The text that was sealed for `owner`; `None` if it was damaged, moved or sealed with another secret.
    pub fn open(&self, owner: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = hex::decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let payload = Payload {
            msg: sealed,
            aad: owner.as_bytes(),
        };
        self.0.decrypt(&XNonce::from(*nonce), payload).ok()
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_and_the_secret_open_it() {
        let (seal, entropy) = (Seal::new("test", "one"), Entropy::seeded(1));
        let sealed = seal.close(&entropy, "usr_1", b"secret").unwrap();
        assert!(!sealed.contains(&hex::encode("secret")));
        assert_eq!(seal.open("usr_1", &sealed).unwrap(), b"secret");
        assert!(seal.open("usr_2", &sealed).is_none());
        assert!(Seal::new("other", "one").open("usr_1", &sealed).is_none());
        assert!(Seal::new("test", "two").open("usr_1", &sealed).is_none());
        assert!(seal.open("usr_1", &sealed[2..]).is_none());
        assert!(seal.open("usr_1", "00").is_none());
    }
}
