//! Sender addresses, from the API to the mailbox and back, and the mails that need them.

use std::time::Duration;

use contacts::Lists;
use kernel::{TenantKey, WorkspaceId};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use super::office::{HOUR, Office};
use crate::support::{Kill, grant_of, http_event};

const ADDRESS: &str = "cskh@example.vn";

impl Office {
    pub async fn ask_for(&self, email: &str) -> (u64, Value) {
        let body = json!({ "email": email, "name": "Chăm sóc khách" });
        let admin = self.token().await;
        self.ask(&admin, "POST", "/v1/senders", Some(body)).await
    }

    async fn confirm(&self, sender: &Value, code: &str) -> (u64, Value) {
        let path = format!("/v1/senders/{}/confirm", sender["id"].as_str().unwrap());
        let body = Some(json!({ "code": code }));
        let admin = self.token().await;
        self.ask(&admin, "POST", &path, body).await
    }

    /// The codes that were mailed to an address, oldest first.
    fn codes(&self, email: &str) -> Vec<String> {
        let outbox = self.world.aws.outbox();
        let mails = outbox.all(Kind::Mail).into_iter();
        let codes = mails.filter(|mail| mail.to == [email]).filter_map(|mail| {
            let raw = outbox.mime(mail.id)?;
            let parsed = MessageParser::default().parse(&raw)?;
            let text = parsed.body_text(0)?;
            let mut words = text.split_whitespace();
            words
                .find(|word| word.starts_with("tnsv_"))
                .map(str::to_owned)
        });
        codes.collect()
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn tenant(&self) -> TenantKey {
        let workspace: WorkspaceId = self.workspace.parse().unwrap();
        TenantKey::authenticated(workspace)
    }

    async fn create(&self, function: &str, path: &str, body: &Value) -> (u64, Value) {
        let grant = grant_of(self.workspace.parse().unwrap(), "read write");
        let event = http_event("POST", path, Some(body), Some(&grant));
        self.world.ask(function, event).await
    }
}

#[tokio::test]
async fn an_address_is_a_sender_once_its_mailbox_has_answered() {
    let office = Office::open().await;
    let (status, made) = office.ask_for(ADDRESS).await;
    assert_eq!(
        (status, &made["confirmed_at"]),
        (201, &Value::Null),
        "{made}"
    );
    office.mail().await;
    let codes = office.codes(ADDRESS);
    assert_eq!(codes.len(), 1);
    let rows = office.world.dump("Directory").await;
    assert!(
        !format!("{rows:?}").contains(&codes[0]),
        "only a hash is stored"
    );

    let (status, problem) = office.confirm(&made, "tnsv_0").await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/code"))
    );
    let (status, confirmed) = office.confirm(&made, &format!(" {}\n", codes[0])).await;
    assert_eq!(status, 200, "{confirmed}");
    assert!(confirmed["confirmed_at"].is_string());
    // Again: the same answer, and no mail.
    assert_eq!(
        office.confirm(&made, &codes[0]).await,
        (200, confirmed.clone())
    );
    assert_eq!(office.ask_for(ADDRESS).await, (200, confirmed.clone()));
    office.mail().await;
    assert_eq!(office.codes(ADDRESS).len(), 1);

    let admin = office.token().await;
    let (_, list) = office.ask(&admin, "GET", "/v1/senders", None).await;
    assert_eq!(list["data"], json!([confirmed]));
    let path = format!("/v1/senders/{}", made["id"].as_str().unwrap());
    assert_eq!(
        office.ask(&admin, "GET", &path, None).await,
        (200, confirmed)
    );
    assert_eq!(office.ask(&admin, "DELETE", &path, None).await.0, 204);
    assert_eq!(office.ask(&admin, "GET", &path, None).await.0, 404);
    let (_, log) = office
        .ask(&admin, "GET", "/v1/audit-log?limit=100", None)
        .await;
    let log = log["data"].as_array().unwrap().clone();
    for action in ["createSender", "confirmSender", "removeSender"] {
        let noted = log.iter().find(|entry| entry["action"] == action);
        assert_eq!(noted.unwrap()["object_id"], made["id"], "{action}");
    }
}

#[tokio::test]
async fn only_the_newest_code_of_the_last_three_days_proves_an_address() {
    let office = Office::open().await;
    let (_, made) = office.ask_for(ADDRESS).await;
    office.mail().await;
    office.ask_for(ADDRESS).await;
    office.mail().await;
    let codes = office.codes(ADDRESS);
    assert_eq!(codes.len(), 2);
    assert_eq!(office.confirm(&made, &codes[0]).await.0, 400);
    office.world.advance(73 * HOUR);
    assert_eq!(office.confirm(&made, &codes[1]).await.0, 400);
    office.ask_for(ADDRESS).await;
    office.mail().await;
    let codes = office.codes(ADDRESS);
    assert_eq!(office.confirm(&made, &codes[2]).await.0, 200);
}

#[tokio::test]
async fn the_product_s_own_and_foreign_addresses_are_refused() {
    let office = Office::open().await;
    for email in [
        "no-reply@example.vn",
        "No.Reply+tet@example.vn",
        "postmaster@mail.example.vn",
        "shop@example.com",
        "=?utf-8?q?ceo=40evil.com?=@example.vn",
    ] {
        let (status, problem) = office.ask_for(email).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!("/email")),
            "{email}: {problem}"
        );
    }
    office.mail().await;
    assert!(office.world.aws.outbox().all(Kind::Mail).is_empty());
}

#[tokio::test]
async fn a_stranger_s_mailbox_is_not_flooded() {
    let office = Office::open().await;
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(office.ask_for(ADDRESS).await.0);
    }
    assert_eq!(answers, [201, 201, 201, 201, 201, 429]);
    let admin = office.token().await;
    let (_, list) = office.ask(&admin, "GET", "/v1/senders", None).await;
    let path = format!("/v1/senders/{}", list["data"][0]["id"].as_str().unwrap());
    assert_eq!(office.ask(&admin, "DELETE", &path, None).await.0, 204);
    assert_eq!(
        office.ask_for(ADDRESS).await.0,
        429,
        "removing frees nothing"
    );
    office.world.advance(Duration::from_hours(25));
    assert_eq!(office.ask_for(ADDRESS).await.0, 201);
}

#[tokio::test]
async fn a_mailer_killed_at_any_call_mails_a_code_that_works() {
    for at in 0.. {
        let office = Office::open().await;
        let (_, made) = office.ask_for(ADDRESS).await;
        let batch = office.world.take("account-mailer").unwrap();
        let mut survived = true;
        for kill in [Kill::Before(at), Kill::After(at)] {
            let event = batch.event.clone();
            let work = office.world.invoke_and_kill("account-mailer", event, kill);
            survived &= work.await.is_some();
            office.world.advance(Duration::from_secs(61));
        }
        let last = office.world.invoke("account-mailer", batch.event.clone());
        assert_eq!(
            last.await.unwrap().to_string(),
            r#"{"batchItemFailures":[]}"#
        );
        let codes = office.codes(ADDRESS);
        // A mail was sent just before a kill.
        assert!((1..=2).contains(&codes.len()), "{at}");
        for code in &codes {
            assert_eq!(office.confirm(&made, code).await.0, 200, "{at}");
        }
        if survived {
            assert_eq!(codes.len(), 1);
            break;
        }
    }
}

#[tokio::test]
async fn a_workspace_mails_only_from_addresses_that_it_has_proven() {
    let office = Office::open().await;
    let tenant = office.tenant();
    let lists = Lists::over(&office.world.resources());
    let world = &office.world;
    let list = kernel::ListId::new(&world.clock(), &world.entropy);
    let made = lists.create(tenant, list, world.clock().now(), "Khách", None);
    made.await.unwrap();
    // Another workspace has proven the address.
    office.world.workspace().await;
    let sender = json!({ "from_name": "Tanigo", "from_email": "shop@example.vn" });
    let campaign = json!({
        "name": "Tết", "audience": { "include": { "list_ids": [list] } }, "mail": { "sender": sender, "subject": "Chào", "text": "Chào" },
    });
    let mail = json!({ "type": "send_email", "sender": sender, "subject": "Chào", "text": "Chào" });
    let workflow = json!({
        "name": "Chào", "trigger": { "type": "form.submitted" },
        "graph": { "start": "thu", "nodes": { "thu": mail } },
    });
    let create_campaign = || office.create("api-campaigns", "/v1/campaigns", &campaign);
    let create_workflow = || office.create("api-workflows", "/v1/workflows", &workflow);
    let refused = |(status, problem): (u64, Value), place: &str| {
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("unprocessable")),
            "{problem}"
        );
        assert_eq!(problem["errors"][0]["pointer"], place);
    };
    refused(create_campaign().await, "/mail/sender/from_email");
    refused(
        create_workflow().await,
        "/graph/nodes/thu/sender/from_email",
    );

    let (_, made) = office.ask_for("shop@example.vn").await;
    refused(create_campaign().await, "/mail/sender/from_email");
    office.mail().await;
    let code = office.codes("shop@example.vn").remove(0);
    assert_eq!(office.confirm(&made, &code).await.0, 200);
    let (status, campaign) = create_campaign().await;
    assert_eq!(status, 201, "{campaign}");
    let (status, workflow) = create_workflow().await;
    assert_eq!(status, 201, "{workflow}");

    // Removed in the meantime: refused when the mails would begin.
    let admin = office.token().await;
    let settings = json!({
        "postal_address": "1 Tràng Tiền, Hà Nội",
        "permission_reminder": "Bạn nhận thư này vì đã mua hàng ở cửa hàng.",
    });
    let path = format!("/v1/workspaces/{}", office.workspace);
    assert_eq!(
        office.ask(&admin, "PATCH", &path, Some(settings)).await.0,
        200
    );
    let path = format!("/v1/senders/{}", made["id"].as_str().unwrap());
    assert_eq!(office.ask(&admin, "DELETE", &path, None).await.0, 204);
    let path = format!("/v1/campaigns/{}/send", campaign["id"].as_str().unwrap());
    refused(
        office.create("api-campaigns", &path, &json!({})).await,
        "/mail/sender/from_email",
    );
    let path = format!(
        "/v1/workflows/{}/activate",
        workflow["id"].as_str().unwrap()
    );
    let activated = office.create("api-workflows", &path, &Value::Null).await;
    refused(activated, "/graph/nodes/thu/sender/from_email");
}
