//! Why a call to AWS did not do what was asked, cut by what the caller can do about it.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Failure of an AWS call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The condition did not hold: somebody else was first.
    #[error("the condition on the stored item did not hold")]
    Conflict,
    /// AWS refused for now; nothing happened.
    #[error("{service} throttled the call: {code}")]
    Throttled {
        /// AWS service, e.g. `dynamodb`.
        service: &'static str,
        /// The service's error code.
        code: String,
    },
    /// No answer, or a server error: it may have happened. The caller repeats the same condition.
    #[error("{service} gave no usable answer: {detail}")]
    Unknown {
        /// AWS service.
        service: &'static str,
        /// What is known of the failure.
        detail: String,
    },
    /// The request can never succeed.
    #[error("{service} refused the request: {code}: {message}")]
    Refused {
        /// AWS service.
        service: &'static str,
        /// The service's error code.
        code: String,
        /// The service's words.
        message: String,
    },
    /// The client's cursor is not one of this list: its mistake, not ours.
    #[error("the cursor {0}")]
    Cursor(&'static str),
    /// An item or message does not have the shape that the code expects.
    #[error("stored data has an unexpected shape: {0}")]
    Shape(String),
}

impl Error {
    /// A later attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Conflict | Self::Throttled { .. } | Self::Unknown { .. }
        )
    }

    /// A stable name for alarms: `Store.Conflict`, `Store.Throttled`...
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conflict => "Store.Conflict",
            Self::Throttled { .. } => "Store.Throttled",
            Self::Unknown { .. } => "Store.Unknown",
            Self::Refused { .. } => "Store.Refused",
            Self::Cursor(_) => "Store.Cursor",
            Self::Shape(_) => "Store.Shape",
        }
    }

    /// Sorts an SDK failure. Time-outs and lost connections are `Unknown`, never `Throttled`: the
    /// request may have been carried out.
    pub(crate) fn from_sdk<E, R>(service: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let (code, message) = match error {
            SdkError::ServiceError(context) => (
                context.err().code().unwrap_or_default().to_owned(),
                context.err().message().unwrap_or_default().to_owned(),
            ),
            SdkError::ConstructionFailure(_) => ("ConstructionFailure".into(), describe(error)),
            _ => {
                return Self::Unknown {
                    service,
                    detail: describe(error),
                };
            }
        };
        if code.contains("ConditionalCheckFailed") {
            Self::Conflict
        } else if is_throttle(&code) {
            Self::Throttled { service, code }
        } else if matches!(
            code.as_str(),
            "InternalServerError" | "InternalFailure" | "ServiceUnavailable" | ""
        ) {
            Self::Unknown {
                service,
                detail: format!("{code} {message}"),
            }
        } else {
            Self::Refused {
                service,
                code,
                message,
            }
        }
    }
}

fn is_throttle(code: &str) -> bool {
    code.contains("Throttl")
        || code.contains("TooManyRequests")
        || code.contains("ThroughputExceeded")
        || code.contains("RequestLimitExceeded")
        || code.contains("LimitExceeded")
        || code == "TransactionInProgressException"
        || code == "RequestThrottled"
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
        Self::Shape(error.to_string())
    }
}
