//! Every key of the table Directory that belongs to accounts. Rows that a stranger looks up by a
//! public id or a secret's hash are the only ones that do not begin with the tenant.

use cloud::Key;
use kernel::{EmailAddress, InboxId, SourceId, TenantKey, UserId};

pub fn workspace(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "WORKSPACE")
}

pub fn user(tenant: TenantKey, user: UserId) -> Key {
    Key::new(tenant.to_string(), format!("USER#{user}"))
}

pub fn login(email: &EmailAddress) -> Key {
    Key::new(format!("LOGIN#{email}"), "LOGIN")
}

pub fn api_key(hash: &str) -> Key {
    Key::new(format!("KEY#{hash}"), "KEY")
}

pub fn source(source: SourceId) -> Key {
    Key::new(format!("SOURCE#{source}"), "SOURCE")
}

pub fn inbox(inbox: InboxId) -> Key {
    Key::new(format!("INBOX#{inbox}"), "INBOX")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn keys_have_these_exact_texts() {
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let user_id = "usr_0123456789a".parse().unwrap();
        let source_id = "src_0123456789a".parse().unwrap();
        let inbox_id = "inb_0123456789a".parse().unwrap();
        for (key, pk, sk) in [
            (workspace(tenant), "ws_0123456789a", "WORKSPACE"),
            (
                user(tenant, user_id),
                "ws_0123456789a",
                "USER#usr_0123456789a",
            ),
            (
                login(&"an@example.vn".parse().unwrap()),
                "LOGIN#an@example.vn",
                "LOGIN",
            ),
            (api_key("00ff"), "KEY#00ff", "KEY"),
            (source(source_id), "SOURCE#src_0123456789a", "SOURCE"),
            (inbox(inbox_id), "INBOX#inb_0123456789a", "INBOX"),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
        }
    }
}
