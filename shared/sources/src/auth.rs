//! The proof of origin that a source's requests carry, and the sealing of its keys.
//!
//! A token is compared by its hash. The key of a signature must be read again, so it is sealed for its source
//! ([`kernel::Seal`]); no answer shows it. A source has at most two keys, so that a key can be replaced without a gap.

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use kernel::{Entropy, Seal, SourceId, secret};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::Provider;

/// Prefix of sources' secrets; secret scanners look for it.
pub(crate) const PREFIX: &str = "tngs";
/// How long the key before the newest is still admitted.
pub const BOTH_KEYS: SignedDuration = SignedDuration::from_hours(24);

/// The proof of origin that a request carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Auth {
    /// A header carries the source's token.
    Token {
        /// The header's name, lower case.
        header: String,
        /// SHA-256 of the token.
        hash: String,
    },
    /// A signature over the request, or the key in its body.
    Key {
        /// SHA-256 of the token for a provider that asks for one too.
        hash: Option<String>,
        /// The keys, newest first. None until the owner enters the provider's secret.
        keys: Vec<SealedKey>,
    },
}

/// A key that only its source can unseal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKey {
    /// Hex of nonce and ciphertext.
    pub sealed: String,
    /// The end of its validity, if a newer key has replaced it.
    pub until: Option<Timestamp>,
}

impl Auth {
    /// A token in a header.
    pub fn token(header: &str, token: &str) -> Self {
        Self::Token {
            header: header.to_ascii_lowercase(),
            hash: secret::hash(token),
        }
    }

    /// Whether this is the token of the source. Hashes are compared in constant time.
    pub fn is_token(&self, token: &str) -> bool {
        let hash = match self {
            Self::Token { hash, .. } => Some(hash),
            Self::Key { hash, .. } => hash.as_ref(),
        };
        let given = secret::hash(token);
        hash.is_some_and(|hash| given.as_bytes().ct_eq(hash.as_bytes()).into())
    }

    /// Whether the source's header carries its token. False for a source with keys.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let Self::Token { header, .. } = self else {
            return false;
        };
        let token = headers.get(header).and_then(|value| value.to_str().ok());
        token.is_some_and(|token| self.is_token(token))
    }

    /// Name of the header that carries the token, lower case.
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::Token { header, .. } => Some(header),
            Self::Key { .. } => None,
        }
    }

    /// Without the sealed keys. The hash of a token stays: no token follows from it.
    #[must_use]
    pub fn without_keys(&self) -> Self {
        match self {
            Self::Token { .. } => self.clone(),
            Self::Key { hash, .. } => Self::Key {
                hash: hash.clone(),
                keys: Vec::new(),
            },
        }
    }

    /// Whether requests can be checked: a source of a signing provider waits for its secret.
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Token { .. } => true,
            Self::Key { keys, .. } => !keys.is_empty(),
        }
    }
}

/// New credentials: the stored form, and the texts that the owner sees once.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The stored form.
    pub auth: Auth,
    /// The token, if the provider sends one.
    pub token: Option<String>,
    /// The secret, if it was made here.
    pub secret: Option<String>,
}

/// Seals and unseals the keys of sources.
#[derive(Clone, Debug)]
pub struct Keyring(Seal);

impl Keyring {
    /// `secret` is the installation's.
    pub fn new(secret: &str) -> Self {
        Self(Seal::new("sources", secret))
    }

    /// Credentials of a new source. `given` is the provider's secret, if its owner has it already.
    pub fn issue(
        &self,
        provider: Provider,
        id: SourceId,
        given: Option<&str>,
        entropy: &Entropy,
    ) -> Issued {
        let token = provider
            .takes_token()
            .then(|| secret::generate(PREFIX, entropy));
        let (made, keys) = self.key(provider, id, given, entropy);
        let auth = match (provider.header(), &token) {
            (Some(header), Some(token)) => Auth::token(header, token),
            _ => Auth::Key {
                hash: token.as_deref().map(secret::hash),
                keys,
            },
        };
        Issued {
            auth,
            token,
            secret: made,
        }
    }

    /// The credentials after a new secret: the key before it is admitted for [`BOTH_KEYS`]. `None` if the source has
    /// no secret.
    pub fn replace(
        &self,
        provider: Provider,
        id: SourceId,
        auth: &Auth,
        given: Option<&str>,
        entropy: &Entropy,
        now: Timestamp,
    ) -> Option<Issued> {
        let Auth::Key { hash, keys } = auth else {
            return None;
        };
        let (made, mut sealed) = self.key(provider, id, given, entropy);
        let before = keys.first().filter(|_| !sealed.is_empty());
        sealed.extend(before.map(|key| SealedKey {
            sealed: key.sealed.clone(),
            until: Some(now + BOTH_KEYS),
        }));
        Some(Issued {
            auth: Auth::Key {
                hash: hash.clone(),
                keys: sealed,
            },
            token: None,
            secret: made,
        })
    }

    /// The given secret, sealed; or one that is made here, with its text.
    fn key(
        &self,
        provider: Provider,
        id: SourceId,
        given: Option<&str>,
        entropy: &Entropy,
    ) -> (Option<String>, Vec<SealedKey>) {
        let made = match given {
            Some(_) => None,
            None => provider.make_secret(entropy),
        };
        let key = given.or(made.as_deref());
        let sealed = key.and_then(|key| self.0.close(entropy, &id.to_string(), key.as_bytes()));
        let sealed = sealed.map(|sealed| SealedKey {
            sealed,
            until: None,
        });
        (made, sealed.into_iter().collect())
    }

    /// Seals credentials or tokens of a provider's API for a source.
    pub(crate) fn close(
        &self,
        id: SourceId,
        entropy: &Entropy,
        plain: &impl Serialize,
    ) -> Option<String> {
        let plain = serde_json::to_vec(plain).ok()?;
        self.0.close(entropy, &format!("{id}#API"), &plain)
    }

    /// Opens what [`Keyring::close`] sealed for the source.
    pub(crate) fn unseal<T: serde::de::DeserializeOwned>(
        &self,
        id: SourceId,
        sealed: &str,
    ) -> Option<T> {
        let plain = self.0.open(&format!("{id}#API"), sealed)?;
        serde_json::from_slice(&plain).ok()
    }

    /// The newest secret of a source, as text.
    pub fn secret(&self, id: SourceId, auth: &Auth, now: Timestamp) -> Option<String> {
        let newest = self.open(id, auth, now).into_iter().next()?;
        String::from_utf8(newest).ok()
    }

    /// The keys of a source that are valid now, newest first.
    pub fn open(&self, id: SourceId, auth: &Auth, now: Timestamp) -> Vec<Vec<u8>> {
        let Auth::Key { keys, .. } = auth else {
            return Vec::new();
        };
        let valid = keys
            .iter()
            .filter(|key| key.until.is_none_or(|until| now < until));
        valid
            .filter_map(|key| self.0.open(&id.to_string(), &key.sealed))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_token_is_admitted() {
        let auth = Auth::token("X-Token", "tngs_1");
        let with = |name: &'static str, token: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, token.parse().unwrap());
            auth.admits(&headers)
        };
        assert!(with("x-token", "tngs_1"));
        assert!(!with("x-token", "tngs_2") && !with("x-token", ""));
        assert!(!with("authorization", "tngs_1") && !auth.admits(&HeaderMap::new()));
    }

    #[test]
    fn a_replaced_key_is_valid_for_a_day() {
        let (keyring, entropy) = (Keyring::new("installation"), Entropy::seeded(1));
        let id: SourceId = "src_0123456789a".parse().unwrap();
        let now = Timestamp::from_second(1_772_438_400).unwrap();
        let first = keyring.issue(Provider::Sapo, id, Some("key one"), &entropy);
        assert_eq!(first.secret, None);
        assert_eq!(keyring.open(id, &first.auth, now), [b"key one"]);
        let other: SourceId = "src_0123456789b".parse().unwrap();
        assert!(keyring.open(other, &first.auth, now).is_empty());

        let second = keyring.replace(
            Provider::Sapo,
            id,
            &first.auth,
            Some("key two"),
            &entropy,
            now,
        );
        let second = second.unwrap().auth;
        assert_eq!(keyring.open(id, &second, now), [b"key two", b"key one"]);
        let later = now + BOTH_KEYS;
        assert_eq!(keyring.open(id, &second, later), [b"key two"]);
    }

    #[test]
    fn a_source_of_a_signing_provider_waits_for_its_secret() {
        let (keyring, entropy) = (Keyring::new("installation"), Entropy::seeded(1));
        let id: SourceId = "src_0123456789a".parse().unwrap();
        let waits = keyring.issue(Provider::Haravan, id, None, &entropy);
        assert!(!waits.auth.is_ready() && waits.secret.is_none());
        assert!(waits.auth.is_token(&waits.token.unwrap()));
        let made = keyring.issue(Provider::Custom, id, None, &entropy);
        assert!(made.auth.is_ready() && made.secret.is_some());
    }
}
