//! The scenarios: the work of each scenario, and its usage.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use contacts::{Event, Identity, Incoming, Lists};
use kernel::{ContactId, Scope};
use serde_json::{Value, json};
use tanigo_local::aws::{Kept, Kind, MeterSnapshot, Partition, PartitionUsage, shape};
use tanigo_local::bill::{Units, request_key, used_units};
use tanigo_local::template::model::Trigger;

use super::log::Log;
use crate::campaigns::shop as campaigns;
use crate::chat::shop as chat;
use crate::contacts::shop as contacts_shop;
use crate::support::{World, http_event};

/// One scenario that has run.
pub struct Run {
    pub world: Arc<World>,
    pub operations: f64,
    /// Units by price.
    pub units: Units,
    /// Bytes that the functions logged.
    pub log_bytes: f64,
    /// Custom metrics that they wrote.
    pub series: BTreeSet<String>,
    /// Rows that the run added to the tables.
    pub kept: Vec<Kept>,
    partitions: BTreeMap<Partition, PartitionUsage>,
}

/// Units of a partition in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    pub writes: f64,
    pub reads: f64,
}

impl Run {
    /// Runs `work`, which does this number of operations, and records its usage.
    async fn of(world: &Arc<World>, operations: u32, work: impl Future<Output = ()>) -> Self {
        let meter = world.aws.meter();
        let kept = world.aws.kept(&world.model).unwrap();
        let (before, old) = (meter.snapshot(), meter.partitions());
        let log = Log::default();
        let listening = log.listen();
        work.await;
        drop(listening);
        assert!(world.dead_letters().is_empty(), "nothing is given up");
        let mut partitions = meter.partitions();
        for (partition, usage) in &mut partitions {
            let old = old.get(partition).copied().unwrap_or_default();
            usage.writes -= old.writes;
            usage.reads -= old.reads;
        }
        let used = meter.since(&before);
        let sum = |of: fn(&PartitionUsage) -> f64| partitions.values().map(of).sum::<f64>();
        let (writes, reads) = (sum(|usage| usage.writes), sum(|usage| usage.reads));
        assert!(
            (writes - used.write_units()).abs() < 0.01,
            "{writes} of {used:?}"
        );
        assert!(
            (reads - used.read_units()).abs() < 0.01,
            "{reads} of {used:?}"
        );
        let (log_bytes, series) = log.take();
        Self {
            world: world.clone(),
            operations: f64::from(operations),
            units: units(world, &used),
            log_bytes,
            series,
            kept: grown(world.aws.kept(&world.model).unwrap(), &kept),
            partitions,
        }
    }

    /// The load of the hottest partition of each kind, at this number of operations a second.
    pub fn at(&self, rate: f64) -> BTreeMap<String, Load> {
        let mut loads: BTreeMap<String, Load> = BTreeMap::new();
        for (partition, usage) in &self.partitions {
            let load = loads.entry(self.kind(partition)).or_default();
            let per_second = |units: f64| units / self.operations * rate;
            load.writes = load.writes.max(per_second(usage.writes));
            load.reads = load.reads.max(per_second(usage.reads));
        }
        loads
    }

    /// Write units of a table and its indexes for one operation, by the kind of partition.
    pub fn writes(&self, table: &str) -> BTreeMap<String, f64> {
        let mut writes: BTreeMap<String, f64> = BTreeMap::new();
        for (partition, usage) in &self.partitions {
            let kind = self.kind(partition);
            if kind.split(['.', ' ']).next() == Some(table) && usage.writes > 0.0 {
                *writes.entry(kind).or_default() += usage.writes / self.operations;
            }
        }
        writes
    }

    /// Table, index, and the kind of the key.
    fn kind(&self, partition: &Partition) -> String {
        let mut tables = self.world.model.tables.iter();
        let table = tables.find(|table| table.name == partition.table);
        let table = &table.expect("a table of the template").logical_id;
        let values: Vec<String> = partition.key.split('/').map(shape).collect();
        let index = partition.index.as_ref();
        let index = index.map(|index| format!(".{index}")).unwrap_or_default();
        format!("{table}{index} {}", values.join("/"))
    }
}

/// Units by price, with the requests by which Lambda receives and deletes each batch: a world takes its
/// batches past the protocol.
fn units(world: &World, used: &MeterSnapshot) -> Units {
    let mut units = used_units(used, &world.model.billed);
    for function in &world.model.functions {
        let batches = used.functions.get(&function.handler);
        let batches = batches.map_or(0, |usage| usage.invocations);
        for trigger in &function.triggers {
            if let Trigger::Sqs { queue, .. } = trigger {
                let key = request_key(&world.model, queue);
                *units.entry(key).or_default() += 2.0 * batches as f64;
            }
        }
    }
    units
}

/// Growth of each kind of row.
fn grown(now: Vec<Kept>, before: &[Kept]) -> Vec<Kept> {
    let same = |a: &Kept, b: &Kept| (&a.table, &a.kind) == (&b.table, &b.kind);
    let gain = |mut kept: Kept| {
        if let Some(old) = before.iter().find(|old| same(old, &kept)) {
            kept.rows = kept.rows.saturating_sub(old.rows);
            kept.bytes = kept.bytes.saturating_sub(old.bytes);
            kept.expiring_bytes = kept.expiring_bytes.saturating_sub(old.expiring_bytes);
            kept.byte_seconds = (kept.byte_seconds - old.byte_seconds).max(0.0);
        }
        kept
    };
    now.into_iter().map(gain).collect()
}

/// Mails of one campaign that is planned, up to the provider's events; every fifth is opened.
pub async fn mails() -> Run {
    const PEOPLE: u32 = 600;
    let world = Arc::new(World::new());
    let shop = campaigns::Shop::open(&world, PEOPLE).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    plan_all(&world).await;
    let work = async {
        world.settle().await;
        world.advance(Duration::from_mins(2));
        let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148";
        for mail in world.aws.outbox().all(Kind::Mail).iter().step_by(5) {
            let mime = world.aws.outbox().mime(mail.id).unwrap();
            let mime = mail_parser::MessageParser::default().parse(&mime).unwrap();
            let html = mime.body_html(0).unwrap();
            let (_, path) = html.split_once("/o/").expect("a pixel");
            let path = format!("/o/{}", path.split(['"', '&']).next().unwrap());
            let event = campaigns::http("GET", &path, None, None, agent);
            let (status, _) = world.ask("link-tracker", event).await;
            assert_eq!(status, 200);
        }
    };
    Run::of(&world, PEOPLE, work).await
}

/// Forms of known contacts, from the webhook to the timeline, and to a workflow that subscribes to them.
pub async fn events(heard: bool) -> Run {
    const PEOPLE: u32 = 300;
    let shop = contacts_shop::Shop::new().await;
    if heard {
        contacts::Listeners::over(&shop.world.resources())
            .listen(
                shop.tenant,
                "form.submitted",
                "wfl_00000000001",
                &contacts::Filter::default(),
            )
            .await
            .unwrap();
    }
    let page = contacts_shop::Page::of(&shop, &["ladipage"]).await;
    let post_all = async |day: u32| {
        for n in 0..PEOPLE {
            page.post(&shop, &form(n, day)).await;
            // One client of a source may post 25 forms a second.
            shop.world.advance(Duration::from_millis(40));
        }
        shop.world.settle().await;
    };
    post_all(1).await;
    Run::of(&shop.world, PEOPLE, post_all(2)).await
}

fn form(n: u32, day: u32) -> Value {
    let mut form = contacts_shop::form();
    form["Họ và tên"] = name(n).into();
    let operator = [
        "32", "35", "38", "70", "77", "81", "83", "86", "90", "91", "96", "98",
    ];
    let operator = operator[n as usize % operator.len()];
    form["Số điện thoại"] = format!("0{operator}{:07}", n * 33_331).into();
    form["email"] = address(n).into();
    form["Địa chỉ"] = "12 Đường số 7, Phường Tân Phú, Quận 7, TP. Hồ Chí Minh".into();
    form["url_page"] = "https://tet.cuahang.example.vn/ao-dai-tet-2026".into();
    form["utm_medium"] = "cpc".into();
    form["utm_campaign"] = "ao-dai-tet-2026-lookalike".into();
    form["message_time"] = format!("{day:02}/03/2026 08:{:02}:{:02}", n / 60, n % 60).into();
    form
}

/// Vietnamese names: two of five are of the family Nguyễn, a quarter have Thị in them and a sixth Văn.
fn name(n: u32) -> String {
    let of = |names: &[&'static str], n: u32| names[n as usize % names.len()];
    let family = of(&["Nguyễn", "Trần", "Nguyễn", "Lê", "Phạm"], n);
    let middles = [
        "Thị", "Văn", "Minh", "Thị", "Ngọc", "Đức", "Thị", "Văn", "Hồng", "Quang", "Kim", "Hữu",
        "Bảo",
    ];
    let given = [
        "An", "Bình", "Chi", "Dũng", "Giang", "Hà", "Khánh", "Lan", "Mai", "Oanh", "Phúc", "Quân",
    ];
    format!("{family} {} {}", of(&middles, n / 5), of(&given, n / 3))
}

/// Addresses begin as people like it: with a name, a nickname, a year.
fn address(n: u32) -> String {
    let letter = |n: u32| char::from(b"abcdefghiklmnopqrstuvxy"[n as usize % 23]);
    let start: String = [n, n / 2 + 7, n / 3 + 11].map(letter).iter().collect();
    format!("{start}{n}@example.vn")
}

/// Tracked events of known customers, five each, from the public door to the timeline.
pub async fn tracked() -> Run {
    const PEOPLE: u32 = 400;
    const EACH: u32 = 5;
    let shop = contacts_shop::Shop::new().await;
    let keys = accounts::ApiKeys::over(&shop.world.resources());
    let account = crate::support::ACCOUNT.parse().unwrap();
    let key = keys.create(account, shop.tenant, "sdk", &[Scope::Track, Scope::Write]);
    let key = key.await.unwrap().token;
    let send = async |day: u32| {
        let call = |n: u32| {
            json!({ "type": "track", "userId": format!("KH-{:06}", n % PEOPLE),
                "event": "Product List Viewed", "messageId": format!("node-next-{day}-{n}"),
                "timestamp": "2026-03-02T07:59:00Z",
                "properties": { "list_id": "ao-dai-tet", "category": "Áo dài lụa tơ tằm" } })
        };
        let calls: Vec<Value> = (0..PEOPLE * EACH).map(call).collect();
        for calls in calls.chunks(100) {
            let body = json!({ "batch": calls, "writeKey": key });
            let event = http_event("POST", "/v1/batch", Some(&body), None);
            let (status, answer) = shop.world.ask("track-events", event).await;
            assert_eq!((status, &answer["refused"]), (200, &json!(0)), "{answer}");
        }
        shop.world.settle().await;
    };
    send(1).await;
    Run::of(&shop.world, PEOPLE * EACH, send(2)).await
}

/// New contacts with two identities, a name and a list, as an import makes them.
pub async fn newcomers() -> Run {
    const PEOPLE: u32 = 500;
    let shop = contacts_shop::Shop::new().await;
    let lists = Lists::over(&shop.world.resources());
    let list = kernel::ListId::new(&shop.world.clock(), &shop.world.entropy);
    let made = lists
        .create(shop.tenant, list, shop.world.now(), "Khách hàng", None)
        .await;
    made.unwrap();
    // One process: it remembers the workspace's settings.
    let contacts = shop.contacts();
    let work = async {
        for n in 0..PEOPLE {
            let incoming = Incoming {
                identities: vec![
                    Identity::Email(address(n).parse().unwrap()),
                    Identity::own(format!("KH{n:06}")),
                ],
                person: contacts::Person {
                    full_name: Some(name(n)),
                    ..contacts::Person::default()
                },
                lists: vec![list],
                ..Incoming::default()
            };
            Box::pin(contacts.upsert(shop.tenant, &incoming))
                .await
                .unwrap();
        }
        shop.world.settle().await;
    };
    Run::of(&shop.world, PEOPLE, work).await
}

/// Chunks of a campaign's plan.
pub async fn plan() -> Run {
    const PEOPLE: u32 = 300;
    let world = Arc::new(World::new());
    let shop = campaigns::Shop::open(&world, PEOPLE).await;
    let campaign = shop.campaign(&world).await;
    let chunks = async || {
        let rows = world.dump("Campaigns").await;
        let chunk = |row: &&Value| {
            row["sk"]
                .as_str()
                .is_some_and(|sk| sk.starts_with("CHUNK#"))
        };
        rows.iter().filter(chunk).count()
    };
    let work = async {
        shop.send(&world, &campaign).await;
        plan_all(&world).await;
    };
    let mut run = Run::of(&world, PEOPLE, work).await;
    run.operations = chunks().await as f64;
    assert!(run.operations >= 16.0, "one for each shard");
    run
}

async fn plan_all(world: &World) {
    world.relay().await;
    while world.deliver("campaign-planner", false).await.is_some() {}
}

/// Minutes in which nothing happens while somebody waits in a workflow.
pub async fn ticks() -> Run {
    const MINUTES: u32 = 60;
    let (world, _) = waiting(1).await;
    let work = async {
        for _ in 0..MINUTES {
            world.advance(Duration::from_mins(1));
            world.invoke("due-timer", json!({})).await.unwrap();
        }
    };
    Run::of(&world, MINUTES, work).await
}

/// Journeys through a workflow: three waits, four tags, no mail.
pub async fn journeys() -> Run {
    const PEOPLE: u32 = 40;
    let (world, shop) = waiting(0).await;
    let work = async {
        for n in 0..PEOPLE {
            let incoming = Incoming {
                identities: vec![Identity::Email(address(n).parse().unwrap())],
                ..Incoming::default()
            };
            let contacts = campaigns::contacts(&world);
            let known = Box::pin(contacts.upsert(shop.tenant, &incoming)).await;
            submit(&world, &shop, known.unwrap().contact).await;
        }
        world.settle().await;
        for _ in 0..3 {
            world.advance(Duration::from_hours(25));
            world.invoke("due-timer", json!({})).await.unwrap();
            world.settle().await;
        }
    };
    Box::pin(Run::of(&world, PEOPLE, work)).await
}

/// A world with an active workflow of three waits, in which this number of people wait.
async fn waiting(people: u32) -> (Arc<World>, campaigns::Shop) {
    let world = Arc::new(World::new());
    let shop = campaigns::Shop::open(&world, people).await;
    let mut nodes = serde_json::Map::new();
    for n in 0..4 {
        let (tag, wait, next) = (
            format!("tag{n}"),
            format!("wait{n}"),
            format!("tag{}", n + 1),
        );
        let after = (n < 3).then_some(wait.clone());
        let mut node = json!({ "type": "add_tag", "tags": [tag] });
        if let Some(after) = after {
            node["next"] = after.into();
            let pause = json!({ "type": "wait_duration", "days": 1, "next": next });
            nodes.insert(wait, pause);
        }
        nodes.insert(tag, node);
    }
    let draft = json!({
        "name": "Ba ngày đầu", "entry": "every_time",
        "trigger": { "type": "form.submitted" },
        "graph": { "start": "tag0", "nodes": nodes },
    });
    shop.active_workflow(&world, &draft).await;
    for contact in &shop.contacts {
        submit(&world, &shop, *contact).await;
    }
    world.settle().await;
    (world, shop)
}

async fn submit(world: &World, shop: &campaigns::Shop, contact: ContactId) {
    let event = Event {
        id: contact.to_string(),
        name: "form.submitted".into(),
        at: world.now(),
        source: "ladipage".into(),
        data: json!({ "form_id": "FORM8", "message": "Tư vấn size M" }),
    };
    let contacts = campaigns::contacts(world);
    contacts.record(shop.tenant, contact, &event).await.unwrap();
}

/// Messages of visitors and answers of staff; twenty agents have the inbox open.
pub async fn talks() -> Run {
    const LINES: u32 = 5;
    let mut hall = Hall::open(20).await;
    hall.greet().await;
    let world = hall.shop.world.clone();
    world.advance(Duration::from_mins(2));
    let work = async {
        for line in 1..=LINES {
            hall.round(line).await;
        }
    };
    Run::of(&world, 2 * VISITORS * LINES, work).await
}

/// Whole chats of new visitors with four messages each way; three agents have the inbox open.
pub async fn chats() -> Run {
    let mut hall = Hall::open(3).await;
    let world = hall.shop.world.clone();
    let work = async {
        hall.greet().await;
        world.advance(Duration::from_mins(1));
        for line in 1..=3 {
            hall.round(line).await;
        }
        hall.answer(4).await;
    };
    Run::of(&world, VISITORS, work).await
}

const VISITORS: u32 = 30;

/// A shop's chat: agents at their screens, visitors at the widget.
struct Hall {
    shop: chat::Shop,
    screens: Vec<tokio::sync::mpsc::Receiver<bytes::Bytes>>,
    tokens: Vec<String>,
    conversations: Vec<String>,
}

impl Hall {
    async fn open(agents: u32) -> Self {
        let shop = chat::Shop::new().await;
        let mut screens = Vec::new();
        for n in 0..agents {
            let connection = format!("agent-{n}");
            screens.push(shop.world.aws.sockets().register(&connection));
            let key = shop.agent_key(&[Scope::Read]).await;
            assert_eq!(shop.connect(&connection, &key).await, 200);
        }
        let (tokens, conversations) = (Vec::new(), Vec::new());
        Self {
            shop,
            screens,
            tokens,
            conversations,
        }
    }

    /// Every visitor opens a session and writes a first line.
    async fn greet(&mut self) {
        for n in 0..VISITORS {
            let session = visit(&self.shop, n, "/sessions", None, &json!({})).await;
            let token = session["token"].as_str().unwrap().to_owned();
            say(&self.shop, n, &token, 0).await;
            self.tokens.push(token);
        }
        self.shop.run(1).await;
        let open = self.shop.get("/v1/conversations?limit=100").await;
        let ids = chat::pairs(&open["data"], "id", "id").into_iter();
        self.conversations = ids.map(|(id, _)| id).collect();
        assert_eq!(self.conversations.len(), VISITORS as usize);
    }

    /// Every visitor writes, and is answered.
    async fn round(&mut self, line: u32) {
        for (n, token) in (0..).zip(&self.tokens) {
            say(&self.shop, n, token, line).await;
        }
        self.shop.run(1).await;
        self.shop.world.advance(Duration::from_secs(1));
        self.answer(line).await;
    }

    async fn answer(&mut self, line: u32) {
        for id in &self.conversations {
            let text = format!("Dạ shop còn đủ size ạ, mình lấy mẫu số {line} nhé?");
            self.shop.reply(id, json!({ "content": text })).await;
        }
        self.shop.run(1).await;
        self.shop.world.advance(Duration::from_mins(1));
        for screen in &mut self.screens {
            while screen.try_recv().is_ok() {}
        }
    }
}

/// A request of one visitor's browser, from its own address.
async fn visit(shop: &chat::Shop, n: u32, path: &str, token: Option<&str>, body: &Value) -> Value {
    let path = format!("/chat/{}{path}", shop.inbox);
    let mut event = http_event("POST", &path, Some(body), None);
    event["requestContext"]["http"]["sourceIp"] = format!("198.51.100.{n}").into();
    if let Some(token) = token {
        event["headers"]["authorization"] = format!("Bearer {token}").into();
    }
    let (status, answer) = shop.world.ask("chat-widget", event).await;
    assert!(status < 300, "{status} {answer}");
    answer
}

async fn say(shop: &chat::Shop, n: u32, token: &str, line: u32) {
    let text = format!("Shop ơi, mẫu áo dài số {line} còn size M không, giao về Quận 7 nhé");
    let body = json!({ "client_msg_id": format!("c-{line}"), "content": text });
    visit(shop, n, "/messages", Some(token), &body).await;
}
