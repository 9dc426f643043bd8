//! A message, its attributes, and the digests that SDKs check.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3s::crypto::{Checksum, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A message attribute as the sender set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, with an optional custom suffix.
    pub data_type: String,
    /// Value of a text or number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub string_value: Option<String>,
    /// Value of a binary, base64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub binary_value: Option<String>,
}

/// Attributes by name.
pub type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// State of a stored message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Can be received (if its group is free).
    #[default]
    Ready,
    /// Received and not yet deleted.
    InFlight,
    /// Not yet due.
    Delayed,
}

/// A stored message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Message {
    /// Order of arrival over all queues; also the FIFO sequence number.
    pub sequence: u64,
    /// Message id.
    pub id: String,
    /// Text.
    pub body: String,
    /// Attributes set by the sender.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub attributes: MessageAttributes,
    /// Message group.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group: Option<String>,
    /// Deduplication id (FIFO).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dedup: Option<String>,
    /// `AWSTraceHeader`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<String>,
    /// When it was sent, epoch milliseconds.
    pub sent: i64,
    /// When it was first received.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_received: Option<i64>,
    /// How often it was received.
    #[serde(default)]
    pub receives: u32,
    /// Source queue of a dead-lettered message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    /// When it may be received: end of its delay or of its visibility time-out.
    #[serde(default)]
    pub at: i64,
    /// When it was last received, epoch milliseconds; not kept.
    #[serde(skip)]
    pub received: i64,
    /// State of the message; not kept.
    #[serde(skip)]
    pub state: State,
}

impl Message {
    /// Bytes that count against the size limit and the bill.
    pub fn size(&self) -> usize {
        self.body.len() + attributes_size(&self.attributes)
    }

    /// The handle that names this receive of the message.
    pub fn receipt_handle(&self) -> String {
        BASE64.encode(format!("{}:{}:{}", self.sequence, self.receives, self.id))
    }
}

/// Sequence and receive count in a handle.
pub(super) fn parse_handle(handle: &str) -> Option<(u64, u32)> {
    let text = String::from_utf8(BASE64.decode(handle).ok()?).ok()?;
    let mut parts = text.splitn(3, ':');
    let sequence = parts.next()?.parse().ok()?;
    let receives = parts.next()?.parse().ok()?;
    parts.next()?;
    Some((sequence, receives))
}

/// Bytes of names, types and values.
pub(super) fn attributes_size(attributes: &MessageAttributes) -> usize {
    let size = |(name, value): (&String, &MessageAttribute)| {
        let text = value.string_value.as_ref().map_or(0, String::len);
        let binary = value.binary_value.as_ref().map_or(0, |b| b.len() / 4 * 3);
        name.len() + value.data_type.len() + text + binary
    };
    attributes.iter().map(size).sum()
}

/// MD5 of a body, in hex.
pub(super) fn md5_of_body(body: &str) -> String {
    hex::encode(Md5::checksum(body.as_bytes()))
}

/// MD5 of attributes in the form SQS defines, in hex; none when there are none.
pub(super) fn md5_of_attributes(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for (name, value) in attributes {
        let binary = binary(value);
        let text = value.string_value.as_deref().unwrap_or_default();
        field(&mut bytes, name.as_bytes());
        field(&mut bytes, value.data_type.as_bytes());
        // Transport type: 1 text, 2 binary.
        bytes.push(if binary.is_some() { 2 } else { 1 });
        field(&mut bytes, binary.as_deref().unwrap_or(text.as_bytes()));
    }
    Some(hex::encode(Md5::checksum(&bytes)))
}

fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn binary(value: &MessageAttribute) -> Option<Vec<u8>> {
    let text = value.binary_value.as_ref()?;
    Some(BASE64.decode(text).unwrap_or_default())
}

/// Attributes in the shape of a Lambda event.
pub(super) fn lambda_attributes(attributes: &MessageAttributes) -> Value {
    let one = |value: &MessageAttribute| {
        let mut out = json!({
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": value.data_type,
        });
        if let Some(text) = &value.string_value {
            out["stringValue"] = json!(text);
        }
        if let Some(binary) = &value.binary_value {
            out["binaryValue"] = json!(binary);
        }
        out
    };
    let named = attributes
        .iter()
        .map(|(name, value)| (name.clone(), one(value)));
    Value::Object(named.collect())
}
