//! Shops at providers whose APIs fail: back-fills, fetched objects, tokens that end. Each object of a
//! back-fill or of an accepted webhook is in the store once at the end, and the progress ends.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tanigo_local::providers::{self, Fault, Kind, SECRET};
use tests_world::http_event;

use super::Feature;
use crate::shop::Shop;
use crate::sim::Sim;

/// Seeds of a hundred that are connected to providers.
const SEEDS_WITH: u32 = 15;
/// The first shop's provider: its refresh tokens are valid once.
const FIRST: &str = "shopee";
/// The second shop has one of these.
const OTHERS: [&str; 4] = ["kiotviet", "haravan", "sapo", "getfly"];
/// Objects of each kind: several pages in all.
const OBJECTS: u64 = 4;
/// Objects that webhooks tell of have numbers from here on.
const PUSHED: u64 = 20;
/// Fates of calls; a refused token is seldom.
const FAULTS: [Fault; 6] = [
    Fault::Timeout,
    Fault::Lost,
    Fault::Html,
    Fault::Down,
    Fault::Busy,
    Fault::Refuse,
];
/// The functions of a back-fill.
const READING: [&str; 2] = ["source-sync", "ingest"];
/// Every source was checked within this time.
const CHECKED_MS: u64 = 49 * 3_600_000;

/// A source that is connected to its provider.
#[derive(Debug, Clone)]
struct Link {
    provider: &'static str,
    id: String,
    path: String,
    /// Whether a back-fill was accepted.
    begun: bool,
    /// Orders whose webhooks were accepted.
    pushed: BTreeSet<u64>,
}

/// Connects shops to providers.
#[derive(Default)]
pub struct Providers {
    is_on: RefCell<bool>,
    /// Whether a provider failed or gave another token. A refresh token may then be asked for twice.
    has_failed: RefCell<bool>,
    /// One a shop.
    links: RefCell<Vec<Link>>,
}

fn credentials(provider: &str) -> Value {
    match provider {
        "kiotviet" => {
            json!({ "shop": "gom-bat-trang", "client_id": "app-1", "client_secret": SECRET })
        }
        "getfly" => json!({ "shop": "acme", "api_key": SECRET }),
        "haravan" => json!({ "access_token": SECRET }),
        "sapo" => json!({ "shop": "ao-dai", "access_token": SECRET }),
        _ => json!({ "client_id": "2001234", "client_secret": SECRET }),
    }
}

/// Looks at the shop at the provider, or changes it.
fn own<T>(sim: &Sim, provider: &str, act: impl FnOnce(&mut providers::Shop) -> T) -> T {
    sim.world.providers.with(provider, act).expect("a provider")
}

/// The number of an object in the digits at the end of a text. Ids of some orders begin at a million.
fn number(text: &str) -> Option<u64> {
    let digits = text.rsplit(|c: char| !c.is_ascii_digit()).next()?;
    let number: u64 = digits.parse().ok()?;
    Some(number % 1_000_000)
}

impl Providers {
    fn link(&self, shop: &Shop) -> Link {
        self.links.borrow()[shop.n].clone()
    }

    /// Enters the credentials and gives the consent that these need.
    async fn connect(&self, sim: &Sim, shop: &Shop) {
        let link = self.link(shop);
        let at = |more: &str| format!("/v1/sources/{}{more}", link.id);
        let body = credentials(link.provider);
        sim.note(format!("  T{} connects {}", shop.n, link.provider));
        let path = at("/credentials");
        let saved = shop.api(sim, "api-sources", "PUT", &path, Some(body));
        assert_eq!(saved.await.status, 200);
        let path = at("/authorize");
        let asked = shop.api(sim, "api-sources", "POST", &path, None).await;
        if !asked.is_ok() {
            return;
        }
        let url: http::Uri = asked.text("url").parse().expect("an address");
        let request = Request::get(url.clone()).body(Bytes::new()).unwrap();
        let (host, path) = (url.host().unwrap_or_default(), url.path());
        let answer = sim.world.providers.answer(host, path, &request);
        let answer = answer.expect("a page of the provider");
        let to = answer.headers()["location"].to_str().unwrap();
        let to: http::Uri = to.parse().expect("an address");
        let back = http_event("GET", &to.path_and_query().unwrap().to_string(), None, None);
        sim.ask("api-sources", back).await;
    }

    async fn state(&self, sim: &Sim, shop: &Shop) -> Value {
        let path = format!("/v1/sources/{}/sync", self.link(shop).id);
        let shown = shop.api(sim, "api-sources", "GET", &path, None).await;
        shown.body
    }

    async fn begin(&self, sim: &Sim, shop: &Shop) {
        let path = format!("/v1/sources/{}/sync", self.link(shop).id);
        let body = json!({ "history": "all" });
        let event = shop.request("POST", &path, Some(&body));
        if shop.until_definite(sim, "api-sources", event).await.is_ok() {
            sim.accepted("back-fills");
            self.links.borrow_mut()[shop.n].begun = true;
        }
        sim.hurry(&READING, 3).await;
    }

    /// The webhook of an order that changes now.
    async fn push(&self, sim: &Sim, shop: &Shop) {
        let link = self.link(shop);
        let n = PUSHED + sim.below(4) as u64;
        let url = format!("https://shop.example.vn{}", link.path);
        let now = sim.world.now().as_second();
        let push = own(sim, link.provider, |own| {
            own.push(Kind::Orders, n, now, SECRET, &url)
        });
        let mut event = http_event("POST", &link.path, None, None);
        event["pathParameters"] = json!({ "source": link.id });
        for (name, value) in &push.headers {
            event["headers"][*name] = json!(value);
        }
        event["body"] = push.body.into();
        sim.note(format!("  T{} order {n} of {}", shop.n, link.provider));
        let function = format!("webhook-{}", link.provider);
        if sim.ask(&function, event).await.is_ok() {
            sim.accepted("orders of providers");
            self.links.borrow_mut()[shop.n].pushed.insert(n);
        }
    }

    fn fail(&self, sim: &Sim, shop: &Shop) {
        let provider = self.link(shop).provider;
        *self.has_failed.borrow_mut() = true;
        if sim.percent(20) {
            sim.note(format!("  {provider} gives another token"));
            own(sim, provider, |own| own.token += 1);
            return;
        }
        let (fault, times) = (FAULTS[sim.below(FAULTS.len())], 1 + sim.below(4));
        sim.note(format!("  {provider} answers {fault:?} {times} times"));
        own(sim, provider, |own| own.fail(fault, times));
        sim.accepted("faults of providers");
    }

    /// Gives consent again where a token was refused or lost.
    async fn mend(&self, sim: &Sim) {
        for shop in &sim.shops {
            if self.state(sim, shop).await["status"] != "connected" {
                self.connect(sim, shop).await;
            }
        }
        sim.rest(0).await;
    }

    fn check_shop(sim: &Sim, shop: &Shop, link: &Link, commerce: &[Value], contacts: &[Value]) {
        let tenant = shop.tenant.to_string();
        let mine = |row: &&Value| row["pk"].as_str().is_some_and(|pk| pk.starts_with(&tenant));
        let rows = |sk: &'static str, name: &'static str| {
            let rows = commerce.iter().filter(mine);
            let rows = rows.filter(move |row| row["sk"] == sk && row["source"] == link.provider);
            let mut found: BTreeMap<u64, usize> = BTreeMap::new();
            for row in rows {
                // Invoices have numbers of their own.
                let text = row[name].as_str().unwrap_or_default();
                if let Some(n) = number(text).filter(|_| !text.starts_with("HD")) {
                    *found.entry(n).or_default() += 1;
                }
            }
            found
        };
        let all = 1..=if link.begun { OBJECTS } else { 0 };
        let (orders, products) = (rows("ORDER", "code"), rows("PRODUCT", "external_id"));
        let lost = |what: &str, n: u64| {
            let text = format!("T{} {what} {n} of {}", shop.n, link.provider);
            sim.broken("object of a provider lost", text);
        };
        for n in all.clone().chain(link.pushed.iter().copied()) {
            if !orders.contains_key(&n) {
                lost("order", n);
            }
        }
        let has_products = !matches!(link.provider, "shopee" | "getfly");
        for n in all.clone().filter(|_| has_products) {
            if !products.contains_key(&n) {
                lost("product", n);
            }
        }
        for (n, count) in orders.iter().chain(&products) {
            if *count > 1 {
                let text = format!("T{} {n} of {}: {count}", shop.n, link.provider);
                sim.broken("object of a provider doubled", text);
            }
        }
        if link.provider == FIRST {
            return;
        }
        for n in all {
            let end = format!("{}", 910_000_000 + n);
            let people = contacts.iter().filter(mine).filter(|row| {
                let phone = row["phone"].as_str().unwrap_or_default();
                row["sk"] == "PROFILE" && phone.ends_with(&end)
            });
            match people.count() {
                1 => {}
                0 => lost("customer", n),
                count => {
                    let text = format!("T{} customer {n} of {}: {count}", shop.n, link.provider);
                    sim.broken("object of a provider doubled", text);
                }
            }
        }
    }
}

#[async_trait(?Send)]
impl Feature for Providers {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        if !*self.is_on.borrow() {
            return &[];
        }
        &[
            ("back-fill", 5),
            ("order of a provider", 5),
            ("fault of a provider", 5),
        ]
    }

    async fn prepare(&self, sim: &Sim) {
        *self.is_on.borrow_mut() = sim.percent(SEEDS_WITH);
        if !*self.is_on.borrow() {
            return;
        }
        for shop in &sim.shops {
            let provider = match shop.n {
                0 => FIRST,
                _ => OTHERS[sim.below(OTHERS.len())],
            };
            let name = shop.mark(provider);
            let new = json!({ "name": name, "provider": provider, "secret": SECRET });
            let made = shop
                .api(sim, "api-sources", "POST", "/v1/sources", Some(new))
                .await;
            assert_eq!(made.status, 201, "{made:?}");
            self.links.borrow_mut().push(Link {
                provider,
                id: made.text("id"),
                path: made.text("path"),
                begun: false,
                pushed: BTreeSet::new(),
            });
            own(sim, provider, |own| own.fill(OBJECTS, OBJECTS, OBJECTS));
            self.connect(sim, shop).await;
        }
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        let shop = sim.shop();
        match action {
            "back-fill" => self.begin(sim, shop).await,
            "fault of a provider" => self.fail(sim, shop),
            _ => self.push(sim, shop).await,
        }
    }

    async fn calm(&self, sim: &Sim) {
        if !*self.is_on.borrow() {
            return;
        }
        for link in self.links.borrow().iter() {
            own(sim, link.provider, providers::Shop::heal);
        }
        sim.rest(0).await;
        self.mend(sim).await;
        // A daily check begins to read what could not be fetched, after a back-fill that has not ended.
        for _ in 0..2 {
            sim.sleep_ms(CHECKED_MS).await;
            sim.rest(0).await;
            self.mend(sim).await;
        }
    }

    async fn check(&self, sim: &Sim) {
        if !*self.is_on.borrow() {
            return;
        }
        let commerce = sim.world.dump("Commerce").await;
        let contacts = sim.world.dump("Contacts").await;
        for shop in &sim.shops {
            let (link, state) = (self.link(shop), self.state(sim, shop).await);
            let is_over = !link.begun || state["finished_at"].is_string();
            if state["status"] != "connected" || !is_over {
                sim.broken("connection", format!("T{} {link:?}: {state}", shop.n));
            }
            Self::check_shop(sim, shop, &link, &commerce, &contacts);
        }
        let is_hit = sim.hit.borrow().contains_key("source-sync");
        let is_unharmed = !is_hit && !*self.has_failed.borrow();
        let reused = own(sim, FIRST, |own| own.reused);
        if is_unharmed && reused > 0 {
            sim.broken("token used twice", format!("{reused} times"));
        }
    }
}
