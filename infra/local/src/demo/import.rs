//! A shop's contacts, from a file.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use super::progress::Steps;
use super::{Demo, bar, count_of, text_of};

/// Imports `contacts.csv` into a new list; gives the list's id.
pub(super) async fn run(demo: &mut Demo) -> Result<String> {
    let list = demo
        .client
        .post("/v1/lists", &json!({ "name": "Khách Tết 2026" }))
        .await?;
    let list = text_of(&list, "/id")?;
    let file = demo.file("contacts.csv")?;
    let rows = csv::Reader::from_reader(file.as_bytes()).records().count() as u64;
    let started = Instant::now();
    let settings = json!({
        "name": "contacts.csv",
        "list_id": list,
        "consent": {
            "way": "news_form",
            "text": "Tôi đồng ý nhận tin khuyến mãi qua email và SMS, mỗi tháng tối đa bốn tin.",
            "channels": ["email", "sms"],
            "at": "2025-12-01T00:00:00Z",
        },
    });
    let job = demo.client.post("/v1/imports", &settings).await?;
    let path = format!("/v1/imports/{}", text_of(&job, "/id")?);
    let link = text_of(&job, "/upload_url")?;
    let (status, answer) = demo.client.outside("PUT", &link, &[], file).await?;
    if status != 200 {
        bail!("the upload failed: {status} {answer}");
    }
    demo.client
        .post(&format!("{path}/start"), &json!({}))
        .await?;
    let bar = bar(rows, "importing contacts");
    let mut steps = Steps::new(requests(demo));
    let job = loop {
        let job = demo.client.get(&path).await?;
        bar.set_position(steps.position(count_of(&job, "/processed"), requests(demo), rows));
        match text_of(&job, "/status")?.as_str() {
            "completed" => break job,
            "failed" => bail!("the import failed: {job}"),
            _ => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    };
    bar.set_position(rows);
    bar.finish();
    let seconds = started.elapsed().as_secs_f64();
    let count = |name: &str| count_of(&job, &format!("/{name}"));
    let done = count("created") + count("updated") + count("skipped") + count("failed");
    demo.summary.section("import of contacts.csv");
    for name in ["created", "updated", "skipped", "failed"] {
        demo.summary.figure(name, count(name));
    }
    demo.summary
        .identity("created + updated + skipped + failed = rows", done, rows);
    demo.summary
        .figure("rows a second", format!("{:.0}", rows as f64 / seconds));
    Ok(list)
}

/// Requests to all tables so far, which an import of contacts alone makes.
fn requests(demo: &Demo) -> u64 {
    let used = demo.stack.aws().meter().snapshot();
    used.tables.values().map(|table| table.requests).sum()
}
