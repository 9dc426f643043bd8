//! `kill -9` in the middle of a campaign: the next start finishes it, and nobody gets two mails.
//!
//! The real program on real ports, in its own folder that links to the project's templates.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

const CONTACTS: usize = 400;
/// Mails in the outbox when the process is killed.
const KILL_AT: usize = 60;

/// A running stack that does not outlive the test.
struct Stack {
    process: Child,
    base: String,
    http: reqwest::Client,
    key: String,
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Stack {
    async fn start(folder: &Path, port: u16) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_tanigo-local"))
            .args(["--port", &port.to_string()])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let base = format!("http://127.0.0.1:{port}");
        let http = reqwest::Client::new();
        let mut stack = Self {
            process,
            base,
            http,
            key: String::new(),
        };
        for _ in 0..600 {
            let health = stack
                .http
                .get(format!("{}/_local/health", stack.base))
                .send()
                .await;
            if health.is_ok_and(|answer| answer.status() == 200) {
                let credentials = stack.get("/_local/credentials").await;
                let key = credentials["api_key"].as_str();
                key.expect("an API key").clone_into(&mut stack.key);
                return stack;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the stack is not ready after a minute");
    }

    async fn get(&self, path: &str) -> Value {
        let request = self
            .http
            .get(format!("{}{path}", self.base))
            .bearer_auth(&self.key);
        let answer = request
            .header("accept", "application/json")
            .send()
            .await
            .expect("an answer");
        answer.json().await.expect("JSON")
    }

    async fn post(&self, path: &str, content_type: &str, body: String) -> Value {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .bearer_auth(&self.key);
        let request = request.header("content-type", content_type).body(body);
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("text");
        assert!(status.is_success(), "POST {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The recipients of all mails in the outbox.
    async fn recipients(&self) -> Vec<String> {
        let (mut all, mut path) = (Vec::new(), "/_local/outbox?kind=mail".to_owned());
        loop {
            let page = self.get(&path).await;
            for mail in page["data"].as_array().expect("mails") {
                all.push(mail["to"][0].as_str().expect("a recipient").to_owned());
            }
            let Some(next) = page["next"].as_u64() else {
                return all;
            };
            path = format!("/_local/outbox?kind=mail&cursor={next}");
        }
    }
}

/// A folder with the project's templates and no state.
fn folder() -> tempfile::TempDir {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["template.yaml", "infra"] {
        std::os::unix::fs::symlink(root.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// Mails that the process has written to disk. A request to the process would take longer than a send.
fn written(folder: &Path) -> usize {
    let index = std::fs::read_to_string(folder.join(".local/outbox/index.jsonl"));
    index.map_or(0, |index| index.lines().count())
}

/// Three ports in a row that are free now.
fn ports() -> u16 {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = 20_000 + (std::process::id() % 8_000) as u16 * 4;
    (0..500)
        .map(|n| first.wrapping_add(n * 4).clamp(20_000, 60_000))
        .find(|&port| (port..port + 3).all(free))
        .expect("three free ports")
}

async fn import(stack: &Stack) -> String {
    let json = "application/json";
    let list = stack
        .post("/v1/lists", json, json!({ "name": "Khách" }).to_string())
        .await;
    let list = list["id"].as_str().unwrap().to_owned();
    let rows: String = (0..CONTACTS)
        .map(|n| format!("Khách {n},khach{n}@example.vn\n"))
        .collect();
    let path = format!(
        "/v1/imports?list_id={list}&consent_way=news_form&consent_text=Tin&consent_channels=email\
         &consent_at=2026-01-01T00:00:00Z"
    );
    let job = stack
        .post(&path, "text/csv", format!("name,email\n{rows}"))
        .await;
    let path = format!("/v1/imports/{}", job["id"].as_str().unwrap());
    for _ in 0..1_200 {
        let job = stack.get(&path).await;
        if job["status"] == "completed" {
            assert_eq!(job["created"], CONTACTS, "{job}");
            return list;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the import does not end");
}

async fn send(stack: &Stack, list: &str) -> String {
    let letter = json!({
        "name": "Tết", "audience": { "include": { "list_ids": [list] } },
        "mail": {
            "sender": { "from_name": "Cửa hàng mẫu", "from_email": "tet@example.vn" },
            "subject": "Chúc mừng năm mới", "html": "<p>Chào {{ contact.full_name }}</p>",
        },
    });
    let json = "application/json";
    let campaign = stack.post("/v1/campaigns", json, letter.to_string()).await;
    let id = campaign["id"].as_str().unwrap().to_owned();
    stack
        .post(&format!("/v1/campaigns/{id}/send"), json, "{}".into())
        .await;
    id
}

#[tokio::test]
async fn a_killed_stack_finishes_the_campaign_and_sends_nobody_twice() {
    let (folder, port) = (folder(), ports());
    let stack = Stack::start(folder.path(), port).await;
    let list = import(&stack).await;
    let campaign = send(&stack, &list).await;
    while written(folder.path()) < KILL_AT {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // On Unix this is SIGKILL.
    drop(stack);

    let stack = Stack::start(folder.path(), port).await;
    let before = stack.recipients().await.len();
    assert!(before < CONTACTS, "the campaign was over before the kill");
    let report = format!("/v1/campaigns/{campaign}/report");
    for round in 0.. {
        let state = stack.get(&format!("/v1/campaigns/{campaign}")).await;
        if state["status"] == "sent" {
            break;
        }
        assert!(
            round < 300,
            "the campaign does not end: {}",
            stack.get(&report).await
        );
        // Interrupted work is settled after its lease has ended.
        if round % 10 == 9 {
            let json = "application/json";
            stack
                .post(
                    "/_local/clock",
                    json,
                    json!({ "advance": "2m" }).to_string(),
                )
                .await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let recipients = stack.recipients().await;
    let distinct: HashSet<&String> = recipients.iter().collect();
    assert_eq!(distinct.len(), recipients.len(), "somebody got two mails");
    let report = stack.get(&report).await;
    let count = |name: &str| match &report[name] {
        Value::Object(parts) => parts.values().filter_map(Value::as_u64).sum(),
        other => other.as_u64().unwrap_or(0),
    };
    let parts = count("sent") + count("skipped") + count("failed") + count("unknown");
    assert_eq!(parts, CONTACTS as u64, "{report}");
    assert_eq!(count("audience"), CONTACTS as u64, "{report}");
    let mails = recipients.len() as u64;
    assert!(
        count("sent") <= mails && mails <= count("sent") + count("unknown"),
        "{report} {mails}"
    );
}
