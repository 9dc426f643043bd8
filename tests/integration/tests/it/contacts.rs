//! Contacts from the webhook and the API to the tables: identities that race, forms that repeat,
//! functions that are killed at any call, files of contacts, and two tenants.

use std::collections::BTreeSet;
use std::sync::Arc;

use accounts::{ApiKeys, Doors, NewSource};
use contacts::{Channel, ChannelStatus, Contacts, Identity, Incoming, Merge};
use kernel::{ContactId, Grant, Limit, Scope, TenantKey};
use serde_json::{Value, json};

use crate::support::{ACCOUNT, Kill, World, grant_of, http_event};

const HEADER: &str = "x-ladipage-token";

/// A world and one of its tenants.
#[derive(Clone)]
struct Shop {
    world: Arc<World>,
    tenant: TenantKey,
}

impl Shop {
    async fn new() -> Self {
        Self::in_world(&Arc::new(World::new())).await
    }

    async fn in_world(world: &Arc<World>) -> Self {
        Self {
            world: world.clone(),
            tenant: world.workspace().await,
        }
    }

    fn contacts(&self) -> Contacts {
        let table = |name| self.world.table(name);
        Contacts::new(table("Contacts"), table("Timeline"), table("Directory"))
    }

    async fn upsert(&self, incoming: Incoming) -> contacts::Upserted {
        self.contacts()
            .upsert(self.tenant, &incoming)
            .await
            .unwrap()
    }

    async fn contact(&self, id: ContactId) -> contacts::Contact {
        self.contacts().get(self.tenant, id).await.unwrap().unwrap()
    }

    /// Names that a search finds, in order.
    async fn found(&self, query: &str) -> Vec<String> {
        let page = self
            .contacts()
            .search(self.tenant, query, Limit::default(), None)
            .await
            .unwrap();
        assert!(page.next.is_none());
        page.data
            .into_iter()
            .map(|contact| contact.full_name.unwrap_or_default())
            .collect()
    }

    async fn api(&self, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
        let event = http_event(method, path, body, Some(&self.grant()));
        self.answer("api-contacts", event).await
    }

    fn grant(&self) -> Grant {
        grant_of(self.tenant.workspace(), "write")
    }

    async fn answer(&self, function: &str, event: Value) -> (u64, Value) {
        let answer = self.world.invoke(function, event).await.unwrap();
        let body = serde_json::from_str(answer["body"].as_str().unwrap_or("null"));
        (
            answer["statusCode"].as_u64().unwrap(),
            body.unwrap_or(Value::Null),
        )
    }

    async fn upload(&self, path: &str, file: &str) -> String {
        let mut event = http_event("POST", path, None, Some(&self.grant()));
        event["headers"]["content-type"] = "text/csv".into();
        event["body"] = file.into();
        let (status, job) = self.answer("api-contacts", event).await;
        assert_eq!(status, 202, "{job}");
        assert_eq!(job["status"], "pending");
        job["id"].as_str().unwrap().to_owned()
    }

    async fn job(&self, id: &str) -> Value {
        let (status, job) = self.api("GET", &format!("/v1/imports/{id}"), None).await;
        assert_eq!(status, 200, "{job}");
        job
    }
}

/// A LadiPage source and its URL's id and token.
struct Page {
    source: String,
    token: String,
}

impl Page {
    async fn of(shop: &Shop, tags: &[&str]) -> Self {
        let new = NewSource {
            provider: "ladipage".into(),
            header: HEADER.into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..NewSource::default()
        };
        let doors = Doors::new(shop.world.table("Directory"));
        let (source, token) = doors.create_source(shop.tenant, new).await.unwrap();
        Self {
            source: source.to_string(),
            token,
        }
    }

    fn event(&self, body: &str) -> Value {
        let path = format!("/w/ladipage/{}", self.source);
        let mut event = http_event("POST", &path, None, None);
        event["headers"][HEADER] = self.token.clone().into();
        event["body"] = body.into();
        event
    }

    async fn post(&self, shop: &Shop, form: &Value) {
        let (status, body) = shop
            .answer("webhook-ladipage", self.event(&form.to_string()))
            .await;
        assert_eq!((status, body), (200, json!({ "accepted": true })));
    }
}

fn form() -> Value {
    json!({
        "Họ và tên": "Trần Thị An", "Số điện thoại": "0912 345 678", "email": "An.Tran@example.vn",
        "message": "Tư vấn size M", "ladi_form_id": "FORM8", "utm_source": "facebook",
        "message_time": "02/03/2026 08:15:30",
    })
}

fn email(address: &str) -> Identity {
    Identity::Email(address.parse().unwrap())
}

fn phone(number: &str) -> Identity {
    Identity::Phone(number.parse().unwrap())
}

fn person(name: &str, identities: &[Identity]) -> Incoming {
    Incoming {
        identities: identities.to_vec(),
        full_name: Some(name.into()),
        ..Incoming::default()
    }
}

#[tokio::test]
async fn a_form_becomes_a_contact_with_an_event() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["ladipage"]).await;
    page.post(&shop, &form()).await;
    shop.world.settle().await;
    for query in ["tran", "AN", "thị an", "an.tran@", "0912345", "+84 912"] {
        assert_eq!(shop.found(query).await, ["Trần Thị An"], "{query}");
    }
    assert!(shop.found("binh").await.is_empty());
    let (_, list) = shop.api("GET", "/v1/contacts?query=an.tran", None).await;
    let contact = &list["data"][0];
    assert_eq!(contact["email"], "an.tran@example.vn");
    assert_eq!(contact["phone"], "+84912345678");
    assert_eq!(contact["first_name"], "An");
    assert_eq!(contact["tags"], json!(["ladipage"]));
    assert_eq!(contact["email_status"], "subscribed");
    let path = format!("/v1/contacts/{}/timeline", contact["id"].as_str().unwrap());
    let (status, timeline) = shop.api("GET", &path, None).await;
    assert_eq!((status, timeline["next"].is_null()), (200, true));
    let event = &timeline["data"][0];
    assert_eq!(event["name"], "form.submitted");
    assert_eq!(event["at"], "2026-03-02T01:15:30Z");
    assert_eq!(event["data"]["message"], "Tư vấn size M");
}

#[tokio::test]
async fn a_repeated_form_changes_nothing() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    page.post(&shop, &form()).await;
    shop.world.settle_twice().await;
    let (contacts, timeline) = (
        shop.world.dump("Contacts").await,
        shop.world.dump("Timeline").await,
    );
    page.post(&shop, &form()).await;
    shop.world.settle_twice().await;
    assert_eq!(shop.world.dump("Contacts").await, contacts);
    assert_eq!(shop.world.dump("Timeline").await, timeline);
}

#[tokio::test]
async fn an_event_of_a_known_contact_costs_three_write_units_at_most() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &["ladipage"]).await;
    page.post(&shop, &form()).await;
    shop.world.settle().await;
    let before = shop.world.aws.meter().snapshot();
    let mut second = form();
    second["message_time"] = "02/03/2026 09:00:00".into();
    page.post(&shop, &second).await;
    let queued = shop.world.aws.meter().since(&before);
    assert!(queued.write_units() < 0.5, "the webhook writes nothing");
    let requests: u64 = queued.queues.values().map(|queue| queue.requests).sum();
    assert_eq!(requests, 1);
    shop.world.settle().await;
    let spent = shop.world.aws.meter().since(&before).write_units();
    assert!(spent <= 3.0, "{spent}");
}

#[tokio::test]
async fn strangers_are_refused_and_nothing_is_queued() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    let body = form().to_string();
    let mut wrong_token = page.event(&body);
    wrong_token["headers"][HEADER] = "tngs_0".into();
    let mut without = page.event(&body);
    without["headers"].as_object_mut().unwrap().remove(HEADER);
    let mut unknown = page.event(&body);
    unknown["rawPath"] = "/w/ladipage/src_00000000000".into();
    let mut not_utf8 = page.event("//79/A==");
    not_utf8["isBase64Encoded"] = true.into();
    for (event, expected) in [
        (wrong_token, 401),
        (without, 401),
        (unknown, 401),
        (page.event(&"x".repeat(256 * 1024 + 1)), 413),
        (not_utf8, 400),
        (page.event(""), 400),
    ] {
        let (status, problem) = shop.answer("webhook-ladipage", event).await;
        assert_eq!(status, expected, "{problem}");
    }
    assert!(shop.world.take("ingest").is_none());
}

#[tokio::test]
async fn a_form_without_an_address_is_parked_not_lost() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    page.post(&shop, &json!({ "name": "An", "phone": "02838221234" }))
        .await;
    page.post(&shop, &form()).await;
    shop.world.settle().await;
    let dead = shop.world.dead_letters();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].contains("02838221234"));
    assert_eq!(shop.found("tran").await.len(), 1);
}

#[tokio::test]
async fn a_lost_queue_answers_503() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    shop.world
        .aws
        .set_fault_hook(Some(Arc::new(|call| match call.service {
            "sqs" => tanigo_local::aws::Fault::Throttle,
            _ => tanigo_local::aws::Fault::None,
        })));
    let (status, problem) = shop
        .answer("webhook-ladipage", page.event(&form().to_string()))
        .await;
    shop.world.aws.set_fault_hook(None);
    assert_eq!(
        (status, problem["code"].as_str()),
        (503, Some("unavailable"))
    );
}

/// The table's rows without what differs from run to run: ids of contacts, times, and reservations
/// that a killed attempt left, which nobody sees.
async fn essence(world: &World, table: &str) -> Vec<String> {
    let rows = world
        .dump(table)
        .await
        .into_iter()
        .filter(|row| row["reserved"] != true);
    let mut texts: Vec<String> = rows
        .map(|mut row| {
            for name in ["created_at", "updated_at", "operation", "shard", "ttl"] {
                row.as_object_mut().unwrap().remove(name);
            }
            without_ids(&row.to_string())
        })
        .collect();
    texts.sort_unstable();
    texts
}

fn without_ids(text: &str) -> String {
    let mut parts = text.split("con_");
    let head = parts.next().unwrap_or_default().to_owned();
    // Eleven digits follow the prefix.
    parts.fold(head, |text, part| {
        text + "con_" + part.get(11..).unwrap_or(part)
    })
}

/// Runs `prepare`, kills the function at each of its AWS calls in turn, lets redelivery finish, and
/// compares with the run that nobody killed.
async fn survives_any_kill(function: &str, prepare: impl AsyncFn(&Shop)) {
    let outcome = async |kill: Option<Kill>| {
        let shop = Shop::new().await;
        prepare(&shop).await;
        let mut finished = kill.is_none();
        if let Some(kill) = kill {
            let batch = shop.world.take(function).unwrap();
            let answer = shop
                .world
                .invoke_and_kill(function, batch.event.clone(), kill)
                .await;
            finished = answer.is_some();
            shop.world.release(&batch);
        }
        shop.world.settle().await;
        assert!(shop.world.dead_letters().is_empty());
        let state = (
            essence(&shop.world, "Contacts").await,
            essence(&shop.world, "Timeline").await,
        );
        (finished, state)
    };
    let (_, expected) = outcome(None).await;
    for call in 0.. {
        let (finished, state) = outcome(Some(Kill::Before(call))).await;
        assert_eq!(state, expected, "killed before call {call}");
        let (_, state) = outcome(Some(Kill::After(call))).await;
        assert_eq!(state, expected, "killed after call {call}");
        if finished {
            assert!(call > 4, "the function made {call} calls");
            return;
        }
    }
}

#[tokio::test]
async fn ingest_may_be_killed_at_any_call() {
    survives_any_kill("ingest", async |shop: &Shop| {
        Page::of(shop, &["ladipage"])
            .await
            .post(shop, &form())
            .await;
    })
    .await;
}

#[tokio::test]
async fn ingest_may_be_killed_at_any_call_for_a_known_contact() {
    survives_any_kill("ingest", async |shop: &Shop| {
        shop.upsert(person("Trần An", &[email("an.tran@example.vn")]))
            .await;
        Page::of(shop, &["ladipage"])
            .await
            .post(shop, &form())
            .await;
    })
    .await;
}

#[tokio::test]
async fn racing_forms_for_one_email_make_one_contact() {
    let shop = Shop::new().await;
    let racers = (0..16).map(|n| {
        let shop = shop.clone();
        async move {
            let number = format!("09123456{n:02}");
            let incoming = Incoming {
                tags: vec![format!("tag {n}")],
                ..person("An", &[email("an@example.vn"), phone(&number)])
            };
            shop.upsert(incoming).await
        }
    });
    let done = futures::future::join_all(racers).await;
    let ids: BTreeSet<_> = done.iter().map(|one| one.contact).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(done.iter().filter(|one| one.created).count(), 1);
    let id = done[0].contact;
    assert_eq!(shop.contact(id).await.tags.len(), 16);
    for n in 0..16 {
        let number = phone(&format!("09123456{n:02}"));
        let owner = shop
            .contacts()
            .find_identity(shop.tenant, &number)
            .await
            .unwrap();
        assert_eq!(owner, Some(id));
    }
    let rows = shop.world.dump("Contacts").await;
    let profiles = rows.iter().filter(|row| row["sk"] == "PROFILE");
    assert_eq!(profiles.count(), 1, "reservations that lost are taken back");
}

#[tokio::test]
async fn an_identity_stays_with_its_first_owner() {
    let shop = Shop::new().await;
    let a = shop
        .upsert(person("An", &[email("an@example.vn")]))
        .await
        .contact;
    let b = shop
        .upsert(person("Bình", &[phone("0912345678")]))
        .await
        .contact;
    let both = shop
        .upsert(person(
            "Chi",
            &[email("an@example.vn"), phone("0912345678")],
        ))
        .await;
    assert_eq!((both.contact, both.created), (a, false));
    assert_eq!(both.taken, [phone("0912345678")]);
    let (a, b) = (shop.contact(a).await, shop.contact(b).await);
    assert_eq!((a.full_name.as_deref(), a.phone), (Some("An"), None));
    assert!(b.phone.is_some() && b.email.is_none());
}

#[tokio::test]
async fn overwriting_replaces_what_was_known() {
    let shop = Shop::new().await;
    let external = Identity::External("KH-7".into());
    let known = [
        external.clone(),
        email("old@example.vn"),
        phone("0912345678"),
    ];
    let id = shop.upsert(person("Trần An", &known)).await.contact;
    let new = Incoming {
        merge: Merge::Overwrite,
        ..person("Lê Bình", &[external, email("new@example.vn")])
    };
    for _ in 0..2 {
        assert_eq!(shop.upsert(new.clone()).await.contact, id);
    }
    let contact = shop.contact(id).await;
    assert_eq!(contact.email, Some("new@example.vn".parse().unwrap()));
    assert_eq!(contact.full_name.as_deref(), Some("Lê Bình"));
    assert!(contact.phone.is_some());
    assert_eq!(shop.found("binh").await, ["Lê Bình"]);
    assert!(shop.found("tran").await.is_empty() && shop.found("old@").await.is_empty());
    // The old address is free for somebody else.
    let other = shop.upsert(person("Chi", &[email("old@example.vn")])).await;
    assert!(other.created && other.contact != id);
}

#[tokio::test]
async fn whoever_left_is_not_brought_back() {
    let shop = Shop::new().await;
    let agreed = Incoming {
        email_status: Some(ChannelStatus::Subscribed),
        ..person("An", &[email("an@example.vn")])
    };
    let id = shop.upsert(agreed.clone()).await.contact;
    let (contacts, at) = (shop.contacts(), shop.world.now());
    let set = async |status, reason| {
        let channel = Channel::Email;
        contacts
            .set_channel_status(shop.tenant, id, channel, status, at, reason)
            .await
            .unwrap()
    };
    assert!(set(ChannelStatus::Unsubscribed, "link").await);
    assert!(!set(ChannelStatus::Unsubscribed, "link").await);
    assert!(!set(ChannelStatus::Subscribed, "late").await);
    assert!(!set(ChannelStatus::Bounced, "late").await);
    shop.upsert(agreed.clone()).await;
    shop.upsert(Incoming {
        merge: Merge::Overwrite,
        ..agreed
    })
    .await;
    assert_eq!(
        shop.contact(id).await.email_status,
        ChannelStatus::Unsubscribed
    );
    assert!(set(ChannelStatus::Complained, "report").await);
}

#[tokio::test]
async fn pages_of_a_search_show_each_contact_once() {
    let shop = Shop::new().await;
    for n in 0..23 {
        let address = format!("tran{n}@example.vn");
        shop.upsert(person(&format!("Trần Trần {n}"), &[email(&address)]))
            .await;
    }
    for query in ["tran", ""] {
        let mut seen = Vec::new();
        let mut path = format!("/v1/contacts?query={query}&limit=5");
        loop {
            let (status, page) = shop.api("GET", &path, None).await;
            assert_eq!(status, 200, "{page}");
            let data = page["data"].as_array().unwrap();
            assert!(data.len() <= 5);
            seen.extend(
                data.iter()
                    .map(|one| one["id"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else {
                break;
            };
            path = format!("/v1/contacts?query={query}&limit=5&cursor={next}");
        }
        let distinct: BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), distinct.len()), (23, 23), "{query:?}");
    }
    let (status, problem) = shop.api("GET", "/v1/contacts?cursor=x", None).await;
    assert_eq!(
        (status, problem["errors"][0]["pointer"].as_str()),
        (400, Some("?cursor"))
    );
}

#[tokio::test]
async fn the_api_tells_what_is_wrong_and_where() {
    let shop = Shop::new().await;
    let body = json!({ "email": "an@example.vn", "full_name": "Trần An" });
    let (status, created) = shop.api("POST", "/v1/contacts", Some(&body)).await;
    assert_eq!((status, created["first_name"].as_str()), (201, Some("An")));
    assert_eq!(shop.api("POST", "/v1/contacts", Some(&body)).await.0, 200);
    for (body, pointer) in [
        (json!({ "email": "an" }), "/email"),
        (json!({ "phone": "123" }), "/phone"),
        (
            json!({ "email": "an@example.vn", "lists": ["lst_00000000000"] }),
            "/lists/0",
        ),
        (json!({ "email": "an@example.vn", "tags": [""] }), "/tags/0"),
        (
            json!({ "email": "an@example.vn", "custom": { "a": "x".repeat(4000) } }),
            "/custom/a",
        ),
        (json!({ "full_name": "An" }), ""),
    ] {
        let (status, problem) = shop.api("POST", "/v1/contacts", Some(&body)).await;
        let found = problem["errors"][0]["pointer"].as_str();
        assert_eq!((status, found), (400, Some(pointer)), "{problem}");
    }
    let unknown = json!({ "email": "an@example.vn", "colour": "red" });
    let (status, problem) = shop.api("POST", "/v1/contacts", Some(&unknown)).await;
    assert_eq!(status, 400);
    assert!(problem.to_string().contains("colour"), "{problem}");
    let mut anonymous = http_event("GET", "/v1/contacts", None, None);
    anonymous["requestContext"]["authorizer"] = Value::Null;
    assert_eq!(shop.answer("api-contacts", anonymous).await.0, 401);
}

#[tokio::test]
async fn lists_are_joined_and_read_by_shard() {
    let shop = Shop::new().await;
    let (status, list) = shop
        .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
        .await;
    assert_eq!(status, 201);
    let list_id: kernel::ListId = list["id"].as_str().unwrap().parse().unwrap();
    let mut expected = BTreeSet::new();
    for n in 0..20 {
        let incoming = Incoming {
            lists: vec![list_id],
            ..person("An", &[email(&format!("an{n}@example.vn"))])
        };
        expected.insert(shop.upsert(incoming).await.contact);
    }
    let late = shop
        .upsert(person("Bình", &[email("binh@example.vn")]))
        .await
        .contact;
    let path = format!("/v1/contacts/{late}/lists");
    let (status, contact) = shop
        .api("POST", &path, Some(&json!({ "list_id": list_id })))
        .await;
    assert_eq!((status, &contact["lists"]), (200, &json!([list_id])));
    expected.insert(late);
    assert_eq!(members(&shop, list_id).await, expected);
    shop.contacts()
        .leave_list(shop.tenant, late, list_id)
        .await
        .unwrap();
    expected.remove(&late);
    assert_eq!(members(&shop, list_id).await, expected);
    assert!(shop.contact(late).await.lists.is_empty());
    let (_, lists) = shop.api("GET", "/v1/lists", None).await;
    assert_eq!(lists["data"][0]["name"], "Tết");
}

async fn members(shop: &Shop, list: kernel::ListId) -> BTreeSet<ContactId> {
    let mut members = BTreeSet::new();
    for shard in 0..contacts::SHARDS {
        let mut cursor = None;
        loop {
            let page = shop
                .contacts()
                .members(shop.tenant, list, shard, 2, cursor)
                .await
                .unwrap();
            members.extend(page.data);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
    }
    members
}

#[tokio::test]
async fn another_tenant_sees_nothing() {
    let ours = Shop::new().await;
    let theirs = Shop::in_world(&ours.world).await;
    let id = ours
        .upsert(person("Trần An", &[email("an@example.vn")]))
        .await
        .contact;
    for path in [
        format!("/v1/contacts/{id}"),
        format!("/v1/contacts/{id}/timeline"),
    ] {
        assert_eq!(ours.api("GET", &path, None).await.0, 200);
        assert_eq!(theirs.api("GET", &path, None).await.0, 404);
    }
    let (_, list) = ours
        .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
        .await;
    let join = format!("/v1/contacts/{id}/lists");
    let body = json!({ "list_id": list["id"] });
    assert_eq!(theirs.api("POST", &join, Some(&body)).await.0, 404);
    let (_, own) = theirs
        .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
        .await;
    let body = json!({ "list_id": own["id"] });
    assert_eq!(theirs.api("POST", &join, Some(&body)).await.0, 404);
    assert!(theirs.found("tran").await.is_empty() && theirs.found("").await.is_empty());
    let other = theirs
        .upsert(person("Trần An", &[email("an@example.vn")]))
        .await;
    assert!(other.created && other.contact != id);
    let job = ours.upload("/v1/imports", "email\nb@example.vn\n").await;
    assert_eq!(
        theirs
            .api("GET", &format!("/v1/imports/{job}"), None)
            .await
            .0,
        404
    );
    let (_, page) = ours
        .api("GET", "/v1/contacts?limit=1&query=tran", None)
        .await;
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_opens_its_workspace_until_it_is_revoked() {
    let shop = Shop::new().await;
    let keys = ApiKeys::new(shop.world.table("Directory"));
    let key = keys
        .create(
            ACCOUNT.parse().unwrap(),
            shop.tenant,
            "test",
            &[Scope::Read],
        )
        .await
        .unwrap();
    let ask = async |header: &str| {
        let event = json!({ "version": "2.0", "headers": { "authorization": header } });
        shop.world.invoke("authorizer", event).await.unwrap()
    };
    let bearer = format!("Bearer {}", key.token);
    let answer = ask(&bearer).await;
    assert_eq!(answer["isAuthorized"], true);
    assert_eq!(
        answer["context"]["workspace"],
        json!(shop.tenant.workspace())
    );
    assert_eq!(answer["context"]["scopes"], "read");
    let refused = json!({ "refused": "unauthenticated" });
    let other = format!("Bearer tng_{}", "0".repeat(64));
    for wrong in [key.token.as_str(), "Bearer x", &other, "Basic eDp5"] {
        assert_eq!(ask(wrong).await["context"], refused, "{wrong}");
    }
    assert!(keys.revoke(shop.tenant, key.key.id).await.unwrap());
    assert_eq!(ask(&bearer).await["context"], refused);
}

/// Three good rows about two contacts, two rows that a later one replaces, and two wrong ones.
const FILE: &str = "Họ và tên;SĐT;Email;Thẻ\n\
    Trần An;0912345678;an@example.vn;cũ\n\
    Lê Bình;0912345679;binh@example.vn;VIP\n\
    Nguyễn Chi;;chi@;\n\
    Trần Thị An;0912345678;AN@example.vn;VIP; \n\
    Nguyễn Dung;;;\n\
    Trần Thị An;0912345678;an@example.vn;VIP\n\
    Phạm Em;0912345679;;\n";

fn counts(job: &Value) -> [u64; 6] {
    [
        "total",
        "created",
        "updated",
        "skipped",
        "failed",
        "processed",
    ]
    .map(|name| job[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_file_is_taken_in_and_each_row_counted() {
    for twice in [false, true] {
        let shop = Shop::new().await;
        let (_, list) = shop
            .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
            .await;
        let list_id = list["id"].as_str().unwrap();
        let id = shop
            .upload(
                &format!("/v1/imports?list={list_id}&tags=t%E1%BA%BFt,m%E1%BB%9Bi"),
                FILE,
            )
            .await;
        if twice {
            shop.world.settle_twice().await;
        } else {
            shop.world.settle().await;
        }
        let job = shop.job(&id).await;
        assert_eq!(job["status"], "completed", "{job}");
        assert_eq!(counts(&job), [7, 2, 1, 2, 2, 7], "{job}");
        let lines: Vec<_> = job["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["line"].clone())
            .collect();
        assert_eq!(lines, [4, 6]);
        // The third row of one phone number is the same person: the last name stands.
        assert_eq!(shop.found("an@").await, ["Trần Thị An"]);
        assert_eq!(shop.found("0912345679").await, ["Phạm Em"]);
        let members = members(&shop, list_id.parse().unwrap()).await;
        assert_eq!(members.len(), 2);
        for id in members {
            let contact = shop.contact(id).await;
            assert!(
                ["VIP", "mới", "tết"]
                    .iter()
                    .all(|tag| contact.tags.contains(*tag))
            );
            assert_eq!(contact.sms_status, ChannelStatus::Subscribed);
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_table_fails_with_its_reason() {
    let shop = Shop::new().await;
    for (file, reason) in [
        ("Họ và tên\nAn\n", "email address"),
        ("Email,email\na,b\n", "twice"),
    ] {
        let id = shop.upload("/v1/imports", file).await;
        shop.world.settle().await;
        let job = shop.job(&id).await;
        assert_eq!(job["status"], "failed");
        assert!(job["problem"].as_str().unwrap().contains(reason), "{job}");
    }
}

#[tokio::test]
async fn an_import_may_be_killed_at_any_call() {
    for step in 0..2 {
        for call in 0.. {
            let mut finished = false;
            for kill in [Kill::Before(call), Kill::After(call)] {
                let shop = Shop::new().await;
                let id = shop.upload("/v1/imports", FILE).await;
                for _ in 0..step {
                    shop.world
                        .deliver("contact-import", false)
                        .await
                        .unwrap()
                        .unwrap();
                }
                let batch = shop.world.take("contact-import").unwrap();
                let event = batch.event.clone();
                finished = shop
                    .world
                    .invoke_and_kill("contact-import", event, kill)
                    .await
                    .is_some();
                shop.world.release(&batch);
                shop.world.settle().await;
                let job = shop.job(&id).await;
                assert_eq!(job["status"], "completed", "step {step} {kill:?}");
                assert_eq!(
                    counts(&job),
                    [7, 2, 1, 2, 2, 7],
                    "step {step} {kill:?} {job}"
                );
                assert_eq!(shop.found("").await.len(), 2);
            }
            if finished {
                break;
            }
        }
    }
}
