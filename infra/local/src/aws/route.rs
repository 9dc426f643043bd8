//! Finds the service of a request by its target header, path and host.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::cancelled::{self, Reason};
use super::fault::{ApiError, Call};
use super::missing::{self, Missing};
use super::touched::{self, Touched};
use super::{dynamodb, s3, sockets, sqs, wire};

/// The service and, where the protocol names it first, the operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// DynamoDB with its operation.
    DynamoDb(String),
    /// DynamoDB streams with their operation.
    Streams(String),
    /// SQS with its operation.
    Sqs(String),
    /// SES v2.
    Ses,
    /// `@connections` with the connection's id.
    Sockets(String),
    /// S3, which takes every request that is signed for no other service.
    S3,
    /// A service that the local stack lacks.
    Missing(Missing),
}

impl Route {
    /// The route of a request.
    pub fn of(request: &Request<Bytes>) -> Self {
        let signed_for = missing::signed_for(request);
        let target = request.headers().get("x-amz-target");
        let target = target.and_then(|value| value.to_str().ok());
        if let Some((service, operation)) = target.and_then(|target| target.split_once('.')) {
            match service {
                "DynamoDB_20120810" => return Self::DynamoDb(operation.to_owned()),
                "DynamoDBStreams_20120810" => return Self::Streams(operation.to_owned()),
                "AmazonSQS" => return Self::Sqs(operation.to_owned()),
                _ => {
                    let service = signed_for.as_deref().unwrap_or(service);
                    return Self::Missing(Missing::new(service, request));
                }
            }
        }
        let path = request.uri().path();
        // The SDK may write the character in its escaped form.
        let socket = sockets::connection_id(&path.replace("/%40connections/", "/@connections/"));
        let is_mail = path.starts_with("/v2/email/");
        match (signed_for.as_deref(), socket) {
            (Some("s3"), _) => Self::S3,
            (None | Some("ses"), _) if is_mail => Self::Ses,
            (None | Some("execute-api"), Some(id)) => Self::Sockets(id),
            (None, None) if !missing::is_form(request) => Self::S3,
            (service, _) => {
                let service = service.unwrap_or("the service of an unsigned form");
                Self::Missing(Missing::new(service, request))
            }
        }
    }

    /// The service's name in a [`Call`](super::Call).
    pub fn service(&self) -> &'static str {
        match self {
            Self::DynamoDb(_) | Self::Streams(_) => "dynamodb",
            Self::Sqs(_) => "sqs",
            Self::Ses => "ses",
            Self::Sockets(_) => "sockets",
            Self::S3 => "s3",
            Self::Missing(_) => "missing",
        }
    }

    /// The operation's name in a [`Call`](super::Call).
    pub fn operation(&self, request: &Request<Bytes>) -> String {
        match self {
            Self::DynamoDb(operation) | Self::Streams(operation) | Self::Sqs(operation) => {
                operation.clone()
            }
            Self::Ses => match request.uri().path() {
                path if path.ends_with("/outbound-emails") => "SendEmail".to_owned(),
                path if path.ends_with("/account") => "GetAccount".to_owned(),
                path => format!("{} {path}", request.method()),
            },
            Self::Sockets(_) => match request.method().as_str() {
                "POST" => "PostToConnection".to_owned(),
                "DELETE" => "DeleteConnection".to_owned(),
                _ => "GetConnection".to_owned(),
            },
            Self::S3 | Self::Missing(_) => request.method().to_string(),
        }
    }

    /// The table, queue, object (`bucket/key`) or connection named first.
    pub fn resource(&self, request: &Request<Bytes>) -> String {
        match self {
            Self::DynamoDb(_) => {
                let named = serde_json::from_slice::<Named>(request.body());
                let table = named.ok().and_then(Named::table).unwrap_or_default();
                // A table may be named by its ARN.
                let name = table.split_once(":table/").map(|(_, name)| name.to_owned());
                name.unwrap_or(table)
            }
            Self::Sqs(_) => {
                let body = serde_json::from_slice::<Value>(request.body());
                sqs::wire::queue_name(&body.unwrap_or_default())
            }
            Self::Ses | Self::Streams(_) | Self::Missing(_) => String::new(),
            Self::Sockets(id) => id.clone(),
            Self::S3 => {
                let host = wire::host(request);
                let path = request.uri().path().trim_start_matches('/');
                host.split_once(".s3.")
                    .map_or_else(|| path.to_owned(), |(bucket, _)| format!("{bucket}/{path}"))
            }
        }
    }

    /// The items that a DynamoDB request names.
    pub fn items(&self, request: &Request<Bytes>) -> Vec<Touched> {
        match self {
            Self::DynamoDb(operation) => touched::of(operation, request.body()),
            _ => Vec::new(),
        }
    }

    /// The service's answer to a call that the caller's role does not allow.
    pub fn denied(&self, call: &Call) -> Response<Bytes> {
        let Call {
            service,
            operation,
            table_or_queue,
            ..
        } = call;
        let text =
            format!("the function's role does not allow {service}:{operation} on {table_or_queue}");
        let error = |status, code| ApiError::new(status, code, text);
        match self {
            Self::DynamoDb(_) | Self::Streams(_) => {
                dynamodb::error_response(&error(400, "AccessDeniedException"))
            }
            Self::Sqs(_) => sqs::wire::error_response(&error(403, "AccessDenied")),
            Self::Ses => wire::rest_error(&error(403, "AccessDeniedException")),
            Self::Sockets(_) => wire::rest_error(&error(403, "ForbiddenException")),
            Self::S3 => s3::error_response(&error(403, "AccessDenied")),
            Self::Missing(missing) => missing.answer(),
        }
    }

    /// DynamoDB's answer to a write that cannot be done for this reason; none for other calls.
    pub fn cancelled(&self, request: &Request<Bytes>, reason: Reason) -> Option<Response<Bytes>> {
        let Self::DynamoDb(operation) = self else {
            return None;
        };
        match operation.as_str() {
            "TransactWriteItems" | "TransactGetItems" => {
                Some(cancelled::transaction(request.body(), reason, usize::MAX))
            }
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                let error = ApiError::new(400, reason.of_one_item(), reason.message());
                Some(dynamodb::error_response(&error))
            }
            _ => None,
        }
    }

    /// The service's throttling error.
    pub fn throttled(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let error = |status, code| ApiError::new(status, code, "Rate exceeded");
        match self {
            Self::DynamoDb(operation) if operation.starts_with("Transact") => {
                cancelled::transaction(request.body(), Reason::ThrottlingError, 0)
            }
            Self::DynamoDb(_) | Self::Streams(_) => {
                dynamodb::error_response(&error(400, "ProvisionedThroughputExceededException"))
            }
            Self::Sqs(_) => sqs::wire::error_response(&error(403, "RequestThrottled")),
            Self::Ses => wire::rest_error(&error(429, "TooManyRequestsException")),
            Self::Sockets(_) => wire::rest_error(&error(429, "LimitExceededException")),
            Self::S3 => s3::error_response(&error(503, "SlowDown")),
            Self::Missing(missing) => missing.answer(),
        }
    }
}

/// Where a DynamoDB request names its table: for itself, or for the first of its items.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "TableName")]
    table: Option<String>,
    #[serde(rename = "RequestItems")]
    batch: Option<Map<String, Value>>,
    #[serde(rename = "TransactItems")]
    transaction: Option<Vec<BTreeMap<String, Named>>>,
}

impl Named {
    fn table(self) -> Option<String> {
        let of_batch = |batch: Map<_, _>| Some(batch.into_iter().next()?.0);
        let of_transaction = |items: Vec<BTreeMap<_, Self>>| {
            let first = items.into_iter().next()?;
            first.into_values().next()?.table()
        };
        self.table
            .or_else(|| self.batch.and_then(of_batch))
            .or_else(|| self.transaction.and_then(of_transaction))
    }
}
