//! Workflows from the event to the message: the API, the trigger, the step worker, the timer sweep and
//! the relay, over the templates' tables and queues.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cloud::{QueueName, Timers};
use contacts::{Contacts, Event, Identity, Incoming, Merge, Source};
use kernel::{ContactId, TenantKey};
use serde_json::{Value, json};
use tanigo_local::aws::{Call, Fault};

use crate::support::{Kill, World, fixture, grant_of, http_event};

const DAY: Duration = Duration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);

/// A world, one of its tenants, and what the test has seen.
struct Shop {
    world: Arc<World>,
    tenant: TenantKey,
}

impl Shop {
    async fn new() -> Self {
        Self::in_world(Arc::new(World::new())).await
    }

    async fn in_world(world: Arc<World>) -> Self {
        let tenant = world.workspace().await;
        Self { world, tenant }
    }

    fn contacts(&self) -> Contacts {
        let table = |name| self.world.table(name);
        Contacts::new(table("Contacts"), table("Timeline"), table("Directory"))
    }

    async fn contact(&self, address: &str) -> ContactId {
        let incoming = incoming(address);
        self.contacts()
            .upsert(self.tenant, &incoming)
            .await
            .unwrap()
            .contact
    }

    async fn form(&self, contact: ContactId, id: &str) {
        let event = Event {
            id: id.into(),
            name: "form.submitted".into(),
            at: self.world.now(),
            source: "ladipage".into(),
            data: json!({ "form_id": "FORM8", "message": "Tư vấn size M" }),
        };
        self.contacts()
            .record(self.tenant, contact, &event)
            .await
            .unwrap();
    }

    /// The API's answer: status and body.
    async fn api(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        self.api_as("read write", method, path, body).await
    }

    async fn api_as(
        &self,
        scopes: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u64, Value) {
        let grant = grant_of(self.tenant.workspace(), scopes);
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        let answer = self.world.invoke("api-workflows", event).await.unwrap();
        let body = answer["body"].as_str().unwrap_or("null");
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        (answer["statusCode"].as_u64().unwrap(), body)
    }

    async fn create(&self, draft: Value) -> String {
        let (status, workflow) = self.api("POST", "/v1/workflows", Some(draft)).await;
        assert_eq!(status, 201, "{workflow}");
        workflow["id"].as_str().unwrap().to_owned()
    }

    async fn change(&self, id: &str, change: &str) {
        let path = format!("/v1/workflows/{id}/{change}");
        let (status, workflow) = self.api("POST", &path, None).await;
        assert_eq!(status, 200, "{workflow}");
    }

    async fn active(&self, draft: Value) -> String {
        let id = self.create(draft).await;
        self.change(&id, "activate").await;
        id
    }

    /// `[entered, active, waiting, completed, exited, failed]`.
    async fn report(&self, id: &str) -> [u64; 6] {
        let (status, report) = self
            .api("GET", &format!("/v1/workflows/{id}/report"), None)
            .await;
        assert_eq!(status, 200, "{report}");
        [
            "entered",
            "active",
            "waiting",
            "completed",
            "exited",
            "failed",
        ]
        .map(|name| report[name].as_u64().unwrap())
    }

    /// Relay, trigger and step worker until nothing moves; each batch `times` times. Gives the events
    /// that were delivered.
    async fn run(&self, times: usize) -> Vec<(&'static str, Value)> {
        let mut delivered = Vec::new();
        loop {
            let mut moved = self.world.relay().await;
            for worker in ["workflow-trigger", "workflow-step"] {
                let Some(batch) = self.world.take(worker) else {
                    continue;
                };
                moved += 1;
                let mut answer = Ok(Value::Null);
                for _ in 0..times {
                    answer = self.world.invoke(worker, batch.event.clone()).await;
                    assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
                }
                self.world.acknowledge(&batch, &answer);
                delivered.push((worker, batch.event));
            }
            if moved == 0 {
                return delivered;
            }
        }
    }

    async fn tick(&self) {
        self.world.invoke("due-timer", json!({})).await.unwrap();
    }

    /// Everything on the queue of messages, taken off it.
    fn messages(&self) -> Vec<Value> {
        let queue = self.world.queue_of("message-sender");
        let mut bodies = Vec::new();
        loop {
            let batch = self.world.aws.sqs().receive(&queue, 10, None);
            if batch.is_empty() {
                return bodies;
            }
            for message in batch {
                bodies.push(serde_json::from_str(&message.body).unwrap());
                self.world.aws.sqs().delete(&queue, &message.receipt_handle);
            }
        }
    }

    /// What the step worker and the sweep leave behind, without what differs from run to run.
    async fn state(&self) -> Value {
        let mut state = json!({
            "flow": self.world.dump("Flow").await,
            "contacts": self.world.dump("Contacts").await,
            "timers": self.world.dump("Timers").await,
        });
        forget_traces(&mut state);
        state
    }
}

fn forget_traces(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("trace");
            if let Some(Value::String(text)) = fields.get("pending") {
                let pending = serde_json::from_str(text).unwrap();
                fields.insert("pending".into(), pending);
            }
            fields.values_mut().for_each(forget_traces);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_traces),
        _ => {}
    }
}

fn sends(messages: &[Value]) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names = messages.iter().map(|message| &message["body"]);
    names
        .map(|body| (text(&body["scope"]), text(&body["step"])))
        .collect()
}

fn incoming(address: &str) -> Incoming {
    Incoming {
        identities: vec![Identity::Email(address.parse().unwrap())],
        full_name: None,
        first_name: None,
        last_name: None,
        tags: Vec::new(),
        lists: Vec::new(),
        custom: BTreeMap::new(),
        source: Source::Form,
        email_status: None,
        sms_status: None,
        merge: Merge::FillEmpty,
        operation: None,
    }
}

/// Tag, a day's wait, a mail.
fn greeting() -> Value {
    json!({
        "name": "Chào khách mới",
        "trigger": { "type": "form.submitted", "form_id": "FORM8" },
        "graph": { "start": "tag", "nodes": {
            "tag": { "type": "add_tag", "tags": ["khách mới"], "next": "wait" },
            "wait": { "type": "wait_duration", "days": 1, "next": "mail" },
            "mail": {
                "type": "send_email",
                "sender": { "from_name": "Cửa hàng", "from_email": "shop@example.vn" },
                "subject": "Chào {{ contact.first_name }}",
                "html": "<p>Bạn hỏi: {{ trigger.message }}</p>",
            },
        }},
    })
}

#[tokio::test]
async fn a_form_leads_to_one_mail_a_day_later() {
    let shop = Shop::new().await;
    let id = shop.active(greeting()).await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "f1").await;
    shop.run(1).await;
    assert_eq!(shop.report(&id).await, [1, 0, 1, 0, 0, 0]);
    let tagged = shop
        .contacts()
        .get(shop.tenant, contact)
        .await
        .unwrap()
        .unwrap();
    assert!(tagged.tags.contains("khách mới"));

    // Ten seconds early the sweep hands the timer out, and the queue keeps it until it is due.
    shop.world.advance(DAY.checked_sub(10 * SECOND).unwrap());
    shop.tick().await;
    shop.run(1).await;
    assert_eq!(shop.report(&id).await[2], 1);
    shop.world.advance(10 * SECOND);
    shop.run(1).await;
    assert_eq!(shop.report(&id).await, [1, 0, 0, 1, 0, 0]);
    let messages = shop.messages();
    assert_eq!(messages.len(), 1);
    let body = &messages[0]["body"];
    assert_eq!(
        (&body["type"], &body["step"]),
        (&json!("email.v1"), &json!("mail"))
    );
    assert_eq!(body["contact"], json!(contact));
    assert_eq!(body["data"]["trigger"]["message"], "Tư vấn size M");

    shop.world.advance(DAY);
    shop.tick().await;
    shop.run(1).await;
    assert!(shop.messages().is_empty());
    let timers = shop.world.dump("Timers").await;
    let is_timer = |row: &&Value| row.get("effect").is_some();
    assert_eq!(
        timers.iter().filter(is_timer).count(),
        0,
        "sent timers are deleted"
    );
}

#[tokio::test]
async fn twice_and_out_of_order_ends_the_same() {
    let (once, twice) = (Shop::new().await, Shop::new().await);
    let mut ends = Vec::new();
    for (shop, times) in [(&once, 1), (&twice, 2)] {
        let id = shop.active(greeting()).await;
        for n in 0..12 {
            let contact = shop.contact(&format!("khach{n}@example.vn")).await;
            shop.form(contact, &format!("f{n}")).await;
        }
        let mut events = shop.run(times).await;
        shop.world.advance(DAY);
        shop.tick().await;
        events.extend(shop.run(times).await);
        let messages = shop.messages();
        if times == 2 {
            // Everything once more, the latest first.
            for (worker, event) in events.into_iter().rev() {
                let answer = shop.world.invoke(worker, event).await;
                assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
            }
            shop.run(2).await;
            assert!(shop.messages().is_empty(), "nothing new was sent");
        }
        assert_eq!(sends(&messages).len(), 12);
        assert_eq!(messages.len(), 12);
        assert_eq!(shop.report(&id).await, [12, 0, 0, 12, 0, 0]);
        ends.push(shop.state().await);
    }
    assert_eq!(ends[0], ends[1]);
}

/// Kills a worker at each of its AWS calls, delivers again, and compares with a life without a kill.
async fn survives_every_kill(worker: &str, prepare: impl AsyncFn(&Shop)) {
    let calm = Shop::new().await;
    prepare(&calm).await;
    let batch = calm.world.take(worker).unwrap();
    let answer = calm.world.invoke(worker, batch.event.clone()).await;
    calm.world.acknowledge(&batch, &answer);
    calm.run(1).await;
    let (end, sent) = (calm.state().await, sends(&calm.messages()));

    for after in [false, true] {
        for call in 0.. {
            let shop = Shop::new().await;
            prepare(&shop).await;
            let batch = shop.world.take(worker).unwrap();
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let result = shop
                .world
                .invoke_and_kill(worker, batch.event.clone(), kill)
                .await;
            if result.is_some() {
                assert!(call >= 3, "{worker} makes more calls than {call}");
                break;
            }
            // A second kill at the same place, then a calm delivery.
            shop.world
                .invoke_and_kill(worker, batch.event.clone(), kill)
                .await;
            shop.world.release(&batch);
            shop.run(1).await;
            assert_eq!(shop.state().await, end, "{worker} after {kill:?}");
            assert_eq!(sends(&shop.messages()), sent, "{worker} after {kill:?}");
        }
    }
}

#[tokio::test]
async fn a_killed_trigger_enrolls_once() {
    survives_every_kill("workflow-trigger", async |shop| {
        shop.active(greeting()).await;
        let contact = shop.contact("an@example.vn").await;
        shop.form(contact, "f1").await;
        shop.world.relay().await;
    })
    .await;
}

#[tokio::test]
async fn a_killed_start_waits_once() {
    survives_every_kill("workflow-step", async |shop| {
        shop.active(greeting()).await;
        let contact = shop.contact("an@example.vn").await;
        shop.form(contact, "f1").await;
        shop.world.relay().await;
        shop.world.deliver("workflow-trigger", false).await;
        shop.world.relay().await;
    })
    .await;
}

#[tokio::test]
async fn a_killed_end_of_a_wait_sends_once() {
    survives_every_kill("workflow-step", async |shop| {
        shop.active(greeting()).await;
        let contact = shop.contact("an@example.vn").await;
        shop.form(contact, "f1").await;
        shop.run(1).await;
        shop.world.advance(DAY);
        shop.tick().await;
    })
    .await;
}

#[tokio::test]
async fn a_killed_sweep_loses_no_timer() {
    let prepare = async || {
        let shop = Shop::new().await;
        shop.active(greeting()).await;
        for n in 0..3 {
            let contact = shop.contact(&format!("khach{n}@example.vn")).await;
            shop.form(contact, &format!("f{n}")).await;
        }
        shop.run(1).await;
        shop.world.advance(DAY);
        shop
    };
    let calm = prepare().await;
    calm.tick().await;
    calm.run(1).await;
    let (end, sent) = (calm.state().await, sends(&calm.messages()));
    assert_eq!(sent.len(), 3);
    for after in [false, true] {
        for call in 0.. {
            let shop = prepare().await;
            let kill = if after {
                Kill::After(call)
            } else {
                Kill::Before(call)
            };
            let result = shop
                .world
                .invoke_and_kill("due-timer", json!({}), kill)
                .await;
            shop.tick().await;
            shop.run(1).await;
            assert_eq!(shop.state().await, end, "after {kill:?}");
            assert_eq!(sends(&shop.messages()), sent, "after {kill:?}");
            if result.is_some() {
                assert!(call > 20, "the sweep makes more calls than {call}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_jump_of_days_and_an_outage_are_caught_up() {
    let shop = Shop::new().await;
    let id = shop.active(greeting()).await;
    for n in 0..8 {
        let contact = shop.contact(&format!("khach{n}@example.vn")).await;
        shop.form(contact, &format!("f{n}")).await;
        shop.run(1).await;
        shop.world.advance(Duration::from_hours(1));
    }
    shop.tick().await;
    shop.world.advance(3 * DAY);
    // SQS takes nothing: the rows and the checkpoint stay.
    shop.world.aws.set_fault_hook(Some(Arc::new(|call: &Call| {
        if call.operation == "SendMessageBatch" {
            Fault::Throttle
        } else {
            Fault::None
        }
    })));
    shop.world.invoke("due-timer", json!({})).await.unwrap_err();
    shop.world.aws.set_fault_hook(None);
    shop.run(1).await;
    assert_eq!(shop.report(&id).await[2], 8);
    // Two hours later, the next tick that succeeds finds them all.
    shop.world.advance(Duration::from_hours(2));
    shop.tick().await;
    shop.run(1).await;
    assert_eq!(shop.report(&id).await, [8, 0, 0, 8, 0, 0]);
    assert_eq!(shop.messages().len(), 8);
    let timers = Timers::new(shop.world.table("Timers"));
    let now = cloud::timers::minute(shop.world.now());
    assert_eq!(timers.checkpoint().await.unwrap(), Some(now));
}

#[tokio::test]
async fn an_idle_sweep_asks_little() {
    let shop = Shop::new().await;
    shop.tick().await;
    let before = shop.world.aws.meter().snapshot();
    shop.world.advance(3 * DAY);
    shop.tick().await;
    let spent = shop.world.aws.meter().since(&before);
    assert!(
        spent.read_units() < 5.0,
        "{} read units",
        spent.read_units()
    );
}

#[tokio::test]
async fn a_sweep_that_runs_out_of_time_goes_on_next_time() {
    let shop = Shop::new().await;
    let timers = Timers::new(shop.world.table("Timers"));
    let due = shop.world.now() + jiff::SignedDuration::from_mins(5);
    let body = json!({ "type": "workflow.step.v1", "enrollment": "enr_x", "token": "t" });
    let queue = QueueName::WorkflowStep;
    timers
        .schedule(shop.tenant, "t", due, queue, &body)
        .await
        .unwrap();
    let spec = shop.world.spec("due-timer");
    assert!(spec.timeout > 10);
    shop.world.advance(Duration::from_mins(90));
    // The clock jumps to the end of the invocation with the first look into a bucket.
    let (world, jumped) = (shop.world.clone(), std::sync::Once::new());
    let jump = Duration::from_secs(u64::from(spec.timeout));
    shop.world
        .aws
        .set_fault_hook(Some(Arc::new(move |call: &Call| {
            if call.operation == "Query" {
                jumped.call_once(|| world.advance(jump));
            }
            Fault::None
        })));
    shop.tick().await;
    shop.world.aws.set_fault_hook(None);
    let first = timers.checkpoint().await.unwrap().unwrap();
    assert!(
        first <= cloud::timers::minute(due),
        "the checkpoint stays before what was not done"
    );
    shop.tick().await;
    let queue = shop.world.queue_of("workflow-step");
    assert_eq!(shop.world.aws.sqs().receive(&queue, 10, None).len(), 1);
}

#[tokio::test]
async fn tenants_do_not_meet() {
    let one = Shop::new().await;
    let two = Shop::in_world(one.world.clone()).await;
    let id = one.active(greeting()).await;
    let contact = two.contact("an@example.vn").await;
    two.form(contact, "f1").await;
    one.run(1).await;
    assert_eq!(one.report(&id).await[0], 0);
    for (method, path) in [
        ("GET", ""),
        ("GET", "/report"),
        ("POST", "/activate"),
        ("POST", "/archive"),
    ] {
        let (status, _) = two
            .api(method, &format!("/v1/workflows/{id}{path}"), None)
            .await;
        assert_eq!(status, 404, "{method} {path}");
    }
    let (_, list) = two.api("GET", "/v1/workflows", None).await;
    assert_eq!(list, json!({ "data": [], "next": null }));

    // A step message that names another tenant's enrollment moves nothing.
    let contact = one.contact("an@example.vn").await;
    one.form(contact, "f1").await;
    one.world.relay().await;
    one.world.deliver("workflow-trigger", false).await;
    one.world.relay().await;
    let batch = one.world.take("workflow-step").unwrap();
    let mut event = batch.event.clone();
    let body = event["Records"][0]["body"].as_str().unwrap().to_owned();
    event["Records"][0]["body"] =
        json!(body.replace(&one.tenant.to_string(), &two.tenant.to_string()));
    let before = one.state().await;
    one.world.invoke("workflow-step", event).await.unwrap();
    assert_eq!(one.state().await, before);
    one.world.release(&batch);
    one.run(1).await;
    assert_eq!(one.report(&id).await, [1, 0, 1, 0, 0, 0]);
}

#[tokio::test]
async fn entry_rule_and_activation_decide_who_comes_in() {
    let shop = Shop::new().await;
    let mut every = greeting();
    every["entry"] = json!("every_time");
    let (once, every) = (shop.create(greeting()).await, shop.create(every).await);
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "draft").await;
    shop.run(1).await;
    shop.world.advance(SECOND);
    shop.change(&once, "activate").await;
    shop.change(&every, "activate").await;
    for n in 0..3 {
        shop.world.advance(SECOND);
        shop.form(contact, &format!("f{n}")).await;
        shop.form(contact, &format!("f{n}")).await;
        shop.run(2).await;
    }
    assert_eq!(shop.report(&once).await[0], 1);
    assert_eq!(shop.report(&every).await[0], 3);

    // What the source says of the time does not matter: forms carry times of any age.
    let late = Event {
        id: "late".into(),
        name: "form.submitted".into(),
        at: shop.world.now() - jiff::SignedDuration::from_hours(300),
        source: "ladipage".into(),
        data: json!({ "form_id": "FORM8" }),
    };
    shop.contacts()
        .record(shop.tenant, contact, &late)
        .await
        .unwrap();
    shop.run(1).await;
    assert_eq!(shop.report(&every).await[0], 4);

    // An event that was under way when a workflow became active does not start it.
    let young = shop.create(greeting()).await;
    shop.form(contact, "before").await;
    shop.world.relay().await;
    shop.world.advance(SECOND);
    shop.change(&young, "activate").await;
    shop.run(1).await;
    assert_eq!(shop.report(&young).await[0], 0);
    assert_eq!(shop.report(&every).await[0], 5);
}

#[tokio::test]
async fn paused_contacts_stay_and_go_on_when_resumed() {
    let shop = Shop::new().await;
    let id = shop.active(greeting()).await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "f1").await;
    shop.run(1).await;
    shop.change(&id, "pause").await;
    let other = shop.contact("binh@example.vn").await;
    shop.form(other, "f2").await;
    shop.world.advance(DAY);
    for _ in 0..30 {
        shop.tick().await;
        shop.run(2).await;
        shop.world.advance(Duration::from_mins(1));
    }
    assert_eq!(
        shop.report(&id).await,
        [1, 0, 1, 0, 0, 0],
        "nobody enters, nobody moves"
    );
    let timers = shop.world.dump("Timers").await;
    let parked = timers
        .iter()
        .filter(|row| row.get("effect").is_some())
        .count();
    assert!(parked <= 1, "{parked} timers for one contact");
    shop.change(&id, "activate").await;
    for _ in 0..20 {
        shop.tick().await;
        shop.run(1).await;
        shop.world.advance(Duration::from_mins(1));
    }
    assert_eq!(shop.report(&id).await, [1, 0, 0, 1, 0, 0]);
    assert_eq!(sends(&shop.messages()).len(), 1);
}

#[tokio::test]
async fn an_archived_workflow_lets_its_contacts_go() {
    let shop = Shop::new().await;
    let id = shop.active(greeting()).await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "f1").await;
    shop.run(1).await;
    shop.change(&id, "archive").await;
    shop.change(&id, "archive").await;
    let (status, _) = shop
        .api("POST", &format!("/v1/workflows/{id}/activate"), None)
        .await;
    assert_eq!(status, 409);
    shop.world.advance(DAY);
    shop.tick().await;
    shop.run(1).await;
    assert_eq!(shop.report(&id).await, [1, 0, 0, 0, 1, 0]);
    assert!(shop.messages().is_empty());
}

#[tokio::test]
async fn the_api_names_every_flaw() {
    let shop = Shop::new().await;
    let before = shop.world.dump("Directory").await;
    let mut bad = greeting();
    bad["graph"]["nodes"]["mail"]["html"] = json!("{% if %}");
    bad["graph"]["nodes"]["tag"]["next"] = json!("nowhere");
    bad["trigger"]["form"] = json!("FORM8");
    let (status, problem) = shop.api("POST", "/v1/workflows", Some(bad)).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid")));
    let errors = problem["errors"].as_array().unwrap();
    let pointers: BTreeSet<&str> = errors
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    let expected = [
        "/graph/nodes/mail",
        "/graph/nodes/mail/html",
        "/graph/nodes/tag/next",
        "/graph/nodes/wait",
        "/trigger/form",
    ];
    assert_eq!(pointers, BTreeSet::from(expected));
    let mut bad = greeting();
    bad["folder"] = json!("Tết");
    let (status, problem) = shop.api("POST", "/v1/workflows", Some(bad)).await;
    assert_eq!(
        (status, problem["errors"][0]["pointer"].as_str()),
        (400, Some("/folder"))
    );
    assert_eq!(
        shop.world.dump("Directory").await,
        before,
        "nothing half-written"
    );
}

#[tokio::test]
async fn the_api_asks_for_scopes_and_pages() {
    let shop = Shop::new().await;
    let (status, _) = shop
        .api_as("read", "POST", "/v1/workflows", Some(greeting()))
        .await;
    assert_eq!(status, 403);
    for _ in 0..5 {
        shop.create(greeting()).await;
        shop.world.advance(SECOND);
    }
    let (mut ids, mut path) = (Vec::new(), "/v1/workflows?limit=2".to_owned());
    loop {
        let (status, page) = shop.api_as("read", "GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        let rows = page["data"].as_array().unwrap();
        ids.extend(
            rows.iter()
                .map(|row| row["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/v1/workflows?limit=2&cursor={next}");
    }
    assert_eq!(ids.len(), 5);
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first");
    let (status, problem) = shop.api("GET", "/v1/workflows?cursor=abc", None).await;
    assert_eq!(
        (status, problem["errors"][0]["pointer"].as_str()),
        (400, Some("?cursor"))
    );
    let (status, _) = shop.api("GET", "/v1/workflows/wfl_zzzz", None).await;
    assert_eq!(status, 404);
    let (_, one) = shop
        .api("GET", &format!("/v1/workflows/{}", ids[0]), None)
        .await;
    assert_eq!(
        one["graph"]["nodes"]["wait"],
        json!({ "type": "wait_duration", "seconds": 86_400, "next": "mail" })
    );
    assert_eq!(one["status"], "draft");
}

#[tokio::test]
async fn the_relay_parks_what_it_cannot_send_and_goes_on() {
    let shop = Shop::new().await;
    let mut event = fixture("change-relay/mixed.json");
    let records = event["Records"].as_array_mut().unwrap();
    records.rotate_right(1);
    let nowhere = records[0]["dynamodb"]["NewImage"].clone();
    for _ in 0..2 {
        let answer = shop
            .world
            .invoke("change-relay", event.clone())
            .await
            .unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }
    let parked: Vec<Value> = shop
        .world
        .dead_letters()
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    assert_eq!(parked, [nowhere.clone(), nowhere]);
    let steps = shop
        .world
        .aws
        .sqs()
        .receive(&shop.world.queue_of("workflow-step"), 10, None);
    assert_eq!(steps.len(), 2, "a standard queue has it twice");
    let chats = shop
        .world
        .aws
        .sqs()
        .receive(&shop.world.queue_of("chat-outbound"), 10, None);
    let order: Vec<bool> = chats
        .iter()
        .map(|m| m.body.contains("msg_00f2n4kw9e1"))
        .collect();
    assert_eq!(order, [true, false], "a FIFO queue has each once, in order");
}

#[tokio::test]
async fn the_relay_says_which_record_was_refused() {
    let shop = Shop::new().await;
    let event = fixture("change-relay/ok.json");
    let first = event["Records"][0]["dynamodb"]["SequenceNumber"].clone();
    shop.world.aws.set_fault_hook(Some(Arc::new(|call: &Call| {
        if call.service == "sqs" {
            Fault::Throttle
        } else {
            Fault::None
        }
    })));
    let answer = shop.world.invoke("change-relay", event).await.unwrap();
    shop.world.aws.set_fault_hook(None);
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [{ "itemIdentifier": first }] })
    );
}

#[tokio::test]
async fn sample_events_do_what_their_names_say() {
    let shop = Shop::new().await;
    let fine = json!({ "batchItemFailures": [] });
    for worker in ["workflow-trigger", "workflow-step"] {
        for name in ["ok", "duplicate", "malformed", "mixed"] {
            let event = fixture(&format!("{worker}/{name}.json"));
            assert_eq!(
                shop.world.invoke(worker, event).await,
                Ok(fine.clone()),
                "{worker} {name}"
            );
        }
    }
    // One from each malformed.json, two from each mixed.json; nothing else was refused.
    assert_eq!(shop.world.dead_letters().len(), 6);
    for name in ["ok", "duplicate", "malformed"] {
        let event = fixture(&format!("due-timer/{name}.json"));
        assert_eq!(shop.world.invoke("due-timer", event).await, Ok(Value::Null));
    }
    for (name, status) in [
        ("ok", 201),
        ("malformed", 400),
        ("cycle", 400),
        ("list", 200),
        ("duplicate", 404),
    ] {
        let event = fixture(&format!("api-workflows/{name}.json"));
        let answer = shop.world.invoke("api-workflows", event).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{name}: {answer}");
    }
}

#[tokio::test]
async fn a_workflow_that_is_killed_while_it_is_made_or_changed_is_whole_when_repeated() {
    for change in ["create", "activate", "pause", "archive"] {
        for after in [false, true] {
            for call in 0.. {
                let shop = Shop::new().await;
                let kill = if after {
                    Kill::After(call)
                } else {
                    Kill::Before(call)
                };
                let id = match change {
                    "create" => String::new(),
                    "activate" => shop.create(greeting()).await,
                    _ => shop.active(greeting()).await,
                };
                let (path, body) = match change {
                    "create" => ("/v1/workflows".to_owned(), Some(greeting())),
                    change => (format!("/v1/workflows/{id}/{change}"), None),
                };
                let grant = grant_of(shop.tenant.workspace(), "read write");
                let event = http_event("POST", &path, body.as_ref(), Some(&grant));
                let result = shop.world.invoke_and_kill("api-workflows", event, kill);
                if result.await.is_some() {
                    assert!(call >= 4, "{change}: {call} calls");
                    break;
                }
                let (status, answer) = shop.api("POST", &path, body).await;
                assert!(status < 300, "{change} {kill:?}: {answer}");
                let (_, list) = shop.api("GET", "/v1/workflows", None).await;
                let listed = list["data"].as_array().unwrap();
                assert!(listed.len() <= 2, "{change} {kill:?}");
                for workflow in listed {
                    let path = format!("/v1/workflows/{}", workflow["id"].as_str().unwrap());
                    let (_, shown) = shop.api("GET", &path, None).await;
                    assert!(shown["graph"]["nodes"]["mail"].is_object(), "{kill:?}");
                }
                // An active one hears of events, the others take nobody in.
                let contact = shop.contact("an@example.vn").await;
                shop.form(contact, "f1").await;
                shop.run(1).await;
                let id = answer["id"].as_str().unwrap();
                let entered = shop.report(id).await[0];
                assert_eq!(
                    entered,
                    u64::from(change == "activate"),
                    "{change} {kill:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_form_at_the_webhook_starts_the_workflow_of_its_form() {
    let world = Arc::new(World::new());
    let shop = Shop {
        tenant: world.workspace().await,
        world,
    };
    let mut other = greeting();
    other["trigger"]["form_id"] = json!("FORM9");
    let (wanted, other) = (shop.active(greeting()).await, shop.active(other).await);
    let doors = accounts::Doors::new(shop.world.table("Directory"));
    let new = accounts::NewSource {
        provider: "ladipage".into(),
        header: "x-token".into(),
        ..accounts::NewSource::default()
    };
    let (source, token) = doors.create_source(shop.tenant, new).await.unwrap();
    let form = json!({ "email": "an@example.vn", "ladi_form_id": "FORM8", "message": "Size M" });
    let mut event = http_event("POST", &format!("/w/ladipage/{source}"), Some(&form), None);
    event["headers"]["x-token"] = json!(token);
    let answer = shop.world.invoke("webhook-ladipage", event).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    shop.world.settle().await;
    assert_eq!(shop.report(&wanted).await[0], 1);
    assert_eq!(shop.report(&other).await[0], 0);
}

#[tokio::test]
async fn what_nothing_records_cannot_start_a_workflow() {
    let shop = Shop::new().await;
    let mut draft = greeting();
    draft["trigger"] = json!({ "type": "order.paid" });
    let (status, problem) = shop.api("POST", "/v1/workflows", Some(draft)).await;
    let error = &problem["errors"][0];
    assert_eq!((status, &error["pointer"]), (400, &json!("/trigger/type")));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("form.submitted") && message.contains("conversation.created"));
}

#[tokio::test]
async fn contacts_of_an_archived_workspace_wait_for_its_restoration() {
    let world = Arc::new(World::new());
    let shop = Shop {
        tenant: world.workspace().await,
        world,
    };
    let id = shop.active(greeting()).await;
    let contact = shop.contact("an@example.vn").await;
    shop.form(contact, "f1").await;
    shop.run(1).await;
    let archived = accounts::WorkspaceStatus::Archived;
    shop.world
        .change_workspace(shop.tenant, archived, |_| ())
        .await;
    for _ in 0..6 {
        shop.world.advance(DAY / 2);
        shop.tick().await;
        shop.run(2).await;
    }
    assert_eq!(shop.report(&id).await, [1, 0, 1, 0, 0, 0]);
    let timers = shop.world.dump("Timers").await;
    let parked = timers.iter().filter(|row| row.get("effect").is_some());
    assert!(parked.count() <= 1);
    let active = accounts::WorkspaceStatus::Active;
    shop.world
        .change_workspace(shop.tenant, active, |_| ())
        .await;
    for _ in 0..3 {
        shop.world.advance(DAY / 2);
        shop.tick().await;
        shop.run(1).await;
    }
    assert_eq!(shop.report(&id).await, [1, 0, 0, 1, 0, 0]);
    assert_eq!(sends(&shop.messages()).len(), 1);
}

#[tokio::test]
async fn marketing_needs_what_stands_at_the_foot_of_its_mails() {
    let shop = Shop::new().await;
    let active = accounts::WorkspaceStatus::Active;
    let clear = |settings: &mut accounts::WorkspaceSettings| settings.postal_address.clear();
    shop.world
        .change_workspace(shop.tenant, active, clear)
        .await;
    let mut order = greeting();
    for node in order["graph"]["nodes"]
        .as_object_mut()
        .unwrap()
        .values_mut()
    {
        if node["type"] == "send_email" {
            node["class"] = json!("transactional");
        }
    }
    shop.active(order).await;
    let id = shop.create(greeting()).await;
    let path = format!("/v1/workflows/{id}/activate");
    let (status, refusal) = shop.api("POST", &path, None).await;
    assert_eq!(
        (status, &refusal["code"], &refusal["errors"][0]["pointer"]),
        (409, &json!("settings_missing"), &json!("/postal_address"))
    );
    let (_, shown) = shop.api("GET", &format!("/v1/workflows/{id}"), None).await;
    assert_eq!(shown["status"], "draft", "{shown}");
}
