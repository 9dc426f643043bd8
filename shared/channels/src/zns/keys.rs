//! The keys of Official Accounts and templates in the table Directory; the tenant comes first.

use cloud::Key;
use kernel::TenantKey;

/// Prefix of the sort keys of Official Accounts.
pub const ACCOUNTS: &str = "ZALO-OA#";

/// Whether a text is an id of an Official Account: digits.
pub fn is_oa_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is an id of a template: letters and digits.
pub fn is_template_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

pub fn account(tenant: TenantKey, oa_id: &str) -> Key {
    Key::new(tenant.to_string(), format!("{ACCOUNTS}{oa_id}"))
}

/// Prefix of the sort keys of an account's templates.
pub fn templates(oa_id: &str) -> String {
    format!("ZALO-TEMPLATE#{oa_id}#")
}

pub fn template(tenant: TenantKey, oa_id: &str, template_id: &str) -> Key {
    let sk = format!("{}{template_id}", templates(oa_id));
    Key::new(tenant.to_string(), sk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn keys_have_these_exact_texts() {
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        for (key, sk) in [
            (account(tenant, "34"), "ZALO-OA#34"),
            (template(tenant, "34", "a1"), "ZALO-TEMPLATE#34#a1"),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), ("ws_0123456789a", sk));
        }
        assert!(is_oa_id("3400000000000000001") && !is_oa_id("34#1") && !is_oa_id(""));
        assert!(is_template_id("0123456789abcdef0123") && !is_template_id("a#b"));
    }
}
