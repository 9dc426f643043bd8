//! Writes that DynamoDB refuses for a while, because of one of their items. Nothing is written here.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::dynamodb::answer;
use super::wire;

/// Why an item cannot be written now: a reason of a cancelled transaction that goes away by itself.
///
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The partition of an on-demand table is too busy.
    ThrottlingError,
    /// A table or index is over its provisioned throughput.
    ProvisionedThroughputExceeded,
    /// Another transaction holds the item.
    TransactionConflict,
}

impl Reason {
    /// The reason's `Code`.
    pub fn code(self) -> &'static str {
        match self {
            Self::ThrottlingError => "ThrottlingError",
            Self::ProvisionedThroughputExceeded => "ProvisionedThroughputExceeded",
            Self::TransactionConflict => "TransactionConflict",
        }
    }

    /// The reason's `Message`.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::ThrottlingError => {
                "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or index so please try again shortly."
            }
            Self::ProvisionedThroughputExceeded => {
                "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API."
            }
            Self::TransactionConflict => "Transaction is ongoing for the item",
        }
    }

    /// Error of a write of one item for this reason.
    pub(super) fn of_one_item(self) -> &'static str {
        match self {
            Self::ThrottlingError => "ThrottlingException",
            Self::ProvisionedThroughputExceeded => "ProvisionedThroughputExceededException",
            Self::TransactionConflict => "TransactionConflictException",
        }
    }
}

/// A cancelled transaction: `reason` for the item at `position` (or the last one), `None` for the others. SDKs do
/// not repeat it.
pub(super) fn transaction(body: &[u8], reason: Reason, position: usize) -> Response<Bytes> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let items = request["TransactItems"].as_array().map_or(1, Vec::len);
    let mut reasons = vec![json!({"Code": "None"}); items];
    if let Some(one) = reasons.get_mut(position.min(items.saturating_sub(1))) {
        *one = json!({"Code": reason.code(), "Message": reason.message()});
    }
    let codes: Vec<_> = reasons
        .iter()
        .filter_map(|reason| reason["Code"].as_str())
        .collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", ")),
        "CancellationReasons": reasons,
    });
    answer(StatusCode::BAD_REQUEST, wire::to_bytes(&body))
}
