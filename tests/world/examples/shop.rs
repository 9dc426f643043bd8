//! Reads the history of a large shop in constant memory, and times the webhook of an order.
//!
//! `cargo run --release -p tests-world --example shop -- 100000` connects a Sapo shop with so many customers at the local
//! stack's provider and reads all of them. It prints customers a second, write units a customer, and the growth of the
//! resident memory (`VmHWM`). The growth begins when the provider holds its customers. Then orders come by webhook, one
//! after the other. It prints the milliseconds from the request to the last effect, without the time for which SQS collects
//! a batch. The state is a folder under the system's temporary folder, removed at the end.

#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::time::{Duration, Instant};

use kernel::TenantKey;
use serde_json::{Value, json};
use tanigo_local::providers::{self, Kind, SECRET};
use tests_world::{World, grant_of, http_event, memory_mib};

/// Memory that the back-fill may take.
const MOST_MIB: f64 = 256.0;
/// Rounds of two seconds without progress before the back-fill counts as stuck.
const MOST_QUIET: u32 = 2_000;
/// Orders that come by webhook.
const ORDERS: u64 = 200;
/// Milliseconds that an order may take, at the 95th of 100.
const MOST_MS: f64 = 300.0;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let customers: u64 = std::env::args()
        .nth(1)
        .map_or(10_000, |text| text.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("tanigo-shop-{}", std::process::id()));
    let now = jiff::Timestamp::from_second(1_772_438_400).unwrap();
    let world = World::in_folder(&folder, now, 7);
    let shop = Shop::connected(&world, world.workspace().await).await;
    let filled = world
        .providers
        .with("sapo", |shop| shop.fill(customers, 0, 0));
    filled.unwrap();
    read(&shop, customers).await;
    let mut times = Vec::new();
    for id in 1..=ORDERS {
        times.push(shop.order(id).await);
    }
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[(times.len() as f64 * part) as usize];
    let (half, most) = (at(0.5), at(0.95));
    println!(
        "webhook of an order to its last effect: p50 {half:.1} ms, p95 {most:.1} ms (goal {MOST_MS:.0})"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Reads the history of all customers.
async fn read(shop: &Shop<'_>, customers: u64) {
    let begun = json!({ "history": "all" });
    let (status, sync) = shop.api("POST", "/sync", Some(&begun)).await;
    assert_eq!(status, 202, "{sync}");
    let before = shop.world.aws.meter().snapshot();
    let base = memory_mib("VmRSS:");
    let start = Instant::now();
    let rounds = shop.finished().await;
    let seconds = start.elapsed().as_secs_f64();
    let (count, units) = (
        customers as f64,
        shop.world.writes_since(&before, "Contacts"),
    );
    println!(
        "customers: {customers} in {seconds:.1} s, {:.0} a second",
        count / seconds
    );
    println!("time by the provider's rate: {} s", rounds * 2);
    println!("write units of Contacts a customer: {:.2}", units / count);
    let grown = memory_mib("VmHWM:") - base;
    println!(
        "memory: {grown:.0} MiB more than before the back-fill, {base:.0} MiB (goal {MOST_MIB:.0} more)"
    );
    assert!(grown <= MOST_MIB, "the back-fill took {grown:.0} MiB");
}

/// A source that is connected to the provider's shop.
struct Shop<'a> {
    world: &'a World,
    tenant: TenantKey,
    id: String,
    /// Of its webhook.
    path: String,
}

impl<'a> Shop<'a> {
    async fn connected(world: &'a World, tenant: TenantKey) -> Self {
        let new = json!({ "name": "Cửa hàng", "provider": "sapo", "secret": SECRET });
        let (status, source) = asked(world, tenant, "POST", "/v1/sources", Some(&new)).await;
        assert_eq!(status, 201, "{source}");
        let text = |field: &str| source[field].as_str().unwrap().to_owned();
        let (id, path) = (text("id"), text("path"));
        let shop = Self {
            world,
            tenant,
            id,
            path,
        };
        let credentials = json!({ "shop": "ao-dai", "access_token": SECRET });
        let (status, saved) = shop.api("PUT", "/credentials", Some(&credentials)).await;
        assert_eq!(status, 200, "{saved}");
        world.settle().await;
        shop
    }

    async fn api(&self, method: &str, more: &str, body: Option<&Value>) -> (u64, Value) {
        let path = format!("/v1/sources/{}{more}", self.id);
        asked(self.world, self.tenant, method, &path, body).await
    }

    /// Lets the time pass until the history is read; the rounds of two seconds.
    async fn finished(&self) -> u64 {
        let (mut quiet, mut last, mut rounds) = (0, Value::Null, 0);
        loop {
            self.world.settle().await;
            let (status, sync) = self.api("GET", "/sync", None).await;
            assert_eq!(status, 200, "{sync}");
            if sync["finished_at"].is_string() {
                return rounds;
            }
            quiet = if sync == last { quiet + 1 } else { 0 };
            let lost = self.world.dead_letters();
            assert!(quiet < MOST_QUIET, "no progress: {sync} {lost:?}");
            last = sync;
            rounds += 1;
            self.world.advance(Duration::from_secs(2));
        }
    }

    /// The webhook of a new order, until all its effects are done; milliseconds.
    async fn order(&self, id: u64) -> f64 {
        let at = self.world.now().as_second();
        let url = format!("https://shop.example.vn{}", self.path);
        let push = |shop: &mut providers::Shop| shop.push(Kind::Orders, id, at, SECRET, &url);
        let push = self.world.providers.with("sapo", push).unwrap();
        let mut event = http_event("POST", &self.path, None, None);
        event["pathParameters"] = json!({ "source": self.id });
        for (name, value) in &push.headers {
            event["headers"][*name] = json!(value);
        }
        event["body"] = push.body.into();
        let start = Instant::now();
        let (status, answer) = self.world.ask("webhook-sapo", event).await;
        assert_eq!(status, 200, "{answer}");
        self.world.settle().await;
        let spent = start.elapsed().as_secs_f64() * 1_000.0;
        self.world.advance(Duration::from_secs(2));
        spent
    }
}

async fn asked(
    world: &World,
    tenant: TenantKey,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> (u64, Value) {
    let grant = grant_of(tenant.workspace(), "admin");
    let event = http_event(method, path, body, Some(&grant));
    world.ask("api-sources", event).await
}
