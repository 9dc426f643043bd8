//! Batches of which a service processes only a part, as AWS services may do at any time.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::route::Route;
use super::{Aws, dynamodb, wire};

/// A batch's request cut in two.
pub(super) struct Half {
    request: Value,
    is_empty: bool,
    /// Field of the answer, and its value for the unprocessed entries.
    left: (&'static str, Value),
}

/// Cuts the entries of a batch; `None` for a call that has none.
pub(super) fn cut(route: &Route, body: &[u8]) -> Option<Half> {
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let mut is_empty = true;
    let mut tail = |entries: &mut Value| {
        let entries = entries.as_array_mut()?;
        let tail = entries.split_off(entries.len() / 2);
        is_empty &= entries.is_empty();
        Some(tail)
    };
    let left = match route {
        Route::DynamoDb(operation) if operation == "BatchWriteItem" => {
            let mut left = Map::new();
            for (table, writes) in request.get_mut("RequestItems")?.as_object_mut()? {
                left.insert(table.clone(), tail(writes)?.into());
            }
            ("UnprocessedItems", Value::from(left))
        }
        Route::DynamoDb(operation) if operation == "BatchGetItem" => {
            let mut left = Map::new();
            for (table, wanted) in request.get_mut("RequestItems")?.as_object_mut()? {
                let keys = tail(wanted.get_mut("Keys")?)?;
                left.insert(table.clone(), json!({ "Keys": keys }));
            }
            ("UnprocessedKeys", Value::from(left))
        }
        Route::Sqs(operation) if operation == "SendMessageBatch" => {
            let tail = tail(request.get_mut("Entries")?)?;
            let failed = tail.iter().map(|entry| {
                let text = "We encountered an internal error. Please try again.";
                json!({ "Id": entry["Id"], "SenderFault": false, "Code": "InternalError", "Message": text })
            });
            ("Failed", failed.collect())
        }
        _ => return None,
    };
    Some(Half {
        request,
        is_empty,
        left,
    })
}

impl Half {
    /// Runs the first half and answers for both.
    pub async fn run(self, aws: &Aws, route: &Route, request: Request<Bytes>) -> Response<Bytes> {
        let mut answer = json!({});
        if !self.is_empty {
            let request = request.map(|_| wire::to_bytes(&self.request));
            let response = aws.run(route, request).await;
            if response.status() != StatusCode::OK {
                return response;
            }
            answer = serde_json::from_slice(response.body()).unwrap_or_default();
        }
        let (field, left) = self.left;
        answer[field] = left;
        let body = wire::to_bytes(&answer);
        match route {
            Route::DynamoDb(_) => dynamodb::answer(StatusCode::OK, body),
            _ => wire::response(StatusCode::OK, wire::AWS_JSON, body),
        }
    }
}
