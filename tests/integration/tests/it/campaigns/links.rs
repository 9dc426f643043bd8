//! Opens, clicks and unsubscribing.

use std::time::Duration;

use channels::{Ledger, LedgerKey, State};
use contacts::{Channel, ChannelStatus, Event, Purpose};
use content::tokens::{Token, TokenKey, TokenKind, address_mark};
use kernel::{ContactId, Limit};
use serde_json::{Value, json};

use super::shop::{Shop, contacts, http, number};
use crate::support::{Kill, World};

pub(super) const PERSON: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148";
const SCANNER: &str = "Mozilla/5.0 (compatible; Barracuda Sentinel)";

pub(super) struct Reader<'w> {
    pub world: &'w World,
    pub shop: &'w Shop,
    pub campaign: String,
    pub contact: ContactId,
    pub step: String,
}

impl Reader<'_> {
    fn token(&self, kind: TokenKind) -> String {
        let setup = self.world.setup("link-tracker");
        let key = TokenKey::new(setup.secret("TRACKING_SECRET"));
        let token = Token {
            kind,
            channel: kernel::Channel::Email,
            workspace: self.shop.tenant.to_string(),
            scope: self.campaign.clone(),
            contact: self.contact.to_string(),
            step: self.step.clone(),
        };
        token.encode(&key).unwrap()
    }

    async fn visit(&self, method: &str, path: &str, agent: &str) -> Value {
        let event = http(method, path, None, None, agent);
        self.world.invoke("link-tracker", event).await.unwrap()
    }

    pub async fn open(&self, method: &str, agent: &str) -> Value {
        let path = format!("/o/{}", self.token(TokenKind::Open));
        self.visit(method, &path, agent).await
    }

    async fn click(&self, method: &str, agent: &str) -> Value {
        self.click_on("https://example.vn/qua", method, agent).await
    }

    pub async fn click_on(&self, url: &str, method: &str, agent: &str) -> Value {
        let url = url.to_owned();
        let path = format!("/c/{}", self.token(TokenKind::Click { url }));
        self.visit(method, &path, agent).await
    }

    async fn figures(&self) -> [u64; 3] {
        let report = self.shop.report(self.world, &self.campaign).await;
        ["opened", "clicked", "unsubscribed"].map(|name| number(&report, name))
    }

    pub async fn timeline(&self) -> Vec<String> {
        let store = contacts(self.world);
        let page = store
            .timeline(self.shop.tenant, self.contact, Limit::default(), None)
            .await;
        page.unwrap()
            .data
            .into_iter()
            .map(|event: Event| event.name)
            .collect()
    }
}

async fn sent<'w>(world: &'w World, shop: &'w Shop) -> Reader<'w> {
    let campaign = shop.campaign(world).await;
    shop.send(world, &campaign).await;
    world.settle().await;
    Reader {
        world,
        shop,
        campaign,
        contact: shop.contacts[2],
        step: "0".into(),
    }
}

#[tokio::test]
async fn an_open_counts_once_and_not_at_once() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let reader = sent(&world, &shop).await;
    let answer = reader.open("GET", PERSON).await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["headers"]["content-type"], "image/gif");
    assert!(
        answer["headers"]["cache-control"]
            .as_str()
            .unwrap()
            .contains("no-store")
    );
    assert_eq!(
        reader.figures().await,
        [0, 0, 0],
        "within 30 seconds it is a machine"
    );
    world.advance(Duration::from_mins(1));
    reader.open("GET", SCANNER).await;
    reader.open("HEAD", PERSON).await;
    assert_eq!(reader.figures().await, [0, 0, 0]);
    for _ in 0..2 {
        reader.open("GET", PERSON).await;
        assert_eq!(reader.figures().await, [1, 0, 0]);
    }
    assert_eq!(reader.timeline().await, ["message.opened"]);
    let ledger = Ledger::over(&world.resources());
    let key = LedgerKey::campaign(
        reader.campaign.parse().unwrap(),
        reader.contact,
        kernel::Channel::Email,
    );
    let row = ledger.get(shop.tenant, &key).await.unwrap().unwrap();
    assert_eq!(row.state(), State::Delivered);
}

#[tokio::test]
async fn a_click_leads_where_the_token_says_and_nowhere_else() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let reader = sent(&world, &shop).await;
    world.advance(Duration::from_mins(1));
    for (method, agent, clicked) in [
        ("HEAD", PERSON, 0),
        ("GET", SCANNER, 0),
        ("GET", PERSON, 1),
        ("GET", PERSON, 1),
    ] {
        let answer = reader.click(method, agent).await;
        assert_eq!(answer["statusCode"], 302);
        assert_eq!(answer["headers"]["location"], "https://example.vn/qua");
        assert_eq!(reader.figures().await, [0, clicked, 0]);
    }
    let open = reader.token(TokenKind::Open);
    let mut forged = reader.token(TokenKind::Click {
        url: "https://example.vn/qua".into(),
    });
    forged.replace_range(40..41, if &forged[40..41] == "A" { "B" } else { "A" });
    for path in [
        format!("/c/{open}"),
        format!("/c/{forged}"),
        "/c/https:%2F%2Fexample.com".into(),
    ] {
        let answer = reader.visit("GET", &path, PERSON).await;
        assert_eq!(answer["statusCode"], 404, "{path}");
        assert_eq!(answer["headers"]["location"], Value::Null);
    }
}

#[tokio::test]
async fn each_link_is_told_once_and_the_reader_is_counted_once() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let other = "https://example.vn/khac";
    let trigger = json!({ "type": "message.clicked", "url": other });
    let graph = json!({ "start": "end", "nodes": { "end": { "type": "exit" } } });
    let draft = json!({ "name": "Xem", "trigger": trigger, "graph": graph });
    let workflow = shop.active_workflow(&world, &draft).await;
    let reader = sent(&world, &shop).await;
    world.advance(Duration::from_mins(1));
    reader.click("GET", PERSON).await;
    world.settle().await;
    assert_eq!(shop.entered(&world, &workflow).await, 0);
    for _ in 0..2 {
        world.advance(Duration::from_mins(1));
        reader.click_on(other, "GET", PERSON).await;
        reader.click("GET", PERSON).await;
        world.settle().await;
        let mut told = reader.timeline().await;
        told.retain(|name| name != "workflow.entered");
        assert_eq!(told, ["message.clicked"; 2]);
        assert_eq!(shop.entered(&world, &workflow).await, 1);
        assert_eq!(reader.figures().await, [0, 1, 0]);
    }
}

#[tokio::test]
async fn a_machine_counts_as_no_person() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let reader = sent(&world, &shop).await;
    let links = [
        "https://example.vn/1",
        "https://example.vn/2",
        "https://example.vn/3",
    ];
    // A mail gateway follows all links at once, with the name of a browser.
    for url in links {
        reader.click_on(url, "GET", PERSON).await;
    }
    assert_eq!(reader.figures().await, [0, 0, 0], "within 30 seconds");
    world.advance(Duration::from_mins(5));
    for prefetch in ["Mozilla/5.0", ""] {
        reader.open("GET", prefetch).await;
        reader.click("GET", prefetch).await;
    }
    assert_eq!(reader.figures().await, [0, 0, 0]);
    assert!(reader.timeline().await.is_empty());
    // A gateway that scans later is known by its second link.
    for (url, clicked) in links.into_iter().zip([1, 0, 0]) {
        reader.click_on(url, "GET", PERSON).await;
        assert_eq!(reader.figures().await, [0, clicked, 0], "{url}");
    }
    assert_eq!(reader.timeline().await, ["message.clicked"]);
}

#[tokio::test]
async fn the_preference_page_brings_back_the_address_that_got_the_mail_and_no_other() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let reader = sent(&world, &shop).await;
    let person = async || {
        let contact = contacts(&world).get(shop.tenant, reader.contact).await;
        contact.unwrap().unwrap()
    };
    let address = address_mark(person().await.email.unwrap().as_str());
    let own = reader.token(TokenKind::Unsubscribe { address });
    let other = reader.token(TokenKind::Unsubscribe {
        address: address_mark("khac@example.vn"),
    });
    let save = async |token: &str, body: &str| {
        world.advance(Duration::from_secs(1));
        let mut event = http("POST", &format!("/p/{token}"), None, None, PERSON);
        event["body"] = body.into();
        let answer = world.invoke("link-tracker", event).await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{answer}");
        answer["body"].as_str().unwrap().to_owned()
    };
    let page = reader.visit("GET", &format!("/p/{own}"), PERSON).await;
    let page = page["body"].as_str().unwrap();
    assert!(
        page.contains("name=\"email.marketing\" value=\"on\" checked"),
        "{page}"
    );
    assert!(
        !page.contains("<script") && page.contains("<label>"),
        "{page}"
    );
    assert!(
        !page.contains("sms.marketing"),
        "only what may change: {page}"
    );
    let leave = "shown=email.marketing";
    let back = "shown=email.marketing&email.marketing=on";
    let status = async || person().await.email_status;
    save(&own, leave).await;
    assert_eq!(status().await, ChannelStatus::Unsubscribed);
    // A box that was not shown says nothing.
    save(&own, "email.marketing=on").await;
    assert_eq!(status().await, ChannelStatus::Unsubscribed);
    let page = save(&other, back).await;
    assert!(!page.contains("email.marketing"), "{page}");
    assert_eq!(status().await, ChannelStatus::Unsubscribed);
    for _ in 0..2 {
        save(&own, back).await;
        assert_eq!(status().await, ChannelStatus::Subscribed);
    }
    let history = contacts(&world)
        .consent_history(shop.tenant, reader.contact, Limit::default(), None)
        .await
        .unwrap();
    let decisions: Vec<_> = history.data.iter().map(|one| one.decision).collect();
    assert_eq!(decisions.len(), 3, "{history:?}");
    let last = &history.data[0];
    assert!(
        last.evidence.ip.is_some() && last.text_sha256.is_some(),
        "{last:?}"
    );
    // Service messages can be left too.
    save(&own, "shown=email.service").await;
    let state = person()
        .await
        .consents
        .state(Channel::Email, Purpose::Service);
    assert_eq!(state.status, ChannelStatus::Unsubscribed);
}

#[tokio::test]
async fn only_a_post_unsubscribes_and_it_holds_for_the_next_send() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let reader = sent(&world, &shop).await;
    let path = format!(
        "/u/{}",
        reader.token(TokenKind::Unsubscribe {
            address: String::new()
        })
    );
    let status = async || {
        let contact = contacts(&world)
            .get(shop.tenant, reader.contact)
            .await
            .unwrap()
            .unwrap();
        contact.email_status
    };
    for agent in [PERSON, SCANNER] {
        let answer = reader.visit("GET", &path, agent).await;
        assert!(answer["body"].as_str().unwrap().contains("<form"));
        assert_eq!(status().await, ChannelStatus::Subscribed);
    }
    // The mail is planned but not yet sent when the contact unsubscribes.
    let next = shop.campaign(&world).await;
    shop.send(&world, &next).await;
    while world.relay().await > 0 {
        while world.deliver("campaign-planner", false).await.is_some() {}
    }
    for _ in 0..2 {
        let answer = reader.visit("POST", &path, PERSON).await;
        assert_eq!(answer["statusCode"], 200);
    }
    assert_eq!(status().await, ChannelStatus::Unsubscribed);
    assert_eq!(reader.figures().await, [0, 0, 1]);
    assert_eq!(reader.timeline().await, ["message.unsubscribed"]);
    world.settle().await;
    let report = shop.report(&world, &next).await;
    assert_eq!(
        report["skipped"]["unsubscribed"],
        json!(shop.unsubscribed + 1)
    );
    shop.assert_identity(&report);
    let answer = reader.visit("POST", "/u/bm90IGEgdG9rZW4", PERSON).await;
    assert_eq!(answer["statusCode"], 404);
}

#[tokio::test]
async fn a_visit_that_is_killed_at_any_call_is_made_good_by_the_next() {
    for kind in ["open", "click", "unsubscribe"] {
        for after in [false, true] {
            for call in 0.. {
                let world = World::new();
                let shop = Shop::open(&world, 5).await;
                let reader = sent(&world, &shop).await;
                world.advance(Duration::from_mins(1));
                let url = "https://example.vn/qua".to_owned();
                let (method, path, name) = match kind {
                    "open" => ("GET", "/o", "message.opened"),
                    "click" => ("GET", "/c", "message.clicked"),
                    _ => ("POST", "/u", "message.unsubscribed"),
                };
                let token = reader.token(match kind {
                    "open" => TokenKind::Open,
                    "click" => TokenKind::Click { url },
                    _ => TokenKind::Unsubscribe {
                        address: String::new(),
                    },
                });
                let path = format!("{path}/{token}");
                let kill = if after {
                    Kill::After(call)
                } else {
                    Kill::Before(call)
                };
                let event = http(method, &path, None, None, PERSON);
                let result = world.invoke_and_kill("link-tracker", event, kill).await;
                if result.is_some() {
                    assert!(call >= 4, "{kind}: {call} calls");
                    break;
                }
                for _ in 0..2 {
                    world.advance(Duration::from_mins(5));
                    reader.visit(method, &path, PERSON).await;
                }
                assert_eq!(reader.timeline().await, [name], "{kind} {kill:?}");
                // A crash between the fact and its counter loses the count, and never counts twice.
                let most = reader.figures().await.into_iter().max();
                assert!(most <= Some(1), "{kind} {kill:?}: {most:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_opens_its_own_tenant_s_rows_only() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let other = Shop::open(&world, 5).await;
    let reader = sent(&world, &shop).await;
    world.advance(Duration::from_mins(1));
    // Signed for the other tenant, with this one's campaign and contact.
    let stranger = Reader {
        shop: &other,
        world: &world,
        campaign: reader.campaign.clone(),
        contact: reader.contact,
        step: "0".into(),
    };
    let before = (
        world.dump("SendLedger").await,
        world.dump("Contacts").await,
        world.dump("Timeline").await,
        world.dump("Reports").await,
    );
    stranger.open("GET", PERSON).await;
    stranger.click("GET", PERSON).await;
    let path = format!(
        "/u/{}",
        stranger.token(TokenKind::Unsubscribe {
            address: String::new()
        })
    );
    stranger.visit("POST", &path, PERSON).await;
    let after = (
        world.dump("SendLedger").await,
        world.dump("Contacts").await,
        world.dump("Timeline").await,
        world.dump("Reports").await,
    );
    assert_eq!(before, after);
}

#[tokio::test]
async fn an_open_of_one_campaign_starts_the_workflow_that_waits_for_it() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let (first, second) = (shop.campaign(&world).await, shop.campaign(&world).await);
    let mut workflows = Vec::new();
    for (kind, narrow) in [
        ("message.opened", json!({ "campaign_id": second })),
        (
            "message.clicked",
            json!({ "campaign_id": second, "url": "https://example.vn/qua" }),
        ),
        (
            "message.clicked",
            json!({ "url": "https://example.vn/khac" }),
        ),
    ] {
        let mut trigger = narrow;
        trigger["type"] = json!(kind);
        let graph = json!({ "start": "end", "nodes": { "end": { "type": "exit" } } });
        let draft = json!({ "name": kind, "trigger": trigger, "graph": graph });
        workflows.push(shop.active_workflow(&world, &draft).await);
    }
    let mut entered = Vec::new();
    for campaign in [first, second] {
        shop.send(&world, &campaign).await;
        world.settle().await;
        world.advance(Duration::from_mins(1));
        let reader = Reader {
            world: &world,
            shop: &shop,
            campaign,
            contact: shop.contacts[2],
            step: "0".into(),
        };
        reader.open("GET", PERSON).await;
        reader.click("GET", PERSON).await;
        world.settle().await;
        for workflow in &workflows {
            entered.push(shop.entered(&world, workflow).await);
        }
    }
    assert_eq!(entered, [0, 0, 0, 1, 1, 0]);
}

#[tokio::test]
async fn a_workflow_that_answers_an_open_with_a_mail_is_not_started_by_that_mail() {
    let world = World::new();
    let shop = Shop::open(&world, 5).await;
    let mail = json!({
        "type": "send_email", "subject": "Cảm ơn", "html": "<p>Cảm ơn bạn</p>",
        "sender": { "from_name": "Cửa hàng mẫu", "from_email": "tin@example.vn" },
    });
    let draft = json!({
        "name": "Cảm ơn", "trigger": { "type": "message.opened" }, "entry": "every_time",
        "graph": { "start": "mail", "nodes": { "mail": mail } },
    });
    let workflow = shop.active_workflow(&world, &draft).await;
    let mut reader = sent(&world, &shop).await;
    world.advance(Duration::from_mins(1));
    reader.open("GET", PERSON).await;
    world.settle().await;
    assert_eq!(shop.entered(&world, &workflow).await, 1);

    let mails = world.aws.outbox().all(tanigo_local::aws::Kind::Mail);
    let answer = mails
        .iter()
        .find(|mail| mail.subject == "[QC] Cảm ơn")
        .unwrap();
    let tag = |wanted: &str| {
        let tag = answer.tags.iter().find(|(name, _)| name == wanted);
        tag.unwrap().1.clone()
    };
    (reader.campaign, reader.step) = (tag("scope"), tag("step"));
    world.advance(Duration::from_mins(1));
    reader.open("GET", PERSON).await;
    world.settle().await;
    let mut told = reader.timeline().await;
    told.retain(|name| name != "workflow.entered");
    assert_eq!(told, ["message.opened"; 2]);
    assert_eq!(shop.entered(&world, &workflow).await, 1);
}
