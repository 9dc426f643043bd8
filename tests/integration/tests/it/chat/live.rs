//! Open browsers: the events that each side receives, and when the events end.

use std::sync::Arc;
use std::time::Duration;

use accounts::{
    Accounts, ApiKeys, NewUser, Sessions, User, UserChange, UserStatus, Users, WorkspaceSettings,
    WorkspaceStatus, Workspaces,
};
use chat::realtime::VISITORS_CONNECTIONS;
use futures::future::join_all;
use kernel::{ChatRole, Patch, Role, Scope, Verdict};
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use super::shop::{SECOND, Shop, said, shown, socket_event, texts};
use crate::support::World;

#[tokio::test]
async fn sockets_show_each_side_what_it_may_see() {
    let shop = Shop::new().await;
    let (browser, other) = (shop.browser().await, shop.browser().await);
    let sockets = shop.world.aws.sockets();
    let mut agent = sockets.register("agent");
    let mut visitor = sockets.register("visitor");
    let mut stranger = sockets.register("stranger");
    drop(sockets.register("gone"));
    let key = shop.agent_key(&[Scope::Read]).await;
    assert_eq!(shop.connect("agent", &key).await, 200);
    assert_eq!(shop.connect("gone", &key).await, 200);
    shop.world.advance(Duration::from_secs(30));
    assert_eq!(shop.connect("visitor", &browser.token).await, 200);
    assert_eq!(shop.connect("stranger", &other.token).await, 200);

    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    assert_eq!(texts(&shown(&mut agent)), ["Shop ơi"]);
    assert_eq!(texts(&shown(&mut visitor)), ["Shop ơi"]);

    let conversation = shop.conversation().await;
    shop.reply(
        &conversation,
        json!({ "content": "Khách quen", "private": true }),
    )
    .await;
    shop.run(2).await;
    let note = shown(&mut agent);
    assert!(note.iter().all(|event| event["private"] == true) && !note.is_empty());
    assert!(shown(&mut visitor).is_empty());

    shop.world.advance(SECOND);
    shop.reply(&conversation, json!({ "content": "Dạ còn ạ" }))
        .await;
    shop.run(1).await;
    let statuses: Vec<Value> = shown(&mut agent)
        .into_iter()
        .map(|event| event["status"].clone())
        .collect();
    assert_eq!(statuses, ["sending", "sent"]);
    let answer = shown(&mut visitor);
    assert_eq!(
        (texts(&answer), &answer[0]["type"]),
        (vec!["Dạ còn ạ"], &"message.new".into())
    );
    // The event's cursor leads to its message.
    let query = format!("?after={}", answer[0]["cursor"].as_str().unwrap());
    assert_eq!(
        shop.reads(&browser, &query).await.0,
        said(&[("agent", "Dạ còn ạ")])
    );

    let long = "a".repeat(20_000);
    shop.say(&browser, "c-2", &long).await;
    shop.run(1).await;
    let hint = shown(&mut agent);
    assert!(hint.len() == 1 && hint[0]["content"].is_null());
    assert!(shown(&mut stranger).is_empty());

    // The row of the ended connection was deleted; a disconnect deletes the others.
    for connection in ["agent", "visitor", "stranger"] {
        for _ in 0..2 {
            let event = socket_event("DISCONNECT", connection, None);
            shop.world.invoke("chat-socket", event).await.unwrap();
        }
    }
    assert!(shop.world.dump("Realtime").await.is_empty());
}

#[tokio::test]
async fn a_post_before_a_connection_is_open_does_not_make_it_deaf() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let key = shop.agent_key(&[Scope::Read]).await;
    // `$connect` writes the rows; until API Gateway has its answer, nothing can be posted.
    assert_eq!(shop.connect("agent", &key).await, 200);
    assert_eq!(shop.connect("visitor", &browser.token).await, 200);
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let mut agent = shop.world.aws.sockets().register("agent");
    let mut visitor = shop.world.aws.sockets().register("visitor");
    shop.world.advance(SECOND);
    shop.say(&browser, "c-2", "Alo").await;
    shop.run(1).await;
    assert_eq!(texts(&shown(&mut agent)), ["Alo"]);
    assert_eq!(texts(&shown(&mut visitor)), ["Alo"]);
}

#[tokio::test]
async fn a_connection_whose_end_overtakes_its_beginning_is_forgotten() {
    for at in 0.. {
        let shop = Shop::new().await;
        let browser = shop.browser().await;
        let connect = shop.connect("visitor", &browser.token);
        let event = socket_event("DISCONNECT", "visitor", None);
        let disconnect = shop.world.invoke("chat-socket", event);
        let (_, ended, reached) = shop.world.interleave(at, connect, disconnect).await;
        ended.unwrap();
        shop.world.advance(Duration::from_mins(1));
        shop.say(&browser, "c-1", "Shop ơi").await;
        shop.run(1).await;
        let left = shop.world.dump("Realtime").await;
        assert!(left.is_empty(), "at {at}: {left:?}");
        if reached.is_none() {
            assert!(at > 1, "only {at} calls were tried");
            break;
        }
    }
}

#[tokio::test]
async fn a_visitor_with_many_connections_does_not_hold_up_the_others() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let key = shop.agent_key(&[Scope::Read]).await;
    let mut agent = shop.world.aws.sockets().register("agent");
    assert_eq!(shop.connect("agent", &key).await, 200);
    let connected = (0..30).map(async |n| {
        let name = format!("visitor-{n}");
        let receiver = shop.world.aws.sockets().register(&name);
        (shop.connect(&name, &browser.token).await, receiver)
    });
    let connected = join_all(connected).await;
    let statuses = |wanted| connected.iter().filter(|one| one.0 == wanted).count();
    let (most, refused) = (VISITORS_CONNECTIONS as usize, statuses(429));
    assert_eq!(statuses(200) + refused, 30);
    assert!(refused >= 30 - most, "{refused} refused of 30 at once");
    let mut opened: Vec<_> = connected.into_iter().filter(|one| one.0 == 200).collect();
    while opened.len() < most {
        let name = format!("late {}", opened.len());
        let receiver = shop.world.aws.sockets().register(&name);
        assert_eq!(shop.connect(&name, &browser.token).await, 200);
        opened.push((200, receiver));
    }
    assert_eq!(shop.connect("too many", &browser.token).await, 429);
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    assert_eq!(texts(&shown(&mut agent)), ["Shop ơi"]);
    for (_, visitor) in &mut opened {
        assert_eq!(texts(&shown(visitor)), ["Shop ơi"]);
    }
    // Another visitor can still connect; this visitor can connect again when a connection ends.
    let other = shop.browser().await;
    assert_eq!(shop.connect("other", &other.token).await, 200);
    let rows = shop.world.dump("Realtime").await;
    let member = rows.iter().find_map(|row| {
        let is_member = row["pk"].as_str()?.ends_with(&browser.visitor);
        is_member.then(|| row["sk"].as_str())?
    });
    let event = socket_event("DISCONNECT", member.unwrap(), None);
    shop.world.invoke("chat-socket", event).await.unwrap();
    assert_eq!(shop.connect("again", &browser.token).await, 200);
    assert_eq!(shop.connect("once more", &browser.token).await, 429);
}

#[tokio::test]
async fn a_connection_that_floods_is_closed() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let sockets = shop.world.aws.sockets();
    let (flooding, other) = (sockets.register("flooding"), sockets.register("other"));
    for name in ["flooding", "other"] {
        assert_eq!(shop.connect(name, &browser.token).await, 200);
    }
    let ping = async |name: &str| {
        let event = socket_event("MESSAGE", name, None);
        let answer = shop.world.invoke("chat-socket", event).await.unwrap();
        answer["statusCode"].as_u64().unwrap()
    };
    // A browser's pings, for an hour.
    for _ in 0..60 {
        assert_eq!(ping("other").await, 200);
        shop.world.advance(Duration::from_mins(1));
    }
    let mut taken = 0;
    while ping("flooding").await == 200 {
        taken += 1;
    }
    assert_eq!(taken, 20);
    assert!(flooding.is_closed() && !other.is_closed());
    assert_eq!(ping("other").await, 200);
}

const PASSWORD: &str = "mật khẩu của nhân viên";

/// A shop whose account has an agent, with open browsers.
struct Staffed {
    shop: Shop,
    agent: User,
}

impl Staffed {
    async fn new() -> Self {
        let world = Arc::new(World::new());
        let resources = world.resources();
        let account = Accounts::over(&resources).create("Công ty").await;
        let account = account.unwrap();
        let settings = WorkspaceSettings::named("Cửa hàng");
        let workspaces = Workspaces::over(&resources);
        let tenant = workspaces.create(account, settings).await.unwrap().unwrap();
        let users = Users::over(&resources);
        let agent = NewUser {
            email: "nhanvien@example.vn".parse().unwrap(),
            name: "Nhân viên".into(),
            role: Role::Viewer,
            chat_role: Some(ChatRole::Agent),
            workspaces: vec![tenant.workspace()],
            password: PASSWORD.into(),
        };
        let agent = users.create(account, agent).await.unwrap().unwrap();
        let agent = users.get(account, agent).await.unwrap().unwrap();
        let shop = Shop::of_tenant(world, tenant, &[]).await;
        Self { shop, agent }
    }

    fn users(&self) -> Users {
        Users::over(&self.shop.world.resources())
    }

    fn sessions(&self) -> Sessions {
        Sessions::over(&self.shop.world.resources())
    }

    async fn change(&self, change: UserChange) {
        let (account, user) = (self.agent.account, self.agent.id);
        self.users().change(account, user, &change).await.unwrap();
    }

    /// A browser in which the agent has signed in: its token, and the events that it receives.
    async fn browser(&self, name: &str) -> (String, Receiver<bytes::Bytes>) {
        let session = self.sessions().create(&self.agent).await.unwrap();
        let receiver = self.shop.world.aws.sockets().register(name);
        assert_eq!(self.shop.connect(name, &session.token).await, 200);
        (session.token, receiver)
    }

    /// A customer writes. Which browsers receive the message?
    async fn is_shown(&self, receiver: &mut Receiver<bytes::Bytes>) -> bool {
        let customer = self.shop.browser().await;
        self.shop.world.advance(SECOND);
        self.shop.say(&customer, "c-1", "Shop ơi").await;
        self.shop.run(1).await;
        !shown(receiver).is_empty()
    }
}

#[tokio::test]
async fn who_has_logged_out_hears_nothing_more_and_others_do() {
    let staffed = Staffed::new().await;
    let (token, mut left) = staffed.browser("left").await;
    let (_, mut stayed) = staffed.browser("stayed").await;
    assert!(staffed.is_shown(&mut left).await);
    let workspace = staffed.shop.tenant.to_string();
    let verdict = staffed.sessions().verdict(&token, Some(&workspace)).await;
    let Verdict::Granted(grant) = verdict.unwrap() else {
        panic!("not signed in");
    };
    staffed
        .sessions()
        .end(&grant.session.unwrap())
        .await
        .unwrap();
    assert!(!staffed.is_shown(&mut left).await);
    assert!(!shown(&mut stayed).is_empty());
    // The connection is closed. Its own row and its row in the room are deleted.
    assert!(left.is_closed());
    let rows = staffed.shop.world.dump("Realtime").await;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.to_string().contains("stayed")));
}

#[tokio::test]
async fn whatever_ends_a_session_ends_its_sockets() {
    let keep = UserChange::default;
    let disabled = UserChange {
        status: Some(UserStatus::Disabled),
        ..keep()
    };
    let no_agent = UserChange {
        chat_role: Patch::Clear,
        ..keep()
    };
    let another_role = UserChange {
        role: Some(Role::Contributor),
        ..keep()
    };
    let another_workspace = UserChange {
        workspaces: Some(vec![]),
        ..keep()
    };
    for (what, change) in [
        ("disabled", disabled),
        ("no agent any more", no_agent),
        ("another role", another_role),
        ("another workspace", another_workspace),
    ] {
        let staffed = Staffed::new().await;
        let (_, mut receiver) = staffed.browser("agent").await;
        assert!(staffed.is_shown(&mut receiver).await, "{what}");
        staffed.change(change).await;
        assert!(!staffed.is_shown(&mut receiver).await, "{what}");
    }
    let staffed = Staffed::new().await;
    let (_, mut receiver) = staffed.browser("agent").await;
    let agent = staffed.agent.clone();
    let users = staffed.users();
    let changed = users.change_password(agent, PASSWORD, "một mật khẩu khác");
    assert!(changed.await.unwrap());
    assert!(!staffed.is_shown(&mut receiver).await);
}

#[tokio::test]
async fn a_revoked_key_hears_nothing_more() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let keys = ApiKeys::over(&shop.world.resources());
    let account = crate::support::ACCOUNT.parse().unwrap();
    let key = keys
        .create(account, shop.tenant, "test", &[Scope::Read])
        .await
        .unwrap();
    let mut receiver = shop.world.aws.sockets().register("agent");
    assert_eq!(shop.connect("agent", &key.token).await, 200);
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    assert_eq!(texts(&shown(&mut receiver)), ["Shop ơi"]);
    assert!(keys.revoke(shop.tenant, key.key.id).await.unwrap());
    shop.say(&browser, "c-2", "Alo").await;
    shop.run(1).await;
    assert!(shown(&mut receiver).is_empty() && receiver.is_closed());
}

#[tokio::test]
async fn an_archived_workspace_is_silent_and_its_widget_gone() {
    let staffed = Staffed::new().await;
    let shop = &staffed.shop;
    let (_, mut receiver) = staffed.browser("agent").await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    let workspaces = Workspaces::over(&shop.world.resources());
    let workspace = workspaces.get(shop.tenant).await.unwrap().unwrap();
    let settings = workspace.settings.clone();
    let archived = workspaces.change(workspace, settings, WorkspaceStatus::Archived);
    assert!(archived.await.unwrap().is_some());
    shop.run(1).await;
    assert!(shown(&mut receiver).is_empty());
    shop.world.forget();
    let body = json!({ "client_msg_id": "c-2", "content": "Alo" });
    for (method, path, body) in [
        ("GET", "", None),
        ("POST", "/sessions", Some(json!({}))),
        ("POST", "/messages", Some(body)),
    ] {
        let bearer = format!("Bearer {}", browser.token);
        let headers = [("authorization", bearer.as_str())];
        let (status, problem, _): (u64, Value, Value) =
            shop.widget(method, path, &headers, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (404, &"not_found".into()),
            "{path}"
        );
    }
    assert_eq!(shop.connect("c", &browser.token).await, 401);
}
