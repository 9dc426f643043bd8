//! One queue in memory: which message may be received next.
//!
//! Pure state: it knows no log, no other queue and no clock; times are passed in.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Notify;

use super::message::{Message, State};
use super::settings::Settings;

/// FIFO deduplication interval, milliseconds.
const DEDUP_INTERVAL: i64 = 5 * 60 * 1000;
/// Fair queues: a group of a standard queue with this many messages in flight, and more than a tenth of all, is
/// received after other groups.
const NOISY_IN_FLIGHT: usize = 30;

/// Messages that share a group; ungrouped messages share the group with the empty name.
#[derive(Debug, Default)]
struct Group {
    ready: BTreeSet<u64>,
    in_flight: usize,
    /// Its entry in [`Queue::heads`].
    head: Option<(bool, u64)>,
}

/// A deduplication id in use.
#[derive(Debug)]
pub(super) struct Used {
    pub at: i64,
    pub id: String,
    pub sequence: u64,
}

/// A queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub settings: Settings,
    /// When it was made, epoch milliseconds.
    pub created: i64,
    /// When its settings last changed, epoch milliseconds.
    pub modified: i64,
    pub tags: BTreeMap<String, String>,
    /// When it was last purged, epoch milliseconds; not kept.
    pub purged: Option<i64>,
    /// Message move tasks with this queue as the source, newest first; not kept.
    pub moves: VecDeque<Value>,
    pub messages: BTreeMap<u64, Message>,
    /// Delayed and in-flight messages by the time they become ready.
    waiting: BTreeSet<(i64, u64)>,
    groups: HashMap<String, Group>,
    /// First ready message of each group that may be received; noisy groups last.
    heads: BTreeSet<(bool, u64)>,
    in_flight: usize,
    used: HashMap<String, Used>,
    used_order: VecDeque<(i64, String)>,
    pub notify: Arc<Notify>,
}

impl Queue {
    /// An empty queue, made at `now`.
    pub fn new(settings: Settings, now: i64) -> Self {
        Self {
            settings,
            created: now,
            modified: now,
            tags: BTreeMap::new(),
            purged: None,
            moves: VecDeque::new(),
            messages: BTreeMap::new(),
            waiting: BTreeSet::new(),
            groups: HashMap::new(),
            heads: BTreeSet::new(),
            in_flight: 0,
            used: HashMap::new(),
            used_order: VecDeque::new(),
            notify: Arc::default(),
        }
    }

    /// Adds a message that is ready, or delayed until `message.at`.
    pub fn insert(&mut self, mut message: Message) {
        let (sequence, at) = (message.sequence, message.at);
        message.state = State::Delayed;
        self.messages.insert(sequence, message);
        self.waiting.insert((at, sequence));
    }

    /// Removes a message in any state.
    pub fn remove(&mut self, sequence: u64) -> Option<Message> {
        let message = self.messages.remove(&sequence)?;
        let group = message.group.as_deref().unwrap_or_default();
        match message.state {
            State::Ready => {
                if let Some(group) = self.groups.get_mut(group) {
                    group.ready.remove(&sequence);
                }
            }
            State::InFlight => {
                self.waiting.remove(&(message.at, sequence));
                self.landed(group);
            }
            State::Delayed => {
                self.waiting.remove(&(message.at, sequence));
            }
        }
        self.refresh(group);
        Some(message)
    }

    /// Removes everything.
    pub fn purge(&mut self) {
        self.messages.clear();
        self.waiting.clear();
        self.groups.clear();
        self.heads.clear();
        self.in_flight = 0;
    }

    /// Makes the messages ready that are due at `now`. Returns the due messages that are at the maximum receive
    /// count or past retention: the caller moves or drops these messages.
    pub fn advance(&mut self, now: i64) -> Vec<u64> {
        let mut finished = Vec::new();
        while let Some(&(at, sequence)) = self.waiting.first()
            && at <= now
        {
            self.waiting.pop_first();
            let Some(message) = self.messages.get_mut(&sequence) else {
                continue;
            };
            let was = std::mem::replace(&mut message.state, State::Ready);
            let out = self.settings.redrive.as_ref();
            if out.is_some_and(|(_, most)| message.receives >= *most) {
                finished.push(sequence);
            }
            let group = message.group.clone().unwrap_or_default();
            self.groups
                .entry(group.clone())
                .or_default()
                .ready
                .insert(sequence);
            if was == State::InFlight {
                self.landed(&group);
            }
            self.refresh(&group);
        }
        let oldest = now - i64::from(self.settings.retention) * 1000;
        // Arrival order is nearly age order; an older message behind a younger one waits for the younger one.
        let expired = |(_, m): &(&u64, &Message)| m.sent <= oldest && m.state != State::InFlight;
        finished.extend(self.messages.iter().take_while(expired).map(|(s, _)| *s));
        finished
    }

    /// Takes up to `most` messages, in flight until `until`.
    pub fn take(&mut self, most: usize, until: i64, now: i64) -> Vec<&Message> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(&(_, head)) = self.heads.first()
        {
            let group = self.messages.get(&head).and_then(|m| m.group.clone());
            let group = group.unwrap_or_default();
            // The first message in flight blocks its FIFO group, so all messages of the batch are taken together.
            let batch = if self.settings.fifo {
                most - taken.len()
            } else {
                1
            };
            for _ in 0..batch {
                let Some(entry) = self.groups.get_mut(&group) else {
                    break;
                };
                let Some(sequence) = entry.ready.pop_first() else {
                    break;
                };
                entry.in_flight += 1;
                self.in_flight += 1;
                self.waiting.insert((until, sequence));
                if let Some(message) = self.messages.get_mut(&sequence) {
                    message.state = State::InFlight;
                    message.at = until;
                    message.received = now;
                    message.receives += 1;
                    message.first_received.get_or_insert(now);
                }
                taken.push(sequence);
            }
            self.refresh(&group);
        }
        taken
            .iter()
            .filter_map(|sequence| self.messages.get(sequence))
            .collect()
    }

    /// Sets when an in-flight message becomes ready again.
    pub fn postpone(&mut self, sequence: u64, until: i64) {
        if let Some(message) = self.messages.get_mut(&sequence)
            && message.state == State::InFlight
        {
            self.waiting.remove(&(message.at, sequence));
            message.at = until;
            self.waiting.insert((until, sequence));
        }
    }

    /// Something can be received now.
    pub fn has_ready(&self) -> bool {
        !self.heads.is_empty()
    }

    /// When the next delayed or in-flight message is due.
    pub fn next_due(&self) -> Option<i64> {
        self.waiting.first().map(|(at, _)| *at)
    }

    /// Messages in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Messages that are delayed.
    pub fn delayed(&self) -> usize {
        self.waiting.len() - self.in_flight
    }

    /// Messages that are neither.
    pub fn visible(&self) -> usize {
        self.messages.len() - self.waiting.len()
    }

    /// The key of a deduplication id in use: the id alone, or the id within its message group.
    pub fn dedup_key(&self, dedup: &str, group: Option<&str>) -> String {
        match group.filter(|_| self.settings.deduplicates_by_group) {
            // No id holds a space.
            Some(group) => format!("{group} {dedup}"),
            None => dedup.to_owned(),
        }
    }

    /// The message that used this key within the interval.
    pub fn duplicate(&mut self, key: &str, now: i64) -> Option<&Used> {
        while let Some((at, _)) = self.used_order.front()
            && at + DEDUP_INTERVAL <= now
        {
            if let Some((at, old)) = self.used_order.pop_front()
                && self.used.get(&old).is_some_and(|used| used.at == at)
            {
                self.used.remove(&old);
            }
        }
        self.used.get(key)
    }

    /// Records that a message used this key.
    pub fn remember(&mut self, key: &str, at: i64, id: &str, sequence: u64) {
        let id = id.to_owned();
        let used = Used { at, id, sequence };
        self.used.insert(key.to_owned(), used);
        self.used_order.push_back((at, key.to_owned()));
    }

    /// Deduplication keys in use.
    pub fn used(&self) -> impl Iterator<Item = (&str, &Used)> {
        self.used.iter().map(|(id, used)| (id.as_str(), used))
    }

    fn landed(&mut self, group: &str) {
        self.in_flight -= 1;
        if let Some(group) = self.groups.get_mut(group) {
            group.in_flight -= 1;
        }
    }

    /// Updates the group's entry in the heads.
    fn refresh(&mut self, name: &str) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        let noisy = !name.is_empty()
            && group.in_flight >= NOISY_IN_FLIGHT
            && group.in_flight * 10 > self.in_flight;
        let closed = self.settings.fifo && group.in_flight > 0;
        let first = group.ready.first().filter(|_| !closed);
        let head = first.map(|sequence| (noisy, *sequence));
        if head != group.head {
            if let Some(old) = group.head {
                self.heads.remove(&old);
            }
            self.heads.extend(head);
            group.head = head;
        }
        if group.ready.is_empty() && group.in_flight == 0 {
            self.groups.remove(name);
        }
    }
}
