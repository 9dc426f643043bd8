//! An A/B campaign to contacts with a tag: readers of the test prefer one subject, and all others get it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use mail_parser::MessageParser;
use serde_json::{Value, json};

use super::campaign::{READER, between};
use super::{Demo, bar, count_of, sum_of, text_of};
use crate::aws::{Kind, OutboxMessage};

/// The beginning of the subject of version B.
const B: &str = "Quà";
/// Of the readers of a version, every n-th follows the link.
const CLICKS_OF_A: usize = 9;
const CLICKS_OF_B: usize = 3;

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    let campaign = demo.client.post("/v1/campaigns", &letter()).await?;
    let id = text_of(&campaign, "/id")?;
    let path = format!("/v1/campaigns/{id}");
    demo.client
        .post(&format!("{path}/send"), &json!({}))
        .await?;
    wait(demo, &path, "awaiting_winner").await?;
    demo.stack.run_until_idle().await;
    let test = mails(demo, &id);
    demo.advance("2m").await?;
    let clicks = read(demo, &test).await?;
    demo.advance("4h").await?;
    wait(demo, &path, "sent").await?;
    demo.stack.run_until_idle().await;

    let report = demo.client.get(&format!("{path}/report")).await?;
    let all = mails(demo, &id);
    let of_b = all.iter().filter(|mail| is_b(mail)).count();
    let test_of_a = test.iter().filter(|mail| !is_b(mail)).count();
    let count = |pointer: &str| count_of(&report, pointer);
    let summary = &mut demo.summary;
    summary.section("A/B campaign to contacts with a tag");
    for name in ["audience", "sent", "clicked"] {
        summary.figure(name, count(&format!("/{name}")));
    }
    summary.figure("mails of the test", test.len());
    let winner = text_of(&report, "/ab/winner/variant")?;
    let reason = text_of(&report, "/ab/winner/reason")?;
    summary.figure("winner", format!("{winner} by {reason}"));
    let parts = count("/sent")
        + sum_of(&report, "/skipped")
        + sum_of(&report, "/failed")
        + count("/unknown");
    let audience = count("/audience");
    let name = "sent + skipped + failed + unknown = audience";
    summary.identity(name, parts, audience);
    summary.identity(
        "sent = mails in the outbox",
        count("/sent"),
        all.len() as u64,
    );
    let versions = [count("/ab/versions/0/sent"), count("/ab/versions/1/sent")];
    let name = "mails of A and B = those of the report";
    summary.identity(name, versions[1], of_b as u64);
    let name = "mails of A = those of the test";
    summary.identity(name, versions[0], test_of_a as u64);
    let name = "clicks of the report = clicks";
    summary.identity(name, count("/clicked"), clicks);
    summary.identity("winner = b", u64::from(winner == "b"), 1);
    Ok(())
}

/// Follows the campaign until it has this status.
async fn wait(demo: &Demo, path: &str, until: &str) -> Result<()> {
    loop {
        let campaign = demo.client.get(path).await?;
        match text_of(&campaign, "/status")?.as_str() {
            status if status == until => return Ok(()),
            "testing" | "awaiting_winner" | "sending" => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            other => bail!("the A/B campaign is {other}"),
        }
    }
}

fn mails(demo: &Demo, id: &str) -> Vec<OutboxMessage> {
    let mut mails = demo.stack.aws().outbox().all(Kind::Mail);
    mails.retain(|mail| {
        mail.tags
            .iter()
            .any(|(name, value)| name == "scope" && value == id)
    });
    mails
}

/// Whether the mail is of version B. The label of advertising stands before its subject.
fn is_b(mail: &OutboxMessage) -> bool {
    mail.subject.trim_start_matches("[QC] ").starts_with(B)
}

/// Some readers of the test follow the link, more of version B; gives the clicks. A mail that bounced has no reader.
async fn read(demo: &Demo, test: &[OutboxMessage]) -> Result<u64> {
    let of_a = test.iter().filter(|mail| !is_b(mail)).step_by(CLICKS_OF_A);
    let of_b = test.iter().filter(|mail| is_b(mail)).step_by(CLICKS_OF_B);
    let readers: Vec<&OutboxMessage> = of_a
        .chain(of_b)
        .filter(|mail| !mail.to.iter().any(|to| to.contains("bounce")))
        .collect();
    let bar = bar(readers.len() as u64, "testing two subjects");
    for mail in &readers {
        let bytes = demo.stack.aws().outbox().mime(mail.id);
        let bytes = bytes.context("a mail without its file")?;
        let parsed = MessageParser::default().parse(&bytes);
        let html = parsed.as_ref().and_then(|mail| mail.body_html(0));
        let html = html.context("a mail without HTML")?;
        let link = between(&html, "/c/").context("a mail without a tracked link")?;
        let headers = [("user-agent", READER)];
        let visit = demo.client.outside("GET", &link, &headers, String::new());
        let (status, _) = visit.await?;
        if status != 302 {
            bail!("a click was answered with {status}");
        }
        bar.inc(1);
    }
    bar.finish();
    demo.stack.run_until_idle().await;
    Ok(readers.len() as u64)
}

fn letter() -> Value {
    json!({
        "name": "Tri ân khách VIP",
        "audience": { "include": { "tags": ["VIP", "khách thân thiết"] } },
        "mail": {
            "sender": { "from_name": "Cửa hàng mẫu", "from_email": "khuyen-mai@example.vn" },
            "subject": "Tri ân khách hàng: giảm 15%",
            "html": "<p>Chào {{ contact.full_name | default: 'quý khách' }},</p>\
                     <p><a href=\"https://shop.example.vn/tri-an?ma=VIP15\">Nhận ưu đãi</a></p>",
        },
        "ab": {
            "variable": "subject",
            "b": { "subject": "Quà riêng cho {{ contact.first_name | default: 'bạn' }}" },
        },
    })
}
