//! A campaign to the imported list, and the actions of its readers.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mail_parser::MessageParser;
use serde_json::{Value, json};

use super::{Demo, Goal, bar, count_of, sum_of, text_of};

/// Of the readers, every n-th does this.
const OPENS: usize = 20;
const CLICKS: usize = 60;
const UNSUBSCRIBES: usize = 500;

pub(super) async fn run(demo: &mut Demo, list: &str) -> Result<()> {
    let campaign = demo.client.post("/v1/campaigns", &letter(list)).await?;
    let id = text_of(&campaign, "/id")?;
    let before = demo.stack.aws().meter().snapshot();
    let started = Instant::now();
    demo.client
        .post(&format!("/v1/campaigns/{id}/send"), &json!({}))
        .await?;
    let report = wait(demo, &id).await?;
    let seconds = started.elapsed().as_secs_f64();
    let sending = demo.stack.aws().meter().since(&before);
    demo.stack.run_until_idle().await;

    let mails = demo.recipients(&id);
    read(demo, &id).await?;
    let read = demo
        .client
        .get(&format!("/v1/campaigns/{id}/report"))
        .await?;

    let (audience, sent) = (count_of(&report, "/audience"), count_of(&report, "/sent"));
    let parts = sent
        + sum_of(&report, "/skipped")
        + sum_of(&report, "/failed")
        + count_of(&report, "/unknown");
    demo.summary.section("campaign to the imported list");
    for name in [
        "audience",
        "sent",
        "unknown",
        "delivered",
        "bounced",
        "complained",
        "opened",
        "clicked",
        "unsubscribed",
    ] {
        demo.summary
            .figure(name, count_of(&read, &format!("/{name}")));
    }
    reasons(demo, &read, "skipped");
    reasons(demo, &read, "failed");
    demo.summary.identity(
        "sent + skipped + failed + unknown = audience",
        parts,
        audience,
    );
    demo.summary
        .identity("sent = mails in the outbox", sent, mails.len() as u64);
    let distinct = mails
        .iter()
        .map(|(key, _)| key)
        .collect::<HashSet<_>>()
        .len();
    demo.summary
        .identity("recipients = mails", distinct as u64, mails.len() as u64);
    let speed = audience as f64 / seconds;
    demo.summary
        .goal("recipients a second", speed, 0, Goal::AtLeast(1_000.0));
    demo.summary.goal(
        "write units a recipient, feedback included",
        sending.write_units() / audience.max(1) as f64,
        2,
        Goal::AtMost(4.0),
    );
    Ok(())
}

/// A sum of the report, and below it the reasons that the API gives.
fn reasons(demo: &mut Demo, report: &Value, outcome: &str) {
    let pointer = format!("/{outcome}");
    demo.summary.figure(outcome, sum_of(report, &pointer));
    let parts = report[outcome].as_object().into_iter().flatten();
    for (reason, count) in parts {
        let name = format!("  {}", in_words(reason));
        demo.summary.figure(&name, count);
    }
}

/// A reason of the API for a person.
fn in_words(reason: &str) -> String {
    match reason {
        "no_address" => "contacts without a mail address".to_owned(),
        "unsubscribed" => "people who unsubscribed".to_owned(),
        "complained" => "people who called a mail spam".to_owned(),
        "bounced" => "addresses that bounced".to_owned(),
        other => other.replace('_', " "),
    }
}

/// The user agent of the readers.
pub(super) const READER: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148";

/// Follows the report until the campaign is sent.
async fn wait(demo: &Demo, id: &str) -> Result<Value> {
    let bar = bar(0, "sending the campaign");
    loop {
        let report = demo
            .client
            .get(&format!("/v1/campaigns/{id}/report"))
            .await?;
        bar.set_length(count_of(&report, "/audience"));
        bar.set_position(count_of(&report, "/sent") + sum_of(&report, "/skipped"));
        let campaign = demo.client.get(&format!("/v1/campaigns/{id}")).await?;
        match text_of(&campaign, "/status")?.as_str() {
            "sent" => {
                bar.finish();
                return demo.client.get(&format!("/v1/campaigns/{id}/report")).await;
            }
            "sending" => tokio::time::sleep(Duration::from_millis(300)).await,
            other => bail!("the campaign is {other}"),
        }
    }
}

/// Some readers open, some click, a few leave. Visits of the first 30 seconds would not count.
async fn read(demo: &Demo, id: &str) -> Result<()> {
    demo.advance("2m").await?;
    let outbox = demo.stack.aws().outbox();
    let mails = outbox.all(crate::aws::Kind::Mail);
    let of_campaign = |tags: &[(String, String)]| {
        tags.iter()
            .any(|(name, value)| name == "scope" && value == id)
    };
    let mails: Vec<_> = mails
        .into_iter()
        .filter(|mail| of_campaign(&mail.tags))
        .collect();
    let bar = bar(mails.len() as u64 / OPENS as u64, "reading mails");
    for (n, mail) in mails.iter().enumerate().step_by(OPENS) {
        let bytes = outbox.mime(mail.id).context("a mail without its file")?;
        let parsed = MessageParser::default()
            .parse(&bytes)
            .context("a mail that does not parse")?;
        let html = parsed
            .body_html(0)
            .context("a mail without HTML")?
            .into_owned();
        let pixel = between(&html, "/o/").context("a mail without its pixel")?;
        demo.client
            .outside("GET", &pixel, &[("user-agent", READER)], String::new())
            .await?;
        if n % CLICKS == 0 {
            let link = between(&html, "/c/").context("a mail without a tracked link")?;
            let (status, _) = demo
                .client
                .outside("GET", &link, &[("user-agent", READER)], String::new())
                .await?;
            if status != 302 {
                bail!("a click was answered with {status}");
            }
        }
        if n % UNSUBSCRIBES == 0 {
            // By the link in the footer: the one-click header is set on https only (RFC 8058).
            let link = between(&html, "/u/").context("no unsubscribe link")?;
            let form = [("content-type", "application/x-www-form-urlencoded")];
            let body = "List-Unsubscribe=One-Click".to_owned();
            let (status, text) = demo.client.outside("POST", &link, &form, body).await?;
            if status != 200 {
                bail!("an unsubscribe was answered with {status}: {text}");
            }
        }
        bar.inc(1);
    }
    bar.finish();
    demo.stack.run_until_idle().await;
    Ok(())
}

/// The path that begins with `marker`, up to the next character that ends a link.
pub(super) fn between(text: &str, marker: &str) -> Option<String> {
    let start = text.find(marker)?;
    text[start..]
        .split(['"', '\'', '>', '&'])
        .next()
        .map(str::to_owned)
}

fn letter(list: &str) -> Value {
    json!({
        "name": "Tết 2026 – ưu đãi khách cũ",
        "audience": { "include": { "list_ids": [list] } },
        "mail": {
            "sender": { "from_name": "Cửa hàng mẫu", "from_email": "khuyen-mai@example.vn" },
            "subject": "{{ contact.first_name | default: 'Bạn' }} ơi, Tết này giảm 20%",
            "preview_text": "Chỉ đến hết tuần, cho khách đã mua năm ngoái.",
            "html": "<h1>Chúc mừng năm mới, {{ contact.full_name | default: 'quý khách' }}!</h1>\
                     <p>Ưu đãi 20% cho mọi đơn từ 500.000 ₫.</p>\
                     <p><a href=\"https://shop.example.vn/tet?ma=TET26\">Mua ngay</a> · \
                     <a href=\"https://shop.example.vn/cua-hang\">Cửa hàng gần bạn</a></p>",
            "track_opens": true,
            "track_clicks": true
        },
    })
}
