//! Answers for services that the local stack lacks, each in the protocol of its caller.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::json;

use super::fault::ApiError;
use super::wire;

/// The error's code in all protocols but the query protocol.
const CODE: &str = "UnknownOperationException";

/// A call to a service that is not here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    service: String,
    protocol: Protocol,
}

#[derive(Debug, PartialEq, Eq)]
enum Protocol {
    /// AWS JSON, with the operation in a header.
    Json,
    /// Smithy RPC v2 CBOR.
    Cbor,
    /// A form, answered in XML.
    Query,
    /// REST with JSON.
    Rest,
}

impl Missing {
    /// The headers of the request decide the protocol of the answer.
    pub fn new(service: &str, request: &Request<Bytes>) -> Self {
        let has = |name: &str| request.headers().contains_key(name);
        let protocol = if has("smithy-protocol") {
            Protocol::Cbor
        } else if has("x-amz-target") {
            Protocol::Json
        } else if is_form(request) {
            Protocol::Query
        } else {
            Protocol::Rest
        };
        let service = service.to_owned();
        Self { service, protocol }
    }

    /// The error.
    pub fn answer(&self) -> Response<Bytes> {
        let text = format!(
            "{} is not in the local stack, which has DynamoDB and its streams, SQS (in JSON), SES v2, S3 and the @connections of API Gateway",
            self.service
        );
        let status = StatusCode::BAD_REQUEST;
        match self.protocol {
            Protocol::Json => {
                let body = json!({"__type": CODE, "message": text});
                wire::response(status, wire::AWS_JSON, wire::to_bytes(&body))
            }
            Protocol::Rest => wire::rest_error(&ApiError::new(400, CODE, text)),
            Protocol::Query => {
                let text = text.replace(['<', '&'], " ");
                let body = format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>UnknownOperation</Code><Message>{text}</Message></Error><RequestId>local</RequestId></ErrorResponse>"
                );
                wire::response(
                    status,
                    HeaderValue::from_static("text/xml"),
                    Bytes::from(body),
                )
            }
            Protocol::Cbor => {
                // A map of two texts, by RFC 8949.
                let mut body = vec![0xa2];
                for part in ["__type", CODE, "message", &text] {
                    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
                    body.push(0x79);
                    body.extend(length.to_be_bytes());
                    body.extend(part.bytes().take(length.into()));
                }
                let kind = HeaderValue::from_static("application/cbor");
                let mut response = wire::response(status, kind, Bytes::from(body));
                let protocol = HeaderValue::from_static("rpc-v2-cbor");
                response.headers_mut().insert("smithy-protocol", protocol);
                response
            }
        }
    }
}

/// The body is a form, as in the query protocol.
pub(super) fn is_form(request: &Request<Bytes>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/x-www-form-urlencoded")
}

/// The service that a request is signed for: the third part of its credential's scope.
pub(super) fn signed_for(request: &Request<Bytes>) -> Option<String> {
    let signature = request.headers().get(header::AUTHORIZATION);
    let signature = signature.and_then(|value| value.to_str().ok());
    let query = request.uri().query().unwrap_or_default();
    let presigned = || {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix("X-Amz-Credential="))
    };
    let scope = match signature.and_then(|text| text.split_once("Credential=")) {
        Some((_, scope)) => scope.to_owned(),
        None => wire::percent_decode(presigned()?),
    };
    let scope = scope.split(',').next().unwrap_or_default();
    scope.split('/').nth(3).map(str::to_owned)
}
