//! Records of a DynamoDB stream, in order per key.

use std::future::Future;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ConfigError, Function, InvokeError, Setup, metrics};

/// One change of an item; images in DynamoDB's own JSON (`{"pk": {"S": "…"}}`).
#[derive(Debug, Clone, Deserialize)]
pub struct Change {
    /// `INSERT`, `MODIFY` or `REMOVE`.
    #[serde(rename = "eventName")]
    pub kind: String,
    /// The stream.
    #[serde(default, rename = "eventSourceARN")]
    pub source: String,
    /// The item before and after the change.
    pub dynamodb: Images,
}

impl Change {
    /// Name of the table, in `arn:aws:dynamodb:…:table/<name>/stream/…`. `None`: the stream names no table.
    pub fn table(&self) -> Option<&str> {
        let (_, table) = self.source.split_once(":table/")?;
        table.split('/').next().filter(|name| !name.is_empty())
    }
}

/// The item before and after, if the stream's view type includes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Images {
    /// Position in the stream.
    pub sequence_number: String,
    /// The item's key.
    #[serde(default)]
    pub keys: Value,
    /// After the change.
    #[serde(default)]
    pub new_image: Option<Value>,
    /// Before the change.
    #[serde(default)]
    pub old_image: Option<Value>,
}

#[derive(Deserialize)]
struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<Change>,
}

impl Function {
    /// A function that handles a batch of changes. The handler leaves nothing to the stream: a failure of one change
    /// would hold back all later ones of its shard. A panic or a time-out brings the whole batch again.
    pub fn stream<H, F>(setup: &Setup, handler: H) -> Result<Self, ConfigError>
    where
        H: Fn(Vec<Change>) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(setup, move |event, _| {
            let handler = handler.clone();
            async move {
                let event: StreamEvent = serde_json::from_value(event)
                    .map_err(|error| InvokeError::new("Event.Malformed", error))?;
                metrics::count("RecordsIn", event.records.len() as u64);
                handler(event.records).await;
                Ok(json!({ "batchItemFailures": [] }))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_its_table() {
        let of = |source: &str| {
            let change = json!({
                "eventName": "INSERT", "eventSourceARN": source, "dynamodb": { "SequenceNumber": "1" },
            });
            let change: Change = serde_json::from_value(change).unwrap();
            change.table().map(str::to_owned)
        };
        let arn = "arn:aws:dynamodb:ap-southeast-1:000000000000:table/tanigo-flow/stream/2026";
        assert_eq!(of(arn).as_deref(), Some("tanigo-flow"));
        assert_eq!(of("arn:aws:dynamodb:r:a:table/"), None);
        assert_eq!(of(""), None);
    }
}
