//! `cargo run -- demo`: the main job, from files to figures.
//!
//! The demo acts over HTTP, as a shop's systems, customers and staff would, and moves the stack's clock over the
//! waits. At the end it compares the outputs with the inputs, and fails if anything was lost or sent twice.

mod ab;
mod campaign;
mod chat;
mod client;
mod import;
mod progress;
mod shops;
mod summary;
mod workflow;
mod zalo;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::console;
use crate::runtime::LocalStack;
use client::Client;
use progress::bar;
use summary::{Goal, Summary};

/// Shared state of all steps.
struct Demo {
    stack: LocalStack,
    client: Client,
    credentials: Value,
    data: PathBuf,
    summary: Summary,
}

/// Plays everything on a stack that serves, and gives the summary.
pub async fn run(stack: &LocalStack) -> Result<String> {
    let credentials = stack.credentials();
    let text = |name: &str| {
        credentials[name]
            .as_str()
            .with_context(|| format!("no {name}"))
    };
    let client = Client::new(text("api")?, text("api_key")?);
    let data = stack.root().join("tests/data");
    let summary = Summary::default();
    let mut demo = Demo {
        stack: stack.clone(),
        client,
        credentials,
        data,
        summary,
    };

    let started = Instant::now();
    let list = import::run(&mut demo).await?;
    workflow::run(&mut demo).await?;
    shops::run(&mut demo).await?;
    campaign::run(&mut demo, &list).await?;
    ab::run(&mut demo).await?;
    zalo::run(&mut demo).await?;
    chat::run(&mut demo).await?;
    demo.finish(started)
}

impl Demo {
    /// A source's or widget's field of the credentials, e.g. `/sources/ladipage/url`.
    fn credential(&self, pointer: &str) -> Result<String> {
        let value = self.credentials.pointer(pointer).and_then(Value::as_str);
        value
            .map(str::to_owned)
            .with_context(|| format!("the credentials have no {pointer}"))
    }

    fn file(&self, name: &str) -> Result<String> {
        let path = self.data.join(name);
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// Moves the stack's clock as a user would.
    async fn advance(&self, span: &str) -> Result<()> {
        let body = json!({ "advance": span }).to_string();
        let (status, text) = self
            .client
            .outside("POST", "/_local/clock", &[], body)
            .await?;
        if status != 200 {
            bail!("the clock did not move: {status} {text}");
        }
        self.stack.run_until_idle().await;
        Ok(())
    }

    /// Every mail of a scope (a campaign or an enrollment) that the outbox holds: its recipient.
    fn recipients(&self, scope_prefix: &str) -> Vec<(String, String)> {
        let mails = self.stack.aws().outbox().all(crate::aws::Kind::Mail);
        let tag = |tags: &[(String, String)], name: &str| {
            tags.iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        let of_scope = mails.into_iter().filter_map(|mail| {
            let scope = tag(&mail.tags, "scope")?;
            let key = format!(
                "{scope}/{}/{}",
                tag(&mail.tags, "contact")?,
                tag(&mail.tags, "step")?
            );
            scope
                .starts_with(scope_prefix)
                .then_some((key, mail.provider_id))
        });
        of_scope.collect()
    }

    /// Totals, the bill, and the verdict.
    fn finish(mut self, started: Instant) -> Result<String> {
        let stack = self.stack.clone();
        let dead: usize = stack
            .template()
            .queues
            .iter()
            .filter(|queue| queue.redrive.is_none())
            .map(|queue| stack.aws().sqs().depth(&queue.name).total())
            .sum();
        let everything = self.recipients("");
        let mut keys: Vec<&String> = everything.iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        let duplicates = everything.len() - keys.len();
        self.summary.section("totals");
        self.summary.figure("mails in the outbox", everything.len());
        self.summary
            .identity("mails sent twice = none", duplicates as u64, 0);
        self.summary
            .identity("messages lost (dead letters) = none", dead as u64, 0);
        self.summary
            .figure("time", format!("{:.1} s", started.elapsed().as_secs_f64()));
        let bill = console::bill::keep(&stack)?;
        self.summary
            .figure("would have cost on AWS", format!("${bill:.4}"));
        let table = self.summary.table();
        if self.summary.broken().is_empty() {
            return Ok(format!("{table}\n{}", look(&stack)));
        }
        bail!("{table}\n{}", self.summary.broken().join("\n"))
    }
}

/// How to see the results of the demo.
fn look(stack: &LocalStack) -> String {
    let api = &stack.addresses().api;
    let port = api.rsplit(':').next().unwrap_or_default();
    let run = match port {
        "8787" => "cargo run".to_owned(),
        port => format!("cargo run -- --port {port}"),
    };
    format!(
        "To look at it: {run}\n  {api}/_local/outbox  the mails\n  {api}/_local/bill    what the demo would have cost\n"
    )
}

/// A field that must be a text.
fn text_of(value: &Value, pointer: &str) -> Result<String> {
    let text = value
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned);
    text.with_context(|| format!("no text at {pointer} in {value}"))
}

/// A field that must be a count; absent is none.
fn count_of(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// The sum of a map of counts, such as the reasons for skipping.
fn sum_of(value: &Value, pointer: &str) -> u64 {
    match value.pointer(pointer) {
        Some(Value::Object(parts)) => parts.values().filter_map(Value::as_u64).sum(),
        Some(Value::Number(n)) => n.as_u64().unwrap_or(0),
        _ => 0,
    }
}
