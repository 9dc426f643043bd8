//! Who may do what: one table of every operation of the API, by role and by scope.
//!
//! The operation's name is its `operationId` in docs/openapi.json; tests hold the two together and print
//! the table as docs/access.md. Roles are those of the account, chat roles those of the inbox.

use serde::{Deserialize, Serialize};

/// A person's role in the account. Each includes the ones before it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees reports.
    Viewer,
    /// Also sees contacts, makes and edits campaigns; sends none and makes no workflows.
    Contributor,
    /// Everything but users, workspaces and exporting contacts.
    AccountManager,
    /// Everything.
    AccountAdmin,
}

/// A person's role in the shared inbox, given beside the account's role.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ChatRole {
    /// Reads and answers conversations.
    Agent,
    /// Also changes inboxes and their settings.
    Administrator,
}

/// What an API key may do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Write events and forms; the only one that a public key has.
    Track,
    /// Read.
    Read,
    /// Read and change.
    Write,
    /// Everything in the workspace, settings included.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Track, Self::Read, Self::Write, Self::Admin];

    /// The name in requests and grants.
    pub fn name(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// Whether a key with this scope may do what asks for `needed`: `write` includes `read`, `admin`
    /// includes all. `track` is apart: a key in a browser must never read.
    pub fn includes(self, needed: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::Write => matches!(needed, Self::Write | Self::Read),
            other => other == needed,
        }
    }
}

/// The people who may do an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum People {
    /// Whoever is signed in.
    SignedIn,
    /// This role of the account and those that include it.
    From(Role),
    /// This role of the inbox and the one that includes it; account admins are its administrators.
    Chat(ChatRole),
}

impl People {
    /// Whether a person with these roles is among them.
    pub fn include(self, role: Role, chat: Option<ChatRole>) -> bool {
        match self {
            Self::SignedIn => true,
            Self::From(least) => role >= least,
            Self::Chat(least) => {
                role == Role::AccountAdmin || chat.is_some_and(|chat| chat >= least)
            }
        }
    }
}

macro_rules! operations {
    ($($operation:ident = $id:literal: $people:expr, $key:expr;)*) => {
        /// An operation that needs a credential.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "docs/openapi.json describes each under its id")]
        pub enum Operation { $($operation,)* }

        impl Operation {
            /// All operations, in the table's order.
            pub const ALL: &[Self] = &[$(Self::$operation,)*];

            /// The `operationId`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$operation => $id,)* }
            }

            /// The people who may do it.
            pub fn people(self) -> People {
                match self { $(Self::$operation => $people,)* }
            }

            /// The scope that a key needs; `None` is closed to keys.
            pub fn scope(self) -> Option<Scope> {
                match self { $(Self::$operation => $key,)* }
            }
        }
    };
}

use ChatRole::{Administrator, Agent};
use People::{Chat, From, SignedIn};
use Role::{AccountAdmin, AccountManager, Contributor, Viewer};
use Scope::{Admin, Read, Write};

operations! {
    // Accounts. Keys belong to one workspace, so what concerns people or several workspaces is closed to them.
    Logout = "logout": SignedIn, None;
    ChangePassword = "changePassword": SignedIn, None;
    ShowMe = "showMe": SignedIn, Some(Read);
    UpdateMe = "updateMe": SignedIn, None;
    ListUsers = "listUsers": From(AccountAdmin), None;
    ShowUser = "showUser": From(AccountAdmin), None;
    UpdateUser = "updateUser": From(AccountAdmin), None;
    ResetSecondFactor = "resetSecondFactor": From(AccountAdmin), None;
    EnrolSecondFactor = "enrolSecondFactor": SignedIn, None;
    ConfirmSecondFactor = "confirmSecondFactor": SignedIn, None;
    DisableSecondFactor = "disableSecondFactor": SignedIn, None;
    RenewRecoveryCodes = "renewRecoveryCodes": SignedIn, None;
    ListInvitations = "listInvitations": From(AccountAdmin), None;
    ShowInvitation = "showInvitation": From(AccountAdmin), None;
    CreateInvitation = "createInvitation": From(AccountAdmin), None;
    ResendInvitation = "resendInvitation": From(AccountAdmin), None;
    RevokeInvitation = "revokeInvitation": From(AccountAdmin), None;
    ShowOnboarding = "showOnboarding": From(Contributor), Some(Read);
    DismissOnboarding = "dismissOnboarding": From(AccountManager), Some(Admin);
    ListWorkspaces = "listWorkspaces": SignedIn, None;
    CreateWorkspace = "createWorkspace": From(AccountAdmin), None;
    ShowWorkspace = "showWorkspace": SignedIn, None;
    UpdateWorkspace = "updateWorkspace": From(AccountAdmin), None;
    ArchiveWorkspace = "archiveWorkspace": From(AccountAdmin), None;
    RestoreWorkspace = "restoreWorkspace": From(AccountAdmin), None;
    ListAuditLog = "listAuditLog": From(AccountAdmin), None;
    ListApiKeys = "listApiKeys": From(AccountManager), Some(Admin);
    CreateApiKey = "createApiKey": From(AccountManager), Some(Admin);
    RevokeApiKey = "revokeApiKey": From(AccountManager), Some(Admin);
    // Contacts.
    SearchContacts = "searchContacts": From(Contributor), Some(Read);
    SaveContact = "saveContact": From(AccountManager), Some(Write);
    ShowContact = "showContact": From(Contributor), Some(Read);
    ListTimeline = "listTimeline": From(Contributor), Some(Read);
    AddContactToList = "addContactToList": From(AccountManager), Some(Write);
    ListLists = "listLists": From(Contributor), Some(Read);
    CreateList = "createList": From(AccountManager), Some(Write);
    StartImport = "startImport": From(AccountManager), Some(Write);
    ShowImport = "showImport": From(AccountManager), Some(Read);
    // Sources. Their settings and tokens are the workspace's, as its API keys are.
    ListSources = "listSources": From(AccountManager), Some(Read);
    CreateSource = "createSource": From(AccountManager), Some(Admin);
    ShowSource = "showSource": From(AccountManager), Some(Read);
    UpdateSource = "updateSource": From(AccountManager), Some(Admin);
    RemoveSource = "removeSource": From(AccountManager), Some(Admin);
    // Workflows.
    ListWorkflows = "listWorkflows": From(AccountManager), Some(Read);
    CreateWorkflow = "createWorkflow": From(AccountManager), Some(Write);
    ShowWorkflow = "showWorkflow": From(AccountManager), Some(Read);
    ActivateWorkflow = "activateWorkflow": From(AccountManager), Some(Write);
    PauseWorkflow = "pauseWorkflow": From(AccountManager), Some(Write);
    ArchiveWorkflow = "archiveWorkflow": From(AccountManager), Some(Write);
    ShowWorkflowReport = "showWorkflowReport": From(Viewer), Some(Read);
    // Campaigns.
    ListCampaigns = "listCampaigns": From(Contributor), Some(Read);
    CreateCampaign = "createCampaign": From(Contributor), Some(Write);
    ShowCampaign = "showCampaign": From(Contributor), Some(Read);
    SendCampaign = "sendCampaign": From(AccountManager), Some(Write);
    PauseCampaign = "pauseCampaign": From(AccountManager), Some(Write);
    ResumeCampaign = "resumeCampaign": From(AccountManager), Some(Write);
    CancelCampaign = "cancelCampaign": From(AccountManager), Some(Write);
    ShowCampaignReport = "showCampaignReport": From(Viewer), Some(Read);
    // Chat.
    ListConversations = "listConversations": Chat(Agent), Some(Read);
    ShowConversation = "showConversation": Chat(Agent), Some(Read);
    ListMessages = "listMessages": Chat(Agent), Some(Read);
    WriteMessage = "writeMessage": Chat(Agent), Some(Write);
    SetConversationStatus = "setConversationStatus": Chat(Agent), Some(Write);
    MuteConversation = "muteConversation": Chat(Agent), Some(Write);
    ListInboxes = "listInboxes": Chat(Agent), Some(Read);
    CreateInbox = "createInbox": Chat(Administrator), Some(Admin);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique() {
        let mut ids: Vec<_> = Operation::ALL
            .iter()
            .map(|operation| operation.id())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Operation::ALL.len());
    }

    #[test]
    fn a_public_key_reads_nothing() {
        for operation in Operation::ALL {
            let needed = operation.scope();
            assert!(
                !needed.is_some_and(|needed| Scope::Track.includes(needed)),
                "{operation:?}"
            );
        }
    }

    #[test]
    fn a_manager_answers_chats_only_where_added() {
        let chat = Operation::WriteMessage.people();
        assert!(!chat.include(Role::AccountManager, None));
        assert!(chat.include(Role::Viewer, Some(ChatRole::Agent)));
        assert!(chat.include(Role::AccountAdmin, None));
        assert!(
            !Operation::CreateInbox
                .people()
                .include(Role::AccountManager, Some(ChatRole::Agent))
        );
    }
}
