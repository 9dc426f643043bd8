//! Requests about personal data through the API: their dates, their order, what `run` does, and the register.

use std::time::Duration;

use contacts::{Channel, ChannelStatus, Contacts, Event, Identity, Incoming, Statement};
use kernel::{Grant, TenantKey};
use serde_json::{Value, json};

use crate::support::{Kill, World, grant_of, http_event};

struct Office {
    world: World,
    tenant: TenantKey,
    grant: Grant,
}

impl Office {
    async fn open() -> Self {
        let world = World::new();
        let tenant = world.workspace().await;
        let grant = grant_of(tenant.workspace(), "admin");
        Self {
            world,
            tenant,
            grant,
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> (u64, Value) {
        let body = Some(body).filter(|body| !body.is_null());
        let event = http_event(method, path, body.as_ref(), Some(&self.grant));
        self.world.ask("api-privacy", event).await
    }

    async fn enter(&self, body: Value) -> Value {
        let (status, made) = self.ask("POST", "/v1/privacy-requests", body).await;
        assert_eq!(status, 201, "{made}");
        made
    }

    async fn contact(&self) -> String {
        let incoming = Incoming {
            identities: vec![Identity::Email("an@example.vn".parse().unwrap())],
            consent: Statement::from_status(Channel::Email, ChannelStatus::Subscribed)
                .into_iter()
                .collect(),
            ..Incoming::default()
        };
        let contacts = Contacts::over(&self.world.resources());
        let id = contacts
            .upsert(self.tenant, &incoming)
            .await
            .unwrap()
            .contact;
        for n in 0..130 {
            let event = Event {
                id: format!("e{n}"),
                name: "form.submitted".into(),
                at: self.world.now(),
                source: "src".into(),
                data: json!({ "n": n }),
            };
            contacts.record(self.tenant, id, &event).await.unwrap();
        }
        id.to_string()
    }
}

fn path(request: &Value, more: &str) -> String {
    format!(
        "/v1/privacy-requests/{}{more}",
        request["id"].as_str().unwrap()
    )
}

#[tokio::test]
async fn a_request_has_its_dates_and_the_earliest_is_first() {
    let office = Office::open().await;
    // The day before Tết; the world's clock is later.
    let received = "2026-02-13T03:00:00Z";
    let new = |kind: &str| json!({ "type": kind, "requester": "An", "received_at": received });
    let erase = office.enter(new("erase")).await;
    assert_eq!(erase["ack_due"], "2026-02-24");
    assert_eq!(erase["due"], "2026-03-20");
    assert_eq!(erase["calendar_due"], "2026-03-05");
    let access = office.enter(new("access")).await;
    assert_eq!(
        (&access["due"], &access["status"]),
        (&json!("2026-03-06"), &json!("open"))
    );
    for request in [&erase, &access] {
        let told = json!({ "acknowledged": true });
        let (status, told) = office.ask("PATCH", &path(request, ""), told).await;
        assert_eq!(status, 200, "{told}");
        assert!(told["acknowledged_at"].is_string());
    }
    let order = async || {
        let (_, page) = office.ask("GET", "/v1/privacy-requests", Value::Null).await;
        let ids = page["data"].as_array().unwrap().iter();
        ids.map(|one| one["type"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(order().await, ["access", "erase"]);
    // With third parties and the extension its term is the longer one.
    let (_, longer) = office
        .ask(
            "PATCH",
            &path(&access, ""),
            json!({ "third_parties": true }),
        )
        .await;
    assert_eq!(longer["due"], "2026-03-13");
    let reason = json!({ "reason": "nhiều bên" });
    let (status, extended) = office
        .ask("POST", &path(&access, "/extend"), reason.clone())
        .await;
    assert_eq!(
        (status, &extended["calendar_due"]),
        (200, &json!("2026-03-10"))
    );
    assert_eq!(
        office
            .ask("POST", &path(&access, "/extend"), reason)
            .await
            .0,
        409
    );
    assert_eq!(order().await, ["erase", "access"]);
    // A closed one is in the list of all only.
    let end = json!({ "status": "done", "outcome": "Đã gửi" });
    assert_eq!(
        office
            .ask("POST", &path(&access, "/close"), end.clone())
            .await
            .0,
        200
    );
    assert_eq!(
        office.ask("POST", &path(&access, "/close"), end).await.0,
        409
    );
    assert_eq!(order().await, ["erase"]);
    let (_, all) = office
        .ask("GET", "/v1/privacy-requests?status=all", Value::Null)
        .await;
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn access_gives_a_file_and_withdrawal_ends_consent() {
    let office = Office::open().await;
    let contact = office.contact().await;
    let body = |kind: &str| json!({ "type": kind, "requester": "An", "processors": ["Haravan"] });
    let access = office.enter(body("access")).await;
    assert_eq!(
        office
            .ask("POST", &path(&access, "/run"), Value::Null)
            .await
            .0,
        409
    );
    let named = json!({ "contact_id": contact });
    office.ask("PATCH", &path(&access, ""), named).await;
    // The person is not verified.
    assert_eq!(
        office
            .ask("POST", &path(&access, "/run"), Value::Null)
            .await
            .0,
        409
    );
    office
        .ask("PATCH", &path(&access, ""), json!({ "verified": true }))
        .await;
    let (status, run) = office
        .ask("POST", &path(&access, "/run"), Value::Null)
        .await;
    assert_eq!(status, 200, "{run}");
    assert!(run["file_url"].as_str().unwrap().contains("/privacy/"));
    let key = format!(
        "privacy/{}/{}.json",
        office.tenant,
        access["id"].as_str().unwrap()
    );
    let file = office
        .world
        .resources()
        .bucket("Imports")
        .range(&key, 0, 1 << 20)
        .await;
    let file: Value = serde_json::from_slice(&file.unwrap().unwrap().bytes).unwrap();
    assert_eq!(file["contact"]["email"], "an@example.vn");
    assert_eq!(file["timeline"].as_array().unwrap().len(), 130);
    assert_eq!(file["is_complete"], true);
    // The processor has not answered.
    let end = json!({ "status": "done", "outcome": "Đã gửi" });
    assert_eq!(
        office
            .ask("POST", &path(&access, "/close"), end.clone())
            .await
            .0,
        409
    );
    let done =
        json!({ "tasks": [{ "processor": "Haravan", "done": true }], "evidence": ["mail 1"] });
    for _ in 0..2 {
        let (_, after) = office.ask("PATCH", &path(&access, ""), done.clone()).await;
        assert_eq!(
            (after["tasks"].as_array().unwrap().len(), &after["evidence"]),
            (1, &json!(["mail 1"]))
        );
    }
    assert_eq!(
        office.ask("POST", &path(&access, "/close"), end).await.0,
        200
    );

    let withdraw = office
        .enter(json!({ "type": "withdraw", "requester": "An", "contact_id": contact }))
        .await;
    office
        .ask("PATCH", &path(&withdraw, ""), json!({ "verified": true }))
        .await;
    for _ in 0..2 {
        let (status, run) = office
            .ask("POST", &path(&withdraw, "/run"), Value::Null)
            .await;
        assert_eq!((status, &run["file_url"]), (200, &Value::Null), "{run}");
    }
    let after = Contacts::over(&office.world.resources());
    let after = after
        .get(office.tenant, contact.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(after.email_status, ChannelStatus::Unsubscribed);
    assert_eq!(after.push_status, ChannelStatus::Unsubscribed);
}

#[tokio::test]
async fn every_fault_of_a_request_is_named() {
    let office = Office::open().await;
    let body = json!({
        "type": "erase", "requester": " ", "received_at": "2999-01-01T00:00:00Z", "processors": [""],
    });
    let (status, answer) = office.ask("POST", "/v1/privacy-requests", body).await;
    let faults = answer["errors"].as_array().unwrap().iter();
    let places: Vec<_> = faults
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        (status, places),
        (400, vec!["/requester", "/received_at", "/processors/0"])
    );
    let unknown = json!({ "type": "erase", "requester": "An", "contact_id": "con_00000000001" });
    let (status, answer) = office.ask("POST", "/v1/privacy-requests", unknown).await;
    assert_eq!(
        (status, &answer["errors"][0]["pointer"]),
        (400, &json!("/contact_id"))
    );
}

#[tokio::test]
async fn the_register_follows_the_settings() {
    let office = Office::open().await;
    let register = async || {
        office
            .ask("GET", "/v1/compliance/register", Value::Null)
            .await
            .1
    };
    let before = register().await;
    assert_eq!(
        before["recipients"].as_array().unwrap().len(),
        2,
        "{before}"
    );
    let elements = before["elements"].as_array().unwrap();
    let element = |name: &str| elements.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(element("audit log")["retention_days"], 763);
    assert_eq!(element("contact")["retention_days"], Value::Null);
    assert_eq!(element("timeline: page.viewed")["is_sensitive"], true);
    let source = json!({ "name": "Landing", "provider": "ladipage" });
    let event = http_event("POST", "/v1/sources", Some(&source), Some(&office.grant));
    assert_eq!(office.world.ask("api-sources", event).await.0, 201);
    office.world.advance(Duration::from_secs(1));
    let after = register().await;
    let names: Vec<_> = after["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["Amazon Web Services", "Amazon SES", "ladipage"]);
}

#[tokio::test]
async fn an_address_of_before_2025_has_the_code_of_today() {
    let office = Office::open().await;
    for (address, expected) in [
        (
            json!({ "province": "TP.HCM", "ward": "Phường Sài Gòn" }),
            (json!("79"), json!("26740"), false),
        ),
        (
            json!({ "province": "Bình Dương", "district": "Thủ Dầu Một", "ward": "Phú Hòa" }),
            (json!("79"), json!("25750"), true),
        ),
        (
            json!({ "province": "Atlantis", "ward": "x" }),
            (Value::Null, Value::Null, false),
        ),
    ] {
        let mut body = address.clone();
        body["email"] = json!(format!("{}@example.vn", office.world.entropy.nonce()));
        let event = http_event("POST", "/v1/contacts", Some(&body), Some(&office.grant));
        let (status, saved) = office.world.ask("api-contacts", event).await;
        assert_eq!(status, 201, "{saved}");
        let contact = &saved;
        // The text is kept as it was given.
        assert_eq!(contact["province"], address["province"], "{saved}");
        let (province, ward, is_legacy) = expected;
        assert_eq!(contact["province_code"], province, "{saved}");
        assert_eq!(contact["ward_code"], ward, "{saved}");
        assert_eq!(contact["is_legacy_address"], is_legacy, "{saved}");
    }
}

#[tokio::test]
async fn an_erasure_a_correction_and_a_restriction_are_run() {
    let mut office = Office::open().await;
    let contact = office.contact().await;
    let id: kernel::ContactId = contact.parse().unwrap();
    let contacts = Contacts::over(&office.world.resources());
    office.world.advance(Duration::from_secs(1));
    let mut requests = Vec::new();
    for kind in ["correct", "restrict", "erase"] {
        let body = json!({ "type": kind, "requester": "An", "contact_id": contact });
        let request = office.enter(body).await;
        let verified = json!({ "verified": true });
        office.ask("PATCH", &path(&request, ""), verified).await;
        requests.push(path(&request, "/run"));
    }
    let [correct, restrict, erase] = requests.try_into().unwrap();
    // Nobody has changed the contact.
    assert_eq!(office.ask("POST", &correct, Value::Null).await.0, 409);
    office.world.advance(Duration::from_secs(1));
    contacts
        .add_tags(office.tenant, id, &["mới".into()])
        .await
        .unwrap();
    assert_eq!(office.ask("POST", &correct, Value::Null).await.0, 200);
    assert_eq!(office.ask("POST", &restrict, Value::Null).await.0, 200);
    let found = contacts.get(office.tenant, id).await.unwrap().unwrap();
    assert!(found.is_archived());
    let manager = Grant {
        role: Some(kernel::Role::AccountManager),
        ..office.grant.clone()
    };
    let admin = std::mem::replace(&mut office.grant, manager);
    assert_eq!(office.ask("POST", &erase, Value::Null).await.0, 403);
    office.grant = Grant {
        role: Some(kernel::Role::AccountAdmin),
        ..admin
    };
    for _ in 0..2 {
        let (status, run) = office.ask("POST", &erase, Value::Null).await;
        assert_eq!((status, &run["file_url"]), (200, &Value::Null), "{run}");
        assert!(run["ran_at"].is_string());
    }
    assert_eq!(contacts.get(office.tenant, id).await.unwrap(), None);
    office.world.settle_twice().await;
    assert!(office.world.dump("Timeline").await.is_empty());
}

#[tokio::test]
async fn the_file_holds_the_conversations_and_the_notes() {
    let shop = crate::chat::shop::Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "c1", "Shop ơi, còn size M không?").await;
    shop.run(1).await;
    let id = shop.conversation().await;
    shop.reply(&id, json!({ "content": "Còn ạ" })).await;
    shop.reply(&id, json!({ "content": "khách khó tính", "private": true }))
        .await;
    shop.run(1).await;
    let conversation = shop.get(&format!("/v1/conversations/{id}")).await;
    let contact = conversation["contact_id"].as_str().unwrap().to_owned();
    let grant = grant_of(shop.tenant.workspace(), "admin");
    let note = json!({ "text": "Gọi sau 17h" });
    let path_of_notes = format!("/v1/contacts/{contact}/notes");
    let event = http_event("POST", &path_of_notes, Some(&note), Some(&grant));
    assert_eq!(shop.world.ask("api-contacts", event).await.0, 201);
    let ask = async |method: &str, path: &str, body: Value| {
        let body = Some(body).filter(|body| !body.is_null());
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        shop.world.ask("api-privacy", event).await.1
    };
    let new = json!({ "type": "access", "requester": "An", "contact_id": contact });
    let request = ask("POST", "/v1/privacy-requests", new).await;
    ask("PATCH", &path(&request, ""), json!({ "verified": true })).await;
    let run = ask("POST", &path(&request, "/run"), Value::Null).await;
    assert!(run["file_url"].is_string(), "{run}");
    let key = format!(
        "privacy/{}/{}.json",
        shop.tenant,
        request["id"].as_str().unwrap()
    );
    let file = shop
        .world
        .resources()
        .bucket("Imports")
        .range(&key, 0, 1 << 20)
        .await;
    let file: Value = serde_json::from_slice(&file.unwrap().unwrap().bytes).unwrap();
    assert_eq!(file["notes"][0]["text"], "Gọi sau 17h");
    let told = &file["conversations"][0];
    assert_eq!(told["conversation_id"], json!(id));
    let messages = told["messages"].as_array().unwrap().iter();
    let texts: std::collections::BTreeSet<&str> = messages
        .map(|one| one["content"].as_str().unwrap())
        .collect();
    // A private note is for the staff only.
    assert_eq!(texts, ["Còn ạ", "Shop ơi, còn size M không?"].into());
    assert_eq!(file["is_complete"], true);
}

/// An office with two admins, a manager and one request to see data.
async fn office_with_admins() -> (Office, Value) {
    let world = World::new();
    let resources = world.resources();
    let account = accounts::Accounts::over(&resources)
        .create("Áo dài Mai")
        .await
        .unwrap();
    let settings = accounts::WorkspaceSettings::named("Áo dài Mai");
    let workspaces = accounts::Workspaces::over(&resources);
    let tenant = workspaces.create(account, settings).await.unwrap().unwrap();
    let grant = grant_of(tenant.workspace(), "admin");
    let users = accounts::Users::over(&resources);
    let office = Office {
        world,
        tenant,
        grant,
    };
    for (name, role) in [
        ("a", kernel::Role::AccountAdmin),
        ("b", kernel::Role::AccountAdmin),
        ("c", kernel::Role::AccountManager),
    ] {
        let new = accounts::NewUser {
            email: format!("{name}@quan-tri.example.vn").parse().unwrap(),
            name: name.into(),
            role,
            chat_role: None,
            workspaces: Vec::new(),
            password: "mat-khau-rat-dai-123".into(),
        };
        assert!(users.create(account, new).await.unwrap().is_some());
    }
    let new = json!({ "type": "access", "requester": "Trần Thị An" });
    let request = office.enter(new).await;
    office.world.swept().await;
    (office, request)
}

impl Office {
    /// Days that pass, with a sweep of the timers each hour.
    async fn pass(&self, days: u32) {
        for _ in 0..days * 24 {
            self.world.advance(Duration::from_hours(1));
            self.world.invoke("due-timer", json!({})).await.unwrap();
            self.world.settle_twice().await;
        }
    }

    /// Receivers of the mails so far.
    fn mailed(&self) -> Vec<String> {
        let mails = self.world.aws.outbox().all(tanigo_local::aws::Kind::Mail);
        let mut to: Vec<String> = mails.into_iter().map(|mail| mail.to[0].clone()).collect();
        to.sort_unstable();
        to
    }

    async fn notices(&self, request: &Value) -> Vec<(String, String)> {
        let (_, shown) = self.ask("GET", &path(request, ""), Value::Null).await;
        let all = shown["notices"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        all.map(|one| (text(&one["type"]), text(&one["due"])))
            .collect()
    }
}

#[tokio::test]
async fn admins_are_told_once_before_and_after_each_date() {
    let (office, request) = office_with_admins().await;
    let closed = office
        .enter(json!({ "type": "copy", "requester": "Lê Hà" }))
        .await;
    let end = json!({ "status": "refused", "outcome": "trùng" });
    assert_eq!(
        office.ask("POST", &path(&closed, "/close"), end).await.0,
        200
    );
    assert!(office.notices(&request).await.is_empty());
    office.pass(7).await;
    let due = request["ack_due"].as_str().unwrap();
    let both = |due: &str| ["soon", "over"].map(|kind| (kind.to_owned(), due.to_owned()));
    assert_eq!(office.notices(&request).await, both(due));
    let (a, b) = ("a@quan-tri.example.vn", "b@quan-tri.example.vn");
    assert_eq!(office.mailed(), [a, a, b, b]);

    // The acknowledgement moves the date.
    let told = json!({ "acknowledged": true });
    let (status, told) = office.ask("PATCH", &path(&request, ""), told).await;
    assert_eq!(status, 200, "{told}");
    office.pass(6).await;
    let next = told["calendar_due"].as_str().unwrap();
    let all = [both(due), both(next)].concat();
    assert_eq!(office.notices(&request).await, all);
    assert_eq!(office.mailed().len(), 8);
    assert!(office.notices(&closed).await.is_empty());
    assert!(office.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_breach_has_72_hours_and_its_facts_are_kept() {
    let (office, _) = office_with_admins().await;
    let new = json!({ "type": "breach", "requester": "Kỹ thuật", "breach": { "persons": 40 } });
    let breach = office.enter(new).await;
    let end: jiff::Timestamp = breach["breach"]["notify_by"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let found: jiff::Timestamp = breach["received_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        end.duration_since(found),
        jiff::SignedDuration::from_hours(72)
    );
    for (method, more) in [("POST", "/run"), ("POST", "/extend")] {
        let body = if more == "/run" {
            Value::Null
        } else {
            json!({ "reason": "x" })
        };
        assert_eq!(office.ask(method, &path(&breach, more), body).await.0, 409);
    }
    // One day before the end the admins are told, by a letter of its own.
    office.world.advance(Duration::from_hours(1));
    office.pass(2).await;
    let kinds =
        |notices: Vec<(String, String)>| notices.into_iter().map(|one| one.0).collect::<Vec<_>>();
    assert_eq!(kinds(office.notices(&breach).await), ["soon"]);
    let end = json!({ "status": "done", "outcome": "Đã báo A05" });
    let (status, _) = office
        .ask("POST", &path(&breach, "/close"), end.clone())
        .await;
    assert_eq!(status, 409);
    let facts = json!({ "breach": { "measures": "Đổi mật khẩu", "authority_notified": true } });
    let (status, told) = office.ask("PATCH", &path(&breach, ""), facts.clone()).await;
    let facts_now = &told["breach"];
    assert_eq!((status, &facts_now["persons"]), (200, &json!(40)), "{told}");
    assert!(facts_now["authority_notified_at"].is_string());
    office.pass(2).await;
    assert_eq!(
        kinds(office.notices(&breach).await),
        ["soon"],
        "nothing is due any more"
    );
    let (_, again) = office.ask("PATCH", &path(&breach, ""), facts).await;
    assert_eq!(&again["breach"], facts_now);
    assert_eq!(
        office.ask("POST", &path(&breach, "/close"), end).await.0,
        200
    );
    // A request of a person has no such facts.
    let wrong = json!({ "type": "access", "requester": "An", "breach": { "persons": 1 } });
    let (status, problem) = office.ask("POST", "/v1/privacy-requests", wrong).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/breach"))
    );
}

#[tokio::test]
async fn a_notice_may_be_killed_at_any_call() {
    for call in 0.. {
        let mut finished = false;
        for kill in [Kill::Before(call), Kill::After(call)] {
            let (office, request) = office_with_admins().await;
            let world = &office.world;
            let mut batch = None;
            while batch.is_none() {
                world.advance(Duration::from_hours(1));
                world.invoke("due-timer", json!({})).await.unwrap();
                batch = world.take("account-mailer");
            }
            let batch = batch.unwrap();
            let event = batch.event.clone();
            finished = world
                .invoke_and_kill("account-mailer", event, kill)
                .await
                .is_some();
            world.release(&batch);
            world.settle().await;
            let mut mailed = office.mailed();
            let count = mailed.len();
            mailed.dedup();
            // A worker that dies between the claim and the mail may lose that mail; none is sent twice.
            assert_eq!(mailed.len(), count, "{kill:?}");
            assert!((1..=2).contains(&count), "{kill:?}");
            assert_eq!(office.notices(&request).await.len(), 1, "{kill:?}");
        }
        if finished {
            break;
        }
    }
}
