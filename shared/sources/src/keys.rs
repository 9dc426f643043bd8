//! Every key of the table Directory that belongs to sources.

use cloud::Key;
use kernel::{SourceId, TenantKey};

/// Prefix of the sort keys of a workspace's sources.
pub const SOURCES: &str = "SOURCE#";

/// A source's place in its workspace's list.
pub fn source_of(tenant: TenantKey, source: SourceId) -> Key {
    Key::new(tenant.to_string(), format!("{SOURCES}{source}"))
}

/// The record, found by the public id in a webhook's URL.
pub fn source(source: SourceId) -> Key {
    Key::new(format!("SOURCE#{source}"), "SOURCE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn keys_have_these_exact_texts() {
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let id: SourceId = "src_0123456789a".parse().unwrap();
        for (key, pk, sk) in [
            (source(id), "SOURCE#src_0123456789a", "SOURCE"),
            (
                source_of(tenant, id),
                "ws_0123456789a",
                "SOURCE#src_0123456789a",
            ),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
        }
    }
}
