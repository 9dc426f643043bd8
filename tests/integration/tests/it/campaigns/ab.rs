//! A/B campaigns: the test, its winner, the rest of the audience. Readers follow the real links of their mails.

mod crashes;
mod model;
mod phases;

use std::collections::BTreeMap;
use std::time::Duration;

use campaigns::ab::{in_test, variant_of};
use channels::{Ledger, LedgerKey, Variant};
use kernel::{CampaignId, ContactId};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use super::shop::{Shop, http, letter, number};
use crate::support::World;

const PERSON: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148";
const SCANNER: &str = "Mozilla/5.0 (compatible; Barracuda Sentinel)";
/// Subjects of the versions.
const A: &str = "Chào khách";
const B: &str = "Quà cho khách";

/// A mail of a campaign that left.
#[derive(Debug, Clone)]
struct Got {
    contact: ContactId,
    variant: Variant,
    html: String,
}

/// An A/B campaign of a shop.
struct Trial<'w> {
    world: &'w World,
    shop: &'w Shop,
    id: CampaignId,
    percent: u32,
}

/// The body of an A/B campaign about its subject, with changes of its test.
fn body(shop: &Shop, changes: &Value) -> Value {
    let mut body = letter(shop.list);
    body["mail"]["subject"] = json!(A);
    body["ab"] = json!({ "variable": "subject", "b": { "subject": B } });
    for (name, value) in changes.as_object().unwrap() {
        body["ab"][name] = value.clone();
    }
    body
}

impl<'w> Trial<'w> {
    /// A draft.
    async fn draft(world: &'w World, shop: &'w Shop, changes: Value) -> Self {
        let body = body(shop, &changes);
        let (status, made) = shop.call(world, "POST", "/v1/campaigns", Some(&body)).await;
        assert_eq!((status, &made["kind"]), (201, &json!("email_ab")), "{made}");
        let percent = made["ab"]["test_percent"].as_u64().unwrap();
        Self {
            world,
            shop,
            id: made["id"].as_str().unwrap().parse().unwrap(),
            percent: u32::try_from(percent).unwrap(),
        }
    }

    async fn command(&self, command: &str) -> (u16, Value) {
        let id = self.id.to_string();
        self.shop.command(self.world, &id, command).await
    }

    /// Commands `send`, and nothing else.
    async fn sent(world: &'w World, shop: &'w Shop, changes: Value) -> Self {
        let trial = Self::draft(world, shop, changes).await;
        let (status, body) = trial.command("send").await;
        assert_eq!(status, 202, "{body}");
        trial
    }

    async fn report(&self) -> Value {
        self.shop.report(self.world, &self.id.to_string()).await
    }

    async fn status(&self) -> String {
        let path = format!("/v1/campaigns/{}", self.id);
        let (_, shown) = self.shop.call(self.world, "GET", &path, None).await;
        shown["status"].as_str().unwrap().to_owned()
    }

    async fn choose(&self, variant: &str) -> (u16, Value) {
        let path = format!("/v1/campaigns/{}/winner", self.id);
        let body = json!({ "variant": variant });
        self.shop.call(self.world, "POST", &path, Some(&body)).await
    }

    /// The mails that left.
    fn mails(&self) -> Vec<Got> {
        let tag = ("scope".to_owned(), self.id.to_string());
        let outbox = self.world.aws.outbox();
        let all = outbox.all(Kind::Mail).into_iter();
        let ours = all.filter(|mail| mail.tags.contains(&tag));
        ours.map(|mail| {
            let contact = mail.tags.iter().find(|(name, _)| name == "contact");
            let bytes = outbox.mime(mail.id).unwrap();
            let parsed = MessageParser::default().parse(&bytes).unwrap();
            let variant = match parsed.subject().unwrap().trim_start_matches("[QC] ") {
                A => Variant::A,
                B => Variant::B,
                other => panic!("the subject {other}"),
            };
            Got {
                contact: contact.unwrap().1.parse().unwrap(),
                variant,
                html: parsed.body_html(0).unwrap().into_owned(),
            }
        })
        .collect()
    }

    fn is_test(&self, contact: ContactId) -> bool {
        in_test(self.id, contact, self.percent)
    }

    /// A visit of the link in the mail that begins with `marker`.
    async fn visit(&self, got: &Got, marker: &str, agent: &str) {
        let start = got.html.find(marker).expect("the link");
        let rest = &got.html[start..];
        let end = rest.find(['"', '\'', '>', '&']).unwrap();
        let event = http("GET", &rest[..end], None, None, agent);
        let answer = self.world.invoke("link-tracker", event).await.unwrap();
        let status = answer["statusCode"].as_u64().unwrap();
        assert!(status < 400, "{answer}");
    }

    /// Time passes, and what is due by then is done.
    async fn pass(&self, hours: u64) {
        self.world.relay().await;
        self.world.advance(Duration::from_hours(hours));
        self.world.invoke("due-timer", json!({})).await.unwrap();
        self.world.advance(Duration::from_mins(2));
        self.world.settle().await;
    }

    /// Nobody got two mails, and members of the test got their half's version unless a person chose early.
    fn assert_once(&self) -> Vec<Got> {
        let mails = self.mails();
        let mut seen = BTreeMap::new();
        for mail in &mails {
            *seen.entry(mail.contact).or_insert(0) += 1;
        }
        let twice: Vec<_> = seen.iter().filter(|(_, n)| **n > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        mails
    }

    /// The sums of the report hold, together and by version, and agree with the mails and with the ledger.
    async fn assert_sums(&self) -> Value {
        let report = self.report().await;
        self.shop.assert_identity(&report);
        let mails = self.assert_once();
        let versions = report["ab"]["versions"].as_array().unwrap();
        for name in [
            "sent",
            "unknown",
            "delivered",
            "opened",
            "clicked",
            "bounced",
        ] {
            let parts: u64 = versions.iter().map(|one| number(one, name)).sum();
            assert_eq!(parts, number(&report, name), "{name}: {report}");
        }
        let all: u64 = versions
            .iter()
            .flat_map(|one| ["sent", "skipped", "failed", "unknown"].map(|name| number(one, name)))
            .sum();
        assert_eq!(all, number(&report, "audience"), "{report}");
        let ledger = Ledger::over(&self.world.resources());
        for mail in &mails {
            let key = LedgerKey::campaign(self.id, mail.contact, kernel::Channel::Email);
            let row = ledger.get(self.shop.tenant, &key).await.unwrap().unwrap();
            assert_eq!(row.variant, Some(mail.variant));
        }
        for (n, variant) in Variant::ALL.into_iter().enumerate() {
            let got = mails.iter().filter(|mail| mail.variant == variant).count() as u64;
            let known = number(&versions[n], "sent");
            let unknown = number(&versions[n], "unknown");
            assert!(
                (known..=known + unknown).contains(&got),
                "{variant:?}: {report}"
            );
        }
        report
    }
}

#[tokio::test]
async fn the_better_version_of_a_test_goes_to_the_rest() {
    let world = World::new();
    let shop = Shop::open(&world, 600).await;
    let trial = Trial::sent(&world, &shop, json!({})).await;
    assert_eq!(trial.status().await, "testing");
    world.settle_twice().await;
    assert_eq!(trial.status().await, "awaiting_winner");
    let test = trial.assert_once();
    assert!((80..160).contains(&test.len()), "{}", test.len());
    for mail in &test {
        assert!(trial.is_test(mail.contact));
        assert_eq!(mail.variant, variant_of(trial.id, mail.contact));
    }
    // All of A open their mail, and some machines follow its links. A few of B follow the link.
    world.advance(Duration::from_mins(2));
    for mail in test.iter().filter(|mail| mail.variant == Variant::A) {
        trial.visit(mail, "/o/", PERSON).await;
        trial.visit(mail, "/c/", SCANNER).await;
    }
    let of_b = test.iter().filter(|mail| mail.variant == Variant::B);
    for mail in of_b.take(3) {
        trial.visit(mail, "/c/", PERSON).await;
    }
    let before = trial.report().await;
    assert_eq!(before["ab"]["winner"], Value::Null);
    trial.pass(3).await;
    assert_eq!(trial.mails().len(), test.len(), "the wait is four hours");
    trial.pass(1).await;

    let report = trial.assert_sums().await;
    assert_eq!(report["status"], "sent", "{report}");
    let winner = &report["ab"]["winner"];
    assert_eq!(
        (&winner["variant"], &winner["reason"], &winner["decided_by"]),
        (&json!("b"), &json!("click_rate"), &Value::Null),
    );
    assert_eq!(winner["scores"]["b"]["clicked"], 3);
    assert_eq!(winner["scores"]["a"]["clicked"], 0);
    assert_eq!(report["ab"]["is_split"], false);
    let mails = trial.mails();
    assert_eq!(mails.len() as u64, shop.eligible());
    let rest = mails.iter().filter(|mail| !trial.is_test(mail.contact));
    assert!(rest.clone().count() > 400);
    assert!(rest.clone().all(|mail| mail.variant == Variant::B));
    world.settle_twice().await;
    assert_eq!(trial.mails().len(), mails.len());
    assert!(world.dead_letters().is_empty());
}

#[tokio::test]
async fn opens_decide_where_the_rule_says_so_and_a_tie_is_a_s() {
    for (opened, variant, reason) in [
        (&[][..], "a", "tie"),
        (&[Variant::B][..], "b", "open_rate"),
        (&[Variant::A][..], "a", "open_rate"),
    ] {
        let world = World::new();
        let shop = Shop::with_bounces(&world, 220, 1_000).await;
        let changes = json!({ "test_percent": 50, "winner_rule": "open_rate", "wait_hours": 1 });
        let trial = Trial::sent(&world, &shop, changes).await;
        world.settle().await;
        // At once: the visits are machines'.
        for mail in trial.mails() {
            trial.visit(&mail, "/o/", PERSON).await;
        }
        world.advance(Duration::from_mins(2));
        for mail in trial.mails() {
            if opened.contains(&mail.variant) {
                trial.visit(&mail, "/o/", PERSON).await;
            }
        }
        trial.pass(1).await;
        let report = trial.assert_sums().await;
        let winner = &report["ab"]["winner"];
        assert_eq!(winner["variant"], variant, "{report}");
        assert_eq!(winner["reason"], reason, "{report}");
        assert_eq!(report["status"], "sent");
    }
}

#[tokio::test]
async fn a_small_test_is_none_and_everybody_gets_a_version_at_once() {
    for (people, percent) in [(60, 20), (220, 100), (0, 20)] {
        let world = World::new();
        let shop = Shop::open(&world, people).await;
        let trial = Trial::sent(&world, &shop, json!({ "test_percent": percent })).await;
        world.settle_twice().await;
        let report = trial.assert_sums().await;
        assert_eq!(report["status"], "sent", "{report}");
        assert_eq!(report["ab"]["is_split"], true);
        assert_eq!(report["ab"]["winner"], Value::Null);
        let mails = trial.mails();
        assert_eq!(mails.len() as u64, shop.eligible());
        for mail in &mails {
            assert_eq!(mail.variant, variant_of(trial.id, mail.contact));
        }
        let a = mails
            .iter()
            .filter(|mail| mail.variant == Variant::A)
            .count();
        assert!(
            people == 0 || (mails.len() / 4..=mails.len() * 3 / 4).contains(&a),
            "{a}"
        );
        let (status, _) = trial.choose("a").await;
        assert_eq!(status, 409, "nothing is left to be sent");
    }
}

#[tokio::test]
async fn each_part_of_a_mail_may_differ() {
    let world = World::new();
    let shop = Shop::open(&world, 20).await;
    for (variable, b, header) in [
        ("sender_name", json!({ "from_name": "Lan" }), "Lan"),
        ("content", json!({ "html": "<p>Khác hẳn</p>" }), "Khác hẳn"),
    ] {
        let mut body = body(&shop, &json!({ "test_percent": 100 }));
        body["ab"]["variable"] = json!(variable);
        body["ab"]["b"] = b.clone();
        let (status, made) = shop
            .call(&world, "POST", "/v1/campaigns", Some(&body))
            .await;
        assert_eq!(status, 201, "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/campaigns/{id}");
        let (_, shown) = shop.call(&world, "GET", &path, None).await;
        for (name, value) in b.as_object().unwrap() {
            assert_eq!(&shown["ab"]["b"][name], value, "{shown}");
        }
        shop.command(&world, &id, "send").await;
        world.settle().await;
        let tag = ("scope".to_owned(), id);
        let outbox = world.aws.outbox();
        let (mut with, mut without) = (0, 0);
        for mail in outbox.all(Kind::Mail) {
            if !mail.tags.contains(&tag) {
                continue;
            }
            let bytes = outbox.mime(mail.id).unwrap();
            let parsed = MessageParser::default().parse(&bytes).unwrap();
            let from = parsed.from().unwrap().first().unwrap().name().unwrap();
            let html = parsed.body_html(0).unwrap();
            if from == header || html.contains(header) {
                with += 1;
            } else {
                without += 1;
            }
        }
        assert!(with > 0 && without > 0, "{variable}: {with} and {without}");
        shop.reset(&world).await;
    }
}

#[tokio::test]
async fn a_test_with_flaws_is_refused_with_each_place() {
    let world = World::new();
    let shop = Shop::open(&world, 0).await;
    let changes = json!({ "test_percent": 101, "wait_hours": 0, "b": { "html": "<p>x</p>" } });
    let body = body(&shop, &changes);
    let (status, problem) = shop
        .call(&world, "POST", "/v1/campaigns", Some(&body))
        .await;
    assert_eq!(status, 400, "{problem}");
    let errors = problem["errors"].as_array().unwrap();
    let places: Vec<_> = errors
        .iter()
        .map(|one| one["pointer"].as_str().unwrap())
        .collect();
    for place in [
        "/ab/test_percent",
        "/ab/wait_hours",
        "/ab/b/html",
        "/ab/b/subject",
    ] {
        assert!(places.contains(&place), "{place}: {problem}");
    }
}

#[tokio::test]
async fn a_test_costs_no_more_units_a_recipient_than_a_plain_campaign() {
    let world = World::new();
    let shop = Shop::open(&world, 2_000).await;
    let trial = Trial::draft(&world, &shop, json!({ "wait_hours": 1 })).await;
    let before = world.aws.meter().snapshot();
    trial.command("send").await;
    shop.work(&world).await;
    world.advance(Duration::from_hours(1));
    world.invoke("due-timer", json!({})).await.unwrap();
    world.advance(Duration::from_mins(2));
    shop.work(&world).await;
    let used = world.aws.meter().since(&before);
    let sent = trial.assert_once().len() as f64;
    assert_eq!(sent as u64, shop.eligible());
    let units = used.write_units() / sent;
    assert!(
        units <= 2.25,
        "{units} write units a recipient: {:?}",
        used.tables
    );
}
