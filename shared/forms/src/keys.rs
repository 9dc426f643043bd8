//! Every key that belongs to forms.

use cloud::Key;
use kernel::{ContactId, FormId, TenantKey};

/// A form is found by its public id.
pub fn form(form: FormId) -> Key {
    Key::new(format!("FORM#{form}"), "FORM")
}

/// The ids of a workspace's forms.
pub fn forms(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "FORMS")
}

/// A request of a contact that waits for a confirmation.
pub fn opt_in(tenant: TenantKey, contact: ContactId, id: &str) -> Key {
    Key::new(format!("{tenant}#{contact}"), format!("OPTIN#{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn keys_have_these_exact_texts() {
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let one = form("frm_0123456789a".parse().unwrap());
        assert_eq!(one, Key::new("FORM#frm_0123456789a", "FORM"));
        let waits = opt_in(tenant, "con_0123456789a".parse().unwrap(), "0f");
        assert_eq!(
            waits,
            Key::new("ws_0123456789a#con_0123456789a", "OPTIN#0f")
        );
        assert_eq!(forms(tenant), Key::new("ws_0123456789a", "FORMS"));
    }
}
