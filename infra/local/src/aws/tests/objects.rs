//! S3 through the SDK: by bucket host in process, by path on the loopback address, and presigned.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::in_memory;

#[tokio::test]
async fn put_then_get_whole_and_in_part() {
    let aws = in_memory();
    let check = async |client: Client| {
        let body = ByteStream::from_static(b"0123456789");
        client
            .put_object()
            .bucket("imports")
            .key("t/a.csv")
            .body(body)
            .send()
            .await
            .unwrap();
        let got = client
            .get_object()
            .bucket("imports")
            .key("t/a.csv")
            .range("bytes=2-4");
        let got = got
            .send()
            .await
            .unwrap()
            .body
            .collect()
            .await
            .unwrap()
            .into_bytes();
        assert_eq!(got, "234");
        let error = client
            .get_object()
            .bucket("imports")
            .key("absent")
            .send()
            .await
            .unwrap_err();
        assert!(error.into_service_error().is_no_such_key());
    };
    check(Client::new(&aws.sdk_config())).await;
    aws.set_endpoint("http://127.0.0.1:4000");
    check(Client::new(&aws.sdk_config())).await;
    let used = aws.meter().snapshot();
    assert_eq!((used.s3_writes, used.s3_reads), (2, 4));
}

#[tokio::test]
async fn a_presigned_link_works_as_signed_only() {
    let aws = in_memory();
    aws.set_endpoint("http://127.0.0.1:4000");
    let client = Client::new(&aws.sdk_config());
    let soon = PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let link = client
        .put_object()
        .bucket("imports")
        .key("up.csv")
        .presigned(soon)
        .await
        .unwrap();
    let put = |uri: String| {
        let request = http::Request::put(uri).header("host", "127.0.0.1:4000");
        let request = request.header("content-length", "3");
        aws.handle(request.body(Bytes::from_static(b"abc")).unwrap())
    };
    let answer = put(link.uri().to_owned()).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let answer = put(link.uri().replace("up.csv", "other.csv")).await;
    assert_eq!(answer.status(), 403);
}
