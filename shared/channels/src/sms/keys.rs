//! The keys of the SMS channel in the table Directory; the tenant comes first.

use cloud::Key;
use kernel::{BrandnameId, SmsTemplateId, TenantKey};

/// Prefix of the sort keys of brandnames.
pub const BRANDNAMES: &str = "SMS-BRANDNAME#";
/// Prefix of the sort keys of templates.
pub const TEMPLATES: &str = "SMS-TEMPLATE#";

/// The account at the provider.
pub fn account(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "SMS-ACCOUNT")
}

pub fn brandname(tenant: TenantKey, id: BrandnameId) -> Key {
    Key::new(tenant.to_string(), format!("{BRANDNAMES}{id}"))
}

pub fn template(tenant: TenantKey, id: SmsTemplateId) -> Key {
    Key::new(tenant.to_string(), format!("{TEMPLATES}{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn keys_have_these_exact_texts() {
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let (brandname_id, template_id) = ("brn_0123456789a", "smt_0123456789a");
        for (key, sk) in [
            (account(tenant), "SMS-ACCOUNT"),
            (
                brandname(tenant, brandname_id.parse().unwrap()),
                "SMS-BRANDNAME#brn_0123456789a",
            ),
            (
                template(tenant, template_id.parse().unwrap()),
                "SMS-TEMPLATE#smt_0123456789a",
            ),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), ("ws_0123456789a", sk));
        }
    }
}
