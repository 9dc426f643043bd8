//! The only source of randomness.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// Gives random bytes; cheap to clone.
#[derive(Clone)]
pub struct Entropy(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded {
        seed: u64,
        salt: u64,
        counter: Arc<AtomicU64>,
    },
}

impl Entropy {
    /// The operating system's generator.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A repeatable stream for tests and simulations; never for secrets.
    pub fn seeded(seed: u64) -> Self {
        Self::twin(seed, 0)
    }

    /// Like [`Entropy::seeded`]. Twins of one seed draw equal numbers of up to 64 bits, as ids use them, and different
    /// longer values. A simulation gives two tenants equal ids with twins.
    pub fn twin(seed: u64, salt: u64) -> Self {
        Self(Source::Seeded {
            seed,
            salt,
            counter: Arc::default(),
        })
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// If the operating system has no randomness: then nothing safe can be done.
    #[expect(
        clippy::expect_used,
        clippy::disallowed_methods,
        reason = "no safe way on without it"
    )]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        match &self.0 {
            Source::System => getrandom::fill(&mut out).expect("operating system randomness"),
            Source::Seeded {
                seed,
                salt,
                counter,
            } => {
                let salt = if N > 8 { *salt } else { 0 };
                let seed = seed ^ salt.rotate_left(32);
                for chunk in out.chunks_mut(32) {
                    let n = counter.fetch_add(1, Ordering::Relaxed);
                    let block = Sha256::new()
                        .chain_update(seed.to_be_bytes())
                        .chain_update(n.to_be_bytes())
                        .finalize();
                    chunk.copy_from_slice(&block[..chunk.len()]);
                }
            }
        }
        out
    }

    /// A random 64-bit number.
    pub fn u64(&self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }

    /// 16 random bytes in hex, as the name of an operation.
    pub fn nonce(&self) -> String {
        hex::encode(self.bytes::<16>())
    }
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream() {
        let (a, b) = (Entropy::seeded(7), Entropy::seeded(7));
        assert_eq!(a.bytes::<40>(), b.bytes::<40>());
        assert_ne!(a.u64(), Entropy::seeded(8).u64());
        assert_ne!(a.u64(), a.u64());
    }

    #[test]
    fn twins_draw_equal_numbers_and_different_nonces() {
        let (a, b) = (Entropy::twin(7, 1), Entropy::twin(7, 2));
        assert_eq!(a.u64(), b.u64());
        assert_ne!(a.nonce(), b.nonce());
        assert_eq!(a.u64(), b.u64());
        let (a, b) = (Entropy::twin(u64::MAX, 1), Entropy::twin(u64::MAX, 2));
        assert_ne!(a.nonce(), b.nonce());
    }
}
