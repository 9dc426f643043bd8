//! Two accounts side by side, and two workspaces of one account: a resource of one does not exist for the other,
//! wherever its id is sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use access::Operation;

use accounts::{Accounts, NewUser, Senders, Users, WorkspaceSettings, Workspaces};
use cloud::Window;
use kernel::{AccountId, ChatRole, Grant, Role, Scope, TenantKey, WorkspaceId};
use serde_json::{Value, json};
use sources::{FailedRequests, ParseError, Provider, RawRequest, Settings};

use super::{body, place};
use crate::support::{World, grant_of, http_event};

/// Placeholder for an id in paths and bodies.
const PLACEHOLDER: &str = "_00000000009";
const TABLES: [&str; 10] = [
    "Directory",
    "Commerce",
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
        let account = Accounts::over(&world.resources()).create(email).await;
        Self::in_account(world, account.unwrap(), email).await
    }

    /// Another workspace, and another admin who made all that is in it.
    async fn in_account(world: &World, account: AccountId, email: &str) -> Self {
        let resources = world.resources();
        let workspaces = Workspaces::over(&resources);
        let made = workspaces.create(account, WorkspaceSettings::named(email));
        let tenant = made.await.unwrap().unwrap();
        let address = "shop@example.vn".parse().unwrap();
        let senders = Senders::over(&resources);
        senders.trust(tenant, &address).await.unwrap();
        let (owner, workspace) = (tenant, tenant.workspace());
        let user = person(world, account, workspace, email, Role::AccountAdmin, None).await;
        let key = Grant {
            account,
            ..grant_of(workspace, "admin")
        };
        let mut tenant = Self {
            ids: vec![user.actor.clone(), workspace.to_string()],
            session: user,
            key,
        };
        for operation in [
            Operation::CreateInvitation,
            Operation::CreateApiKey,
            Operation::SaveContact,
            Operation::CreateOrder,
            Operation::CreateProduct,
            Operation::CreateList,
            Operation::StartImport,
            Operation::StartExport,
            Operation::CreateSource,
            Operation::CreateWebhook,
            Operation::CreateSender,
            Operation::CreatePrivacyRequest,
            Operation::CreateWorkflow,
            Operation::CreateCampaign,
            Operation::CreateInbox,
            Operation::CreateSegment,
            Operation::CreateSmsBrandname,
            Operation::CreateSmsTemplate,
            Operation::CreateForm,
            Operation::CreateNote,
            Operation::CreateView,
            Operation::StartBulkJob,
        ] {
            let mut body = tenant.body(operation).unwrap();
            match operation {
                Operation::CreateApiKey => body["scopes"] = json!(["read"]),
                // An address has one invitation in an account.
                Operation::CreateInvitation => body["email"] = json!(format!("moi-{email}")),
                _ => {}
            }
            let path = tenant.fill(place(operation).2);
            let (status, made) = ask(world, operation, &path, Some(body), &tenant.session).await;
            assert!(status < 300, "{}: {made}", operation.id());
            tenant.ids.push(made["id"].as_str().unwrap().to_owned());
        }
        tenant.post(world, owner).await;
        let conversation = tenant.chat(world).await;
        tenant.ids.push(conversation);
        tenant
    }

    /// The tenant's source has posted a form that cannot be read.
    async fn post(&self, world: &World, owner: TenantKey) {
        let source = self.id("src").parse().unwrap();
        let request = RawRequest {
            source,
            provider: Provider::Ladipage,
            received_at: "2026-03-02T01:01:00Z".parse().unwrap(),
            headers: BTreeMap::new(),
            body: "{}".into(),
            file: None,
            replay_of: None,
            settings: Settings::default(),
        };
        let resources = world.resources();
        let failed = FailedRequests::over(&resources);
        let window = Window::over(&resources);
        let kept = failed.keep(&window, owner, &request, &ParseError::NoAddress);
        assert!(kept.await.unwrap());
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

    /// Every row that names the workspace.
    async fn rows_of_workspace(&self, world: &World) -> Vec<String> {
        let mut rows = self.rows(world).await;
        rows.retain(|row| row.contains(self.id("ws")));
        rows
    }
}

/// The grant of a new person of the account, who may enter one workspace.
async fn person(
    world: &World,
    account: AccountId,
    workspace: WorkspaceId,
    email: &str,
    role: Role,
    chat_role: Option<ChatRole>,
) -> Grant {
    let new = NewUser {
        email: email.parse().unwrap(),
        name: "Nhân viên".into(),
        role,
        chat_role,
        workspaces: vec![workspace],
        password: "mật khẩu của chủ".into(),
    };
    let user = Users::over(&world.resources()).create(account, new).await;
    Grant {
        account,
        actor: user.unwrap().unwrap().to_string(),
        role: Some(role),
        chat_role,
        ..grant_of(workspace, "")
    }
}

/// Six people and four keys of a workspace, by name.
async fn identities(world: &World, us: &Tenant) -> Vec<(String, Grant)> {
    let (account, workspace) = (us.session.account, us.session.workspace.unwrap());
    let mut all = Vec::new();
    for (role, chat) in [
        (Role::Viewer, None),
        (Role::Viewer, Some(ChatRole::Agent)),
        (Role::Contributor, None),
        (Role::AccountManager, None),
        (Role::AccountManager, Some(ChatRole::Administrator)),
        (Role::AccountAdmin, None),
    ] {
        let email = format!("nguoi-{}@example.vn", all.len());
        let grant = person(world, account, workspace, &email, role, chat).await;
        all.push((format!("{role:?} {chat:?}"), grant));
    }
    all.extend(Scope::ALL.map(|scope| {
        let grant = Grant {
            account,
            ..grant_of(workspace, scope.name())
        };
        (format!("key {}", scope.name()), grant)
    }));
    all
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
    let mut event = http_event(method, path, body.as_ref(), Some(&grant));
    if operation == Operation::StartImport {
        event["headers"]["content-type"] = json!("text/csv");
    }
    world.ask(function, event).await
}

/// Answers of one attack.
#[derive(Debug, Default)]
struct Answers {
    not_found: usize,
    forbidden: usize,
}

/// Sends each of the ids, in the path of each operation, by each identity. Every answer is 404, or 403 if the identity
/// may not do the operation at all.
async fn attack(
    world: &World,
    us: &Tenant,
    identities: &[(String, Grant)],
    paths: &[(Operation, String)],
) -> Answers {
    let mut answers = Answers::default();
    for (who, grant) in identities {
        // A new window of the limits of requests.
        world.advance(Duration::from_mins(1));
        for (n, (operation, path)) in paths.iter().enumerate() {
            if n % 500 == 499 {
                world.advance(Duration::from_mins(1));
            }
            let may = grant.may(*operation);
            let (status, answer) = ask(world, *operation, path, us.body(*operation), grant).await;
            let expected = if may { 404 } else { 403 };
            assert_eq!(
                status,
                expected,
                "{who}: {} {path}: {answer}",
                operation.id()
            );
            if may {
                answers.not_found += 1;
            } else {
                answers.forbidden += 1;
            }
        }
    }
    answers
}

/// The paths of all operations with an id, filled with another tenant's ids: of the right kind, or of all wrong kinds.
fn paths_with(them: &Tenant, kinds: impl Fn(&str, &str) -> bool) -> Vec<(Operation, String)> {
    let mut paths = Vec::new();
    for &operation in Operation::ALL {
        let path = place(operation).2;
        let Some(before) = path.split(PLACEHOLDER).next().filter(|text| *text != path) else {
            continue;
        };
        let kind = before.rsplit('/').next().unwrap();
        let placeholder = format!("{kind}{PLACEHOLDER}");
        for id in &them.ids {
            if kinds(kind, id.split('_').next().unwrap()) {
                paths.push((operation, path.replace(&placeholder, id)));
            }
        }
    }
    paths
}

/// Every operation with an id, with ids of another account and of another workspace of the own account, by six people
/// and four keys. `UPDATE_DOCS=1` writes the counts into docs/security.md.
#[tokio::test]
async fn no_identity_reaches_another_tenant() {
    let world = World::new();
    let us = Tenant::open(&world, "chung-toi@example.vn").await;
    // Ids of one millisecond may be equal, and then the answer is about our own resource.
    world.advance(Duration::from_millis(1));
    let branch = Tenant::in_account(&world, us.session.account, "chi-nhanh@example.vn").await;
    world.advance(Duration::from_millis(1));
    let them = Tenant::open(&world, "ho@example.vn").await;
    let identities = identities(&world, &us).await;
    let of_workspace = |kind: &str| !["usr", "inv", "ws"].contains(&kind);
    let before = (
        them.rows(&world).await,
        branch.rows_of_workspace(&world).await,
    );
    let mut lines = Vec::new();
    for (whose, paths) in [
        (
            "another account's id of the right kind",
            paths_with(&them, |kind, own| kind == own),
        ),
        (
            "another account's ids of wrong kinds",
            paths_with(&them, |kind, own| kind != own),
        ),
        (
            "another workspace's id of the right kind",
            paths_with(&branch, |kind, own| kind == own && of_workspace(kind)),
        ),
    ] {
        assert!(paths.len() > 20, "{whose}: {}", paths.len());
        let Answers {
            not_found,
            forbidden,
        } = attack(&world, &us, &identities, &paths).await;
        let all = not_found + forbidden;
        lines.push(format!(
            "| {whose} | {all} | {not_found} | {forbidden} | 0 |"
        ));
    }
    let after = (
        them.rows(&world).await,
        branch.rows_of_workspace(&world).await,
    );
    assert_eq!(after, before, "nothing of theirs changed");
    holds(&lines);
}

/// docs/security.md shows the counts. `UPDATE_DOCS=1` writes the file.
fn holds(lines: &[String]) {
    let page = include_str!("security.md").replace("<!-- counts -->\n", &(lines.join("\n") + "\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/security.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == page,
        "docs/security.md does not show these counts: {lines:#?}"
    );
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
    campaign["audience"]["include"]["list_ids"] = json!([them.id("lst")]);
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
    // A deleted campaign is found by no other operation.
    let (last, first): (Vec<_>, Vec<_>) = with_id
        .into_iter()
        .partition(|one| *one == Operation::DeleteCampaign);
    for operation in first.into_iter().chain(last) {
        // The id of a delivery follows from its event: `webhooks` shows and redelivers own ones. That of a device follows
        // from its token, that of a message from its send: `push` and `campaigns::reports` find own ones.
        let path = place(operation).2;
        let follows = ["/deliveries/", "/devices/", "/v1/messages/"];
        if follows.iter().any(|part| path.contains(part)) {
            continue;
        }
        let (status, answer) = us.ask(&world, operation, &us.session).await;
        assert!(status != 404 && status < 500, "{} {answer}", operation.id());
    }
}
