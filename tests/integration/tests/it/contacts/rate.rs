//! The rate of an import beside the raw rate of the embedded engine. A measurement, not a test:
//! `ROWS=20000 cargo nextest run --workspace --test it --run-ignored only --no-capture -E 'test(rate_of_an_import)'`.

#![expect(
    clippy::disallowed_methods,
    reason = "a measurement: its size is a variable, and it runs beside a clock"
)]

use std::time::Instant;

use serde_json::json;

use super::shop::Shop;
use super::uploads::{begin, draft};

/// Lambdas that take messages concurrently.
const WORKERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints rates and asserts nothing: speed is not a test"]
async fn the_rate_of_an_import() {
    let rows: u64 = std::env::var("ROWS")
        .ok()
        .and_then(|rows| rows.parse().ok())
        .unwrap_or(20_000);
    let shop = super::uploads::shop().await;
    let file = (0..rows).fold(
        "Họ và tên,Email,SĐT,Ghi chú\n".to_owned(),
        |file, n| {
            file + &format!("Nguyễn Văn {n},khach{n}@rate.example.vn,09{n:08},khách của lô {n}\n")
        },
    );
    let id = draft(&shop, &json!({}), &file).await;
    assert_eq!(begin(&shop, &id).await.0, 202);
    let before = shop.world.aws.meter().snapshot();
    let started = Instant::now();
    let workers = (0..WORKERS).map(|_| {
        let (shop, id) = (shop.clone(), id.clone());
        tokio::spawn(async move {
            while shop.job(&id).await["status"] != "completed" {
                if shop.world.deliver("contact-import", false).await.is_none() {
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
            }
        })
    });
    futures::future::join_all(workers).await;
    let seconds = started.elapsed().as_secs_f64();
    let job = shop.job(&id).await;
    assert_eq!(job["created"], rows, "{job}");
    let units = shop.world.writes_since(&before, "Contacts") / rows as f64;
    let (rate, raw) = (rows as f64 / seconds, raw_rate(&shop).await);
    eprintln!(
        "{rows} rows: {rate:.0} rows/s, {units:.1} write units a row; raw batch writes {raw:.0}/s; ratio {:.2}",
        rate * units / raw
    );
}

/// Rows a second that the engine takes in batches of 25.
async fn raw_rate(shop: &Shop) -> f64 {
    let table = shop.world.resources().table("Contacts");
    let row = json!({ "tenant": shop.tenant.to_string(), "text": "x".repeat(200) });
    let items: Vec<_> = (0..20_000)
        .map(|n| (cloud::Key::new(format!("raw#{n}"), "RAW"), row.clone()))
        .collect();
    let started = Instant::now();
    let parts = items
        .chunks(items.len() / WORKERS)
        .map(|part| table.put_many(part));
    futures::future::try_join_all(parts).await.unwrap();
    items.len() as f64 / started.elapsed().as_secs_f64()
}
