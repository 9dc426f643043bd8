//! Hashes that name things: deterministic ids, shards, buckets. Secrets have [`crate::secret`].

use sha2::{Digest, Sha256};

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        // Length first, so that ("ab","c") and ("a","bc") differ.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// 32 hex digits (128 bits) of SHA-256 over the parts with their lengths.
pub fn name(parts: &[&str]) -> String {
    hex::encode(&digest(parts)[..16])
}

/// SHA-256 of a text, in hex.
pub fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// A stable number in `0..count` for these parts: a shard, or a side of an A/B test.
pub fn bucket(parts: &[&str], count: u32) -> u32 {
    let mut head = [0; 8];
    head.copy_from_slice(&digest(parts)[..8]);
    (u64::from_be_bytes(head) % u64::from(count.max(1))) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(name(&["ab", "c"]), name(&["a", "bc"]));
        assert_eq!(name(&["a"]).len(), 32);
    }

    #[test]
    fn buckets_are_even() {
        let mut counts = [0u32; 16];
        for i in 0..16_000 {
            counts[bucket(&["contact", &i.to_string()], 16) as usize] += 1;
        }
        assert!(
            counts.iter().all(|&n| (850..1150).contains(&n)),
            "{counts:?}"
        );
    }
}
