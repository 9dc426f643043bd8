//! Chat. Each accepted message of a visitor and each answer of an agent is in its conversation exactly once. An answer
//! reaches its visitor. An open browser is shown nothing of another shop.

use std::cell::RefCell;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tests_world::http_event;
use tokio::sync::mpsc::Receiver;

use super::Feature;
use crate::invoke::Ended;
use crate::shop::Shop;
use crate::sim::Sim;

/// Visitors of each shop.
const VISITORS: usize = 1;

/// A browser with its session, its conversation and its socket.
struct Browser {
    shop: usize,
    token: String,
    visitor: String,
    conversation: String,
    socket: Receiver<Bytes>,
}

/// A text that somebody sent.
#[derive(Debug, Clone)]
struct Said {
    browser: usize,
    mark: String,
    by_agent: bool,
    accepted: bool,
}

/// Visitors and agents talk.
#[derive(Default)]
pub struct Chat {
    browsers: RefCell<Vec<Browser>>,
    said: RefCell<Vec<Said>>,
}

fn widget(
    shop: &Shop,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Value {
    let path = format!("/chat/{}{path}", shop.inbox);
    let mut event = http_event(method, &path, body, None);
    if let Some(token) = token {
        event["headers"]["authorization"] = format!("Bearer {token}").into();
    }
    event
}

/// Opens a socket with this credential; `None`: it is refused.
pub async fn connect(
    sim: &Sim,
    shop: &Shop,
    connection: &str,
    token: &str,
) -> Option<Receiver<Bytes>> {
    let socket = sim.world.aws.sockets().register(connection);
    let mut connect = json!({
        "requestContext": { "connectionId": connection, "eventType": "CONNECT" },
        "queryStringParameters": { "token": token, "workspace": shop.tenant.to_string() },
        "methodArn": "arn:aws:execute-api:::local/live/$connect",
    });
    if let Ended::Answer(verdict) = sim.invoke("authorizer", connect.clone()).await {
        connect["requestContext"]["authorizer"] = verdict["context"].clone();
    }
    let connected = sim.ask("chat-socket", connect).await;
    (connected.status == 200).then_some(socket)
}

impl Chat {
    /// The first browser of a shop, and its token.
    pub fn browser_of(&self, shop: &Shop) -> Option<(usize, String)> {
        let browsers = self.browsers.borrow();
        let n = browsers.iter().position(|one| one.shop == shop.n)?;
        Some((n, browsers[n].token.clone()))
    }

    /// The conversation of that browser.
    pub fn conversation_of(&self, shop: &Shop) -> String {
        let browsers = self.browsers.borrow();
        let browser = browsers.iter().find(|one| one.shop == shop.n);
        browser.expect("a browser").conversation.clone()
    }

    /// A message of the visitor; `None`: it was not accepted.
    pub async fn say_last(&self, sim: &Sim, browser: usize) -> Option<String> {
        self.say(sim, browser).await;
        let said = self.said.borrow();
        let last = said.last().filter(|said| said.accepted);
        last.map(|said| said.mark.clone())
    }

    async fn open(&self, sim: &Sim, shop: &Shop, n: usize) -> Browser {
        let event = widget(shop, "POST", "/sessions", None, Some(&json!({})));
        let session = sim.ask("chat-widget", event).await;
        assert_eq!(session.status, 201, "{session:?}");
        let (token, visitor) = (session.text("token"), session.text("visitor_id"));
        let connection = format!("T{}-{n}", shop.n);
        let socket = connect(sim, shop, &connection, &token).await;
        let socket = socket.expect("a connection");
        Browser {
            shop: shop.n,
            token,
            visitor,
            conversation: String::new(),
            socket,
        }
    }

    fn begin(&self, sim: &Sim, browser: usize, what: &str, by_agent: bool) -> (usize, String) {
        let n = self.said.borrow().len();
        let shop = &sim.shops[self.browsers.borrow()[browser].shop];
        let mark = shop.mark(&format!("{what}-{n}"));
        self.said.borrow_mut().push(Said {
            browser,
            mark: mark.clone(),
            by_agent,
            accepted: false,
        });
        (n, mark)
    }

    async fn say(&self, sim: &Sim, browser: usize) {
        let (n, mark) = self.begin(sim, browser, "said", false);
        let (shop, token) = {
            let browsers = self.browsers.borrow();
            (browsers[browser].shop, browsers[browser].token.clone())
        };
        let body = json!({ "client_msg_id": mark, "content": mark });
        let event = widget(
            &sim.shops[shop],
            "POST",
            "/messages",
            Some(&token),
            Some(&body),
        );
        sim.note(format!("  visitor {browser} says {mark}"));
        for _ in 0..4 {
            let reply = sim.ask("chat-widget", event.clone()).await;
            if reply.is_ok() {
                self.said.borrow_mut()[n].accepted = true;
                sim.accepted("chat messages");
                if !sim.percent(10) {
                    return;
                }
            } else if !reply.wants_repeat() {
                return;
            }
            sim.sleep_ms(2_000).await;
        }
    }

    async fn answer(&self, sim: &Sim, browser: usize) {
        let (n, mark) = self.begin(sim, browser, "answer", true);
        let (shop, conversation) = {
            let browsers = self.browsers.borrow();
            (
                browsers[browser].shop,
                browsers[browser].conversation.clone(),
            )
        };
        let path = format!("/v1/conversations/{conversation}/messages");
        let mut body = json!({ "content": mark });
        if sim.percent(40) {
            body["client_msg_id"] = mark.clone().into();
        }
        sim.note(format!("  agent answers {mark}"));
        let reply = sim.shops[shop]
            .post_once(sim, "api-chat", &path, &body, &mark)
            .await;
        if reply.is_ok() {
            self.said.borrow_mut()[n].accepted = true;
            sim.accepted("answers");
        }
    }

    async fn status(&self, sim: &Sim, browser: usize) {
        let (shop, conversation) = {
            let browsers = self.browsers.borrow();
            (
                browsers[browser].shop,
                browsers[browser].conversation.clone(),
            )
        };
        let path = format!("/v1/conversations/{conversation}/status");
        let body = match sim.below(3) {
            0 => json!({ "status": "open" }),
            1 => json!({ "status": "resolved" }),
            _ => {
                let until = sim.world.now() + jiff::SignedDuration::from_mins(10);
                json!({ "status": "snoozed", "snoozed_until": until.to_string() })
            }
        };
        sim.shops[shop]
            .api(sim, "api-chat", "POST", &path, Some(body))
            .await;
    }

    /// The texts that a visitor's browser reads; `None`: its session is over.
    async fn reads(&self, sim: &Sim, browser: usize) -> Option<Vec<String>> {
        let (shop, token) = {
            let browsers = self.browsers.borrow();
            (browsers[browser].shop, browsers[browser].token.clone())
        };
        let (mut texts, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/messages?limit=100{after}");
            let event = widget(&sim.shops[shop], "GET", &path, Some(&token), None);
            let page = sim.ask("chat-widget", event).await;
            if page.status == 401 {
                return None;
            }
            let page = page.body;
            let data = page["data"].as_array().cloned().unwrap_or_default();
            let content = |row: &Value| row["content"].as_str().unwrap_or_default().to_owned();
            texts.extend(data.iter().map(content));
            match page["next"].as_str() {
                Some(next) if data.len() >= 100 => after = format!("&after={next}"),
                _ => return Some(texts),
            }
        }
    }

    fn check_sockets(&self, sim: &Sim) {
        for browser in self.browsers.borrow_mut().iter_mut() {
            while let Ok(frame) = browser.socket.try_recv() {
                let text = String::from_utf8_lossy(&frame).into_owned();
                let others = sim.shops.iter().filter(|shop| shop.n != browser.shop);
                if let Some(other) = others
                    .map(|shop| shop.mark(""))
                    .find(|mark| text.contains(mark))
                {
                    sim.broken(
                        "tenant",
                        format!("a socket of T{} was shown {other}: {text}", browser.shop),
                    );
                }
            }
        }
    }
}

#[async_trait(?Send)]
impl Feature for Chat {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        &[("say", 8), ("answer", 8), ("conversation status", 2)]
    }

    async fn prepare(&self, sim: &Sim) {
        for shop in &sim.shops {
            for handler in ["chat-widget", "chat-inbound", "chat-socket", "authorizer"] {
                shop.equal(sim, handler);
            }
            for n in 0..VISITORS {
                let mut browser = self.open(sim, shop, n).await;
                let hello = json!({ "client_msg_id": "hello", "content": shop.mark("hello") });
                let event = widget(
                    shop,
                    "POST",
                    "/messages",
                    Some(&browser.token),
                    Some(&hello),
                );
                let reply = sim.ask("chat-widget", event).await;
                assert_eq!(reply.status, 202, "{reply:?}");
                let inbound = sim
                    .sources()
                    .into_iter()
                    .find(|source| source.handler == "chat-inbound");
                sim.deliver(&inbound.expect("a queue of chat-inbound"))
                    .await;
                let rows = sim.world.dump("Chat").await;
                let tenant = shop.tenant.to_string();
                let pointer = rows.iter().find(|row| {
                    let pk = row["pk"].as_str().unwrap_or_default();
                    pk.starts_with(&tenant) && pk.ends_with(&browser.visitor)
                });
                let pointer = pointer.expect("a conversation");
                browser.conversation = pointer["conversation"].as_str().unwrap().to_owned();
                self.browsers.borrow_mut().push(browser);
            }
        }
        sim.forget_processes();
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        let browser = sim.below(self.browsers.borrow().len());
        match action {
            "say" => self.say(sim, browser).await,
            "answer" => self.answer(sim, browser).await,
            _ => self.status(sim, browser).await,
        }
        self.check_sockets(sim);
    }

    async fn check(&self, sim: &Sim) {
        self.check_sockets(sim);
        let rows = sim.world.dump("Chat").await;
        let all = self.browsers.borrow().len();
        let mut read = Vec::new();
        for browser in 0..all {
            read.push(self.reads(sim, browser).await);
        }
        for said in self.said.borrow().iter() {
            let mine: Vec<&Value> = rows
                .iter()
                .filter(|row| row["content"] == said.mark)
                .collect();
            let what = if said.by_agent {
                ("answer lost", "answer doubled")
            } else {
                ("message lost", "message doubled")
            };
            if said.accepted && mine.is_empty() {
                sim.broken(what.0, format!("{said:?}"));
            }
            if mine.len() > 1 {
                sim.broken(what.1, format!("{said:?} x{}", mine.len()));
            }
            if mine.len() == 1 && said.by_agent && mine[0]["delivery"] != "sent" {
                sim.broken("answer not delivered", format!("{said:?}: {}", mine[0]));
            }
            let Some(texts) = &read[said.browser] else {
                continue;
            };
            let seen = texts.iter().filter(|text| **text == said.mark).count();
            if mine.len() == 1 && seen != 1 {
                sim.broken(
                    "not read once",
                    format!("{said:?}: its browser reads it {seen} times"),
                );
            }
        }
    }
}
