//! A shop, its form pages, and the stored rows of its contacts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contacts::{Channel, ChannelStatus, Contacts, Identity, Incoming, Statement};
use kernel::{ConsentField, ContactId, Grant, Limit, TenantKey};
use serde_json::{Value, json};
use sources::{NewSource, Provider, Settings, Sources};

use crate::support::{Kill, World, grant_of, http_event};

pub const HEADER: &str = "x-ladipage-token";

/// A world and one of its tenants.
#[derive(Clone)]
pub struct Shop {
    pub world: Arc<World>,
    pub tenant: TenantKey,
}

impl Shop {
    pub async fn new() -> Self {
        Self::in_world(&Arc::new(World::new())).await
    }

    pub async fn in_world(world: &Arc<World>) -> Self {
        Self {
            world: world.clone(),
            tenant: world.workspace().await,
        }
    }

    pub fn contacts(&self) -> Contacts {
        Contacts::over(&self.world.resources())
    }

    pub async fn upsert(&self, incoming: Incoming) -> contacts::Upserted {
        self.contacts()
            .upsert(self.tenant, &incoming)
            .await
            .unwrap()
    }

    pub async fn contact(&self, id: ContactId) -> contacts::Contact {
        self.contacts().get(self.tenant, id).await.unwrap().unwrap()
    }

    pub async fn owner(&self, identity: &Identity) -> Option<ContactId> {
        let owner = self.contacts().find_identity(self.tenant, identity).await;
        owner.unwrap()
    }

    /// Names that a search finds, in order.
    pub async fn found(&self, query: &str) -> Vec<String> {
        let page = self
            .contacts()
            .profiles()
            .search(self.tenant, query, Limit::default(), None)
            .await
            .unwrap();
        assert!(page.next.is_none());
        page.data
            .into_iter()
            .map(|contact| contact.person.full_name.unwrap_or_default())
            .collect()
    }

    pub async fn api(&self, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
        let event = http_event(method, path, body, Some(&self.grant()));
        self.world.ask("api-contacts", event).await
    }

    pub fn grant(&self) -> Grant {
        grant_of(self.tenant.workspace(), "write")
    }

    pub async fn upload(&self, path: &str, file: &str) -> String {
        let mut event = http_event("POST", path, None, Some(&self.grant()));
        event["headers"]["content-type"] = "text/csv".into();
        event["body"] = file.into();
        let (status, job) = self.world.ask("api-contacts", event).await;
        assert_eq!(status, 202, "{job}");
        assert_eq!(job["status"], "pending");
        self.world.relay().await;
        job["id"].as_str().unwrap().to_owned()
    }

    pub async fn job(&self, id: &str) -> Value {
        let (status, job) = self.api("GET", &format!("/v1/imports/{id}"), None).await;
        assert_eq!(status, 200, "{job}");
        job
    }
}

/// A LadiPage source and its URL's id and token.
pub struct Page {
    pub source: String,
    pub token: String,
}

impl Page {
    pub async fn of(shop: &Shop, tags: &[&str]) -> Self {
        Self::asking(shop, tags, BTreeMap::new()).await
    }

    /// A page whose forms ask for consent.
    pub async fn asking(
        shop: &Shop,
        tags: &[&str],
        consent: BTreeMap<Channel, ConsentField>,
    ) -> Self {
        let new = NewSource {
            settings: Settings {
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                consent,
                ..Settings::default()
            },
            ..NewSource::of(Provider::Ladipage, HEADER)
        };
        let sources = Sources::over(&shop.world.resources());
        let (source, token) = sources.create(shop.tenant, new).await.unwrap();
        Self {
            source: source.to_string(),
            token,
        }
    }

    pub fn event(&self, body: &str) -> Value {
        let path = format!("/w/ladipage/{}", self.source);
        let mut event = http_event("POST", &path, None, None);
        event["headers"][HEADER] = self.token.clone().into();
        event["body"] = body.into();
        event
    }

    pub async fn post(&self, shop: &Shop, form: &Value) {
        let (status, body) = shop
            .world
            .ask("webhook-ladipage", self.event(&form.to_string()))
            .await;
        assert_eq!((status, body), (200, json!({ "accepted": true })));
    }
}

pub fn form() -> Value {
    json!({
        "Họ và tên": "Trần Thị An", "Số điện thoại": "0912 345 678", "email": "An.Tran@example.vn",
        "message": "Tư vấn size M", "ladi_form_id": "FORM8", "utm_source": "facebook",
        "message_time": "02/03/2026 08:15:30",
    })
}

/// The shop's own system says that these channels have the status.
pub fn told(status: ChannelStatus, channels: &[Channel]) -> Vec<Statement> {
    let told = channels.iter();
    told.filter_map(|channel| Statement::from_status(*channel, status))
        .collect()
}

pub fn email(address: &str) -> Identity {
    Identity::Email(address.parse().unwrap())
}

pub fn phone(number: &str) -> Identity {
    Identity::Phone(number.parse().unwrap())
}

pub fn person(name: &str, identities: &[Identity]) -> Incoming {
    Incoming {
        identities: identities.to_vec(),
        person: contacts::Person {
            full_name: Some(name.into()),
            ..contacts::Person::default()
        },
        ..Incoming::default()
    }
}

/// The table's rows without the values that differ from run to run: ids of contacts, times, and invisible
/// reservations that a killed attempt left.
pub async fn essence(world: &World, table: &str) -> Vec<String> {
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

pub fn without_ids(text: &str) -> String {
    let mut parts = text.split("con_");
    let head = parts.next().unwrap_or_default().to_owned();
    // Eleven digits follow the prefix.
    parts.fold(head, |text, part| {
        text + "con_" + part.get(11..).unwrap_or(part)
    })
}

/// Runs `prepare`, kills the function at each of its AWS calls in turn, lets redelivery finish, and
/// compares with an undisturbed run.
pub async fn survives_any_kill(function: &str, prepare: impl AsyncFn(&Shop)) {
    survives(function, &["Contacts", "Timeline"], 5, prepare).await;
}

/// The same for these tables, with a function that makes at least `least` calls.
pub async fn survives(function: &str, tables: &[&str], least: u64, prepare: impl AsyncFn(&Shop)) {
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
        let mut state = Vec::new();
        for table in tables {
            state.push(essence(&shop.world, table).await);
        }
        (finished, state)
    };
    compares(outcome, least).await;
}

/// Runs `outcome` undisturbed and then with a kill before and after each AWS call. The states are equal. `outcome` says
/// whether the function ended before the kill; it makes at least `least` calls.
pub async fn compares<S: PartialEq + std::fmt::Debug>(
    outcome: impl AsyncFn(Option<Kill>) -> (bool, S),
    least: u64,
) {
    let (_, expected) = outcome(None).await;
    for call in 0.. {
        let (finished, state) = outcome(Some(Kill::Before(call))).await;
        assert_eq!(state, expected, "killed before call {call}");
        let (_, state) = outcome(Some(Kill::After(call))).await;
        assert_eq!(state, expected, "killed after call {call}");
        if finished {
            assert!(call >= least, "the function made {call} calls");
            return;
        }
    }
}

pub async fn members(shop: &Shop, list: kernel::ListId) -> BTreeSet<ContactId> {
    let mut members = BTreeSet::new();
    for shard in 0..contacts::SHARDS {
        let mut cursor = None;
        loop {
            let page = shop
                .contacts()
                .profiles()
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
