//! The keys of the push channel in the table Directory; the tenant comes first.

use cloud::Key;
use kernel::TenantKey;

/// The settings of the channel, with its sealed keys.
pub fn settings(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "PUSH-CHANNEL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn the_key_has_this_exact_text() {
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let key = settings(tenant);
        assert_eq!(
            (key.pk.as_str(), key.sk.as_str()),
            ("ws_0123456789a", "PUSH-CHANNEL")
        );
    }
}
