//! The state that two runs must share: rows, messages, mails and posts, without times and without names that a run
//! draws for itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tanigo_local::aws::Kind;

use super::expected;
use crate::support::World;

/// Counters that every request moves.
const UNWATCHED: &str = "Limits";
/// Beginning of an RFC 3339 time.
const TIME: &str = "0000-00-00T00:00:00";
const UUID: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
/// A shorter word is never a drawn name.
const SHORTEST_NAME: usize = 10;
/// Attributes that follow from a drawn name, the time, or the order of the messages of a batch.
const FOLLOWING: [&str; 5] = ["shard", "minute", "lease_until", "trace", "begun_by"];
/// Numbers from here on are times, in seconds or milliseconds.
const FIRST_TIME: f64 = 1.5e9;

/// Texts by place, with their counts.
#[derive(Debug, Default)]
pub struct Picture(BTreeMap<String, BTreeMap<String, usize>>);

impl Picture {
    /// The state of a world; the words in `known` are kept as they are.
    pub async fn of(world: &World, known: &BTreeSet<String>) -> Self {
        let mut picture = Self::default();
        for table in &world.model.tables {
            let name = &table.logical_id;
            if name == UNWATCHED {
                continue;
            }
            for row in world.dump(name).await {
                let text = plain(&row, known).to_string();
                if expected::is_hint(&row) {
                    picture.hint(name, text);
                } else {
                    picture.add(name, text);
                }
            }
        }
        for queue in &world.model.queues {
            for message in world.aws.sqs().receive(&queue.name, 10_000, Some(0)) {
                let body = serde_json::from_str(&message.body).unwrap_or(Value::from(message.body));
                let text = plain(&body, known).to_string();
                // The same dead letter twice does no harm: its second redrive changes nothing.
                if queue.redrive.is_none() {
                    picture.hint(&queue.logical_id, text);
                } else {
                    picture.add(&queue.logical_id, text);
                }
            }
            let waiting = world.aws.sqs().depth(&queue.name).delayed;
            for _ in 0..waiting {
                picture.add(&queue.logical_id, "delayed".to_owned());
            }
        }
        for mail in world.aws.outbox().all(Kind::Mail) {
            let text = format!("{} {}", mail.to.join(" "), mail.subject);
            picture.add("mails", normal(&text, known));
        }
        picture
    }

    /// Counts one more text at a place.
    pub fn add(&mut self, place: &str, text: String) {
        *self
            .0
            .entry(place.to_owned())
            .or_default()
            .entry(text)
            .or_default() += 1;
    }

    /// Notes a post to a browser, which may come more than once.
    pub fn add_post(&mut self, post: &str, known: &BTreeSet<String>) {
        let post = serde_json::from_str(post).unwrap_or(Value::from(post));
        self.hint("posts", plain(&post, known).to_string());
    }

    /// Notes a text that may come more than once.
    fn hint(&mut self, place: &str, text: String) {
        self.0.entry(place.to_owned()).or_default().insert(text, 1);
    }

    /// Texts that are here and not there (`+`), or there and not here (`-`).
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let places: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let none = BTreeMap::new();
        let mut differences = Vec::new();
        for place in places {
            let (here, there) = (
                self.0.get(place).unwrap_or(&none),
                other.0.get(place).unwrap_or(&none),
            );
            let texts: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
            for text in texts {
                let count = |of: &BTreeMap<String, usize>| of.get(text).copied().unwrap_or(0);
                let (here, there) = (count(here), count(there));
                let sign = if here > there { '+' } else { '-' };
                if here != there {
                    let more = here.abs_diff(there);
                    differences.push(format!("{sign}{more} {place}: {text}"));
                }
            }
        }
        differences
    }
}

/// A value with every text in its normal form. Null and absent fields are one.
fn plain(value: &Value, known: &BTreeSet<String>) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => {
                plain(&inner, known).to_string().into()
            }
            _ => normal(text, known).into(),
        },
        Value::Number(number) if number.as_f64().is_some_and(|n| n >= FIRST_TIME) => {
            "<time>".into()
        }
        Value::Array(all) => all.iter().map(|one| plain(one, known)).collect(),
        Value::Object(all) => {
            let fields = all.iter();
            let fields = fields.map(|(name, one)| {
                let follows = FOLLOWING.contains(&name.as_str());
                let one = if follows {
                    "<follows>".into()
                } else {
                    plain(one, known)
                };
                (normal(name, known), one)
            });
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// The words of a text, put into `known`.
pub fn words(text: &str, known: &mut BTreeSet<String>) {
    known.extend(text.split(|c: char| !is_word(c)).map(str::to_owned));
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A text whose times and drawn names are replaced.
fn normal(text: &str, known: &BTreeSet<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = time(rest) {
            out.push_str("<time>");
            rest = after;
            continue;
        }
        if let Some(uuid) = rest.get(..UUID.len()).filter(|text| fits(UUID, text)) {
            out.push_str(if known.contains(&uuid[..8]) {
                uuid
            } else {
                "<uuid>"
            });
            rest = &rest[UUID.len()..];
            continue;
        }
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if end == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(end);
        // Each invocation has its own trace.
        if let Some(number) = rest.strip_prefix("request-") {
            out.push_str("<trace>");
            rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
            continue;
        }
        let drawn = word.len() >= SHORTEST_NAME && word.bytes().any(|b| b.is_ascii_digit());
        if !drawn || known.contains(word) {
            out.push_str(word);
        } else {
            let kind = word.split_once('_').map_or("", |(kind, _)| kind);
            out.extend(["<", kind, ">"]);
        }
        rest = after;
    }
    out
}

/// The text after an RFC 3339 time at its beginning.
fn time(text: &str) -> Option<&str> {
    let head = text.get(..TIME.len())?;
    let end = text.find('Z').filter(|_| fits(TIME, head))?;
    Some(&text[end + 1..])
}

/// Whether a text has this shape, with `0` for a digit and `x` for a hexadecimal digit.
fn fits(shape: &str, text: &str) -> bool {
    let fits = |(shape, byte): (u8, u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_hexdigit(),
        other => other == byte,
    };
    shape.bytes().zip(text.bytes()).all(fits)
}
