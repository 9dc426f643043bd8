//! Events of Zalo's webhook: the signature, and the receipts of ZNS. Pure.
//!
//! Source: the *Webhook* pages of Zalo's documents. Deployments differ in two points, so both variants are tried: the time is in
//! the body or in the header `X-ZEvent-Timestamp`; the key is the OA secret key or the secret key of the app.

use contacts::Channel;
use jiff::Timestamp;
use kernel::WorkspaceId;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::wire::{number, text};
use crate::feedback::Receipt;
use crate::ledger::Fact;
use crate::tracking_id::TrackingKey;

/// The keys that may sign events of the app.
#[derive(Clone)]
pub struct Secrets {
    /// The app's id at Zalo.
    pub app_id: String,
    /// The OA secret key, which Zalo's console shows beside the webhook.
    pub oa_secret: String,
    /// The secret key of the app.
    pub app_secret: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// A request of the webhook.
#[derive(Debug, Clone, Copy)]
pub struct Posted<'a> {
    /// The header `X-ZEvent-Signature`.
    pub signature: &'a str,
    /// The header `X-ZEvent-Timestamp`; empty if there is none.
    pub timestamp: &'a str,
    /// The header `X-ZEvent-Server`: `ZNS` for messages of templates.
    pub server: &'a str,
    /// The raw body.
    pub body: &'a [u8],
}

/// A request of the webhook, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The check of the address by Zalo's console: it is not signed, and has no event.
    Probe,
    /// Not signed by Zalo for this app.
    Unsigned,
    /// A receipt of a ZNS.
    Receipt(WorkspaceId, Receipt),
    /// A receipt of a message that is not ours.
    Foreign,
    /// An event without effect.
    Other(String),
}

/// Reads a request.
pub fn event(secrets: &Secrets, tracking: &TrackingKey, posted: &Posted<'_>) -> Event {
    let value: Value = serde_json::from_slice(posted.body).unwrap_or_default();
    let name = text(&value["event_name"]);
    if posted.signature.is_empty() && name.is_none() {
        return Event::Probe;
    }
    if text(&value["app_id"]).as_deref() != Some(&secrets.app_id) {
        return Event::Unsigned;
    }
    let inside = text(&value["timestamp"]).unwrap_or_default();
    if !is_signed(secrets, posted, &inside) {
        return Event::Unsigned;
    }
    let name = name.unwrap_or_default();
    if !posted.server.eq_ignore_ascii_case("ZNS") {
        return Event::Other(name);
    }
    let fact = match name.as_str() {
        "user_received_message" => Fact::Delivered,
        "user_seen_message" => Fact::Opened,
        _ => return Event::Other(name),
    };
    let message = &value["message"];
    let named = text(&message["tracking_id"]);
    let Some((workspace, key)) = named.and_then(|name| tracking.open(&name, Channel::Zalo)) else {
        return Event::Foreign;
    };
    let at = number(&message["delivery_time"]).filter(|_| fact == Fact::Delivered);
    let at = at.or_else(|| inside.parse().ok());
    let at = at.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    match at {
        Some(at) => Event::Receipt(workspace, Receipt { key, fact, at }),
        None => Event::Other(name),
    }
}

/// Whether one of the variants of the signature is right. Each is compared in constant time.
fn is_signed(secrets: &Secrets, posted: &Posted<'_>, inside: &str) -> bool {
    let given = posted.signature.trim();
    let given = given.split_once('=').map_or(given, |(_, hex)| hex).trim();
    let given = given.to_ascii_lowercase();
    let mut is_right = false;
    for (number, time) in [inside, posted.timestamp].into_iter().enumerate() {
        for (other, key) in [&secrets.oa_secret, &secrets.app_secret]
            .into_iter()
            .enumerate()
        {
            let digest = Sha256::new()
                .chain_update(&secrets.app_id)
                .chain_update(posted.body)
                .chain_update(time)
                .chain_update(key)
                .finalize();
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            if !time.is_empty() && bool::from(hex.as_bytes().ct_eq(given.as_bytes())) {
                if (number, other) != (0, 0) {
                    tracing::info!(number, other, "another variant of Zalo's signature");
                }
                is_right = true;
            }
        }
    }
    is_right
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"app_id":"1234567890123456789","user_id_by_app":"8123456789012345678","event_name":"user_send_text","sender":{"id":"2512345678901234567"},"recipient":{"id":"3400000000000000001"},"message":{"text":"Cho mình hỏi đơn DH000123","msg_id":"a1b2c3d4e5f60708090a"},"timestamp":"1772438600123"}"#;
    const SIGNATURE: &str = "mac=2f3b1d046f177191f269f850d454a5f24744fb8931a25485b8d1b60c45cab7a2";
    /// HMAC of the body, a frequent mistake.
    const HMAC: &str = "mac=87324961e84da6144ec031adebdc847157caff31bb2b0082d18d8fc1e7a8924c";

    fn judge(signature: &str, server: &str, body: &str) -> Event {
        let secrets = Secrets {
            app_id: "1234567890123456789".into(),
            oa_secret: "oa-secret-test".into(),
            app_secret: "app-secret-test".into(),
        };
        let tracking = TrackingKey::new("a secret of the installation");
        let posted = Posted {
            signature,
            timestamp: "",
            server,
            body: body.as_bytes(),
        };
        event(&secrets, &tracking, &posted)
    }

    #[test]
    fn the_known_vector_is_signed_and_nothing_else() {
        let other = Event::Other("user_send_text".into());
        assert_eq!(judge(SIGNATURE, "OA OpenAPI", BODY), other);
        assert_eq!(judge(HMAC, "OA OpenAPI", BODY), Event::Unsigned);
        assert_eq!(judge("", "OA OpenAPI", BODY), Event::Unsigned);
        let changed = BODY.replace("DH000123", "DH000124");
        assert_eq!(judge(SIGNATURE, "OA OpenAPI", &changed), Event::Unsigned);
        let foreign = BODY.replace("1234567890123456789", "1234567890123456780");
        assert_eq!(judge(SIGNATURE, "OA OpenAPI", &foreign), Event::Unsigned);
        for probe in ["", "{}"] {
            assert_eq!(judge("", "", probe), Event::Probe);
        }
    }
}
