//! Why a call to AWS did not do what was asked, cut by what the caller can do about it.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Failure of an AWS call. Cheap to clone: callers that share a read share its failure.
#[derive(Debug, Clone, thiserror::Error)]
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
    /// The installation is not as this build expects: a right, a credential or a resource is missing.
    /// The same request succeeds once that is mended, so a bad deployment must cost no message.
    #[error("{service} cannot be used as it is set up: {code}: {message}")]
    Misconfigured {
        /// AWS service, e.g. `dynamodb`.
        service: &'static str,
        /// The service's error code.
        code: String,
        /// The service's words.
        message: String,
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

    /// Sorts an SDK failure. Time-outs and lost connections are `Unknown`, never `Throttled`: the
    /// request may have been carried out.
    pub(crate) fn from_sdk<E>(service: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match error {
            SdkError::ServiceError(context) => {
                let (status, error) = (context.raw().status().as_u16(), context.err());
                let code = error.code().unwrap_or_default();
                sort(service, status, code, error.message().unwrap_or_default())
            }
            SdkError::ConstructionFailure(_) => Self::Refused {
                service,
                code: "ConstructionFailure".into(),
                message: describe(error),
            },
            _ => Self::Unknown {
                service,
                detail: describe(error),
            },
        }
    }
}

/// What a service's answer means. The status decides wherever the code is not known: services name their
/// own failures in many ways, and a 5xx is theirs by definition.
pub(crate) fn sort(service: &'static str, status: u16, code: &str, message: &str) -> Error {
    let (code, message) = (code.to_owned(), message.to_owned());
    if code.contains("ConditionalCheckFailed") {
        Error::Conflict
    } else if status == 429 || is_throttle(&code) {
        Error::Throttled { service, code }
    } else if status >= 500 || code.is_empty() {
        let detail = format!("{status} {code} {message}");
        Error::Unknown { service, detail }
    } else if is_denied(status, &code) || is_missing(&code) {
        Error::Misconfigured {
            service,
            code,
            message,
        }
    } else {
        Error::Refused {
            service,
            code,
            message,
        }
    }
}

fn is_throttle(code: &str) -> bool {
    code.contains("Throttl")
        || code.contains("TooManyRequests")
        || code.contains("ThroughputExceeded")
        || code.contains("LimitExceeded")
        || code == "SlowDown"
        || code == "TransactionInProgressException"
        // An item that somebody's transaction is about to write.
        || code == "TransactionConflictException"
}

/// Rights and credentials. DynamoDB says with 400 what other services say with 401 and 403.
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

/// A table, queue, bucket or key of the installation. An object that is absent is not one of these.
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

/// What is wrong with a JSON text, and where. Serde's own words may quote the text, which can be
/// somebody's address or token, and these words go to logs and to dead-letter queues.
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

/// Serde's words about an item without what they quote: our own names stay, stored values go.
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
        (None, _) => "an attribute that this build does not read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_attempt_can_mend_is_tried_again() {
        let cases = [
            (400, "ConditionalCheckFailedException", "Store.Conflict"),
            (400, "ThrottlingException", "Store.Throttled"),
            (
                400,
                "ProvisionedThroughputExceededException",
                "Store.Throttled",
            ),
            (400, "RequestLimitExceeded", "Store.Throttled"),
            (400, "TransactionConflictException", "Store.Throttled"),
            (403, "RequestThrottled", "Store.Throttled"),
            (429, "TooManyRequestsException", "Store.Throttled"),
            (429, "", "Store.Throttled"),
            (503, "SlowDown", "Store.Throttled"),
            (500, "InternalServerError", "Store.Unknown"),
            (500, "InternalError", "Store.Unknown"),
            (500, "InternalFailure", "Store.Unknown"),
            (503, "ServiceUnavailable", "Store.Unknown"),
            (503, "ServiceUnavailableException", "Store.Unknown"),
            (502, "", "Store.Unknown"),
            (400, "", "Store.Unknown"),
            (400, "AccessDeniedException", "Store.Misconfigured"),
            (403, "AccessDenied", "Store.Misconfigured"),
            (400, "ExpiredTokenException", "Store.Misconfigured"),
            (400, "ExpiredToken", "Store.Misconfigured"),
            (400, "UnrecognizedClientException", "Store.Misconfigured"),
            (403, "InvalidClientTokenId", "Store.Misconfigured"),
            (403, "SignatureDoesNotMatch", "Store.Misconfigured"),
            (403, "ForbiddenException", "Store.Misconfigured"),
            (400, "ResourceNotFoundException", "Store.Misconfigured"),
            (400, "QueueDoesNotExist", "Store.Misconfigured"),
            (
                400,
                "AWS.SimpleQueueService.NonExistentQueue",
                "Store.Misconfigured",
            ),
            (404, "NoSuchBucket", "Store.Misconfigured"),
            (400, "KmsDisabled", "Store.Misconfigured"),
        ];
        for (status, code, name) in cases {
            let error = sort("test", status, code, "words");
            assert_eq!(error.name(), name, "{status} {code}");
            assert!(error.is_retryable(), "{status} {code}");
        }
        for (status, code) in [
            (400, "ValidationException"),
            (400, "InvalidMessageContents"),
            (400, "SerializationException"),
            (404, "NoSuchKey"),
            (413, "RequestEntityTooLarge"),
        ] {
            let error = sort("test", status, code, "words");
            assert_eq!(error.name(), "Store.Refused", "{status} {code}");
            assert!(!error.is_retryable(), "{status} {code}");
        }
    }

    #[test]
    fn words_about_stored_data_quote_none_of_it() {
        for (text, shown) in [
            ("missing field `email`", "missing field `email`"),
            (
                "invalid type: string \"an@example.vn, expected here\", expected u32",
                "invalid type, expected u32",
            ),
            (
                "unknown variant `an@example.vn`, expected `a` or `b`",
                "unknown variant, expected `a` or `b`",
            ),
            (
                "an@example.vn is no phone",
                "an attribute that this build does not read",
            ),
        ] {
            assert_eq!(without_values(text), shown);
        }
        let error = serde_json::from_str::<u32>("\n  \"an@example.vn\"").unwrap_err();
        assert_eq!(
            json_flaw(&error),
            "JSON of another shape at line 2 column 17"
        );
    }
}
