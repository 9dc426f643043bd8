//! Forms come in, a workflow greets their senders a day later.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::json;

use super::{Demo, bar, count_of, text_of};

/// Posting takes real time, so the waits end over some minutes; nobody waits longer than this.
const MINUTES: usize = 15;
/// A quarter of a second each.
const ROUNDS: usize = 240;

#[derive(Deserialize)]
struct Post {
    content_type: String,
    body: String,
}

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    let workflow = demo.client.post("/v1/workflows", &greeting()).await?;
    let path = format!("/v1/workflows/{}", text_of(&workflow, "/id")?);
    demo.client
        .post(&format!("{path}/activate"), &json!({}))
        .await?;

    let file = demo.file("forms.jsonl")?;
    let posts: Vec<Post> = file
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let distinct = posts
        .iter()
        .map(|post| &post.body)
        .collect::<HashSet<_>>()
        .len() as u64;
    let (url, header, secret) = (
        demo.credential("/sources/ladipage/url")?,
        demo.credential("/sources/ladipage/header")?,
        demo.credential("/sources/ladipage/secret")?,
    );
    let before = demo.stack.aws().meter().snapshot();
    let bar = bar(posts.len() as u64, "posting forms");
    for post in &posts {
        let headers = [
            ("content-type", post.content_type.as_str()),
            (&header, secret.as_str()),
        ];
        let (status, text) = demo
            .client
            .outside("POST", &url, &headers, post.body.clone())
            .await?;
        if status != 200 {
            bail!("a form was answered with {status}: {text}");
        }
        bar.inc(1);
    }
    bar.finish();
    settle(demo, &path, distinct).await?;
    let spent = demo.stack.aws().meter().since(&before);
    let mails_before = demo.recipients("").len() as u64;
    // The clock jumps over the wait; then minute by minute, as the sweep hands out what is due.
    demo.advance("1d").await?;
    let mut report = demo.client.get(&format!("{path}/report")).await?;
    for _ in 0..MINUTES {
        if count_of(&report, "/completed") == count_of(&report, "/entered") {
            break;
        }
        demo.advance("1m").await?;
        report = demo.client.get(&format!("{path}/report")).await?;
    }
    let mails = demo.recipients("").len() as u64 - mails_before;

    demo.summary.section("forms and the greeting workflow");
    demo.summary.figure("forms posted", posts.len());
    let repeated = posts.len() as u64 - distinct;
    demo.summary.figure("of these posted twice", repeated);
    demo.summary.figure(
        "write units for all of it",
        format!("{:.0}", spent.write_units()),
    );
    let entered = count_of(&report, "/entered");
    demo.summary
        .identity("distinct forms = enrollments", distinct, entered);
    demo.summary.identity(
        "enrollments = completed",
        entered,
        count_of(&report, "/completed"),
    );
    demo.summary.identity("enrollments = mails", entered, mails);
    Ok(())
}

/// Until every form has its enrollment and every enrollment waits: a wait begins when its step runs,
/// so the clock must not jump before.
async fn settle(demo: &Demo, workflow: &str, enrollments: u64) -> Result<()> {
    for _ in 0..ROUNDS {
        demo.stack.run_until_idle().await;
        let report = demo.client.get(&format!("{workflow}/report")).await?;
        if count_of(&report, "/waiting") == enrollments {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    bail!("not every form has led to a waiting contact")
}

fn greeting() -> serde_json::Value {
    json!({
        "name": "Chào khách từ landing Tết",
        "trigger": { "type": "form.submitted" },
        "entry": "every_time",
        "graph": {
            "start": "tag",
            "nodes": {
                "tag": { "type": "add_tag", "tags": ["landing Tết"], "next": "wait" },
                "wait": { "type": "wait_duration", "days": 1, "next": "mail" },
                "mail": {
                    "type": "send_email",
                    "sender": { "from_name": "Cửa hàng mẫu", "from_email": "chao@example.vn" },
                    "subject": "Chào {{ contact.first_name | default: 'bạn' }}, shop đã nhận được lời nhắn",
                    "html": "<p>Xin chào {{ contact.full_name | default: 'bạn' }},</p>\
                             <p>Bạn hỏi: {{ trigger.message | default: 'sản phẩm của shop' }}.</p>\
                             <p><a href=\"https://shop.example.vn/tet\">Xem bộ sưu tập Tết</a></p>"
                }
            }
        }
    })
}
