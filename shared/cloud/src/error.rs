//! Failures of AWS calls, grouped by what the caller can do about them.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The call that failed. It names no key, no message and no personal data: it goes to logs and to dead-letter
/// queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    service: &'static str,
    operation: &'static str,
    resource: String,
}

impl Place {
    /// An operation of a service, with its table, queue, bucket or address.
    pub fn new(service: &'static str, operation: &'static str, resource: &str) -> Self {
        Self {
            service,
            operation,
            resource: resource.to_owned(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.service, self.operation, self.resource)
    }
}

/// Failure of an AWS call. Cheap to clone: callers that share a read share its failure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The condition did not hold: another writer was first.
    #[error("the condition on the stored item did not hold")]
    Conflict,
    /// AWS refused for now; nothing was changed.
    #[error("{place}: throttled: {code}")]
    Throttled {
        /// The call.
        place: Place,
        /// The service's error code.
        code: String,
    },
    /// No answer, or a server error: the call may have taken effect. The caller repeats it with the same condition.
    #[error("{place}: no usable answer: {detail}")]
    Unknown {
        /// The call.
        place: Place,
        /// The known facts of the failure.
        detail: String,
    },
    /// The installation differs from what this build expects: a right, a credential or a resource is missing. The
    /// same request succeeds after a repair, so a bad deployment must lose no message.
    #[error("{place}: cannot be used as it is set up: {code}: {message}")]
    Misconfigured {
        /// The call.
        place: Place,
        /// The service's error code.
        code: String,
        /// The service's message.
        message: String,
    },
    /// The request can never succeed.
    #[error("{place}: refused: {code}: {message}")]
    Refused {
        /// The call.
        place: Place,
        /// The service's error code.
        code: String,
        /// The service's message.
        message: String,
    },
    /// The client's cursor does not belong to this list. It is the client's mistake.
    #[error("the cursor {0}")]
    Cursor(&'static str),
    /// An item or message does not have the shape that the code expects.
    #[error("stored data has an unexpected shape: {0}")]
    Shape(String),
}

impl Error {
    /// Whether a later attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Conflict
                | Self::Throttled { .. }
                | Self::Unknown { .. }
                | Self::Misconfigured { .. }
        )
    }

    /// A stable name for alarms: `Store.Conflict`, `Store.Throttled`...
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conflict => "Store.Conflict",
            Self::Throttled { .. } => "Store.Throttled",
            Self::Unknown { .. } => "Store.Unknown",
            Self::Misconfigured { .. } => "Store.Misconfigured",
            Self::Refused { .. } => "Store.Refused",
            Self::Cursor(_) => "Store.Cursor",
            Self::Shape(_) => "Store.Shape",
        }
    }

    /// Classifies an SDK failure. Time-outs and lost connections are `Unknown`, never `Throttled`: the request may
    /// have been carried out.
    pub(crate) fn from_sdk<E>(place: Place, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match error {
            SdkError::ServiceError(context) => {
                let (status, error) = (context.raw().status().as_u16(), context.err());
                let code = error.code().unwrap_or_default();
                sort(place, status, code, error.message().unwrap_or_default())
            }
            SdkError::ConstructionFailure(_) => Self::Refused {
                place,
                code: "ConstructionFailure".into(),
                message: describe(error),
            },
            _ => Self::Unknown {
                place,
                detail: describe(error),
            },
        }
    }
}

/// Classifies a service's answer. If the code is not known, the status decides. Services use many names for their
/// own failures, but a 5xx always means a failure of the service.
pub(crate) fn sort(place: Place, status: u16, code: &str, message: &str) -> Error {
    let (code, message) = (code.to_owned(), message.to_owned());
    if code.contains("ConditionalCheckFailed") {
        Error::Conflict
    } else if status == 429 || is_throttle(&code) {
        Error::Throttled { place, code }
    } else if status >= 500 || code.is_empty() || is_passing(&code) {
        let detail = format!("{status} {code} {message}");
        Error::Unknown { place, detail }
    } else if is_denied(status, &code) || is_missing(&code) {
        Error::Misconfigured {
            place,
            code,
            message,
        }
    } else {
        Error::Refused {
            place,
            code,
            message,
        }
    }
}

/// Words of DynamoDB, SQS, S3, SES and API Gateway for "too much now".
pub(crate) fn is_throttle(code: &str) -> bool {
    // The size of an item collection is a limit of the data, not of the rate.
    if code.starts_with("ItemCollectionSizeLimitExceeded") {
        return false;
    }
    code.contains("Throttl")
        || code.contains("TooManyRequests")
        || code.contains("ThroughputExceeded")
        || code.contains("LimitExceeded")
        || code.ends_with("OverLimit")
        || code == "SlowDown"
        || code == "TransactionInProgressException"
        // A concurrent transaction is about to write this item.
        || code.starts_with("TransactionConflict")
        || code == "ReplicatedWriteConflictException"
}

/// A state of the service or of the connection that ends by itself, answered with a status below 500.
fn is_passing(code: &str) -> bool {
    code.starts_with("InternalServerError")
        || code.starts_with("InternalError")
        || code.starts_with("InternalFailure")
        || code.starts_with("ServiceUnavailable")
        // S3: the request's body came too slowly; a concurrent change of the object.
        || code == "RequestTimeout"
        || code == "OperationAborted"
        || code == "ConditionalRequestConflict"
        // A table that is created, changed or restored.
        || code == "ResourceInUseException"
        // Reasons decide; without reasons nothing is known (see `cancellation`).
        || code == "TransactionCanceledException"
}

/// Classifies a cancelled transaction by the reasons of its parts, in DynamoDB's `CancellationReasons`.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
pub(crate) fn cancellation(place: Place, reasons: &[&str]) -> Error {
    let mut others = reasons.iter().filter(|reason| **reason != "None");
    if reasons.contains(&"ConditionalCheckFailed") {
        return Error::Conflict;
    }
    if let Some(never) = others.clone().find(|reason| !is_throttle(reason)) {
        return sort(place, 400, never, "a part of the transaction");
    }
    match others.next() {
        Some(code) => {
            let code = (*code).to_owned();
            Error::Throttled { place, code }
        }
        None => Error::Unknown {
            place,
            detail: "a transaction was cancelled without a reason".to_owned(),
        },
    }
}

/// Rights and credentials. DynamoDB reports with 400 what other services report with 401 and 403.
pub(crate) fn is_denied(status: u16, code: &str) -> bool {
    matches!(status, 401 | 403)
        || code.contains("AccessDenied")
        || code.contains("ExpiredToken")
        || code.contains("Signature")
        || code.contains("NotAuthorized")
        || code.contains("UnrecognizedClient")
        || code.contains("MissingAuthenticationToken")
        || code.contains("InvalidClientTokenId")
        || code == "InvalidToken"
        || code == "RequestExpired"
}

/// A table, queue, bucket or key of the installation. A missing object is not one of these.
fn is_missing(code: &str) -> bool {
    code.contains("ResourceNotFound")
        || code.contains("QueueDoesNotExist")
        || code.contains("NonExistentQueue")
        || code == "NoSuchBucket"
        || code.starts_with("KMS")
        || code.starts_with("Kms")
}

fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<serde_dynamo::Error> for Error {
    fn from(error: serde_dynamo::Error) -> Self {
        Self::Shape(without_values(&error.to_string()))
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Shape(json_flaw(&error))
    }
}

/// The flaw of a JSON text, and its place. Serde's own message may quote the text, which can be an address or a
/// token, and the message goes to logs and dead-letter queues.
pub fn json_flaw(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let what = match error.classify() {
        Category::Io => "not readable",
        Category::Syntax => "not JSON",
        Category::Data => "JSON of another shape",
        Category::Eof => "JSON that ends too early",
    };
    if error.line() == 0 {
        return what.to_owned();
    }
    format!("{what} at line {} column {}", error.line(), error.column())
}

/// Serde's message about an item without the quoted values: our own names stay, stored values are removed.
fn without_values(text: &str) -> String {
    if text.starts_with("missing field ") {
        return text.to_owned();
    }
    let kinds = [
        "invalid type",
        "invalid value",
        "invalid length",
        "unknown variant",
        "unknown field",
    ];
    let kind = kinds.into_iter().find(|kind| text.starts_with(kind));
    match (kind, text.rsplit_once(", expected ")) {
        (Some(kind), Some((_, expected))) => format!("{kind}, expected {expected}"),
        (Some(kind), None) => kind.to_owned(),
        (None, _) if text.starts_with("Expected ") => text.to_lowercase(),
        (None, _) => "an attribute that this build does not read".to_owned(),
    }
}

#[cfg(test)]
mod tests;
