//! Services that the local stack lacks, and callers without permission.

use http::{Request, Response};
use serde_json::Value;

use super::in_memory;
use crate::aws::Aws;

fn signed(service: &str) -> http::request::Builder {
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential=local/20260302/ap-southeast-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    Request::post("/")
        .header("host", "127.0.0.1:4000")
        .header("authorization", scope)
}

async fn call(
    aws: &Aws,
    request: http::request::Builder,
    body: &'static str,
) -> Response<bytes::Bytes> {
    aws.handle(request.body(body.into()).unwrap()).await
}

fn kind(answer: &Response<bytes::Bytes>) -> &str {
    answer.headers()["content-type"].to_str().unwrap()
}

#[tokio::test]
async fn a_service_that_is_not_there_says_so_in_the_callers_protocol() {
    let aws = in_memory();
    let json = signed("secretsmanager").header("x-amz-target", "secretsmanager.GetSecretValue");
    let answer = call(&aws, json, "{}").await;
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(
        (answer.status().as_u16(), kind(&answer)),
        (400, "application/x-amz-json-1.0")
    );
    assert_eq!(body["__type"], "UnknownOperationException");
    let message = body["message"].as_str().unwrap();
    assert!(
        message.starts_with("secretsmanager is not in the local stack"),
        "{message}"
    );

    for service in ["sts", "cloudformation", "sqs", "ses"] {
        let form = signed(service).header(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        let answer = call(&aws, form, "Action=ListQueues").await;
        let body = str::from_utf8(answer.body()).unwrap();
        assert_eq!(
            (answer.status().as_u16(), kind(&answer)),
            (400, "text/xml"),
            "{service}"
        );
        assert!(body.contains("<Code>UnknownOperation</Code>"), "{body}");
    }
    let rest = call(&aws, signed("lambda").uri("/2015-03-31/functions/"), "").await;
    assert_eq!(
        rest.headers()["x-amzn-errortype"],
        "UnknownOperationException"
    );
    let cbor = signed("monitoring").header("smithy-protocol", "rpc-v2-cbor");
    let answer = call(&aws, cbor, "").await;
    assert_eq!(kind(&answer), "application/cbor");
    assert!(
        answer
            .body()
            .starts_with(b"\xa2\x79\x00\x06__type\x79\x00\x19UnknownOperationException")
    );
    // A bucket may be named as another service's path.
    let bucket = signed("s3").method("GET").uri("/v2/email/outbound-emails");
    assert_eq!(kind(&call(&aws, bucket, "").await), "application/xml");
}

#[tokio::test]
async fn only_this_machine_is_answered_and_no_page_of_another_site() {
    let aws = in_memory();
    let status = async |headers: &[(&str, &str)]| {
        let call = Request::post("/v2/email/outbound-emails");
        let call = headers
            .iter()
            .fold(call, |call, (name, value)| call.header(*name, *value));
        aws.handle(call.body("".into()).unwrap())
            .await
            .status()
            .as_u16()
    };
    let here = ("host", "127.0.0.1:4000");
    for fine in [
        &[here][..],
        &[
            ("host", "localhost:4000"),
            ("origin", "http://localhost:3000"),
        ],
        &[("host", "host.docker.internal:4000")],
    ] {
        assert_eq!(status(fine).await, 400, "{fine:?}");
    }
    for foreign in [
        &[("host", "rebound.example.com:4000")][..],
        &[here, ("origin", "https://example.com")],
        &[here, ("origin", "null")],
        &[("host", "host.docker.internal.example.com")],
    ] {
        assert_eq!(status(foreign).await, 403, "{foreign:?}");
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_the_state() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let aws = super::open(Some(&data), super::Hand::new().clock());
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("dynamodb.sqlite")), 0o600);
    drop(aws);
}
