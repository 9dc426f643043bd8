//! Imports a file of many rows in constant memory, and compares the speed with the engine's raw batch writes.
//!
//! `cargo run --release -p tests-world --example import -- 1000000` prints rows a second and write units a row. Then come
//! the raw write units a second of the same run, the ratio, and the peak resident memory (`VmHWM`). The state is a folder
//! under the system's temporary folder, removed at the end.

#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "the lanes of a test run in tasks"
)]
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloud::Key;
use cloud::blobs::MIN_PART;
use contacts::import::{Begun, Imports, Request, Status};
use kernel::{ImportId, Origin, TenantKey};
use serde_json::json;
use tests_world::{World, memory_mib};

/// Lanes of an import, each with one message at a time.
const AT_ONCE: usize = 4;
/// Rounds of five seconds without a message before the import counts as stuck.
const MOST_QUIET: u32 = 1_000;
/// Memory that the import may take.
const MOST_MIB: f64 = 256.0;

#[tokio::main]
async fn main() {
    let rows: u64 = std::env::args()
        .nth(1)
        .map_or(100_000, |text| text.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("tanigo-import-{}", std::process::id()));
    let now = jiff::Timestamp::from_second(1_772_438_400).unwrap();
    let world = Arc::new(World::in_folder(&folder, now, 7));
    let tenant = world.workspace().await;
    let raw = raw_rate(&world, tenant, (rows / 10).clamp(5_000, 100_000)).await;
    let before = world.aws.meter().snapshot();
    let id = uploaded(&world, tenant, rows).await;
    let base = memory_mib("VmHWM:");
    let start = Instant::now();
    let clock = tokio::spawn(with_real_time(world.clone()));
    let created = imported(&world, tenant, id).await;
    clock.abort();
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(created, rows, "every row is a contact");
    let units = world.writes_since(&before, "Contacts") / rows as f64;
    let rate = rows as f64 / seconds;
    println!("rows: {rows} in {seconds:.1} s, {rate:.0} rows/s");
    println!("write units a row: {units:.2}");
    println!("raw batch writes: {raw:.0} write units/s");
    println!("ratio: {:.2} (goal 0.6)", rate * units / raw);
    let (peak, own) = (memory_mib("VmHWM:"), memory_mib("RssAnon:"));
    println!(
        "peak memory: {peak:.0} MiB (goal {MOST_MIB:.0}), {base:.0} MiB of it before the import"
    );
    println!("memory at the end without the program itself: {own:.0} MiB");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Write units a second of batch writes of rows like those by which a contact is found.
async fn raw_rate(world: &World, tenant: TenantKey, count: u64) -> f64 {
    let table = world.resources().table("Contacts");
    let before = world.aws.meter().snapshot();
    let start = Instant::now();
    for part in 0..count / 100 {
        let rows: Vec<(Key, serde_json::Value)> = (0..100)
            .map(|n| {
                let name = format!("{:08}", part * 100 + n);
                let pk = format!("{tenant}#RAW#{}", &name[5..]);
                let contact = format!("con_{name:0>11}");
                (Key::new(pk, name), json!({ "contact": contact }))
            })
            .collect();
        table.put_many(&rows).await.unwrap();
        world.relay().await;
    }
    world.writes_since(&before, "Contacts") / start.elapsed().as_secs_f64()
}

/// Uploads a file in parts and makes the import of it.
async fn uploaded(world: &World, tenant: TenantKey, rows: u64) -> ImportId {
    let resources = world.resources();
    let (imports, files) = (Imports::over(&resources), resources.bucket("Imports"));
    let id = ImportId::new(&world.clock(), &world.entropy);
    let name = format!("imports/{tenant}/{id}.csv");
    let upload = files.begin_parts(&name, "text/csv").await.unwrap();
    let (mut part, mut marks) = ("Họ và tên,Email,SĐT,Cỡ áo\n".to_owned(), Vec::new());
    for n in 0..rows {
        let phone = 900_000_000 + n;
        writeln!(part, "Trần Thị {n},khach{n}@example.vn,0{phone},M").unwrap();
        if part.len() >= MIN_PART || n + 1 == rows {
            let body = Bytes::from(std::mem::take(&mut part));
            let mark = files.part(&name, &upload, marks.len() + 1, body);
            marks.push(mark.await.unwrap());
        }
    }
    files.complete_parts(&name, &upload, &marks).await.unwrap();
    let origin = Origin::named(world.now(), "bench");
    let request = Request::default();
    let made = imports.create(tenant, id, &origin, &request, None).await;
    assert!(made.unwrap().is_some());
    let begun = imports.begin(tenant, id).await.unwrap();
    assert!(matches!(begun, Begun::Yes(_)));
    id
}

/// Moves the world's clock as time passes. A millisecond has 4,096 ids of contacts; a clock that stands still would run out
/// of them.
async fn with_real_time(world: Arc<World>) {
    let step = Duration::from_millis(2);
    let mut ticks = tokio::time::interval(step);
    loop {
        ticks.tick().await;
        world.advance(step);
    }
}

/// Delivers the messages of the import until it ends; the number of new contacts.
async fn imported(world: &Arc<World>, tenant: TenantKey, id: ImportId) -> u64 {
    let mut quiet = 0;
    loop {
        let deliveries: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let world = world.clone();
                tokio::spawn(async move { world.deliver("contact-import", false).await })
            })
            .collect();
        let mut answers = Vec::new();
        for delivery in deliveries {
            answers.push(delivery.await.unwrap());
        }
        for answer in answers.iter().flatten() {
            assert!(answer.is_ok(), "{answer:?}");
        }
        world.relay().await;
        if answers.iter().all(Option::is_none) {
            let imports = Imports::over(&world.resources());
            let job = imports.get(tenant, id).await.unwrap().unwrap();
            let is_going = matches!(job.status, Status::Pending | Status::Processing);
            if is_going && quiet < MOST_QUIET {
                // A message waits for its time, or came with this relay.
                quiet += 1;
                world.advance(Duration::from_secs(5));
                continue;
            }
            let sqs = world.aws.sqs();
            let depths: Vec<_> = sqs
                .names()
                .into_iter()
                .map(|name| (sqs.depth(&name), name))
                .filter(|(depth, _)| depth.total() > 0)
                .collect();
            assert_eq!(job.status, Status::Completed, "{job:?} {depths:?}");
            return job.counts.created;
        }
        quiet = 0;
    }
}
