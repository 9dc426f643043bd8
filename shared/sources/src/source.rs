//! The record of a source.

use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::Timestamp;
use kernel::{Channel, ConsentField, ListId, SourceId, TenantKey, WorkspaceId, secret};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::Provider;

/// A source: a sender that posts a shop's data to a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Id; public, part of the URL.
    pub id: SourceId,
    /// Name that the workspace's people see.
    pub name: String,
    /// The provider whose format it sends.
    pub provider: Provider,
    /// How its requests prove their origin.
    pub auth: Auth,
    /// How its data is processed.
    #[serde(flatten)]
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The processing of a source's data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Tags that its contacts get.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Lists that its contacts join.
    #[serde(default)]
    pub lists: Vec<ListId>,
    /// The source's field names, with our names.
    #[serde(default)]
    pub mapping: BTreeMap<String, String>,
    /// The field that asks for consent, by channel. Without one nothing is booked.
    #[serde(default)]
    pub consent: BTreeMap<Channel, ConsentField>,
}

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
}

impl Auth {
    /// Whether the request carries the proof. Hashes are compared in constant time.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Token { header, hash } => {
                let token = headers.get(header).and_then(|value| value.to_str().ok());
                token.is_some_and(|token| {
                    let given = secret::hash(token);
                    given.as_bytes().ct_eq(hash.as_bytes()).into()
                })
            }
        }
    }

    /// Name of the header that carries the proof, lower case.
    pub fn header(&self) -> &str {
        match self {
            Self::Token { header, .. } => header,
        }
    }
}

/// A new source. Its requests carry a token.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// Name that the workspace's people see.
    pub name: String,
    /// The provider whose format it sends.
    pub provider: Provider,
    /// Header that will carry the token.
    pub header: String,
    /// How its data is processed.
    pub settings: Settings,
}

impl NewSource {
    /// A source of this provider whose header carries a token, with no other settings.
    pub fn of(provider: Provider, header: &str) -> Self {
        Self {
            name: provider.name().to_owned(),
            provider,
            header: header.to_owned(),
            settings: Settings::default(),
        }
    }
}

/// A change of a source; a field that is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct SourceChange {
    /// Name that people see.
    pub name: Option<String>,
    /// Tags that its contacts get.
    pub tags: Option<Vec<String>>,
    /// Lists that its contacts join.
    pub lists: Option<Vec<ListId>>,
    /// The source's field names, with our names.
    pub mapping: Option<BTreeMap<String, String>>,
    /// The field that asks for consent, by channel.
    pub consent: Option<BTreeMap<Channel, ConsentField>>,
}

/// The tenant and the record behind a source's public id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The workspace of the source. The workspace is proven only after [`Auth::admits`].
    pub tenant: TenantKey,
    /// The record.
    pub source: Source,
}

/// The stored form of a source.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    pub workspace: WorkspaceId,
    #[serde(flatten)]
    pub source: Source,
}

impl Row {
    #[expect(
        clippy::disallowed_methods,
        reason = "door: the stored row names its workspace"
    )]
    pub fn open(self) -> Door {
        Door {
            tenant: TenantKey::authenticated(self.workspace),
            source: self.source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_token_is_admitted() {
        let auth = Auth::Token {
            header: "x-token".into(),
            hash: secret::hash("tngs_1"),
        };
        let with = |name: &'static str, token: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, token.parse().unwrap());
            auth.admits(&headers)
        };
        assert!(with("x-token", "tngs_1"));
        assert!(!with("x-token", "tngs_2") && !with("x-token", ""));
        assert!(!with("authorization", "tngs_1") && !auth.admits(&HeaderMap::new()));
    }
}
