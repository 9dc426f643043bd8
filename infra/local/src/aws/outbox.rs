//! All messages that the product sent: mails as `.eml` files, other messages as JSON.
//!
//! A message is on disk before its sender gets the answer. Nothing leaves the machine.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::journal::Journal;

/// Messages on one page of [`Outbox::list`].
const PAGE: usize = 100;
/// Mails in one folder.
const SHARD: u64 = 1000;

/// The messages sent so far, by number from 0.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
    state: Mutex<State>,
}

/// How a message went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Mail through SES.
    Mail,
    /// Text message.
    Sms,
    /// Zalo template message.
    Zns,
    /// Push notification.
    Push,
    /// Message in a chat channel.
    Chat,
}

/// A message that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxMessage {
    /// Number in the outbox.
    pub id: u64,
    /// How it went out.
    pub kind: Kind,
    /// Id given to the sender.
    pub provider_id: String,
    /// When, epoch milliseconds.
    pub at: i64,
    /// Sender address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// Recipients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Subject of a mail.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Configuration set of a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_set: Option<String>,
    /// Tags of a mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
    /// Content of a message other than mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

/// A page of messages, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct OutboxPage {
    /// The messages.
    pub messages: Vec<OutboxMessage>,
    /// Cursor of the next, older page.
    pub next: Option<u64>,
}

#[derive(Debug)]
struct State {
    /// The index lines, kept as text because there may be many.
    messages: Vec<(Kind, Box<RawValue>)>,
    /// Mails whose provider events may not have been played back.
    open: Vec<u64>,
    journal: Journal,
}

#[derive(Serialize, Deserialize)]
enum Entry {
    /// A message was accepted.
    #[serde(rename = "m")]
    Accepted(Kind, Box<RawValue>),
    /// Its provider events were played back.
    #[serde(rename = "e")]
    Reported(u64),
}

impl Outbox {
    /// Opens the outbox in `folder`.
    pub(super) fn open(folder: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        let (mut messages, mut open) = (Vec::new(), Vec::new());
        let journal = Journal::open(Some(folder.join("index.jsonl")), |entry| match entry {
            Entry::Accepted(kind, message) => {
                if kind == Kind::Mail {
                    open.push(messages.len() as u64);
                }
                messages.push((kind, message));
            }
            // Nearly always the last mail: mails are reported in order.
            Entry::Reported(id) => open.retain(|other| *other != id),
        })?;
        let state = Mutex::new(State {
            messages,
            open,
            journal,
        });
        Ok(Self { folder, state })
    }

    /// Accepts a mail: writes the file, then the index. `provider_id` makes its id from its number.
    pub(super) fn accept(
        &self,
        mut message: OutboxMessage,
        mime: &[u8],
        provider_id: impl FnOnce(u64) -> String,
    ) -> std::io::Result<OutboxMessage> {
        let mut state = self.lock();
        message.id = state.messages.len() as u64;
        message.provider_id = provider_id(message.id);
        write(&self.path(message.id), mime)?;
        state.append(&message)?;
        Ok(message)
    }

    /// Notes that the mail's events have been played back.
    pub(super) fn reported(&self, id: u64) -> std::io::Result<()> {
        let mut state = self.lock();
        state.open.retain(|other| *other != id);
        state.journal.append(&Entry::Reported(id))
    }

    /// Mails that were accepted just before a crash, and whose events are due.
    pub(super) fn unreported(&self) -> Vec<OutboxMessage> {
        let open = self.lock().open.clone();
        open.into_iter().filter_map(|id| self.get(id)).collect()
    }

    /// Captures a message of another channel and returns its number. `payload` is what the
    /// provider was given.
    pub fn append_message(
        &self,
        kind: Kind,
        at: i64,
        to: &str,
        provider_id: &str,
        payload: Value,
    ) -> anyhow::Result<u64> {
        let mut state = self.lock();
        let message = OutboxMessage {
            id: state.messages.len() as u64,
            kind,
            provider_id: provider_id.to_owned(),
            at,
            from: String::new(),
            to: vec![to.to_owned()],
            subject: String::new(),
            configuration_set: None,
            tags: Vec::new(),
            payload: Some(payload),
        };
        state.append(&message)?;
        Ok(message.id)
    }

    /// A page of messages of one kind (or all), newest first; `cursor` is the `next` of the page
    /// before.
    pub fn list(&self, kind: Option<Kind>, cursor: Option<u64>) -> OutboxPage {
        let state = self.lock();
        let end = cursor.map_or(state.messages.len(), |id| id as usize);
        let older = state.messages.iter().enumerate().take(end).rev();
        let mut wanted = older.filter(|(_, (of, _))| kind.is_none_or(|kind| kind == *of));
        let page: Vec<_> = wanted.by_ref().take(PAGE).collect();
        let last = page.last().map(|(id, _)| *id as u64);
        let next = last.filter(|_| wanted.next().is_some());
        let parse = |(_, (_, text)): &(usize, &(Kind, Box<RawValue>))| parse(text);
        OutboxPage {
            messages: page.iter().filter_map(parse).collect(),
            next,
        }
    }

    /// All messages of one kind, oldest first.
    pub fn all(&self, kind: Kind) -> Vec<OutboxMessage> {
        let state = self.lock();
        let wanted = state.messages.iter().filter(|(of, _)| *of == kind);
        wanted.filter_map(|(_, text)| parse(text)).collect()
    }

    /// A message by its number.
    pub fn get(&self, id: u64) -> Option<OutboxMessage> {
        let state = self.lock();
        let (_, text) = state.messages.get(usize::try_from(id).ok()?)?;
        parse(text)
    }

    /// The text of a mail as SES would send it.
    pub fn mime(&self, id: u64) -> Option<Vec<u8>> {
        std::fs::read(self.path(id)).ok()
    }

    /// How many messages of one kind (or in all) were sent.
    pub fn count(&self, kind: Option<Kind>) -> usize {
        let state = self.lock();
        let Some(kind) = kind else {
            return state.messages.len();
        };
        state.messages.iter().filter(|(of, _)| *of == kind).count()
    }

    /// How many recipients the mails accepted after this time have.
    pub(super) fn recipients_since(&self, at: i64) -> usize {
        let state = self.lock();
        let newest = state.messages.iter().rev();
        let newest = newest.map_while(|(kind, text)| {
            let message = parse(text).filter(|message| message.at > at)?;
            Some((*kind, message.to.len()))
        });
        newest
            .filter(|(kind, _)| *kind == Kind::Mail)
            .map(|(_, to)| to)
            .sum()
    }

    fn path(&self, id: u64) -> PathBuf {
        let shard = format!("{:05}", id / SHARD);
        self.folder.join(shard).join(format!("{id:08}.eml"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, message: &OutboxMessage) -> std::io::Result<()> {
        let text = serde_json::value::to_raw_value(message)?;
        let entry = Entry::Accepted(message.kind, text);
        self.journal.append(&entry)?;
        if let Entry::Accepted(kind, text) = entry {
            self.messages.push((kind, text));
        }
        if message.kind == Kind::Mail {
            self.open.push(message.id);
        }
        Ok(())
    }
}

fn parse(text: &RawValue) -> Option<OutboxMessage> {
    serde_json::from_str(text.get()).ok()
}

fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let written = std::fs::write(path, text);
    match (written, path.parent()) {
        (Err(error), Some(folder)) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(folder)?;
            std::fs::write(path, text)
        }
        (written, _) => written,
    }
}
