//! Every key of the table Directory that belongs to accounts. A key begins with the account or the tenant. The only
//! exceptions are rows that are found by a public id, an address or the hash of a secret.

use cloud::Key;
use jiff::civil::Date;
use kernel::{
    AccountId, CredentialId, EmailAddress, InvitationId, PrivacyRequestId, TenantKey, UserId,
    WorkspaceId,
};

pub fn account(account: AccountId) -> Key {
    Key::new(account.to_string(), "ACCOUNT")
}

/// Prefix of the sort keys of an account's users.
pub const USERS: &str = "USER#";

pub fn user(account: AccountId, user: UserId) -> Key {
    Key::new(account.to_string(), format!("{USERS}{user}"))
}

/// Partition of an account's people without their secrets.
pub fn members(account: AccountId) -> String {
    format!("{account}#MEMBERS")
}

pub fn member(account: AccountId, user: UserId) -> Key {
    Key::new(members(account), user.to_string())
}

/// Prefix of the sort keys of an account's workspaces.
pub const WORKSPACES: &str = "WORKSPACE#";

pub fn workspace_of(account: AccountId, workspace: WorkspaceId) -> Key {
    Key::new(account.to_string(), format!("{WORKSPACES}{workspace}"))
}

pub fn workspace_name(account: AccountId, folded: &str) -> Key {
    Key::new(account.to_string(), format!("WORKSPACE-NAME#{folded}"))
}

pub fn workspace(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "WORKSPACE")
}

pub fn onboarding(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "ONBOARDING")
}

/// Partition of an account's audit log.
pub fn audit(account: AccountId) -> String {
    format!("{account}#AUDIT")
}

pub fn login(email: &EmailAddress) -> Key {
    Key::new(format!("LOGIN#{email}"), "LOGIN")
}

/// Read for an address without a user, so that it takes as long as for an address with one.
pub fn nobody() -> Key {
    Key::new("NOBODY", "USER#NOBODY")
}

/// Written for a refused sign-in of nobody, so that it takes as long as one of somebody.
pub fn refused_nobody() -> Key {
    Key::new("NOBODY", "REFUSED")
}

/// The invitation of an address in an account.
pub fn invited(account: AccountId, email: &EmailAddress) -> Key {
    Key::new(account.to_string(), format!("INVITED#{email}"))
}

pub fn session(hash: &str) -> Key {
    Key::new(format!("SESSION#{hash}"), "SESSION")
}

/// Prefix of the sort keys of an account's invitations.
pub const INVITATIONS: &str = "INVITATION#";

pub fn invitation(account: AccountId, invitation: InvitationId) -> Key {
    Key::new(account.to_string(), format!("{INVITATIONS}{invitation}"))
}

pub fn invite(hash: &str) -> Key {
    Key::new(format!("INVITE#{hash}"), "INVITE")
}

pub fn reset(hash: &str) -> Key {
    Key::new(format!("RESET#{hash}"), "RESET")
}

pub fn reset_request(request: &str) -> Key {
    Key::new(format!("RESET-REQUEST#{request}"), "RESET-REQUEST")
}

pub fn setup() -> Key {
    Key::new("SETUP", "SETUP")
}

pub fn api_key(hash: &str) -> Key {
    Key::new(format!("KEY#{hash}"), "KEY")
}

/// Prefix of the sort keys of a workspace's API keys.
pub const API_KEYS: &str = "KEY#";

pub fn api_key_of(tenant: TenantKey, key: CredentialId) -> Key {
    Key::new(tenant.to_string(), format!("{API_KEYS}{key}"))
}

/// Prefix of the sort keys of the addresses that a workspace sends from.
pub const SENDERS: &str = "SENDER#";

pub fn sender(tenant: TenantKey, email: &EmailAddress) -> Key {
    Key::new(tenant.to_string(), format!("{SENDERS}{email}"))
}

/// Partition of a workspace's requests about personal data.
pub fn privacy(tenant: TenantKey) -> String {
    format!("{tenant}#PRIVACY")
}

pub fn privacy_request(tenant: TenantKey, id: PrivacyRequestId) -> Key {
    Key::new(privacy(tenant), id.to_string())
}

/// Partition of the places of open requests in the order of their next date.
pub fn privacy_dues(tenant: TenantKey) -> String {
    format!("{tenant}#PRIVACY-DUE")
}

/// The claim of the mail of a notice to one admin.
pub fn privacy_notice(
    tenant: TenantKey,
    id: PrivacyRequestId,
    due: Date,
    kind: &str,
    user: UserId,
) -> Key {
    let pk = format!("{tenant}#PRIVACY-NOTICE");
    Key::new(pk, format!("{id}#{due}#{kind}#{user}"))
}

pub fn privacy_due(tenant: TenantKey, due: Date, id: PrivacyRequestId) -> Key {
    Key::new(privacy_dues(tenant), format!("{due}#{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn keys_have_these_exact_texts() {
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let account_id = "acc_0123456789a".parse().unwrap();
        let email = "an@example.vn".parse().unwrap();
        let id = "0123456789a";
        for (key, pk, sk) in [
            (account(account_id), "acc_0123456789a", "ACCOUNT"),
            (
                user(account_id, format!("usr_{id}").parse().unwrap()),
                "acc_0123456789a",
                "USER#usr_0123456789a",
            ),
            (
                workspace_of(account_id, tenant.workspace()),
                "acc_0123456789a",
                "WORKSPACE#ws_0123456789a",
            ),
            (
                workspace_name(account_id, "cửa hàng"),
                "acc_0123456789a",
                "WORKSPACE-NAME#cửa hàng",
            ),
            (workspace(tenant), "ws_0123456789a", "WORKSPACE"),
            (onboarding(tenant), "ws_0123456789a", "ONBOARDING"),
            (
                sender(tenant, &email),
                "ws_0123456789a",
                "SENDER#an@example.vn",
            ),
            (login(&email), "LOGIN#an@example.vn", "LOGIN"),
            (nobody(), "NOBODY", "USER#NOBODY"),
            (refused_nobody(), "NOBODY", "REFUSED"),
            (
                invited(account_id, &email),
                "acc_0123456789a",
                "INVITED#an@example.vn",
            ),
            (session("00ff"), "SESSION#00ff", "SESSION"),
            (
                invitation(account_id, format!("inv_{id}").parse().unwrap()),
                "acc_0123456789a",
                "INVITATION#inv_0123456789a",
            ),
            (invite("00ff"), "INVITE#00ff", "INVITE"),
            (reset("00ff"), "RESET#00ff", "RESET"),
            (reset_request("00ff"), "RESET-REQUEST#00ff", "RESET-REQUEST"),
            (setup(), "SETUP", "SETUP"),
            (api_key("00ff"), "KEY#00ff", "KEY"),
            (
                api_key_of(tenant, format!("key_{id}").parse().unwrap()),
                "ws_0123456789a",
                "KEY#key_0123456789a",
            ),
            (
                privacy_request(tenant, format!("prq_{id}").parse().unwrap()),
                "ws_0123456789a#PRIVACY",
                "prq_0123456789a",
            ),
            (
                privacy_due(
                    tenant,
                    jiff::civil::date(2026, 3, 2),
                    format!("prq_{id}").parse().unwrap(),
                ),
                "ws_0123456789a#PRIVACY-DUE",
                "2026-03-02#prq_0123456789a",
            ),
        ] {
            assert_eq!((key.pk.as_str(), key.sk.as_str()), (pk, sk));
        }
        assert_eq!(audit(account_id), "acc_0123456789a#AUDIT");
    }
}
