//! Two accounts side by side: a resource of one account does not exist for the other, wherever its id is sent.

use access::Operation;
use std::time::Duration;

use accounts::{Accounts, NewUser, Senders, Users, WorkspaceSettings, Workspaces};
use kernel::{Grant, Role};
use serde_json::{Value, json};

use super::{body, place};
use crate::support::{World, grant_of, http_event};

/// Placeholder for an id in paths and bodies.
const PLACEHOLDER: &str = "_00000000009";
const TABLES: [&str; 9] = [
    "Directory",
    "Contacts",
    "Timeline",
    "Campaigns",
    "SendLedger",
    "Flow",
    "Timers",
    "Chat",
    "Realtime",
];

/// An account with one of everything that has an id.
struct Tenant {
    session: Grant,
    key: Grant,
    ids: Vec<String>,
}

impl Tenant {
    async fn open(world: &World, email: &str) -> Self {
        let resources = world.resources();
        let account = Accounts::over(&resources).create(email).await;
        let account = account.unwrap();
        let workspaces = Workspaces::over(&resources);
        let made = workspaces.create(account, WorkspaceSettings::named("Cửa hàng"));
        let tenant = made.await.unwrap().unwrap();
        let address = "shop@example.vn".parse().unwrap();
        let senders = Senders::over(&resources);
        senders.trust(tenant, &address).await.unwrap();
        let workspace = tenant.workspace();
        let admin = NewUser {
            email: email.parse().unwrap(),
            name: "Chủ".into(),
            role: Role::AccountAdmin,
            chat_role: None,
            workspaces: vec![workspace],
            password: "mật khẩu của chủ".into(),
        };
        let user = Users::over(&resources).create(account, admin).await;
        let user = user.unwrap().unwrap().to_string();
        let key = Grant {
            account,
            ..grant_of(workspace, "admin")
        };
        let mut tenant = Self {
            session: Grant {
                actor: user.clone(),
                role: Some(Role::AccountAdmin),
                scopes: String::new(),
                ..key.clone()
            },
            key,
            ids: vec![user, workspace.to_string()],
        };
        for operation in [
            Operation::CreateInvitation,
            Operation::CreateApiKey,
            Operation::SaveContact,
            Operation::CreateList,
            Operation::StartImport,
            Operation::CreateSource,
            Operation::CreateSender,
            Operation::CreateWorkflow,
            Operation::CreateCampaign,
            Operation::CreateInbox,
        ] {
            let (status, made) = tenant.ask(world, operation, &tenant.session).await;
            assert!(status < 300, "{}: {made}", operation.id());
            tenant.ids.push(made["id"].as_str().unwrap().to_owned());
        }
        let conversation = tenant.chat(world).await;
        tenant.ids.push(conversation);
        tenant
    }

    /// A visitor writes; the id of their conversation.
    async fn chat(&self, world: &World) -> String {
        let inbox = format!("/chat/{}", self.id("inb"));
        let event = http_event("POST", &format!("{inbox}/sessions"), Some(&json!({})), None);
        let session = world.ask("chat-widget", event).await.1;
        let text = json!({ "client_msg_id": "m1", "content": "Chào" });
        let mut event = http_event("POST", &format!("{inbox}/messages"), Some(&text), None);
        let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
        event["headers"]["authorization"] = json!(bearer);
        assert_eq!(world.ask("chat-widget", event).await.0, 202);
        world.settle().await;
        let (_, page) = self
            .ask(world, Operation::ListConversations, &self.session)
            .await;
        page["data"][0]["id"].as_str().unwrap().to_owned()
    }

    fn id(&self, prefix: &str) -> &str {
        let id = self
            .ids
            .iter()
            .find(|id| id.split('_').next() == Some(prefix));
        id.unwrap_or_else(|| panic!("no {prefix}"))
    }

    /// The text with this tenant's ids instead of the placeholders.
    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for id in &self.ids {
            let prefix = id.split('_').next().unwrap();
            text = text.replace(&format!("{prefix}{PLACEHOLDER}"), id);
        }
        text
    }

    /// An operation with this tenant's ids in path and body.
    async fn ask(&self, world: &World, operation: Operation, grant: &Grant) -> (u64, Value) {
        let (_, _, path) = place(operation);
        ask(
            world,
            operation,
            &self.fill(path),
            self.body(operation),
            grant,
        )
        .await
    }

    fn body(&self, operation: Operation) -> Option<Value> {
        let text = body(operation)?.to_string();
        Some(serde_json::from_str(&self.fill(&text)).unwrap())
    }

    /// Every row that names the account or the workspace.
    async fn rows(&self, world: &World) -> Vec<String> {
        let mut rows = Vec::new();
        for table in TABLES {
            let all = world.dump(table).await.into_iter();
            rows.extend(all.map(|row| row.to_string()).filter(|row| {
                row.contains(&self.session.account.to_string()) || row.contains(self.id("ws"))
            }));
        }
        rows
    }
}

async fn ask(
    world: &World,
    operation: Operation,
    path: &str,
    body: Option<Value>,
    grant: &Grant,
) -> (u64, Value) {
    let (function, method, _) = place(operation);
    // Each operation has its own caller, so that no caller reaches the limit on requests.
    let grant = Grant {
        actor: match grant.role {
            Some(_) => grant.actor.clone(),
            None => format!("key_{:011}", operation as usize),
        },
        ..grant.clone()
    };
    let event = http_event(method, path, body.as_ref(), Some(&grant));
    world.ask(function, event).await
}

#[tokio::test]
async fn another_accounts_ids_are_not_there() {
    let world = World::new();
    let us = Tenant::open(&world, "chung-toi@example.vn").await;
    // Ids of one millisecond may be equal, and then the answer is about our own resource.
    world.advance(Duration::from_millis(1));
    let them = Tenant::open(&world, "ho@example.vn").await;
    let before = them.rows(&world).await;
    assert!(before.len() > 15, "{}", before.len());
    let with_id = Operation::ALL.iter().copied();
    let with_id: Vec<_> = with_id
        .filter(|&one| place(one).2.contains(PLACEHOLDER))
        .collect();
    for &operation in &with_id {
        let path = them.fill(place(operation).2);
        assert!(!path.contains(PLACEHOLDER), "{path}");
        for grant in [&us.session, &us.key] {
            let expected = if grant.may(operation) { 404 } else { 403 };
            let body = us.body(operation);
            let (status, answer) = ask(&world, operation, &path, body, grant).await;
            assert_eq!(status, expected, "{} {path}: {answer}", operation.id());
        }
    }
    // Ids in bodies and parameters.
    let workspace = json!([them.id("ws")]);
    let mut campaign = us.body(Operation::CreateCampaign).unwrap();
    campaign["audience"]["list_id"] = json!(them.id("lst"));
    let import = format!("/v1/imports?list_id={}", them.id("lst"));
    for (operation, path, body) in [
        (
            Operation::AddContactToList,
            us.fill(place(Operation::AddContactToList).2),
            json!({ "list_id": them.id("lst") }),
        ),
        (Operation::CreateCampaign, "/v1/campaigns".into(), campaign),
        (Operation::StartImport, import, json!("email")),
        (
            Operation::CreateInvitation,
            "/v1/invitations".into(),
            json!({ "email": "moi@example.vn", "role": "viewer", "workspace_ids": workspace }),
        ),
        (
            Operation::UpdateUser,
            format!("/v1/users/{}", us.id("usr")),
            json!({ "workspace_ids": workspace }),
        ),
    ] {
        let (status, answer) = ask(&world, operation, &path, Some(body), &us.session).await;
        assert!([400, 404].contains(&status), "{} {answer}", operation.id());
    }
    assert_eq!(them.rows(&world).await, before, "nothing of theirs changed");
    // The same requests with the tenant's own ids find the resources.
    for operation in with_id {
        let (status, answer) = us.ask(&world, operation, &us.session).await;
        assert!(status != 404 && status < 500, "{} {answer}", operation.id());
    }
}
