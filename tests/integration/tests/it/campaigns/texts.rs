//! Campaigns of text messages: from the API to the provider, in groups, under the law, over the provider's own wire.

use std::collections::BTreeSet;
use std::time::Duration;

use contacts::{Channel, ChannelStatus, Identity, Incoming, Lists, Statement};
use futures::{StreamExt, stream};
use kernel::{ListId, TenantKey};
use serde_json::{Value, json};
use tanigo_local::providers::{Fault, SECRET};

use super::shop::{contacts, http, number};
use crate::support::{Kill, World, grant_of, http_event};

const TEXT: &str = "Giảm 50% toàn bộ áo dài đến hết ngày 8/3.";

/// A shop whose people have a number and agreed to text messages.
struct TextShop {
    world: World,
    tenant: TenantKey,
    list: ListId,
    people: u64,
    brandname: String,
}

fn phone(n: u64) -> String {
    format!("0912{n:06}")
}

fn person(n: u64, list: ListId) -> Incoming {
    let consent = Statement::from_status(Channel::Sms, ChannelStatus::Subscribed);
    Incoming {
        identities: vec![Identity::Phone(phone(n).parse().unwrap())],
        lists: vec![list],
        consent: consent.into_iter().collect(),
        ..Incoming::default()
    }
}

impl TextShop {
    async fn open(people: u64) -> Self {
        let world = World::new();
        let tenant = world.workspace().await;
        let list = ListId::new(&world.clock(), &world.entropy);
        let lists = Lists::over(&world.resources());
        let made = lists.create(tenant, list, world.now(), "Khách", None).await;
        made.unwrap();
        let store = contacts(&world);
        let store = &store;
        stream::iter(0..people)
            .map(|n| async move { store.upsert(tenant, &person(n, list)).await.unwrap() })
            .buffered(8)
            .collect::<Vec<_>>()
            .await;
        let mut shop = Self {
            world,
            tenant,
            list,
            people,
            brandname: String::new(),
        };
        let keys = json!({ "api_key": "shop", "secret_key": SECRET });
        shop.channel("PUT", "", &keys).await;
        shop.brandname = shop.brandname("advertising").await;
        shop
    }

    async fn channel(&self, method: &str, path: &str, body: &Value) -> Value {
        let grant = grant_of(self.tenant.workspace(), "read write admin");
        let path = format!("/v1/channels/sms{path}");
        let event = http_event(method, &path, Some(body), Some(&grant));
        let (status, answer) = self.world.ask("api-channels", event).await;
        assert!(status < 300, "{answer}");
        answer
    }

    async fn brandname(&self, kind: &str) -> String {
        let opt_out = (kind == "advertising").then_some("TC: soan TC gui 1551");
        let body = json!({ "name": "ACME", "kind": kind, "opt_out": opt_out,
            "carriers": [{ "carrier": "viettel", "status": "approved", "price_per_segment": 700 }] });
        self.world.advance(Duration::from_secs(1));
        let made = self.channel("POST", "/brandnames", &body).await;
        made["id"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
        let event = http(method, path, body, Some(self.tenant), "test");
        self.world.ask("api-campaigns", event).await
    }

    async fn create(&self, brandname: &str, text: &str) -> (u64, Value) {
        let body = json!({ "name": "8/3", "audience": { "include": { "list_ids": [self.list] } },
            "sms": { "brandname_id": brandname, "text": text } });
        self.world.advance(Duration::from_secs(1));
        self.ask("POST", "/v1/campaigns", Some(&body)).await
    }

    async fn sending(&self) -> String {
        let (status, made) = self.create(&self.brandname, TEXT).await;
        assert_eq!(status, 201, "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/campaigns/{id}/send");
        let (status, body) = self.ask("POST", &path, None).await;
        assert_eq!(status, 202, "{body}");
        id
    }

    /// Lets the groups go out at the rate of the account.
    async fn goes_out(&self) {
        for _ in 0..20 {
            self.world.settle().await;
            self.world.advance(Duration::from_secs(2));
        }
    }

    async fn report(&self, campaign: &str) -> Value {
        let path = format!("/v1/campaigns/{campaign}/report");
        let (status, report) = self.ask("GET", &path, None).await;
        assert_eq!(status, 200, "{report}");
        report
    }

    /// Numbers that the provider has, each once, or the test fails.
    fn numbers(&self) -> BTreeSet<String> {
        let sent = self.world.providers.esms().sent();
        let numbers: BTreeSet<String> = sent.iter().map(|one| one.phone.clone()).collect();
        assert_eq!(numbers.len(), sent.len(), "somebody was sent to twice");
        numbers
    }

    /// Every person has one outcome.
    fn assert_identity(&self, report: &Value) {
        let sum = |reasons: &Value| -> u64 {
            let reasons = reasons.as_object().unwrap().values();
            reasons.map(|n| n.as_u64().unwrap()).sum()
        };
        let settled = number(report, "sent")
            + number(report, "unknown")
            + sum(&report["skipped"])
            + sum(&report["failed"]);
        assert_eq!(settled, number(report, "audience"), "{report}");
        assert_eq!(settled, self.people, "{report}");
    }
}

#[tokio::test]
async fn a_campaign_reaches_each_number_once_in_groups_of_thirty_or_more() {
    // 16 shards have about 9 people each: too few for a call of their own.
    let shop = TextShop::open(140).await;
    let campaign = shop.sending().await;
    for _ in 0..5 {
        shop.world.settle_twice().await;
        shop.world.advance(Duration::from_secs(5));
    }
    let report = shop.report(&campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(number(&report, "sent"), 140, "{report}");
    shop.assert_identity(&report);
    assert_eq!(shop.numbers().len(), 140);
    let sent = shop.world.providers.esms().sent();
    let text = "[QC] Giam 50% toan bo ao dai den het ngay 8/3. TC: soan TC gui 1551";
    assert!(
        sent.iter()
            .all(|one| one.content == text && one.kind == "1")
    );
    let calls: BTreeSet<&str> = sent.iter().map(|one| one.id.as_str()).collect();
    for call in calls {
        let size = sent.iter().filter(|one| one.id == call).count();
        assert!(size >= 30, "a call with {size} numbers");
    }
    let (_, shown) = shop
        .ask("GET", &format!("/v1/campaigns/{campaign}"), None)
        .await;
    assert_eq!(shown["kind"], "sms", "{shown}");
    assert_eq!(shown["sms"]["message"], text, "{shown}");
    assert_eq!(shown["sms"]["carriers"][0]["price"], 700, "{shown}");
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn fewer_than_thirty_are_skipped_with_a_reason() {
    let shop = TextShop::open(29).await;
    let campaign = shop.sending().await;
    shop.goes_out().await;
    let report = shop.report(&campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(report["skipped"], json!({ "too_few": 29 }), "{report}");
    assert_eq!(
        shop.world.providers.esms().calls(),
        1,
        "the keys were tried"
    );
    shop.assert_identity(&report);
}

/// Delivers until the chunk of all that waited is on the queue, and takes it.
async fn last_chunk(shop: &TextShop) -> crate::support::Batch {
    for _ in 0..200 {
        shop.world.relay().await;
        shop.world.deliver("campaign-planner", false).await;
        let Some(batch) = shop.world.take("campaign-sender-sms") else {
            continue;
        };
        let body = batch.event["Records"][0]["body"].as_str().unwrap();
        if body.contains("\"shard\":16") {
            return batch;
        }
        let event = batch.event.clone();
        let answer = shop.world.invoke("campaign-sender-sms", event).await;
        shop.world.acknowledge(&batch, &answer);
    }
    panic!("no chunk of those that waited");
}

#[tokio::test]
async fn a_crash_at_any_call_sends_nobody_twice_and_loses_nobody() {
    let shop = TextShop::open(34).await;
    let mut crashes = 0;
    // Before each twelfth call, and after the calls in the middle between these.
    for after in [false, true] {
        for call in (6 * u64::from(after)..).step_by(12) {
            let before = shop.world.providers.esms().sent().len();
            let campaign = shop.sending().await;
            let batch = last_chunk(&shop).await;
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let function = "campaign-sender-sms";
            let event = batch.event.clone();
            let survived = shop.world.invoke_and_kill(function, event, kill).await;
            if let Some(answer) = &survived {
                shop.world.acknowledge(&batch, answer);
            }
            for _ in 0..6 {
                shop.world.advance(Duration::from_secs(200));
                shop.world.settle().await;
            }
            let sent = shop.world.providers.esms().sent().split_off(before);
            let numbers: BTreeSet<&str> = sent.iter().map(|one| one.phone.as_str()).collect();
            assert_eq!(
                numbers.len(),
                sent.len(),
                "{kill:?}: somebody was sent to twice"
            );
            let report = shop.report(&campaign).await;
            assert_eq!(report["status"], "sent", "{kill:?}: {report}");
            shop.assert_identity(&report);
            // Each that the report calls sent was accepted; each that was accepted is sent or unknown.
            let (told, unknown) = (number(&report, "sent"), number(&report, "unknown"));
            let accepted = numbers.len() as u64;
            assert!(
                (told..=told + unknown).contains(&accepted),
                "{kill:?}: {report}"
            );
            // At the same hour of the next day.
            shop.world.advance(Duration::from_mins(24 * 60 - 20));
            if survived.is_some() {
                break;
            }
            crashes += 1;
        }
    }
    assert!(crashes >= 12, "only {crashes} crash points");
}

#[tokio::test]
async fn each_answer_to_a_group_is_that_of_all_its_numbers() {
    for (fault, status, sent, unknown, received) in [
        (Fault::Lost, "paused", 0, 40, 40),
        (Fault::Timeout, "paused", 0, 40, 0),
        (Fault::Html, "paused", 0, 40, 0),
        (Fault::Busy, "sent", 40, 0, 40),
        (Fault::Refuse, "paused", 0, 0, 0),
    ] {
        let shop = TextShop::open(40).await;
        shop.world.providers.esms().fail(fault, 1);
        let campaign = shop.sending().await;
        for _ in 0..6 {
            shop.world.settle().await;
            shop.world.advance(Duration::from_secs(200));
        }
        let report = shop.report(&campaign).await;
        let found = (
            report["status"].as_str().unwrap(),
            number(&report, "sent"),
            number(&report, "unknown"),
            shop.numbers().len(),
        );
        assert_eq!(
            found,
            (status, sent, unknown, received),
            "{fault:?}: {report}"
        );
        if status == "paused" {
            // Resumed, nobody without an answer is sent to again; a refused call is made again.
            let path = format!("/v1/campaigns/{campaign}/resume");
            assert_eq!(shop.ask("POST", &path, None).await.0, 200);
            for _ in 0..4 {
                shop.world.settle().await;
                shop.world.advance(Duration::from_secs(200));
            }
            let report = shop.report(&campaign).await;
            assert_eq!(report["status"], "sent", "{fault:?}: {report}");
            shop.assert_identity(&report);
            assert_eq!(number(&report, "unknown"), unknown, "{fault:?}: {report}");
            shop.numbers();
        }
    }
}

#[tokio::test]
async fn advertising_waits_for_seven_in_the_morning_as_a_timer() {
    let shop = TextShop::open(64).await;
    // 22:00 in Vietnam.
    shop.world.advance(Duration::from_hours(7));
    let campaign = shop.sending().await;
    shop.world.settle().await;
    assert!(shop.numbers().is_empty());
    let rows = shop.world.dump("Timers").await;
    let waiting = rows
        .iter()
        .filter(|row| row.to_string().contains("campaign.chunk.v1"));
    assert!(waiting.count() >= 10);
    shop.world.swept().await;
    shop.world.advance(Duration::from_mins(9 * 60 - 1));
    shop.world.invoke("due-timer", json!({})).await.unwrap();
    shop.world.settle().await;
    assert!(shop.numbers().is_empty(), "not before 07:00");
    shop.world.advance(Duration::from_mins(2));
    for _ in 0..3 {
        shop.world.invoke("due-timer", json!({})).await.unwrap();
        shop.world.settle().await;
        shop.world.advance(Duration::from_mins(1));
    }
    let report = shop.report(&campaign).await;
    assert_eq!(number(&report, "sent"), 64, "{report}");
    shop.assert_identity(&report);
}

#[tokio::test]
async fn a_number_gets_three_advertisements_a_day_and_none_if_it_is_listed() {
    let shop = TextShop::open(60).await;
    let listed = json!({ "add": [phone(0), phone(1)] });
    let answer = shop.channel("POST", "/do-not-advertise", &listed).await;
    assert_eq!(answer, json!({ "added": 2, "removed": 0 }));
    for round in 0..4 {
        let campaign = shop.sending().await;
        shop.goes_out().await;
        let report = shop.report(&campaign).await;
        shop.assert_identity(&report);
        let (sent, capped) = if round < 3 { (58, 0) } else { (0, 58) };
        assert_eq!(number(&report, "sent"), sent, "{round}: {report}");
        assert_eq!(report["skipped"]["do_not_advertise"], 2, "{report}");
        let found = report["skipped"]["frequency_cap"].as_u64().unwrap_or(0);
        assert_eq!(found, capped, "{report}");
    }
    assert_eq!(shop.world.providers.esms().sent().len(), 3 * 58);
    shop.world.advance(Duration::from_hours(24));
    let off = json!({ "remove": [phone(0)] });
    let answer = shop.channel("POST", "/do-not-advertise", &off).await;
    assert_eq!(answer, json!({ "added": 0, "removed": 1 }));
    let campaign = shop.sending().await;
    shop.goes_out().await;
    let report = shop.report(&campaign).await;
    assert_eq!(number(&report, "sent"), 59, "{report}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_when_it_is_saved() {
    let shop = TextShop::open(0).await;
    let place = |answer: &Value| answer["errors"][0]["pointer"].clone();
    let personal = "Chào {{ contact.first_name }}";
    let (status, answer) = shop.create(&shop.brandname, personal).await;
    assert_eq!(
        (status, place(&answer)),
        (400, json!("/sms/text")),
        "{answer}"
    );
    let (status, answer) = shop.create(&shop.brandname, &"a".repeat(450)).await;
    assert_eq!(
        (status, place(&answer)),
        (400, json!("/sms/text")),
        "{answer}"
    );
    let care = shop.brandname("care").await;
    let (status, answer) = shop.create(&care, TEXT).await;
    assert_eq!(
        (status, place(&answer)),
        (400, json!("/sms/brandname_id")),
        "{answer}"
    );
    let (status, answer) = shop.create("brn_0123456789a", TEXT).await;
    assert_eq!(
        (status, place(&answer)),
        (400, json!("/sms/brandname_id")),
        "{answer}"
    );
}

/// Scale.md 7.5.2: three write units and a twentieth for a recipient of advertising.
#[tokio::test]
async fn a_recipient_costs_three_write_units() {
    let shop = TextShop::open(640).await;
    let campaign = shop.sending().await;
    while shop.world.relay().await > 0 {
        while shop
            .world
            .deliver("campaign-planner", false)
            .await
            .is_some()
        {}
    }
    let before = shop.world.aws.meter().snapshot();
    shop.goes_out().await;
    let report = shop.report(&campaign).await;
    assert_eq!(number(&report, "sent"), 640, "{report}");
    let ledger = shop.world.units("SendLedger", &before).0 / 640.0;
    let counts = shop.world.units("Limits", &before).0 / 640.0;
    assert!(ledger < 2.1 && counts < 1.1, "{ledger} {counts}");
}

/// Follows the address of a report.
async fn report(shop: &TextShop, address: &str) -> u64 {
    let rest = address.split_once("/d/").unwrap().1;
    let (token, query) = rest.split_once('?').unwrap();
    let mut event = http("GET", &format!("/d/{token}"), None, None, "esms");
    event["rawQueryString"] = query.into();
    shop.world.ask("link-tracker", event).await.0
}

#[tokio::test]
async fn reports_find_their_sends_in_any_order_and_count_once() {
    let shop = TextShop::open(40).await;
    let blocked = shop.world.providers.esms().clone();
    blocked.refuse("84912000007", "99");
    let campaign = shop.sending().await;
    shop.goes_out().await;
    let reports = shop.world.providers.esms().take_reports();
    assert_eq!(reports.len(), 40);
    for address in reports.iter().rev() {
        assert_eq!(report(&shop, address).await, 200);
        // An earlier state comes late, and the report is repeated.
        let late = address.replace("SendStatus=5", "SendStatus=7");
        assert_eq!(report(&shop, &late).await, 200);
        assert_eq!(report(&shop, address).await, 200);
    }
    shop.world.settle().await;
    let told = shop.report(&campaign).await;
    assert_eq!(number(&told, "delivered"), 39, "{told}");
    shop.assert_identity(&told);
    let forged = reports[0].replace("/d/", "/d/x");
    assert_eq!(report(&shop, &forged).await, 404);
    let stranger = reports[0].replace("phonenumber=84912", "phonenumber=84913");
    assert_eq!(report(&shop, &stranger).await, 200);
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_report_proves_a_call_without_an_answer() {
    let shop = TextShop::open(40).await;
    shop.world.providers.esms().fail(Fault::Lost, 1);
    let campaign = shop.sending().await;
    shop.goes_out().await;
    let told = shop.report(&campaign).await;
    assert_eq!(number(&told, "unknown"), 40, "{told}");
    for address in shop.world.providers.esms().take_reports() {
        assert_eq!(report(&shop, &address).await, 200);
    }
    shop.world.settle().await;
    let told = shop.report(&campaign).await;
    let found = (
        number(&told, "sent"),
        number(&told, "unknown"),
        number(&told, "delivered"),
    );
    assert_eq!(found, (40, 0, 40), "{told}");
}
