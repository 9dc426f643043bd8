//! Delivery reports of eSMS: the address that a call names for them, and what a report says. Pure.
//!
//! Source: <https://developers.esms.vn/esms-api/callback-url>. A report has no signature, so its address carries a signed token. A
//! report comes up to five times, in any order.

use contacts::Channel;
use content::tokens::{Token, TokenKey, TokenKind};
use kernel::TenantKey;

use crate::ledger::{Fact, LedgerKey};

/// Makes the addresses of reports; cheap to clone.
#[derive(Debug, Clone)]
pub struct ReportAddress {
    base_url: String,
    key: TokenKey,
}

impl ReportAddress {
    /// Reports go to `base_url`, and their tokens are signed with `key`.
    pub fn new(base_url: &str, key: TokenKey) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            key,
        }
    }

    /// The address for the report of one send.
    pub fn of(&self, tenant: TenantKey, send: &LedgerKey) -> Option<String> {
        self.write(tenant, send, send.contact.to_string())
    }

    /// The address for the reports of a group: each names its number.
    pub fn of_group(&self, tenant: TenantKey, one: &LedgerKey) -> Option<String> {
        self.write(tenant, one, String::new())
    }

    fn write(&self, tenant: TenantKey, send: &LedgerKey, contact: String) -> Option<String> {
        let token = Token {
            kind: TokenKind::Report,
            channel: Channel::Sms,
            workspace: tenant.to_string(),
            scope: send.scope.clone(),
            contact,
            step: send.step.clone(),
        };
        let token = token.encode(&self.key).ok()?;
        Some(format!("{}/d/{token}", self.base_url))
    }
}

/// What a report says about its message: `SendStatus`, `SendSuccess`, `SendFailed`. `None`: nothing.
pub fn fact(status: &str, success: &str, failed: &str) -> Option<Fact> {
    let count = |text: &str| text.trim().parse::<u32>().unwrap_or(0);
    match status.trim() {
        // Waits for an approval, waits, is with the carrier.
        "1" | "2" | "7" => Some(Fact::Accepted),
        "4" => Some(Fact::Rejected),
        "5" if count(success) > 0 => Some(Fact::Delivered),
        "5" if count(failed) > 0 => Some(Fact::Rejected),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_fact() {
        for (fields, expected) in [
            (["7", "0", "0"], Some(Fact::Accepted)),
            (["5", "1", "0"], Some(Fact::Delivered)),
            (["5", "0", "1"], Some(Fact::Rejected)),
            (["4", "0", "0"], Some(Fact::Rejected)),
            (["5", "0", "0"], None),
            (["", "", ""], None),
        ] {
            assert_eq!(
                fact(fields[0], fields[1], fields[2]),
                expected,
                "{fields:?}"
            );
        }
    }
}
