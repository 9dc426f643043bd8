//! Agents with an open inbox. Each follows the rules of docs/websocket.md, and so knows every message of its conversation,
//! whatever frames were lost. At rest a new message reaches each connected browser.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use accounts::ApiKeys;
use async_trait::async_trait;
use bytes::Bytes;
use kernel::Scope;
use serde_json::Value;
use tests_world::ACCOUNT;
use tokio::sync::mpsc::Receiver;

use super::Feature;
use super::chat::{Chat, connect};
use crate::sim::Sim;

/// Seeds of a hundred that have agents with open browsers.
const SEEDS_WITH: u32 = 25;
/// Messages of a page: few, so that a reader follows `next`.
const PAGE: usize = 4;

/// An agent's browser, which shows one conversation.
struct Agent {
    shop: usize,
    conversation: String,
    token: String,
    socket: Receiver<Bytes>,
    /// Contents by message id.
    known: BTreeMap<String, String>,
    /// Where to read on.
    sync: String,
}

/// Agents who read.
pub struct Agents {
    chat: Rc<Chat>,
    agents: RefCell<Vec<Agent>>,
}

/// The events of the frames that a socket has received.
fn events(socket: &mut Receiver<Bytes>) -> Vec<Value> {
    let mut events = Vec::new();
    while let Ok(frame) = socket.try_recv() {
        let frame: Value = serde_json::from_slice(&frame).unwrap_or_default();
        events.extend(frame["events"].as_array().cloned().unwrap_or_default());
    }
    events
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

impl Agents {
    /// Whose conversations are these.
    pub fn new(chat: Rc<Chat>) -> Self {
        Self {
            chat,
            agents: RefCell::default(),
        }
    }

    /// Reads forward from a place; false: an answer was not definite, so the next read begins at the same place.
    async fn read(&self, sim: &Sim, n: usize, from: String, keeps: bool) -> bool {
        let (shop, conversation) = {
            let agents = self.agents.borrow();
            (agents[n].shop, agents[n].conversation.clone())
        };
        let mut after = from;
        loop {
            let path =
                format!("/v1/conversations/{conversation}/messages?limit={PAGE}&after={after}");
            let page = sim.shops[shop].api(sim, "api-chat", "GET", &path, None);
            let page = page.await;
            if !page.is_ok() {
                return false;
            }
            let mut agents = self.agents.borrow_mut();
            for row in page.body["data"].as_array().into_iter().flatten() {
                let (id, content) = (text(row, "id"), text(row, "content"));
                agents[n].known.insert(id, content);
            }
            let Some(next) = page.body["next"].as_str() else {
                if keeps {
                    agents[n].sync = text(&page.body, "sync");
                }
                return true;
            };
            next.clone_into(&mut after);
        }
    }

    /// An agent looks at the frames, and reads after an unknown message, or because a minute is over.
    async fn look(&self, sim: &Sim, n: usize) {
        let (events, sync) = {
            let mut agents = self.agents.borrow_mut();
            let agent = &mut agents[n];
            let mut events = events(&mut agent.socket);
            events.retain(|event| event["conversation_id"] == agent.conversation);
            (events, agent.sync.clone())
        };
        let unknown = |event: &&Value| {
            let known = &self.agents.borrow()[n].known;
            !known.contains_key(&text(event, "message_id"))
        };
        if events.iter().any(|event| unknown(&event)) || sim.percent(50) {
            sim.note(format!("  agent {n} reads after {} events", events.len()));
            self.read(sim, n, sync, true).await;
        }
        let left: Vec<&Value> = events.iter().filter(unknown).collect();
        for event in left {
            self.read(sim, n, text(event, "cursor"), false).await;
        }
    }

    /// All messages of the agent's conversation, back in time.
    async fn history(&self, sim: &Sim, n: usize) -> BTreeMap<String, String> {
        let (shop, conversation) = {
            let agents = self.agents.borrow();
            (agents[n].shop, agents[n].conversation.clone())
        };
        let (mut all, mut cursor) = (BTreeMap::new(), String::new());
        loop {
            let path = format!("/v1/conversations/{conversation}/messages?limit=100{cursor}");
            let page = sim.shops[shop].api(sim, "api-chat", "GET", &path, None);
            let page = page.await.body;
            for row in page["data"].as_array().into_iter().flatten() {
                all.insert(text(row, "id"), text(row, "content"));
            }
            let Some(next) = page["next"].as_str() else {
                return all;
            };
            cursor = format!("&cursor={next}");
        }
    }

    async fn check_known(&self, sim: &Sim) {
        let count = self.agents.borrow().len();
        for n in 0..count {
            let sync = self.agents.borrow()[n].sync.clone();
            self.read(sim, n, sync, true).await;
            let all = self.history(sim, n).await;
            let agents = self.agents.borrow();
            let (shop, known) = (agents[n].shop, &agents[n].known);
            let missing = all.iter().filter(|(id, _)| !known.contains_key(*id));
            for (id, content) in missing {
                let text = format!("the agent of T{shop} does not know {id}: {content}");
                sim.broken("agent not told", text);
            }
        }
    }

    /// A message of a visitor reaches the browsers of that visitor and of the shop's agents, without faults.
    async fn check_notified(&self, sim: &Sim) {
        let shop = sim.shop();
        let Some((browser, visitor)) = self.chat.browser_of(shop) else {
            return;
        };
        let token = self.agents.borrow()[shop.n].token.clone();
        let sockets = [("agent", token), ("visitor", visitor)];
        let mut open = Vec::new();
        for (who, token) in sockets {
            let connection = format!("rest-{who}");
            let socket = connect(sim, shop, &connection, &token).await;
            // A visitor's session may be over.
            open.extend(socket.map(|socket| (who, socket)));
        }
        let Some(mark) = self.chat.say_last(sim, browser).await else {
            return;
        };
        sim.rest(0).await;
        for (who, socket) in &mut open {
            let events = events(socket);
            let has = |event: &Value| event["content"] == mark && event["type"] == "message.new";
            if events.iter().filter(|event| has(event)).count() != 1 {
                sim.broken(
                    "not notified",
                    format!("the {who} of T{}: {events:?}", shop.n),
                );
            }
        }
    }
}

#[async_trait(?Send)]
impl Feature for Agents {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        if self.agents.borrow().is_empty() {
            return &[];
        }
        &[("agent looks", 9)]
    }

    async fn prepare(&self, sim: &Sim) {
        if !sim.percent(SEEDS_WITH) {
            return;
        }
        let keys = ApiKeys::over(&sim.world.resources());
        let account = ACCOUNT.parse().expect("an id");
        for shop in &sim.shops {
            let key = keys.create(account, shop.tenant, "agent", &[Scope::Read]);
            let token = key.await.expect("a key").token;
            let connection = format!("T{}-agent", shop.n);
            let socket = connect(sim, shop, &connection, &token).await;
            let agent = Agent {
                shop: shop.n,
                conversation: self.chat.conversation_of(shop),
                token,
                socket: socket.expect("a connection"),
                known: BTreeMap::new(),
                sync: String::new(),
            };
            let path = format!("/v1/conversations/{}/messages", agent.conversation);
            let page = shop.api(sim, "api-chat", "GET", &path, None).await;
            assert_eq!(page.status, 200, "{page:?}");
            self.agents.borrow_mut().push(agent);
            let mut agents = self.agents.borrow_mut();
            let agent = &mut agents[shop.n];
            agent.sync = page.text("sync");
            for row in page.body["data"].as_array().into_iter().flatten() {
                agent.known.insert(text(row, "id"), text(row, "content"));
            }
        }
    }

    async fn act(&self, sim: &Sim, _: &'static str) {
        let n = sim.below(self.agents.borrow().len());
        self.look(sim, n).await;
    }

    async fn check(&self, sim: &Sim) {
        if self.agents.borrow().is_empty() {
            return;
        }
        self.check_known(sim).await;
        self.check_notified(sim).await;
    }
}
