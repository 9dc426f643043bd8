//! Every key of the table Directory that belongs to sources.

use cloud::Key;
use kernel::{SourceId, TenantKey};

use crate::failed::FailedId;

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

/// The connection to the provider's API, beside the record.
pub fn link(source: SourceId) -> Key {
    Key::new(format!("SOURCE#{source}"), "LINK")
}

/// The back-fill, beside the record.
pub fn run(source: SourceId) -> Key {
    Key::new(format!("SOURCE#{source}"), "SYNC")
}

/// Partition of a source's failed requests, in the order of their arrival.
pub fn failed_of(tenant: TenantKey, source: SourceId) -> String {
    format!("{tenant}#FAILED#{source}")
}

/// A failed request's place in the list.
pub fn failed(tenant: TenantKey, source: SourceId, id: &FailedId) -> Key {
    Key::new(failed_of(tenant, source), id.to_string())
}

/// The text of a failed request.
pub fn failed_text(tenant: TenantKey, source: SourceId, id: &FailedId) -> Key {
    Key::new(
        format!("{}#TEXT", failed_of(tenant, source)),
        id.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: &str = "1772413260000-0123456789abcdef0123456789abcdef";

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn keys_have_these_exact_texts() {
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let id: SourceId = "src_0123456789a".parse().unwrap();
        let failed_id: FailedId = FAILED.parse().unwrap();
        for (key, pk, sk) in [
            (source(id), "SOURCE#src_0123456789a", "SOURCE"),
            (
                source_of(tenant, id),
                "ws_0123456789a",
                "SOURCE#src_0123456789a",
            ),
            (
                failed(tenant, id, &failed_id),
                "ws_0123456789a#FAILED#src_0123456789a",
                FAILED,
            ),
            (
                failed_text(tenant, id, &failed_id),
                "ws_0123456789a#FAILED#src_0123456789a#TEXT",
                FAILED,
            ),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
        }
    }
}
