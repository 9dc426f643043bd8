//! A conversation on the website, followed live on the sockets of both sides.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{Demo, bar, text_of};

#[derive(Deserialize)]
struct Line {
    from: String,
    text: String,
}

/// A socket must show a message within this time.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    let lines: Vec<Line> = serde_json::from_str(&demo.file("chat.json")?)?;
    let inbox = demo.credential("/widget/inbox_id")?;
    let json = [("content-type", "application/json")];
    let (status, session) = demo
        .client
        .outside(
            "POST",
            &format!("/chat/{inbox}/sessions"),
            &json,
            "{}".into(),
        )
        .await?;
    if status >= 300 {
        bail!("no session: {status} {session}");
    }
    let token = text_of(&serde_json::from_str(&session)?, "/token")?;
    let (mut visitor, mut agent) = (Live::open(demo, &token).await?, {
        let key = demo.credential("/api_key")?;
        Live::open(demo, &key).await?
    });

    let bar = bar(lines.len() as u64, "holding a chat");
    let mut conversation = String::new();
    for (n, line) in lines.iter().enumerate() {
        match line.from.as_str() {
            "visitor" => {
                say(demo, &inbox, &token, n, &line.text).await?;
                agent.sees(&line.text).await?;
                if conversation.is_empty() {
                    let open = demo.client.get("/v1/conversations?status=open").await?;
                    conversation = text_of(&open, "/data/0/id")?;
                }
            }
            who => {
                let body = json!({ "content": line.text, "private": who == "note" });
                let path = format!("/v1/conversations/{conversation}/messages");
                demo.client.post(&path, &body).await?;
                if who == "staff" {
                    visitor.sees(&line.text).await?;
                }
            }
        }
        bar.inc(1);
    }
    bar.finish();
    demo.stack.run_until_idle().await;

    let path = format!("/chat/{inbox}/messages");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let (_, seen) = demo
        .client
        .outside("GET", &path, &headers, String::new())
        .await?;
    let path = format!("/v1/conversations/{conversation}/messages");
    let stored = serde_json::to_string(&demo.client.get(&path).await?)?;
    let told = |line: &&Line| line.from != "note";
    let public = lines.iter().filter(told).count() as u64;
    demo.summary.section("chat");
    let in_staff = lines
        .iter()
        .filter(|line| stored.contains(&line.text))
        .count();
    demo.summary.identity(
        "lines = messages that staff see",
        lines.len() as u64,
        in_staff as u64,
    );
    let in_widget = lines
        .iter()
        .filter(|line| seen.contains(&line.text))
        .count();
    demo.summary.identity(
        "without notes = messages that the visitor sees",
        public,
        in_widget as u64,
    );
    demo.summary
        .identity("notes seen live by the visitor", visitor.notes(&lines), 0);
    Ok(())
}

async fn say(demo: &Demo, inbox: &str, token: &str, n: usize, text: &str) -> Result<()> {
    let body = json!({ "client_msg_id": format!("demo-{n}"), "content": text }).to_string();
    let bearer = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    // The message is sent twice, as by a phone on a bad network: it must show once.
    for _ in 0..2 {
        let path = format!("/chat/{inbox}/messages");
        let (status, answer) = demo
            .client
            .outside("POST", &path, &headers, body.clone())
            .await?;
        if status != 202 {
            bail!("a chat line was answered with {status}: {answer}");
        }
    }
    Ok(())
}

/// One open socket and everything it has shown.
struct Live {
    socket: tokio_tungstenite::WebSocketStream<
        tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>,
    >,
    shown: Vec<String>,
}

impl Live {
    async fn open(demo: &Demo, token: &str) -> Result<Self> {
        let url = format!("{}/?token={token}", demo.credential("/websocket")?);
        let (socket, _) = tokio_tungstenite::connect_async(url)
            .await
            .context("no socket")?;
        Ok(Self {
            socket,
            shown: Vec::new(),
        })
    }

    /// Waits until the text has come over the socket.
    async fn sees(&mut self, text: &str) -> Result<()> {
        let arrive = async {
            while !self.shown.iter().any(|message| message.contains(text)) {
                match self.socket.next().await {
                    Some(Ok(Message::Text(message))) => {
                        // Escapes in JSON would hide the text from a plain search.
                        let message: Value = serde_json::from_str(&message)?;
                        self.shown.push(message.to_string());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => bail!("the socket was closed"),
                }
            }
            Ok(())
        };
        let waited = tokio::time::timeout(PATIENCE, arrive).await;
        waited.with_context(|| format!("the socket did not show {text:?} in time"))?
    }

    fn notes(&self, lines: &[Line]) -> u64 {
        let note = |line: &&Line| line.from == "note";
        let shown = |line: &Line| {
            self.shown
                .iter()
                .any(|message| message.contains(&line.text))
        };
        lines.iter().filter(note).filter(|line| shown(line)).count() as u64
    }
}
