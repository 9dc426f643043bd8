//! Records of a DynamoDB stream, in order per key.

use std::future::Future;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ConfigError, Failure, Function, InvokeError, Setup, metrics};

/// One change of an item; images in DynamoDB's own JSON (`{"pk": {"S": "…"}}`).
#[derive(Debug, Clone, Deserialize)]
pub struct Change {
    /// `INSERT`, `MODIFY` or `REMOVE`.
    #[serde(rename = "eventName")]
    pub kind: String,
    /// The item before and after the change.
    pub dynamodb: Images,
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
    /// A function that handles a batch of changes. An error names the position of the first unfinished change.
    /// Lambda redelivers that change and all after it.
    pub fn stream<H, F>(setup: &Setup, handler: H) -> Result<Self, ConfigError>
    where
        H: Fn(Vec<Change>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), (usize, Failure)>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        Self::new(setup, move |event, _| {
            let handler = handler.clone();
            async move {
                let event: StreamEvent = serde_json::from_value(event)
                    .map_err(|error| InvokeError::new("Event.Malformed", error))?;
                metrics::count("RecordsIn", event.records.len() as u64);
                let sequences: Vec<String> = event
                    .records
                    .iter()
                    .map(|change| change.dynamodb.sequence_number.clone())
                    .collect();
                let Err((position, failure)) = handler(event.records).await else {
                    return Ok(json!({ "batchItemFailures": [] }));
                };
                metrics::incident(
                    "RecordsFailed",
                    (sequences.len() - position.min(sequences.len())) as u64,
                );
                tracing::warn!(name = failure.name(), error = %failure, position, "change failed");
                match sequences.get(position) {
                    Some(id) => Ok(json!({ "batchItemFailures": [{ "itemIdentifier": id }] })),
                    None => Err(InvokeError::new(failure.name(), failure)),
                }
            }
        })
    }
}
