//! Session tokens of widget visitors: signed, short-lived, bound to one inbox. Never logged.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use kernel::{InboxId, TenantKey, WorkspaceId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::model::Visitor;

/// Prefix of every token. It distinguishes a token from an API key and is part of the signed text.
pub const PREFIX: &str = "vis1.";
/// How long a session lasts. The browser then asks for a new session with its visitor id.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Longest token, in bytes.
const MAX_LENGTH: usize = 512;

/// The holder of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Workspace of the inbox.
    pub tenant: TenantKey,
    /// The inbox.
    pub inbox: InboxId,
    /// The browser.
    pub visitor: Visitor,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    workspace: WorkspaceId,
    inbox: InboxId,
    visitor: Visitor,
    exp: i64,
}

/// Signs and checks tokens.
#[derive(Clone)]
pub struct Tokens {
    secret: Vec<u8>,
}

impl Tokens {
    /// With the deployment's secret.
    pub fn new(secret: &str) -> Self {
        Self {
            secret: secret.as_bytes().to_vec(),
        }
    }

    /// A token for this session and the time at which it ends.
    pub fn issue(
        &self,
        session: &Session,
        now: Timestamp,
    ) -> Result<(String, Timestamp), cloud::Error> {
        let shape = |text: String| cloud::Error::Shape(text);
        let expires = now
            .checked_add(LIFETIME)
            .map_err(|error| shape(error.to_string()))?;
        let claims = Claims {
            workspace: session.tenant.workspace(),
            inbox: session.inbox,
            visitor: session.visitor.clone(),
            exp: expires.as_second(),
        };
        let json = serde_json::to_vec(&claims).map_err(|error| shape(error.to_string()))?;
        let signed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json));
        let mac = self.mac(&signed).ok_or_else(|| shape("secret".into()))?;
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        Ok((format!("{signed}.{signature}"), expires))
    }

    /// The session of the token; `None` if we did not sign it or it has expired.
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the token's signature proves its workspace"
    )]
    pub fn open(&self, token: &str, now: Timestamp) -> Option<Session> {
        if token.len() > MAX_LENGTH {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        // Compares in constant time.
        self.mac(signed)?.verify_slice(&signature).ok()?;
        let json = URL_SAFE_NO_PAD.decode(signed.strip_prefix(PREFIX)?).ok()?;
        let claims: Claims = serde_json::from_slice(&json).ok()?;
        (now.as_second() < claims.exp).then(|| Session {
            tenant: TenantKey::authenticated(claims.workspace),
            inbox: claims.inbox,
            visitor: claims.visitor,
        })
    }

    fn mac(&self, signed: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        mac.update(signed.as_bytes());
        Some(mac)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Entropy;

    const NOW: i64 = 1_772_438_400;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "a tenant for tests")]
    fn session() -> Session {
        Session {
            tenant: TenantKey::authenticated("ws_00000000001".parse().unwrap()),
            inbox: "inb_0000000000b".parse().unwrap(),
            visitor: Visitor::new(&Entropy::seeded(1)),
        }
    }

    #[test]
    fn a_token_opens_until_it_ends() {
        let tokens = Tokens::new("secret");
        let (token, expires) = tokens.issue(&session(), at(NOW)).unwrap();
        assert_eq!(expires, at(NOW + 24 * 3600));
        assert_eq!(tokens.open(&token, at(NOW)), Some(session()));
        assert_eq!(
            tokens.open(&token, at(NOW + 24 * 3600 - 1)),
            Some(session())
        );
        assert_eq!(tokens.open(&token, expires), None);
    }

    #[test]
    fn another_secret_or_any_changed_letter_is_refused() {
        let tokens = Tokens::new("secret");
        let (token, _) = tokens.issue(&session(), at(NOW)).unwrap();
        assert_eq!(Tokens::new("other").open(&token, at(NOW)), None);
        for i in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[i] = if changed[i] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last letter of unpadded base64 has spare bits. A decoder that ignored them would accept it; ours
            // does not.
            // accept it, ours does not.
            assert_eq!(tokens.open(&changed, at(NOW)), None, "letter {i}");
        }
        for bad in ["", ".", "vis1.", "vis1.e30.", "vis1.e30.AAAA"] {
            assert_eq!(tokens.open(bad, at(NOW)), None, "{bad}");
        }
    }
}
