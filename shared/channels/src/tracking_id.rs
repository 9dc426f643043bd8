//! The name of a send in the requests and reports of providers: a receipt finds its ledger row without a look-up.
//!
//! 48 letters and digits: 11 each of the workspace, the campaign and the contact, one for the step, 14 of a MAC
//! (HMAC-SHA256). ZNS takes 48 characters, eSMS takes 50. Only messages of campaigns have such a name.

use std::fmt::Write as _;

use contacts::Channel;
use hmac::{Hmac, KeyInit, Mac};
use kernel::{CampaignId, ContactId, TenantKey, WorkspaceId};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::ledger::LedgerKey;

/// Length of a tracking id.
pub const LENGTH: usize = 48;
/// Step of the text message in place of a message that a provider refused.
pub const FALLBACK_STEP: &str = "0#fb";
const LABEL: &[u8] = b"tanigo tracking id\0";
/// Digits of an id, after its prefix.
const DIGITS: usize = 11;
/// Characters of the MAC.
const MAC: usize = LENGTH - 3 * DIGITS - 1;

/// The key that signs tracking ids.
#[derive(Clone)]
pub struct TrackingKey(Hmac<Sha256>);

impl std::fmt::Debug for TrackingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TrackingKey(..)")
    }
}

impl TrackingKey {
    /// A key from the deployment's secret.
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub fn new(secret: &str) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
        let mut mac = mac.expect("a key of any length");
        mac.update(LABEL);
        Self(mac)
    }

    fn mac(&self, name: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(name.as_bytes());
        let mut hex = String::with_capacity(MAC);
        for byte in mac.finalize().into_bytes().iter().take(MAC / 2) {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    /// The name of a campaign's send; `None` for another send.
    pub fn name(&self, tenant: TenantKey, key: &LedgerKey) -> Option<String> {
        let campaign: CampaignId = key.scope.parse().ok()?;
        let step = match key.step.as_str() {
            "0" => '0',
            FALLBACK_STEP => 'f',
            _ => return None,
        };
        let of = |id: String| id.split_once('_').map(|(_, digits)| digits.to_owned());
        let workspace = of(tenant.workspace().to_string())?;
        let (campaign, contact) = (of(campaign.to_string())?, of(key.contact.to_string())?);
        let name = format!("{workspace}{campaign}{contact}{step}");
        let mac = self.mac(&name);
        Some(name + &mac)
    }

    /// The workspace and the send that a name of ours names, for a message of this channel.
    pub fn open(&self, name: &str, channel: Channel) -> Option<(WorkspaceId, LedgerKey)> {
        if name.len() != LENGTH || !name.is_ascii() {
            return None;
        }
        let (ids, mac) = name.split_at(LENGTH - MAC);
        if !bool::from(mac.as_bytes().ct_eq(self.mac(ids).as_bytes())) {
            return None;
        }
        let id = |n: usize, prefix: &str| {
            let digits = ids.get(n * DIGITS..(n + 1) * DIGITS)?;
            Some(format!("{prefix}_{digits}"))
        };
        let workspace = id(0, WorkspaceId::PREFIX)?.parse().ok()?;
        let contact: ContactId = id(2, ContactId::PREFIX)?.parse().ok()?;
        let step = match ids.get(3 * DIGITS..)? {
            "0" => "0",
            "f" => FALLBACK_STEP,
            _ => return None,
        };
        let key = LedgerKey {
            scope: id(1, CampaignId::PREFIX)?,
            contact,
            channel,
            step: step.to_owned(),
        };
        Some((workspace, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn a_name_comes_back_as_its_send_and_no_other_name_does() {
        let key = TrackingKey::new("a secret of the installation");
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        for step in ["0", FALLBACK_STEP] {
            let send = LedgerKey {
                scope: "cmp_0123456789b".into(),
                contact: "con_0123456789c".parse().unwrap(),
                channel: Channel::Zalo,
                step: step.into(),
            };
            let name = key.name(tenant, &send).unwrap();
            assert_eq!(name.len(), LENGTH);
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            let found = key.open(&name, Channel::Zalo).unwrap();
            assert_eq!(found, (tenant.workspace(), send));
            let other = format!("1{}", &name[1..]);
            assert_eq!(key.open(&other, Channel::Zalo), None);
            assert_eq!(TrackingKey::new("x").open(&name, Channel::Zalo), None);
        }
        for text in ["", "t01-DH000123-shipped", &"é".repeat(24), &"0".repeat(48)] {
            assert_eq!(key.open(text, Channel::Zalo), None, "{text}");
        }
    }
}
