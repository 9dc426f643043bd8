//! Keys at the doors that take events: found once in ten seconds by each process.
//!
//! A key ends within ten seconds of its revocation. At the API, which reads, a key ends at once.

use cloud::{Error, Recent, Resources};
use kernel::{Scope, TenantKey, secret};

use crate::api_keys::ApiKeys;

/// Keys that a process keeps in memory, wrong ones too.
const MOST: usize = 10_000;

/// A key that may write events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteKey {
    /// Its workspace.
    pub tenant: TenantKey,
    /// Its id: `key_…`.
    pub id: String,
    /// Whether it is public: it is in pages that everybody can read.
    pub is_public: bool,
}

/// The keys of all workspaces; cheap to clone.
#[derive(Clone, Debug)]
pub struct WriteKeys {
    keys: ApiKeys,
    recent: Recent<String, Option<WriteKey>>,
}

impl WriteKeys {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            recent: Recent::new(resources.clock(), MOST),
            keys: ApiKeys::over(resources),
        }
    }

    /// The key of a token, if it may write events: with the scope `track`, or one that may change contacts.
    pub async fn find(&self, token: &str) -> Result<Option<WriteKey>, Error> {
        let read = || {
            let (keys, token) = (self.keys.clone(), token.to_owned());
            async move {
                let grant = keys.authenticate(&token).await?;
                Ok(grant.and_then(|grant| {
                    if !grant.has(Scope::Track) && !grant.has(Scope::Write) {
                        return None;
                    }
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "door: the workspace is that of the key behind the token"
                    )]
                    let tenant = TenantKey::authenticated(grant.workspace?);
                    Some(WriteKey {
                        tenant,
                        is_public: grant.scopes == Scope::Track.name(),
                        id: grant.actor,
                    })
                }))
            }
        };
        self.recent.get(secret::hash(token), read).await
    }
}
