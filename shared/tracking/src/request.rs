//! The body of a request: its key, its calls and their faults, and the messages that carry them. Pure.
//!
//! A body that cannot be read is refused as a whole. A call that cannot be used is refused alone: SDKs send a refused
//! request never again, so one bad call must not lose the others.

use std::collections::BTreeMap;

use contacts::Trust;
use jiff::Timestamp;
use kernel::Entropy;
use serde_json::{Map, Value};

use crate::call::{Call, Fault, Kind, Reason, time};
use crate::data::trimmed;
use crate::message::{Batch, Tracked};
use crate::time::{is_too_old, when};

/// Bytes of a request's body, unpacked. Segment's limit; its SDKs send less.
pub const MAX_BODY: usize = 500 * 1024;
/// Bytes of one call. Segment's limit.
pub const MAX_EVENT: usize = 32 * 1024;
/// Calls of one request.
pub const MAX_CALLS: usize = 500;
/// Bytes of the calls of one message. SQS bills a request for each 64 KiB.
pub const MESSAGE_BYTES: usize = 60 * 1000;
/// Calls of one message.
pub const MESSAGE_CALLS: usize = 100;

/// Why a body is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no JSON object.
    Syntax,
    /// It has no list `batch`.
    NoBatch,
    /// It has too many bytes.
    TooLarge,
    /// It has too many calls.
    TooMany,
}

impl Unreadable {
    /// In words.
    pub fn message(self) -> String {
        match self {
            Self::Syntax => "expected a JSON object".to_owned(),
            Self::NoBatch => "expected a list of calls at /batch".to_owned(),
            Self::TooLarge => {
                let (body, one) = (MAX_BODY / 1024, MAX_EVENT / 1024);
                format!("a request has at most {body} KB, and one call {one} KB")
            }
            Self::TooMany => format!("a request has at most {MAX_CALLS} calls"),
        }
    }
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the body, such as `/batch/3/event`.
    pub pointer: String,
    /// Why.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

/// A request's calls, judged.
#[derive(Debug, PartialEq)]
pub struct Judged {
    /// The messages that carry the accepted calls, and the numbers of the refused ones.
    pub messages: Vec<Tracked>,
    /// How many calls were accepted.
    pub accepted: usize,
    /// The refused calls.
    pub refused: Vec<Refused>,
}

/// Reads a body.
pub fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    if bytes.len() > MAX_BODY {
        return Err(Unreadable::TooLarge);
    }
    // Some libraries begin their files with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Unreadable::Syntax),
    }
}

/// The key in the body, where a browser's SDK puts it: of the request, or of its first call.
pub fn write_key(body: &Map<String, Value>) -> Option<&str> {
    let own = body.get("writeKey").or_else(|| body.get("write_key"));
    let first = || body.get("batch")?.get(0)?.get("writeKey");
    own.or_else(first)?.as_str()
}

/// Judges the calls of a body. `kind` is that of the address, of a request with one call; `None`: the body has a batch.
/// A call without a `messageId` gets one: a repetition of a call that carries its time gets the same.
pub fn judge(
    body: Map<String, Value>,
    kind: Option<Kind>,
    (key, trust): (&str, Trust),
    received_at: Timestamp,
    entropy: &Entropy,
) -> Result<Judged, Unreadable> {
    let sent_at = time_of(&body, "sentAt");
    let (calls, place) = match kind {
        Some(_) => (vec![Value::Object(body)], String::new()),
        None => match body.into_iter().find(|(name, _)| name == "batch") {
            Some((_, Value::Array(calls))) => (calls, "/batch".to_owned()),
            _ => return Err(Unreadable::NoBatch),
        },
    };
    if calls.len() > MAX_CALLS {
        return Err(Unreadable::TooMany);
    }
    let mut packs = Packs::default();
    let mut refused = Vec::new();
    for (n, call) in calls.into_iter().enumerate() {
        let place = match kind {
            Some(_) => place.clone(),
            None => format!("{place}/{n}"),
        };
        let judged = one(call, kind, (sent_at, received_at), entropy);
        match judged {
            Ok((call, bytes)) => packs.add(call, bytes),
            Err(fault) if kind.is_some() && fault.reason == Reason::TooLarge => {
                return Err(Unreadable::TooLarge);
            }
            Err(fault) => refused.push(Refused {
                pointer: format!("{place}{}", fault.pointer),
                reason: fault.reason,
                message: fault.message,
            }),
        }
    }
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for one in &refused {
        *counts.entry(one.reason.code().to_owned()).or_default() += 1;
    }
    let accepted = packs.all.iter().map(Vec::len).sum();
    if packs.all.is_empty() && !counts.is_empty() {
        packs.all.push(Vec::new());
    }
    let messages = packs.all.into_iter().map(|calls| {
        Tracked::Calls(Box::new(Batch {
            key: key.to_owned(),
            trust,
            received_at,
            sent_at,
            calls,
            refused: std::mem::take(&mut counts),
        }))
    });
    Ok(Judged {
        messages: messages.collect(),
        accepted,
        refused,
    })
}

/// A call as it is sent on, with its bytes.
fn one(
    call: Value,
    kind: Option<Kind>,
    (sent_at, received_at): (Option<Timestamp>, Timestamp),
    entropy: &Entropy,
) -> Result<(Value, usize), Fault> {
    let bytes = call.to_string().len();
    let large = |bytes: usize| Fault {
        pointer: "",
        reason: Reason::TooLarge,
        message: format!("{bytes} bytes; a call has at most {MAX_EVENT}"),
    };
    if bytes > MAX_EVENT {
        return Err(large(bytes));
    }
    let read = Call::read(&call, kind)?;
    let at = when(read.original, sent_at, received_at).at;
    if read.is_event() && is_too_old(at, received_at) {
        return Err(Fault {
            pointer: "/timestamp",
            reason: Reason::TooOld,
            message: "the event is older than events are kept".to_owned(),
        });
    }
    let Value::Object(call) = call else {
        return Err(large(bytes));
    };
    let mut kept = trimmed(&call);
    kept.insert("type".into(), serde_json::json!(read.kind));
    if read.message_id.is_none() {
        let id = match read.original {
            Some(_) => kernel::hash::name(&["call", &Value::Object(kept.clone()).to_string()]),
            None => entropy.nonce(),
        };
        kept.insert("messageId".into(), id.into());
    }
    let kept = Value::Object(kept);
    let bytes = kept.to_string().len();
    Ok((kept, bytes))
}

fn time_of(body: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    let value = body.get(name)?;
    time(&serde_json::json!({ name: value }), name)
}

/// Calls packed for messages.
#[derive(Default)]
struct Packs {
    all: Vec<Vec<Value>>,
    bytes: usize,
}

impl Packs {
    fn add(&mut self, call: Value, bytes: usize) {
        let is_full =
            |last: &Vec<Value>| last.len() >= MESSAGE_CALLS || self.bytes + bytes > MESSAGE_BYTES;
        if self.all.last().is_none_or(is_full) {
            self.all.push(Vec::new());
            self.bytes = 0;
        }
        // A comma separates two calls.
        self.bytes += bytes + 1;
        if let Some(last) = self.all.last_mut() {
            last.push(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers write the value in place"
    )]
    fn judged(body: Value, kind: Option<Kind>) -> Result<Judged, Unreadable> {
        let body = parse(body.to_string().as_bytes()).unwrap();
        let at = "2026-03-02T08:00:00Z".parse().unwrap();
        judge(body, kind, ("key_1", Trust::Shop), at, &Entropy::seeded(1))
    }

    fn batches(judged: &Judged) -> Vec<&Batch> {
        let all = judged.messages.iter();
        all.map(|Tracked::Calls(batch)| &**batch).collect()
    }

    #[test]
    fn a_bad_call_is_refused_alone_and_named_by_its_place() {
        let found = judged(
            json!({ "batch": [
                { "type": "track", "userId": "1", "event": "A", "messageId": "m1" },
                { "type": "track", "userId": "1", "event": "order.paid" },
                7,
                { "type": "page", "userId": "1", "messageId": "m2", "timestamp": "2020-01-01T00:00:00Z" },
                { "type": "track", "userId": "1", "event": "B", "properties": { "x": "x".repeat(33_000) } },
            ]}),
            None,
        );
        let found = found.unwrap();
        let refused = found.refused.iter();
        let refused: Vec<_> = refused
            .map(|one| (one.pointer.as_str(), one.reason))
            .collect();
        let expected = [
            ("/batch/1/event", Reason::ReservedName),
            ("/batch/2", Reason::NoObject),
            ("/batch/3/timestamp", Reason::TooOld),
            ("/batch/4", Reason::TooLarge),
        ];
        assert_eq!(refused, expected);
        assert_eq!(found.accepted, 1);
        let batches = batches(&found);
        assert_eq!((batches.len(), batches[0].calls.len()), (1, 1));
        assert_eq!(batches[0].refused.values().sum::<u32>(), 4);
    }

    #[test]
    fn messages_have_a_bound_in_bytes_and_calls() {
        let calls: Vec<Value> = (0..250)
            .map(|n| {
                json!({ "type": "track", "userId": n + 1, "event": "A",
                "properties": { "x": "x".repeat(if n < 3 { 25_000 } else { 10 }) } })
            })
            .collect();
        let found = judged(json!({ "batch": calls }), None).unwrap();
        let batches = batches(&found);
        assert_eq!(
            batches.iter().map(|one| one.calls.len()).sum::<usize>(),
            250
        );
        for one in batches {
            assert!(one.calls.len() <= MESSAGE_CALLS);
            assert!(serde_json::to_string(&one.calls).unwrap().len() <= MESSAGE_BYTES + 2);
        }
        let many: Vec<Value> = (0..501).map(|_| json!({})).collect();
        assert_eq!(
            judged(json!({ "batch": many }), None),
            Err(Unreadable::TooMany)
        );
        assert_eq!(
            judged(json!({ "batch": {} }), None),
            Err(Unreadable::NoBatch)
        );
    }

    #[test]
    fn a_repetition_of_a_call_without_an_id_has_the_same_id() {
        let id = |at: Option<&str>, sent: &str| {
            let call = json!({ "userId": "1", "event": "A", "timestamp": at, "sentAt": sent });
            let found = judged(call, Some(Kind::Track)).unwrap();
            batches(&found)[0].calls[0]["messageId"].clone()
        };
        let at = Some("2026-03-02T07:59:00Z");
        assert_eq!(
            id(at, "2026-03-02T08:00:00Z"),
            id(at, "2026-03-02T08:00:09Z")
        );
        assert!(id(None, "2026-03-02T08:00:00Z").is_string());
    }

    #[test]
    fn the_key_is_in_the_request_or_in_its_first_call() {
        let key = |body: Value| write_key(body.as_object().unwrap()).map(str::to_owned);
        assert_eq!(key(json!({ "writeKey": "k" })), Some("k".into()));
        assert_eq!(
            key(json!({ "batch": [{ "writeKey": "k" }] })),
            Some("k".into())
        );
        assert_eq!(key(json!({ "batch": [{}] })), None);
        assert_eq!(parse(b"[1]"), Err(Unreadable::Syntax));
        assert_eq!(parse(b"{"), Err(Unreadable::Syntax));
        assert_eq!(parse(&vec![b' '; MAX_BODY + 1]), Err(Unreadable::TooLarge));
    }
}
