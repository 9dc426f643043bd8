//! Who may do what: every operation, by every role and every scope, through the functions themselves.

use std::fmt::Write as _;
use std::path::Path;

use kernel::access::People;
use kernel::{ChatRole, Grant, Operation, Role, Scope};
use serde_json::{Value, json};

use crate::support::{World, grant_of, http_event};

const WORKSPACE: &str = "ws_00000000001";
const ROLES: [Role; 4] = [
    Role::Viewer,
    Role::Contributor,
    Role::AccountManager,
    Role::AccountAdmin,
];
const CHAT_ROLES: [Option<ChatRole>; 3] =
    [None, Some(ChatRole::Agent), Some(ChatRole::Administrator)];

/// Where an operation is: its function, method and path. An operation that is missing here does not
/// compile.
#[expect(clippy::too_many_lines, reason = "one line an operation")]
fn place(operation: Operation) -> (&'static str, &'static str, &'static str) {
    use Operation as O;
    match operation {
        O::Logout => ("api-accounts", "POST", "/v1/auth/logout"),
        O::ChangePassword => ("api-accounts", "POST", "/v1/auth/password"),
        O::ShowMe => ("api-accounts", "GET", "/v1/me"),
        O::UpdateMe => ("api-accounts", "PATCH", "/v1/me"),
        O::ListUsers => ("api-accounts", "GET", "/v1/users"),
        O::ShowUser => ("api-accounts", "GET", "/v1/users/usr_00000000009"),
        O::UpdateUser => ("api-accounts", "PATCH", "/v1/users/usr_00000000009"),
        O::EnrolSecondFactor => ("api-accounts", "POST", "/v1/auth/totp"),
        O::ConfirmSecondFactor => ("api-accounts", "POST", "/v1/auth/totp/confirm"),
        O::DisableSecondFactor => ("api-accounts", "POST", "/v1/auth/totp/disable"),
        O::ListInvitations => ("api-accounts", "GET", "/v1/invitations"),
        O::CreateInvitation => ("api-accounts", "POST", "/v1/invitations"),
        O::ShowInvitation => ("api-accounts", "GET", "/v1/invitations/inv_00000000009"),
        O::ResendInvitation => (
            "api-accounts",
            "POST",
            "/v1/invitations/inv_00000000009/resend",
        ),
        O::RevokeInvitation => (
            "api-accounts",
            "POST",
            "/v1/invitations/inv_00000000009/revoke",
        ),
        O::ShowOnboarding => ("api-accounts", "GET", "/v1/onboarding"),
        O::DismissOnboarding => ("api-accounts", "POST", "/v1/onboarding/dismiss"),
        O::ListWorkspaces => ("api-accounts", "GET", "/v1/workspaces"),
        O::CreateWorkspace => ("api-accounts", "POST", "/v1/workspaces"),
        O::ShowWorkspace => ("api-accounts", "GET", "/v1/workspaces/ws_00000000009"),
        O::UpdateWorkspace => ("api-accounts", "PATCH", "/v1/workspaces/ws_00000000009"),
        O::ArchiveWorkspace => (
            "api-accounts",
            "POST",
            "/v1/workspaces/ws_00000000009/archive",
        ),
        O::RestoreWorkspace => (
            "api-accounts",
            "POST",
            "/v1/workspaces/ws_00000000009/restore",
        ),
        O::ListAuditLog => ("api-accounts", "GET", "/v1/audit-log"),
        O::ListApiKeys => ("api-accounts", "GET", "/v1/api-keys"),
        O::CreateApiKey => ("api-accounts", "POST", "/v1/api-keys"),
        O::RevokeApiKey => ("api-accounts", "DELETE", "/v1/api-keys/key_00000000009"),
        O::SearchContacts => ("api-contacts", "GET", "/v1/contacts?query=an"),
        O::SaveContact => ("api-contacts", "POST", "/v1/contacts"),
        O::ShowContact => ("api-contacts", "GET", "/v1/contacts/con_00000000009"),
        O::ListTimeline => (
            "api-contacts",
            "GET",
            "/v1/contacts/con_00000000009/timeline",
        ),
        O::AddContactToList => ("api-contacts", "POST", "/v1/contacts/con_00000000009/lists"),
        O::ListLists => ("api-contacts", "GET", "/v1/lists"),
        O::CreateList => ("api-contacts", "POST", "/v1/lists"),
        O::StartImport => ("api-contacts", "POST", "/v1/imports"),
        O::ShowImport => ("api-contacts", "GET", "/v1/imports/imp_00000000009"),
        O::ListWorkflows => ("api-workflows", "GET", "/v1/workflows"),
        O::CreateWorkflow => ("api-workflows", "POST", "/v1/workflows"),
        O::ShowWorkflow => ("api-workflows", "GET", "/v1/workflows/wfl_00000000009"),
        O::ActivateWorkflow => (
            "api-workflows",
            "POST",
            "/v1/workflows/wfl_00000000009/activate",
        ),
        O::PauseWorkflow => (
            "api-workflows",
            "POST",
            "/v1/workflows/wfl_00000000009/pause",
        ),
        O::ArchiveWorkflow => (
            "api-workflows",
            "POST",
            "/v1/workflows/wfl_00000000009/archive",
        ),
        O::ShowWorkflowReport => (
            "api-workflows",
            "GET",
            "/v1/workflows/wfl_00000000009/report",
        ),
        O::ListCampaigns => ("api-campaigns", "GET", "/v1/campaigns"),
        O::CreateCampaign => ("api-campaigns", "POST", "/v1/campaigns"),
        O::ShowCampaign => ("api-campaigns", "GET", "/v1/campaigns/cmp_00000000009"),
        O::SendCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/send",
        ),
        O::PauseCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/pause",
        ),
        O::ResumeCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/resume",
        ),
        O::CancelCampaign => (
            "api-campaigns",
            "POST",
            "/v1/campaigns/cmp_00000000009/cancel",
        ),
        O::ShowCampaignReport => (
            "api-campaigns",
            "GET",
            "/v1/campaigns/cmp_00000000009/report",
        ),
        O::ListConversations => ("api-chat", "GET", "/v1/conversations"),
        O::ShowConversation => ("api-chat", "GET", "/v1/conversations/cnv_00000000009"),
        O::ListMessages => (
            "api-chat",
            "GET",
            "/v1/conversations/cnv_00000000009/messages",
        ),
        O::WriteMessage => (
            "api-chat",
            "POST",
            "/v1/conversations/cnv_00000000009/messages",
        ),
        O::SetConversationStatus => (
            "api-chat",
            "POST",
            "/v1/conversations/cnv_00000000009/status",
        ),
        O::MuteConversation => ("api-chat", "POST", "/v1/conversations/cnv_00000000009/mute"),
        O::ListInboxes => ("api-chat", "GET", "/v1/inboxes"),
        O::CreateInbox => ("api-chat", "POST", "/v1/inboxes"),
    }
}

/// A body that is right in shape, so that the answer tells of access and not of the body.
fn body(operation: Operation) -> Option<Value> {
    use Operation as O;
    let graph = json!({ "start": "end", "nodes": {} });
    Some(match operation {
        O::ChangePassword => json!({ "current": "x", "new": "y" }),
        O::UpdateMe => json!({ "name": "An" }),
        O::CreateWorkspace | O::ArchiveWorkspace | O::CreateList => json!({ "name": "Mới" }),
        O::UpdateUser | O::UpdateWorkspace => json!({}),
        O::CreateApiKey => json!({ "name": "k", "scopes": ["read"] }),
        O::SaveContact => json!({ "email": "an@example.vn" }),
        O::AddContactToList => json!({ "list_id": "lst_00000000009" }),
        O::ConfirmSecondFactor => json!({ "code": "123456" }),
        O::DisableSecondFactor => json!({ "password": "x", "code": "123456" }),
        O::CreateInvitation => json!({
            "email": "an@example.vn", "role": "account_admin", "workspace_ids": [],
        }),
        O::StartImport => json!("email"),
        O::CreateWorkflow => {
            json!({ "name": "x", "trigger": { "type": "form.submitted" }, "graph": graph })
        }
        O::CreateCampaign => json!({
            "name": "Tết", "audience": { "list_id": "lst_00000000009" }, "subject": "Chào",
            "sender": { "from_name": "Shop", "from_email": "shop@example.vn" }, "html": "<p>a</p>",
        }),
        O::WriteMessage => json!({ "content": "Chào" }),
        O::SetConversationStatus => json!({ "status": "resolved" }),
        O::MuteConversation => json!({ "muted": true }),
        O::CreateInbox => json!({ "name": "Website", "allowed_origins": [] }),
        _ => return None,
    })
}

async fn status(world: &World, operation: Operation, grant: &Grant) -> u64 {
    let (function, method, path) = place(operation);
    let event = http_event(method, path, body(operation).as_ref(), Some(grant));
    let answer = world.invoke(function, event).await.unwrap();
    answer["statusCode"].as_u64().unwrap()
}

fn person(role: Role, chat_role: Option<ChatRole>) -> Grant {
    Grant {
        actor: "usr_00000000008".into(),
        role: Some(role),
        chat_role,
        ..grant_of(WORKSPACE.parse().unwrap(), "")
    }
}

#[tokio::test]
async fn every_role_and_scope_may_do_what_the_table_says_and_no_more() {
    let world = World::new();
    let mut wrong = Vec::new();
    for (n, &operation) in Operation::ALL.iter().enumerate() {
        // One caller an operation, or the limit on requests would answer.
        let actor = format!("usr_{n:011}");
        let mut check = async |grant: Grant, allowed: bool, who: String| {
            let grant = Grant {
                actor: actor.clone(),
                ..grant
            };
            let status = status(&world, operation, &grant).await;
            if (status == 403) == allowed || status >= 500 {
                wrong.push(format!("{} by {who}: {status}", operation.id()));
            }
        };
        for role in ROLES {
            for chat in CHAT_ROLES {
                let allowed = operation.people().include(role, chat);
                check(person(role, chat), allowed, format!("{role:?} {chat:?}")).await;
            }
        }
        for scope in Scope::ALL {
            let grant = grant_of(WORKSPACE.parse().unwrap(), scope.name());
            let allowed = operation
                .scope()
                .is_some_and(|needed| scope.includes(needed));
            check(grant, allowed, scope.name().to_owned()).await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn an_id_that_is_not_ours_is_not_there() {
    let world = World::new();
    for &operation in Operation::ALL {
        let (_, _, path) = place(operation);
        if path.contains("_00000000009") {
            let grant = person(Role::AccountAdmin, None);
            assert_eq!(
                status(&world, operation, &grant).await,
                404,
                "{}",
                operation.id()
            );
        }
    }
}

#[tokio::test]
async fn without_a_workspace_only_the_account_is_open() {
    use kernel::NoWorkspace::{Archived, NotGiven, Unknown};
    let world = World::new();
    for (no_workspace, expected) in [(NotGiven, 400), (Unknown, 404), (Archived, 403)] {
        let grant = Grant {
            workspace: None,
            no_workspace: Some(no_workspace),
            ..person(Role::AccountAdmin, None)
        };
        assert_eq!(status(&world, Operation::ListLists, &grant).await, expected);
        assert_eq!(status(&world, Operation::ListUsers, &grant).await, 200);
    }
}

/// The table as people read it. `UPDATE_DOCS=1` writes it.
#[test]
fn the_document_shows_the_table() {
    let mut text = String::from(
        "# Who may do what\n\nOne table decides (`shared/kernel/src/access.rs`); a test writes this page from it \
         (`UPDATE_DOCS=1 cargo test`) and tries every cell.\n\nA role includes the ones before it: viewer, contributor, \
         account manager, account admin. An account admin is also an administrator of the inbox. A key needs the \
         scope or one that includes it: `write` includes `read`, `admin` includes all; `track` reads nothing.\n\n\
         | operation | people from | key's scope |\n|---|---|---|\n",
    );
    for operation in Operation::ALL {
        let people = match operation.people() {
            People::SignedIn => "whoever is signed in".to_owned(),
            People::From(role) => words(&format!("{role:?}")),
            People::Chat(role) => format!("inbox {}", words(&format!("{role:?}"))),
        };
        let scope = operation.scope().map_or("–", Scope::name);
        writeln!(text, "| `{}` | {people} | {scope} |", operation.id()).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/access.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == text,
        "docs/access.md is not the table"
    );
}

/// `AccountAdmin` -> `account admin`.
fn words(name: &str) -> String {
    let spaced = name.chars().flat_map(|c| {
        let gap = if c.is_uppercase() { " " } else { "" };
        gap.chars().chain(c.to_lowercase()).collect::<Vec<_>>()
    });
    spaced.collect::<String>().trim().to_owned()
}
