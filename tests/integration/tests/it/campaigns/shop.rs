//! One tenant with a list of contacts, and the results of its campaigns.

use contacts::{Channel, ChannelStatus, Contacts, Identity, Incoming, Lists, Statement};
use futures::{StreamExt, stream};
use kernel::{ContactId, ListId, TenantKey};
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use crate::support::{World, grant_of};

/// Every fiftieth address bounces, every fortieth contact has unsubscribed.
const BOUNCES: u32 = 50;
const UNSUBSCRIBED: u32 = 40;

pub struct Shop {
    pub tenant: TenantKey,
    pub list: ListId,
    pub contacts: Vec<ContactId>,
    pub people: u64,
    pub bouncing: u64,
    pub unsubscribed: u64,
}

/// A figure of a report.
pub fn number(report: &Value, name: &str) -> u64 {
    report[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} in {report}"))
}

fn sum(reasons: &Value) -> u64 {
    reasons
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum()
}

pub fn contacts(world: &World) -> Contacts {
    Contacts::over(&world.resources())
}

/// The shop's own system says that mail has the status.
pub fn told(status: ChannelStatus) -> Vec<Statement> {
    Statement::from_status(Channel::Email, status)
        .into_iter()
        .collect()
}

fn person(n: u32, list: ListId, every: u32) -> Incoming {
    let bounces = n.is_multiple_of(every);
    let unsubscribed = n % UNSUBSCRIBED == 1;
    let address = format!("{}+{n}@example.com", if bounces { "bounce" } else { "an" });
    Incoming {
        identities: vec![Identity::Email(address.parse().unwrap())],
        lists: vec![list],
        consent: told(if unsubscribed {
            ChannelStatus::Unsubscribed
        } else {
            ChannelStatus::Subscribed
        }),
        ..Incoming::default()
    }
}

impl Shop {
    pub async fn open(world: &World, people: u32) -> Self {
        Self::with_bounces(world, people, BOUNCES).await
    }

    /// A shop in which every `every`th address bounces.
    pub async fn with_bounces(world: &World, people: u32, every: u32) -> Self {
        let tenant = world.workspace().await;
        let lists = Lists::over(&world.resources());
        let list = kernel::ListId::new(&world.clock(), &world.entropy);
        lists
            .create(tenant, list, world.now(), "Khách hàng", None)
            .await
            .unwrap();
        let store = contacts(world);
        let contacts: Vec<ContactId> = stream::iter(0..people)
            .map(|n| {
                let store = store.clone();
                async move {
                    store
                        .upsert(tenant, &person(n, list, every))
                        .await
                        .unwrap()
                        .contact
                }
            })
            .buffered(8)
            .collect()
            .await;
        let count = |is: &dyn Fn(u32) -> bool| (0..people).filter(|&n| is(n)).count() as u64;
        Self {
            tenant,
            list,
            contacts,
            people: u64::from(people),
            bouncing: count(&|n| n.is_multiple_of(every) && n % UNSUBSCRIBED != 1),
            unsubscribed: count(&|n| n % UNSUBSCRIBED == 1),
        }
    }

    /// Recipients of a first campaign.
    pub fn eligible(&self) -> u64 {
        self.people - self.unsubscribed
    }

    /// Gives every address its first consent back.
    pub async fn reset(&self, world: &World) {
        for &contact in &self.contacts {
            let key = cloud::Key::new(format!("{}#{contact}", self.tenant), "PROFILE");
            let table = world.table("Contacts");
            let alive = cloud::Update::new().remove("email_bounced");
            table.update(&key, alive).await.unwrap();
            let agreed = cloud::Update::new().remove("c.email.all.complained");
            table.update(&key, agreed).await.unwrap();
        }
    }

    pub async fn call(
        &self,
        world: &World,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let event = http(method, path, body, Some(self.tenant), "test");
        let answer = world.invoke("api-campaigns", event).await.unwrap();
        let text = answer["body"].as_str().unwrap_or("null");
        let body = serde_json::from_str(text).unwrap_or(Value::Null);
        (answer["statusCode"].as_u64().unwrap() as u16, body)
    }

    async fn workflows(
        &self,
        world: &World,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Value {
        let event = http(method, path, body, Some(self.tenant), "test");
        let answer = world.invoke("api-workflows", event).await.unwrap();
        let body = answer["body"].as_str().unwrap_or("null");
        assert!(answer["statusCode"].as_u64().unwrap() < 300, "{body}");
        serde_json::from_str(body).unwrap()
    }

    /// A workflow that enrolls contacts.
    pub async fn active_workflow(&self, world: &World, draft: &Value) -> String {
        let workflow = self
            .workflows(world, "POST", "/v1/workflows", Some(draft))
            .await;
        let id = workflow["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/workflows/{id}/activate");
        self.workflows(world, "POST", &path, None).await;
        world.lead();
        id
    }

    /// How many contacts the workflow has enrolled.
    pub async fn entered(&self, world: &World, workflow: &str) -> u64 {
        let path = format!("/v1/workflows/{workflow}/report");
        number(&self.workflows(world, "GET", &path, None).await, "entered")
    }

    pub async fn create(&self, world: &World, list: ListId) -> (u16, Value) {
        let body = letter(list);
        self.call(world, "POST", "/v1/campaigns", Some(&body)).await
    }

    /// A new campaign to the shop's list.
    pub async fn campaign(&self, world: &World) -> String {
        let (status, body) = self.create(world, self.list).await;
        assert_eq!((status, &body["status"]), (201, &json!("draft")), "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    pub async fn command(&self, world: &World, campaign: &str, command: &str) -> (u16, Value) {
        let path = format!("/v1/campaigns/{campaign}/{command}");
        self.call(world, "POST", &path, None).await
    }

    pub async fn send(&self, world: &World, campaign: &str) {
        let (status, body) = self.command(world, campaign, "send").await;
        assert_eq!(
            (status, &body["status"]),
            (202, &json!("sending")),
            "{body}"
        );
    }

    pub async fn report(&self, world: &World, campaign: &str) -> Value {
        let path = format!("/v1/campaigns/{campaign}/report");
        let (status, report) = self.call(world, "GET", &path, None).await;
        assert_eq!(status, 200, "{report}");
        report
    }

    pub fn assert_identity(&self, report: &Value) {
        let settled = number(report, "sent")
            + sum(&report["skipped"])
            + sum(&report["failed"])
            + number(report, "unknown");
        assert_eq!(settled, number(report, "audience"), "{report}");
        assert_eq!(number(report, "audience"), self.people);
    }

    /// Plans and sends, without processing the provider's events.
    pub async fn work(&self, world: &World) {
        loop {
            let mut moved = world.relay().await;
            for worker in ["campaign-planner", "campaign-sender-email"] {
                while let Some(answer) = world.deliver(worker, false).await {
                    answer.unwrap();
                    moved += 1;
                }
            }
            if moved == 0 {
                return;
            }
        }
    }

    /// Recipients of this campaign's mails.
    pub fn mails(&self, world: &World, scope: &str) -> Vec<String> {
        let tag = ("scope".to_owned(), scope.to_owned());
        let mails = world.aws.outbox().all(Kind::Mail).into_iter();
        let ours = mails.filter(|mail| mail.tags.contains(&tag));
        ours.flat_map(|mail| mail.to).collect()
    }

    /// Removes all provider events from the queue.
    pub fn provider_events(&self, world: &World) -> Vec<String> {
        let queue = world.queue_of("delivery-status");
        let mut bodies = Vec::new();
        loop {
            let messages = world.aws.sqs().receive(&queue, 10, None);
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                world.aws.sqs().delete(&queue, &message.receipt_handle);
                bodies.push(message.body);
            }
        }
    }
}

/// A campaign to a list.
pub fn letter(list: ListId) -> Value {
    json!({
        "name": "Tết",
        "audience": { "include": { "list_ids": [list] } },
        "mail": {
            "sender": { "from_name": "Cửa hàng mẫu", "from_email": "tin@example.vn" },
            "subject": "Chào {{ contact.first_name | default: 'bạn' }}",
            "html": "<p>Chào bạn</p><a href=\"https://example.vn/qua\">Nhận quà</a>",
        },
    })
}

/// Each event twice, in an order that follows from the seed.
pub fn shuffled_twice(events: &[String], seed: u64) -> Vec<String> {
    let entropy = kernel::Entropy::seeded(seed);
    let mut twice: Vec<(u64, String)> = events
        .iter()
        .chain(events)
        .map(|event| (entropy.u64(), event.clone()))
        .collect();
    twice.sort();
    twice.into_iter().map(|(_, event)| event).collect()
}

/// An SQS event of these bodies.
pub fn sqs_event(bodies: &[String]) -> Value {
    let records = bodies.iter().enumerate().map(|(n, body)| {
        json!({
            "messageId": format!("message-{n}"), "receiptHandle": "r", "body": body,
            "attributes": { "ApproximateReceiveCount": "1" }, "messageAttributes": {},
            "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": "ap-southeast-1",
            "eventSourceARN": "arn:aws:sqs:ap-southeast-1:000000000000:test",
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// An HTTP API event; with a tenant, as if the authorizer had let it in.
pub fn http(
    method: &str,
    path: &str,
    body: Option<&Value>,
    tenant: Option<TenantKey>,
    agent: &str,
) -> Value {
    let grant =
        tenant.map(|tenant| json!({ "lambda": grant_of(tenant.workspace(), "read write") }));
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": { "content-type": "application/json", "host": "shop.example.vn",
                     "user-agent": agent },
        "requestContext": {
            "accountId": "000000000000", "apiId": "local", "domainName": "shop.example.vn",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1",
                      "sourceIp": "203.0.113.9", "userAgent": agent },
            "requestId": "request-http", "routeKey": "$default", "stage": "$default",
            "time": "02/Mar/2026:08:00:00 +0000", "timeEpoch": 1_772_438_400_000_u64,
            "authorizer": grant,
        },
        "body": body.map(Value::to_string),
        "isBase64Encoded": false,
    })
}
