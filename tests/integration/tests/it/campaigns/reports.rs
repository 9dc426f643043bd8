//! The report of a campaign against its ledger, the receivers and what is done with them, and the events of messages.

use std::collections::BTreeMap;
use std::time::Duration;

use cloud::Update;
use kernel::{ContactId, Role};
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use super::links::{PERSON, Reader};
use super::shop::{Shop, contacts, letter, number};
use crate::support::{World, grant_of, http_event};

/// Everybody of a small shop.
const PEOPLE: u32 = 120;
const GIFT: &str = "https://example.vn/qua";

async fn ask(
    world: &World,
    shop: &Shop,
    function: &str,
    method: &str,
    (path, body): (&str, Option<&Value>),
) -> (u16, Value) {
    let grant = grant_of(shop.tenant.workspace(), "read write");
    let event = http_event(method, path, body, Some(&grant));
    let answer = world.invoke(function, event).await.unwrap();
    let text = answer["body"].as_str().unwrap_or("null");
    let body = serde_json::from_str(text).unwrap_or(Value::Null);
    (answer["statusCode"].as_u64().unwrap() as u16, body)
}

async fn get(world: &World, shop: &Shop, path: &str) -> Value {
    let (status, body) = ask(world, shop, "api-campaigns", "GET", (path, None)).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// All rows of a list.
async fn all(world: &World, shop: &Shop, path: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = get(world, shop, &format!("{path}{cursor}")).await;
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else {
            return rows;
        };
        let sign = if path.contains('?') { '&' } else { '?' };
        cursor = format!("{sign}cursor={next}");
    }
}

async fn set(world: &World, shop: &Shop, campaign: &str, status: &str) -> Vec<ContactId> {
    let path = format!("/v1/campaigns/{campaign}/receivers?limit=7&status={status}");
    let rows = all(world, shop, &path).await;
    let id = |row: &Value| row["contact_id"].as_str().unwrap().parse().unwrap();
    rows.iter().map(id).collect()
}

fn reader<'w>(world: &'w World, shop: &'w Shop, campaign: &str, n: usize) -> Reader<'w> {
    Reader {
        world,
        shop,
        campaign: campaign.to_owned(),
        contact: shop.contacts[n],
        step: "0".into(),
    }
}

/// A campaign that has arrived: three people opened it, one of these twice; one follows two links, one of these twice.
async fn read_campaign(world: &World, shop: &Shop) -> String {
    let campaign = shop.campaign(world).await;
    shop.send(world, &campaign).await;
    world.settle().await;
    world.advance(Duration::from_mins(1));
    for n in [2, 3, 4, 4] {
        reader(world, shop, &campaign, n).open("GET", PERSON).await;
    }
    let curious = reader(world, shop, &campaign, 3);
    for url in [GIFT, "https://example.vn/tin?utm_id=1", GIFT] {
        world.advance(Duration::from_mins(1));
        curious.click_on(url, "GET", PERSON).await;
    }
    world.settle().await;
    campaign
}

#[tokio::test]
async fn a_report_equals_its_ledger() {
    let world = World::new();
    let shop = Shop::open(&world, PEOPLE).await;
    let campaign = read_campaign(&world, &shop).await;
    let report = shop.report(&world, &campaign).await;
    shop.assert_identity(&report);
    for (status, figure) in [
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("bounced", "bounced"),
        ("opened", "opened"),
        ("clicked", "clicked"),
        ("unsubscribed", "unsubscribed"),
        ("complained", "complained"),
        ("unknown", "unknown"),
    ] {
        let found = set(&world, &shop, &campaign, status).await;
        assert_eq!(found.len() as u64, number(&report, figure), "{status}");
    }
    let skipped = set(&world, &shop, &campaign, "skipped").await;
    assert_eq!(skipped.len() as u64, shop.unsubscribed);
    let silent = set(&world, &shop, &campaign, "not_opened").await;
    assert_eq!(
        silent.len() as u64,
        shop.eligible() - shop.bouncing - 3,
        "{report}"
    );
    assert_eq!(
        (number(&report, "opens"), number(&report, "clicks")),
        (4, 3)
    );
    let delivered = number(&report, "delivered") as f64;
    let rate = report["rates"]["opened"].as_f64().unwrap();
    assert!((rate - 3.0 / delivered).abs() < 0.0001, "{report}");
    let domains = report["domains"].as_array().unwrap();
    assert_eq!(domains.len(), 1);
    assert_eq!(domains[0]["provider"], "other");
    for figure in ["delivered", "bounced", "opened", "clicked"] {
        assert_eq!(domains[0][figure], report[figure], "{figure}");
    }

    let path = format!("/v1/campaigns/{campaign}/report/hours");
    let hours = get(&world, &shop, &path).await;
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for hour in hours["data"].as_array().unwrap() {
        for (name, n) in hour.as_object().unwrap() {
            *sums.entry(name.clone()).or_default() += n.as_i64().unwrap_or(0);
        }
    }
    for figure in ["delivered", "opened", "opens", "clicks", "bounced"] {
        assert_eq!(sums[figure] as u64, number(&report, figure), "{figure}");
    }
    let mut all_hours = hours["data"].as_array().unwrap().iter();
    let first = all_hours.find(|hour| number(hour, "opens") > 0);
    assert_eq!(report["first_open_hour"], first.unwrap()["hour"]);

    let path = format!("/v1/campaigns/{campaign}/links");
    let links = get(&world, &shop, &path).await;
    let found: Vec<(&str, u64, u64)> = links["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| {
            let url = link["url"].as_str().unwrap();
            (url, number(link, "clicks"), number(link, "clicked"))
        })
        .collect();
    assert_eq!(found, [(GIFT, 2, 1), ("https://example.vn/tin", 1, 1)]);
}

#[tokio::test]
async fn a_message_is_found_by_its_contact_and_its_campaign() {
    let world = World::new();
    let shop = Shop::open(&world, 10).await;
    let campaign = read_campaign(&world, &shop).await;
    let of_campaign = all(
        &world,
        &shop,
        &format!("/v1/messages?campaign_id={campaign}"),
    )
    .await;
    assert_eq!(of_campaign.len() as u64, shop.eligible());
    let contact = shop.contacts[3];
    let to_contact = all(&world, &shop, &format!("/v1/messages?contact_id={contact}")).await;
    let both = format!("/v1/messages?contact_id={contact}&campaign_id={campaign}");
    assert_eq!(all(&world, &shop, &both).await, to_contact);
    assert_eq!(to_contact.len(), 1);
    let message = &to_contact[0];
    assert_eq!(message["status"], "clicked", "{message}");
    assert_eq!(message["origin"], "campaign");
    assert_eq!(message["origin_id"], json!(campaign));
    assert!(message["provider_id"].is_string() && message["opened_at"].is_string());
    let id = message["id"].as_str().unwrap();
    assert_eq!(
        &get(&world, &shop, &format!("/v1/messages/{id}")).await,
        message
    );

    for path in [
        format!("/v1/messages?campaign_id={campaign}&cursor=x"),
        format!("/v1/messages?contact_id={contact}&cursor=0.0.0"),
        format!("/v1/campaigns/{campaign}/receivers?cursor=16.0.0"),
        format!("/v1/campaigns/{campaign}/receivers?cursor=0.0.0.0"),
    ] {
        let (status, problem) = ask(&world, &shop, "api-campaigns", "GET", (&path, None)).await;
        assert_eq!(status, 400, "{path}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], "?cursor", "{problem}");
    }

    let other = Shop::open(&world, 1).await;
    let path = format!("/v1/messages/{id}");
    let (status, _) = ask(&world, &other, "api-campaigns", "GET", (&path, None)).await;
    assert_eq!(status, 404, "a message of another workspace");
    for wrong in [
        "",
        "?status=opened",
        "?contact_id=x",
        "?campaign_id=cmp_00000000009",
    ] {
        let path = format!("/v1/messages{wrong}");
        let (status, _) = ask(&world, &shop, "api-campaigns", "GET", (&path, None)).await;
        assert!((400..500).contains(&status), "{wrong}: {status}");
    }
}

#[tokio::test]
async fn the_file_of_receivers_holds_no_formula() {
    let world = World::new();
    let shop = Shop::open(&world, 30).await;
    let campaign = read_campaign(&world, &shop).await;
    let evil = contacts(&world).get(shop.tenant, shop.contacts[3]).await;
    let evil = evil.unwrap().unwrap();
    let key = cloud::Key::new(format!("{}#{}", shop.tenant, evil.id), "PROFILE");
    let named = Update::new().set("full_name", "=HYPERLINK(\"https://evil.example\")");
    world.table("Contacts").update(&key, named).await.unwrap();
    let grant = kernel::Grant {
        actor: "usr_00000000008".into(),
        role: Some(Role::AccountAdmin),
        ..grant_of(shop.tenant.workspace(), "")
    };
    let path = format!("/v1/campaigns/{campaign}/receivers/file");
    let event = http_event("GET", &path, None, Some(&grant));
    let answer = world.invoke("api-campaigns", event).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let text = answer["body"].as_str().unwrap();
    assert_eq!(text.lines().count(), 31, "{text}");
    assert!(text.starts_with("\u{feff}contact_id,name,address,status"));
    assert!(text.contains(",\"'=HYPERLINK("), "{text}");
    assert!(answer["headers"]["link"].is_null());
}

#[tokio::test]
async fn those_who_have_not_opened_get_another_campaign_and_a_tag() {
    let world = World::new();
    let shop = Shop::open(&world, PEOPLE).await;
    let first = read_campaign(&world, &shop).await;
    let silent = set(&world, &shop, &first, "not_opened").await;
    let mut body = letter(shop.list);
    body["audience"] = json!({
        "include": { "receivers": [{ "campaign_id": first, "status": "not_opened" }] },
    });
    let (status, second) = shop
        .call(&world, "POST", "/v1/campaigns", Some(&body))
        .await;
    assert_eq!(status, 201, "{second}");
    let second = second["id"].as_str().unwrap().to_owned();
    shop.send(&world, &second).await;
    world.settle_twice().await;
    assert_eq!(shop.mails(&world, &second).len(), silent.len());
    let report = shop.report(&world, &second).await;
    assert_eq!(number(&report, "audience"), silent.len() as u64);

    body["audience"] = json!({
        "include": { "list_ids": [shop.list] },
        "exclude": { "receivers": [{ "campaign_id": second, "status": "sent" }] },
    });
    let (_, third) = shop
        .call(&world, "POST", "/v1/campaigns", Some(&body))
        .await;
    let third = third["id"].as_str().unwrap().to_owned();
    shop.send(&world, &third).await;
    world.settle_twice().await;
    let report = shop.report(&world, &third).await;
    assert_eq!(
        number(&report, "audience"),
        shop.people - silent.len() as u64
    );

    let job = json!({
        "change": { "add_tags": ["chưa mở"] },
        "selection": { "receivers": { "campaign_id": first, "status": "not_opened" } },
    });
    let path = "/v1/contacts/bulk";
    let (status, job) = ask(&world, &shop, "api-contacts", "POST", (path, Some(&job))).await;
    assert_eq!(status, 202, "{job}");
    world.settle_twice().await;
    let path = format!("/v1/contacts/bulk/{}", job["id"].as_str().unwrap());
    let (_, job) = ask(&world, &shop, "api-contacts", "GET", (&path, None)).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(number(&job, "changed"), silent.len() as u64);

    body["audience"]["include"]["receivers"] =
        json!([{ "campaign_id": "cmp_00000000009", "status": "sent" }]);
    let (status, problem) = shop
        .call(&world, "POST", "/v1/campaigns", Some(&body))
        .await;
    assert_eq!(status, 400, "{problem}");
}

/// A set that is not known any more would exclude nobody, or hold everybody.
#[tokio::test]
async fn receivers_are_refused_once_their_campaign_is_deleted_or_too_old() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let drafts = |first: &str| {
        let mut body = letter(shop.list);
        body["audience"]["exclude"] =
            json!({ "receivers": [{ "campaign_id": first, "status": "sent" }] });
        body
    };
    for is_deleted in [true, false] {
        let first = shop.campaign(&world).await;
        shop.send(&world, &first).await;
        world.settle_twice().await;
        let body = drafts(&first);
        let (status, draft) = shop
            .call(&world, "POST", "/v1/campaigns", Some(&body))
            .await;
        assert_eq!(status, 201, "{draft}");
        if is_deleted {
            let path = format!("/v1/campaigns/{first}");
            assert_eq!(shop.call(&world, "DELETE", &path, None).await.0, 204);
        } else {
            world.advance(std::time::Duration::from_hours(24 * 120));
        }
        let path = format!("/v1/campaigns/{}/send", draft["id"].as_str().unwrap());
        let (status, problem) = shop.call(&world, "POST", &path, None).await;
        assert_eq!(status, 409, "{problem}");
        assert!(problem.to_string().contains(&first), "{problem}");
        let (status, problem) = shop
            .call(&world, "POST", "/v1/campaigns", Some(&body))
            .await;
        assert_eq!(status, 400, "{problem}");
        let job = json!({
            "change": { "add_tags": ["cũ"] },
            "selection": { "receivers": { "campaign_id": first, "status": "skipped" } },
        });
        let path = ("/v1/contacts/bulk", Some(&job));
        let (status, problem) = ask(&world, &shop, "api-contacts", "POST", path).await;
        assert_eq!(status, 400, "{problem}");
    }
}

/// A workflow that anybody enters with the event.
async fn listener(world: &World, shop: &Shop, kind: &str) -> String {
    let graph = json!({ "start": "end", "nodes": { "end": { "type": "exit" } } });
    let draft = json!({ "name": kind, "trigger": { "type": kind }, "graph": graph });
    shop.active_workflow(world, &draft).await
}

#[tokio::test]
async fn sends_are_events_for_those_that_listen() {
    let world = World::new();
    let shop = Shop::open(&world, 30).await;
    let silent = shop.campaign(&world).await;
    shop.send(&world, &silent).await;
    world.settle().await;
    let told = reader(&world, &shop, &silent, 2).timeline().await;
    assert!(told.is_empty(), "nobody listens: {told:?}");

    shop.reset(&world).await;
    let sent = listener(&world, &shop, "message.sent").await;
    let delivered = listener(&world, &shop, "message.delivered").await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    world.settle_twice().await;
    let report = shop.report(&world, &campaign).await;
    assert_eq!(
        shop.entered(&world, &sent).await,
        number(&report, "sent"),
        "{report}"
    );
    assert_eq!(
        shop.entered(&world, &delivered).await,
        number(&report, "delivered"),
        "{report}"
    );
    let mut told = reader(&world, &shop, &campaign, 2).timeline().await;
    told.retain(|name| name.starts_with("message."));
    told.sort();
    assert_eq!(told, ["message.delivered", "message.sent"]);
    assert!(!world.aws.outbox().all(Kind::Mail).is_empty());
}

/// Units of a view of a campaign of ten million contacts that is being sent: 16 shards with 1,250 chunks each, counters
/// over 16 partitions.
#[tokio::test]
async fn a_report_of_ten_million_costs_twelve_read_units() {
    let world = World::new();
    let shop = Shop::open(&world, 1).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    world.settle().await;
    let partition = format!("{}#{campaign}", shop.tenant);
    let table = world.table("Campaigns");
    let meta = Update::new()
        .set("recipients", 10_000_000)
        .set("state", "sending");
    let key = |sk: String| cloud::Key::new(partition.clone(), sk);
    table.update(&key("META".into()), meta).await.unwrap();
    let reasons: BTreeMap<String, u64> = (0..12).map(|n| (format!("reason_{n}"), 1_000)).collect();
    for shard in 0..16 {
        let outcomes = json!({ "sent": 300_000, "skipped": reasons, "failed": {}, "unknown": 7 });
        let update = Update::new()
            .set("chunks", 1_250)
            .set("recipients", 625_000)
            .set("next", 624)
            .set("channel", "email")
            .set("outcomes", outcomes);
        let shard = key(format!("SHARD#{shard:02}"));
        table.update(&shard, update).await.unwrap();
    }
    let reports = world.table("Reports");
    for part in 0..16 {
        for hour in ["2026030208", "2026030209", "2026030210"] {
            let counted = Update::new()
                .set("writes", 5_000)
                .set("n_delivered", 1_000)
                .set("n_opens", 100);
            let key = cloud::Key::new(format!("{partition}#c{part:x}"), hour);
            reports.update(&key, counted).await.unwrap();
        }
    }
    let before = world.aws.meter().snapshot();
    let report = shop.report(&world, &campaign).await;
    let used = world.aws.meter().since(&before);
    assert_eq!(number(&report, "sent"), 16 * 300_000, "{report}");
    let reads = |name: &str| {
        let tables = used.tables.iter();
        let ours = tables.filter(|(table, _)| table.to_lowercase().contains(name));
        ours.map(|(_, units)| units.reads).sum::<f64>()
    };
    let (campaigns, reports) = (reads("campaigns"), reads("reports"));
    assert!(
        campaigns + reports <= 12.0,
        "{campaigns} of Campaigns, {reports} of Reports"
    );
}

#[tokio::test]
async fn an_order_after_a_click_counts_for_its_campaign_once() {
    let world = World::new();
    let shop = Shop::open(&world, 10).await;
    let campaign = read_campaign(&world, &shop).await;
    world.advance(Duration::from_hours(24));
    let order = |n: usize| {
        json!({
            "contact_id": shop.contacts[n], "code": format!("DH-{n}"), "payment_method": "cod",
            "items": [{ "sku": "AO-TR-M", "name": "Áo thun", "quantity": 2, "price": 285_000 }],
            "shipping_fee": 30_000,
        })
    };
    // Contact 3 followed a link, and contact 4 only opened the mail.
    for n in [3, 4] {
        let body = order(n);
        let path = ("/v1/orders", Some(&body));
        let (status, made) = ask(&world, &shop, "api-commerce", "POST", path).await;
        assert_eq!(status, 201, "{made}");
    }
    world.settle_twice().await;
    world.advance(Duration::from_hours(5 * 24));
    let mut late = order(3);
    late["code"] = json!("DH-late");
    let path = ("/v1/orders", Some(&late));
    let (status, made) = ask(&world, &shop, "api-commerce", "POST", path).await;
    assert_eq!(status, 201, "{made}");
    let report = shop.report(&world, &campaign).await;
    let sums = ["orders", "revenue"].map(|name| number(&report, name));
    assert_eq!(sums, [1, 600_000], "{report}");
}

#[tokio::test]
async fn a_visit_costs_the_write_units_of_its_budget() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    world.settle().await;
    world.advance(Duration::from_mins(1));
    let reader = reader(&world, &shop, &campaign, 2);
    let mut units = Vec::new();
    for agent in [PERSON, PERSON, "curl/8.5.0"] {
        let before = world.aws.meter().snapshot();
        reader.open("GET", agent).await;
        units.push(world.aws.meter().since(&before).write_units());
    }
    // The fact, the entry of the timeline, the counter. A repetition only counts, and a machine leaves one fact.
    assert_eq!(units[..2], [3.0, 1.0], "{units:?}");
    assert!(units[2] <= 1.0, "{units:?}");
    let mut units = Vec::new();
    for _ in 0..2 {
        world.advance(Duration::from_mins(1));
        let before = world.aws.meter().snapshot();
        reader.click_on(GIFT, "GET", PERSON).await;
        units.push(world.aws.meter().since(&before).write_units());
    }
    assert_eq!(units, [4.0, 2.0], "one more for the link");
}
