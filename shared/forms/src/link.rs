//! The signed link of a confirmation mail. Pure.
//!
//! The token names the workspace, the contact and the request, and the end of the link, under an HMAC over these and
//! the form. It holds no personal data.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use kernel::{ContactId, FormId, TenantKey};
use sha2::Sha256;

const LABEL: &[u8] = b"tanigo form confirmation v1\0";
const MAC_BYTES: usize = 16;
const MAX_TOKEN: usize = 400;

/// The key that signs links.
#[derive(Clone)]
pub struct LinkKey(Hmac<Sha256>);

impl LinkKey {
    /// A key from the deployment's secret.
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub fn new(secret: &str) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
        let mut mac = mac.expect("a key of any length");
        mac.update(LABEL);
        Self(mac)
    }

    fn over(&self, form: FormId, signed: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(form.to_string().as_bytes());
        mac.update(signed);
        mac
    }
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(..)")
    }
}

/// The request that a link confirms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The workspace.
    pub tenant: TenantKey,
    /// The contact.
    pub contact: ContactId,
    /// The request's id: letters and digits.
    pub id: String,
    /// When the link ends.
    pub ends: Timestamp,
}

impl Link {
    /// The token of the link.
    pub fn encode(&self, form: FormId, key: &LinkKey) -> String {
        let ends = self.ends.as_second();
        let signed = format!("{}|{}|{}|{ends}", self.tenant, self.contact, self.id);
        let mac = key.over(form, signed.as_bytes()).finalize().into_bytes();
        let mut bytes = signed.into_bytes();
        bytes.extend_from_slice(&mac[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token of this form that has not ended. Compares in constant time.
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the token is signed by us and names the workspace"
    )]
    pub fn decode(form: FormId, token: &str, key: &LinkKey, now: Timestamp) -> Option<Self> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        key.over(form, signed).verify_truncated_left(mac).ok()?;
        let mut parts = std::str::from_utf8(signed).ok()?.split('|');
        let link = Self {
            tenant: TenantKey::authenticated(parts.next()?.parse().ok()?),
            contact: parts.next()?.parse().ok()?,
            id: parts.next()?.to_owned(),
            ends: Timestamp::from_second(parts.next()?.parse().ok()?).ok()?,
        };
        (now < link.ends).then_some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn only_an_unchanged_token_of_the_form_opens_and_only_until_its_end() {
        let key = LinkKey::new("0123456789abcdef0123456789abcdef");
        let form: FormId = "frm_0123456789a".parse().unwrap();
        let ends = Timestamp::from_second(1_772_438_400).unwrap();
        let link = Link {
            tenant: TenantKey::authenticated("ws_0123456789a".parse().unwrap()),
            contact: "con_0123456789a".parse().unwrap(),
            id: "0f1e2d".into(),
            ends,
        };
        let token = link.encode(form, &key);
        let before = Timestamp::from_second(1_772_438_399).unwrap();
        assert_eq!(Link::decode(form, &token, &key, before), Some(link));
        assert_eq!(Link::decode(form, &token, &key, ends), None);
        let other = "frm_0123456789b".parse().unwrap();
        assert_eq!(Link::decode(other, &token, &key, before), None);
        let other = LinkKey::new("another secret of good length");
        assert_eq!(Link::decode(form, &token, &other, before), None);
        for n in 0..token.len() {
            let mut forged = token.clone();
            let letter = if &token[n..=n] == "A" { "B" } else { "A" };
            forged.replace_range(n..=n, letter);
            assert_eq!(Link::decode(form, &forged, &key, before), None, "{n}");
        }
        for text in ["", "A", "????", &"A".repeat(1_000)] {
            assert_eq!(Link::decode(form, text, &key, before), None);
        }
    }
}
