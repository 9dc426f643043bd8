//! Forms arrive, and a workflow greets their senders a day later.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::{Demo, Goal, bar, count_of, text_of};

/// The intake takes 25 forms a second from one client.
const BETWEEN_FORMS: Duration = Duration::from_millis(45);

/// Longest time after the wait, in minutes. Posting takes real time, so the waits end over some minutes.
const MINUTES: usize = 15;
/// A quarter of a second each.
const ROUNDS: usize = 240;

/// How the forms write their time, which is Vietnam's.
const TIME: &str = "%d/%m/%Y %H:%M:%S";
const TIME_FIELD: &str = "message_time";
const VIETNAM: Offset = Offset::constant(7);

#[derive(Deserialize)]
struct Post {
    content_type: String,
    body: String,
}

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    stop_earlier_ones(demo).await?;
    let workflow = demo.client.post("/v1/workflows", &greeting()).await?;
    let path = format!("/v1/workflows/{}", text_of(&workflow, "/id")?);
    demo.client
        .post(&format!("{path}/activate"), &json!({}))
        .await?;
    // Events count from `active_since` on.
    let lead = cloud::recent::LEAD.as_secs();
    demo.advance(&format!("{lead}s")).await?;

    let file = demo.file("forms.jsonl")?;
    let posts: Vec<Post> = file
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let posts = sent_now(posts, demo.stack.clock().clock().now())?;
    let distinct = posts
        .iter()
        .map(|post| &post.body)
        .collect::<HashSet<_>>()
        .len() as u64;
    let (url, header, secret) = (
        demo.credential("/sources/ladipage/url")?,
        demo.credential("/sources/ladipage/header")?,
        demo.credential("/sources/ladipage/token")?,
    );
    let before = demo.stack.aws().meter().snapshot();
    let bar = bar(posts.len() as u64, "posting forms");
    for post in &posts {
        let headers = [
            ("content-type", post.content_type.as_str()),
            (&header, secret.as_str()),
        ];
        tokio::time::sleep(BETWEEN_FORMS).await;
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
    let mails_before = demo.recipients("").len();
    // The clock jumps over the wait. It then moves minute by minute, as the sweep dispatches the steps that are
    // due.
    demo.advance("1d").await?;
    let mut report = demo.client.get(&format!("{path}/report")).await?;
    for _ in 0..MINUTES {
        if count_of(&report, "/completed") == count_of(&report, "/entered") {
            break;
        }
        demo.advance("1m").await?;
        report = demo.client.get(&format!("{path}/report")).await?;
    }
    let mails = demo.recipients("").len() - mails_before;
    let left = who_have_left(demo, &posts, mails_before).await?;

    demo.summary.section("forms and the greeting workflow");
    demo.summary.figure("forms posted", posts.len());
    let repeated = posts.len() as u64 - distinct;
    demo.summary.figure("of these posted twice", repeated);
    demo.summary.figure(
        "write units for all of it",
        format!("{:.0}", spent.write_units()),
    );
    let queue = |(name, _): &(&String, _)| name.contains("ingest") && !name.contains("dlq");
    let ingest = spent.queues.iter().find(queue);
    let requests = ingest.map_or(0, |(_, queue)| queue.requests);
    demo.summary.goal(
        "SQS requests a form, intake to ingest",
        requests as f64 / posts.len() as f64,
        2,
        Goal::AtMost(1.25),
    );
    let entered = count_of(&report, "/entered");
    demo.summary
        .identity("distinct forms = enrollments", distinct, entered);
    demo.summary.identity(
        "enrollments = completed",
        entered,
        count_of(&report, "/completed"),
    );
    demo.summary
        .figure("people who unsubscribed or bounced before", left);
    demo.summary.identity(
        "enrollments = mails + those people",
        entered,
        mails as u64 + left,
    );
    Ok(())
}

/// The workflow of an earlier demo is still active, and would also answer these forms.
async fn stop_earlier_ones(demo: &Demo) -> Result<()> {
    let name = text_of(&greeting(), "/name")?;
    let workflows = demo.client.get("/v1/workflows?limit=100").await?;
    let workflows = workflows["data"].as_array().into_iter().flatten();
    for workflow in workflows.filter(|one| one["name"] == name && one["status"] == "active") {
        let path = format!("/v1/workflows/{}/pause", text_of(workflow, "/id")?);
        demo.client.post(&path, &json!({})).await?;
    }
    Ok(())
}

/// Senders who were not greeted, because in an earlier demo they unsubscribed or their address bounced.
async fn who_have_left(demo: &Demo, posts: &[Post], mails_before: usize) -> Result<u64> {
    let mails = demo.stack.aws().outbox().all(crate::aws::Kind::Mail);
    let tags = mails
        .into_iter()
        .skip(mails_before)
        .flat_map(|mail| mail.tags);
    let greeted: HashSet<String> = tags
        .filter(|(name, _)| name == "contact")
        .map(|(_, contact)| contact)
        .collect();
    let senders = posts
        .iter()
        .map(|post| Ok(decoded(field(&post.body, "email")?)));
    let senders: HashSet<String> = senders.collect::<Result<_>>()?;
    let mut left = HashSet::new();
    for sender in senders {
        let path = format!("/v1/contacts?query={}", sender.replace('@', "%40"));
        let found = demo.client.get(&path).await?;
        let contact = &found["data"][0];
        let (id, status) = (&contact["id"], contact["email_status"].as_str());
        let was_greeted = id.as_str().is_some_and(|id| greeted.contains(id));
        if !was_greeted && status.is_some_and(|status| status != "subscribed") {
            left.insert(id.to_string());
        }
    }
    let left = left.len() as u64;
    Ok(left)
}

/// The forms with new times, as if the last form were sent now. The time of a form is part of its identity. So
/// with the times of the file, a second run would send only repetitions. Later the forms would be too old to be
/// accepted.
fn sent_now(posts: Vec<Post>, now: Timestamp) -> Result<Vec<Post>> {
    let times: Vec<DateTime> = posts
        .iter()
        .map(|post| {
            Ok(strtime::parse(TIME, decoded(field(&post.body, TIME_FIELD)?))?.to_datetime()?)
        })
        .collect::<Result<_>>()?;
    let last = times.iter().max().context("no forms")?;
    let shift: Span = VIETNAM.to_datetime(now).since(*last)?;
    let moved = posts.into_iter().zip(times).map(|(post, time)| {
        let old = field(&post.body, TIME_FIELD)?;
        let mut new = strtime::format(TIME, time.checked_add(shift)?)?;
        if old.contains('%') {
            new = new
                .replace('/', "%2F")
                .replace(':', "%3A")
                .replace(' ', "+");
        }
        let body = post.body.replace(old, &new);
        Ok(Post { body, ..post })
    });
    moved.collect()
}

/// The text of a form's field, as its body has it.
fn field<'a>(body: &'a str, name: &str) -> Result<&'a str> {
    let (_, rest) = body
        .split_once(name)
        .with_context(|| format!("a form without {name}"))?;
    let text = rest.trim_start_matches(['"', ':', '=', ' ']);
    Ok(text.split(['"', '&']).next().unwrap_or(text))
}

fn decoded(text: &str) -> String {
    let plain = [("%2F", "/"), ("%3A", ":"), ("%40", "@"), ("+", " ")];
    let decode = |text: String, (code, letter)| text.replace(code, letter);
    plain.into_iter().fold(text.to_owned(), decode)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn post(body: &str) -> Post {
        Post {
            content_type: String::new(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn forms_are_moved_to_now_and_keep_their_distances() {
        let posts = vec![
            post(r#"{"a": "1", "message_time": "02/03/2026 08:00:30", "b": ""}"#),
            post("a=1&message_time=02%2F03%2F2026+08%3A01%3A30&b="),
        ];
        let now = "2027-06-01T17:30:00Z".parse().unwrap();
        let moved = sent_now(posts, now).unwrap();
        let bodies: Vec<&str> = moved.iter().map(|post| post.body.as_str()).collect();
        assert_eq!(
            bodies,
            [
                r#"{"a": "1", "message_time": "02/06/2027 00:29:00", "b": ""}"#,
                "a=1&message_time=02%2F06%2F2027+00%3A30%3A00&b=",
            ]
        );
    }
}
