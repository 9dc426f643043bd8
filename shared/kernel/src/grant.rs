//! The authorizer's answer about a credential, and the permissions that follow from it.

use serde::{Deserialize, Serialize};

use crate::access::{ChatRole, Permission, Role, Scope};
use crate::{AccountId, WorkspaceId};

/// The authorizer's answer to the API functions. API Gateway's context holds texts only, so its shape is flat. A
/// refusal is sent too, since API Gateway itself can neither answer 401 nor give a reason (docs/adr/0011).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Verdict {
    /// A live credential.
    Granted(Grant),
    /// No credential, or one without a grant.
    Refused {
        /// Always `unauthenticated`: the reason is not revealed.
        refused: Refused,
    },
}

/// The one reason of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// Answered with 401.
    Unauthenticated,
}

impl Verdict {
    /// Refuses.
    pub fn refused() -> Self {
        Self::Refused {
            refused: Refused::Unauthenticated,
        }
    }
}

/// The account, workspace and rights of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The account.
    pub account: AccountId,
    /// The workspace: the key's own, or the one that `X-Workspace` names and the person may enter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    /// Why there is no workspace, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_workspace: Option<NoWorkspace>,
    /// The person or key: `usr_…` or `key_…`; for the audit log.
    pub actor: String,
    /// The session's row, for signing out; absent with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The person's role; absent with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The person's role in the inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_role: Option<ChatRole>,
    /// A key's scopes, separated by spaces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scopes: String,
    /// Names the credential, so that it can be checked again later. Only a socket has one, since it outlives
    /// its request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
}

/// Why a request has no workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoWorkspace {
    /// `X-Workspace` was not sent.
    NotGiven,
    /// No such workspace, or the person may not enter it: the caller cannot tell which.
    Unknown,
    /// It is archived.
    Archived,
}

impl Grant {
    /// The grant of a key.
    pub fn of_key(
        account: AccountId,
        workspace: WorkspaceId,
        actor: impl Into<String>,
        scopes: &[Scope],
    ) -> Self {
        let names: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
        Self {
            account,
            workspace: Some(workspace),
            no_workspace: None,
            actor: actor.into(),
            session: None,
            role: None,
            chat_role: None,
            scopes: names.join(" "),
            holder: None,
        }
    }

    /// Whether this credential has the permission.
    pub fn may(&self, permission: impl Into<Permission>) -> bool {
        let permission = permission.into();
        match self.role {
            Some(role) => permission.people.include(role, self.chat_role),
            None => permission.scope.is_some_and(|needed| self.has(needed)),
        }
    }

    /// Whether a key's scopes include this one.
    pub fn has(&self, needed: Scope) -> bool {
        let held = |scope: &Scope| self.scopes.split(' ').any(|name| name == scope.name());
        Scope::ALL
            .iter()
            .any(|scope| held(scope) && scope.includes(needed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::People;

    #[test]
    fn a_verdict_survives_the_flat_context() {
        let grant = Grant::of_key(
            "acc_00000000001".parse().unwrap(),
            "ws_00000000001".parse().unwrap(),
            "key_00000000001",
            &[Scope::Read],
        );
        let needs = |scope| Permission {
            id: "anyOperation",
            people: People::SignedIn,
            scope: Some(scope),
        };
        assert!(grant.may(needs(Scope::Read)) && !grant.may(needs(Scope::Write)));
        for verdict in [Verdict::Granted(grant), Verdict::refused()] {
            let context = serde_json::to_value(&verdict).unwrap();
            assert!(
                context
                    .as_object()
                    .unwrap()
                    .values()
                    .all(serde_json::Value::is_string)
            );
            assert_eq!(serde_json::from_value::<Verdict>(context).unwrap(), verdict);
        }
    }
}
