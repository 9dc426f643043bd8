//! Every other list refuses the cursor of one list and names the field: it is the client's mistake.

use accounts::{NewUser, Users};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contacts::{Contacts, Event};
use kernel::{ChatRole, Grant, Role, TenantKey};
use serde_json::{Value, json};

use crate::support::{ACCOUNT, World, grant_of, http_event};

const WORKSPACE: &str = "ws_00000000001";

/// Every list of the API and its function.
const LISTS: &[(&str, &str)] = &[
    ("api-accounts", "/v1/api-keys"),
    ("api-accounts", "/v1/audit-log"),
    ("api-accounts", "/v1/invitations"),
    ("api-accounts", "/v1/members"),
    ("api-accounts", "/v1/users"),
    ("api-accounts", "/v1/workspaces"),
    ("api-campaigns", "/v1/campaigns"),
    ("api-campaigns", "/v1/messages?contact_id={id}"),
    ("api-chat", "/v1/conversations"),
    ("api-commerce", "/v1/orders"),
    ("api-commerce", "/v1/products"),
    ("api-commerce", "/v1/orders?contact_id={id}"),
    ("api-contacts", "/v1/contacts"),
    ("api-contacts", "/v1/contacts?query=nguyen"),
    ("api-contacts", "/v1/contacts?order=created"),
    ("api-contacts", "/v1/contacts?owner_id=usr_00000000001"),
    ("api-contacts", "/v1/contacts/{id}/timeline"),
    ("api-contacts", "/v1/lists"),
    ("api-contacts", "/v1/contacts/bulk"),
    ("api-contacts", "/v1/contacts/duplicates"),
    ("api-contacts", "/v1/contacts/{id}/consent"),
    ("api-contacts", "/v1/contacts/{id}/notes"),
    ("api-contacts", "/v1/contacts/{id}/score"),
    ("api-contacts", "/v1/exports"),
    ("api-contacts", "/v1/imports"),
    ("api-contacts", "/v1/tags"),
    ("api-forms", "/v1/forms"),
    ("api-segments", "/v1/segments"),
    ("api-privacy", "/v1/privacy-requests"),
    ("api-privacy", "/v1/privacy-requests?status=all"),
    ("api-sources", "/v1/sources"),
    ("api-sources", "/v1/webhooks"),
    ("api-workflows", "/v1/workflows"),
    ("api-chat", "/v1/inboxes"),
];

/// Lists of other things than a contact. Of messages, the cursor is a point in time and not a key.
const OWN_TESTS: &[&str] = &[
    "/v1/conversations/{id}/messages",
    "/v1/lists/{id}/contacts",
    "/v1/segments/{id}/members",
    "/v1/sources/{id}/failed-requests",
    "/v1/webhooks/{id}/deliveries",
];

fn grant(actor: &str) -> Grant {
    Grant {
        actor: actor.to_owned(),
        role: Some(Role::AccountAdmin),
        chat_role: Some(ChatRole::Administrator),
        ..grant_of(WORKSPACE.parse().unwrap(), "")
    }
}

/// A world with a user and a contact, and two rows for as many lists as two rows are easily made for.
struct Office {
    world: World,
    actor: String,
    contact: String,
}

impl Office {
    async fn open() -> Self {
        let (world, mut actor, mut contact) = (World::new(), String::new(), String::new());
        for n in 0..2 {
            actor = user(&world, n).await;
        }
        for n in 0..2 {
            for (function, path, body) in rows(n) {
                let event = http_event("POST", path, Some(&body), Some(&grant(&actor)));
                let answer = world.invoke(function, event).await.unwrap();
                let status = answer["statusCode"].as_u64().unwrap();
                assert!([200, 201].contains(&status), "{path}: {answer}");
                if path == "/v1/contacts" {
                    let body = answer["body"].as_str().unwrap();
                    let body: Value = serde_json::from_str(body).unwrap();
                    contact = body["id"].as_str().unwrap().into();
                }
            }
        }
        for n in 0..2 {
            event(&world, &contact, n).await;
        }
        Self {
            world,
            actor,
            contact,
        }
    }

    async fn ask(&self, (function, path): (&str, &str), more: &str) -> (u64, Value) {
        let sign = if path.contains('?') { '&' } else { '?' };
        let path = format!("{}{sign}{more}", path.replace("{id}", &self.contact));
        let event = http_event("GET", &path, None, Some(&grant(&self.actor)));
        self.world.ask(function, event).await
    }
}

pub(crate) async fn user(world: &World, n: u32) -> String {
    let user = NewUser {
        email: format!("u{n}@example.vn").parse().unwrap(),
        name: "Chủ".into(),
        role: Role::AccountManager,
        chat_role: None,
        workspaces: Vec::new(),
        password: "bốn từ chẳng liên quan".into(),
    };
    let users = Users::over(&world.resources());
    let made = users.create(ACCOUNT.parse().unwrap(), user).await.unwrap();
    made.unwrap().to_string()
}

fn rows(n: u32) -> [(&'static str, &'static str, Value); 9] {
    let named = json!({ "name": format!("N{n}") });
    let person = json!({ "full_name": "Nguyễn An", "email": format!("nguyen{n}@example.vn") });
    let workflow = json!({
        "name": "W", "trigger": { "type": "form.submitted" },
        "graph": { "start": "end", "nodes": { "end": { "type": "add_tag", "tags": ["x"] } } },
    });
    let api_key = json!({ "name": "K", "scopes": ["read"] });
    let source = json!({ "name": "S", "provider": "ladipage" });
    [
        ("api-contacts", "/v1/lists", named.clone()),
        ("api-contacts", "/v1/contacts", person),
        ("api-sources", "/v1/sources", source),
        (
            "api-sources",
            "/v1/webhooks",
            json!({ "url": "http://127.0.0.1:8787/_local/receiver/a", "events": ["order.created"] }),
        ),
        (
            "api-privacy",
            "/v1/privacy-requests",
            json!({ "type": "access", "requester": "Trần Thị An" }),
        ),
        ("api-workflows", "/v1/workflows", workflow),
        ("api-accounts", "/v1/workspaces", named),
        ("api-accounts", "/v1/api-keys", api_key),
        (
            "api-chat",
            "/v1/inboxes",
            json!({ "name": "Website", "allowed_origins": [] }),
        ),
    ]
}

#[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
async fn event(world: &World, contact: &str, n: u32) {
    let contacts = Contacts::over(&world.resources());
    let tenant = TenantKey::authenticated(WORKSPACE.parse().unwrap());
    let event = Event {
        id: format!("e{n}"),
        name: "form.submitted".into(),
        at: world.now(),
        source: "test".into(),
        data: json!({}),
    };
    let recorded = contacts.record(tenant, contact.parse().unwrap(), &event);
    recorded.await.unwrap();
}

#[test]
fn no_list_is_forgotten() {
    let text = include_str!("../../../../docs/openapi.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let has_cursor = |operation: &Value| {
        let parameters = operation["parameters"].as_array();
        parameters.is_some_and(|all| all.iter().any(|one| one["name"] == "cursor"))
    };
    let paths = document["paths"].as_object().unwrap().iter();
    let lists = paths.filter(|(_, operations)| has_cursor(&operations["get"]));
    for (path, _) in lists {
        let known =
            OWN_TESTS.contains(&path.as_str()) || LISTS.iter().any(|(_, list)| list == path);
        assert!(known, "{path}");
    }
}

fn forged(parts: &Value) -> String {
    URL_SAFE_NO_PAD.encode(parts.to_string())
}

#[tokio::test]
async fn every_list_refuses_the_cursors_of_the_others() {
    let office = Office::open().await;
    let mut cursors: Vec<(String, String)> = Vec::new();
    for &list in LISTS {
        let (status, page) = office.ask(list, "limit=1").await;
        assert_eq!(status, 200, "{list:?}: {page}");
        if let Some(next) = page["next"].as_str() {
            let (status, page) = office.ask(list, &format!("limit=1&cursor={next}")).await;
            assert_eq!(status, 200, "its own cursor, {list:?}: {page}");
            cursors.push((list.1.to_owned(), next.to_owned()));
        }
    }
    assert!(cursors.len() >= 7, "{cursors:?}");
    for key in [
        json!({}),
        json!({ "pk": WORKSPACE }),
        json!({ "pk": WORKSPACE, "sk": "ONBOARDING" }),
        json!({ "pk": WORKSPACE, "sk": "" }),
        json!({ "pk": WORKSPACE, "sk": { "n": "1" } }),
        json!({ "pk": ACCOUNT, "sk": "META" }),
        json!({ "pk": format!("{ACCOUNT}#AUDIT") }),
        json!({ "pk": format!("{WORKSPACE}#{}", office.contact) }),
        json!({ "tenant": WORKSPACE, "status": "open", "pk": "x", "sk": "y" }),
        json!({ "tenant": WORKSPACE, "shard": { "n": "0" }, "pk": "x", "sk": "y" }),
    ] {
        cursors.push((key.to_string(), forged(&key)));
        cursors.push((format!("0.{key}"), format!("0.{}", forged(&key))));
    }
    for &list in LISTS {
        // A caller has a limit of requests in a minute.
        office.world.advance(std::time::Duration::from_mins(1));
        for (of, cursor) in &cursors {
            if of == list.1 {
                continue;
            }
            let (status, problem) = office.ask(list, &format!("cursor={cursor}")).await;
            assert_eq!(status, 400, "{} with a cursor of {of}: {problem}", list.1);
            assert_eq!(problem["errors"][0]["pointer"], "?cursor", "{problem}");
        }
    }
}
