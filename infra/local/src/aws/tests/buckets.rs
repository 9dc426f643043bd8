//! S3: keys that look like paths, full or missing buckets, lists, and unsupported operations.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, EncodingType, MetadataDirective};

use super::{Hand, open};
use crate::aws::Aws;

fn client(aws: &Aws) -> Client {
    aws.set_endpoint("http://127.0.0.1:4000");
    Client::new(&aws.sdk_config())
}

/// The code of the answer; `ok` when there is none.
async fn put(client: &Client, bucket: &str, key: &str, body: &str) -> String {
    let body = ByteStream::from(body.as_bytes().to_vec());
    let put = client.put_object().bucket(bucket).key(key).body(body);
    match put.send().await {
        Ok(_) => "ok".to_owned(),
        Err(error) => error
            .into_service_error()
            .code()
            .unwrap_or_default()
            .to_owned(),
    }
}

async fn get(client: &Client, key: &str) -> String {
    let got = client.get_object().bucket("imports").key(key).send().await;
    let body = got.unwrap().body.collect().await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn every_key_is_an_ordinary_key_of_its_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let keys = [
        "..",
        ".",
        "../evil",
        "a/../../evil2",
        "/lead",
        "//",
        "a",
        "a/b",
        "a/b/c",
        "a/",
        "t/Khách hàng + #1?.csv",
        "t/%2e%2e",
        "0",
        "x".repeat(1024).leak(),
    ];
    {
        let aws = open(Some(folder.path()), Hand::new().clock());
        let client = client(&aws);
        for key in keys {
            assert_eq!(put(&client, "imports", key, key).await, "ok", "{key}");
        }
        let long = "x".repeat(1025);
        assert_eq!(put(&client, "imports", &long, "").await, "KeyTooLongError");
    }
    let beside: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert!(
        !beside
            .iter()
            .any(|name| name.to_string_lossy().contains("evil")),
        "{beside:?}"
    );
    // A body that no entry names is removed; the other objects are restored.
    std::fs::write(folder.path().join("s3/999"), "orphan").unwrap();
    let aws = open(Some(folder.path()), Hand::new().clock());
    let client = client(&aws);
    assert!(!folder.path().join("s3/999").exists());
    for key in keys {
        assert_eq!(get(&client, key).await, key);
    }
    let list = client
        .list_objects_v2()
        .bucket("imports")
        .send()
        .await
        .unwrap();
    let listed: Vec<_> = list
        .contents()
        .iter()
        .filter_map(|object| object.key())
        .collect();
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(listed, sorted);
    let delete = client.delete_object().bucket("imports").key("a/b");
    delete.send().await.unwrap();
    assert_eq!(get(&client, "a/b/c").await, "a/b/c");
    assert_eq!(put(&client, "imports", "a", "new").await, "ok");
    assert_eq!(get(&client, "a").await, "new");
    let files = std::fs::read_dir(folder.path().join("s3")).unwrap().count();
    assert_eq!(files, keys.len() - 1, "old bodies are gone");
}

#[tokio::test]
async fn only_an_empty_bucket_goes_and_an_absent_one_takes_nothing() {
    let aws = super::in_memory();
    let client = client(&aws);
    assert_eq!(put(&client, "never-was", "k", "").await, "NoSuchBucket");
    assert_eq!(put(&client, "imports", "k", "").await, "ok");
    let delete = || client.delete_bucket().bucket("imports").send();
    let error = delete().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("BucketNotEmpty"));
    let again = client.create_bucket().bucket("imports").send().await;
    assert!(
        again
            .unwrap_err()
            .into_service_error()
            .is_bucket_already_owned_by_you()
    );
    client
        .delete_object()
        .bucket("imports")
        .key("k")
        .send()
        .await
        .unwrap();
    delete().await.unwrap();
    assert_eq!(put(&client, "imports", "k", "").await, "NoSuchBucket");
    let buckets = client.list_buckets().send().await.unwrap();
    assert!(buckets.buckets().is_empty());
    let list = client.list_objects_v2().bucket("imports").send().await;
    assert!(list.unwrap_err().into_service_error().is_no_such_bucket());
}

#[tokio::test]
async fn a_list_is_grouped_encoded_and_comes_in_pages() {
    let aws = super::in_memory();
    let client = client(&aws);
    for key in ["a b+c", "d/1", "d/2", "e", "f/1"] {
        assert_eq!(put(&client, "imports", key, "").await, "ok");
    }
    let list = client
        .list_objects_v2()
        .bucket("imports")
        .encoding_type(EncodingType::Url);
    let list = list.send().await.unwrap();
    assert_eq!(list.contents()[0].key(), Some("a%20b%2Bc"));
    assert_eq!(list.contents()[1].key(), Some("d/1"));
    let pages = client
        .list_objects_v2()
        .bucket("imports")
        .delimiter("/")
        .max_keys(1);
    let mut pages = pages.into_paginator().send();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert_eq!(page.key_count(), Some(1));
        seen.extend(
            page.contents()
                .iter()
                .filter_map(|object| object.key())
                .map(str::to_owned),
        );
        seen.extend(
            page.common_prefixes()
                .iter()
                .filter_map(|group| group.prefix())
                .map(str::to_owned),
        );
    }
    assert_eq!(seen, ["a b+c", "d/", "e", "f/"]);
    let old = client
        .list_objects()
        .bucket("imports")
        .delimiter("/")
        .max_keys(2)
        .send()
        .await
        .unwrap();
    assert_eq!(old.next_marker(), Some("d/"));
    let old = client
        .list_objects()
        .bucket("imports")
        .delimiter("/")
        .marker("d/")
        .prefix("e");
    let old = old.send().await.unwrap();
    assert_eq!(old.contents()[0].key(), Some("e"));
}

#[tokio::test]
async fn what_a_writer_sets_its_reader_is_sent_and_conditions_hold() {
    let aws = super::in_memory();
    let client = client(&aws);
    let write = || {
        let body = ByteStream::from_static(b"abc");
        let put = client.put_object().bucket("imports").key("k").body(body);
        put.content_type("text/csv")
            .cache_control("no-store")
            .metadata("by", "an")
    };
    let tag = write().if_none_match("*").send().await.unwrap();
    let tag = tag.e_tag().unwrap();
    // printf abc | md5sum
    assert_eq!(tag, "\"900150983cd24fb0d6963f7d28e17f72\"");
    let error = write()
        .if_none_match("*")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(error.code(), Some("PreconditionFailed"));
    let error = write()
        .if_match("\"other\"")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(error.code(), Some("PreconditionFailed"));
    let error = write().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await;
    assert_eq!(
        error.unwrap_err().into_service_error().code(),
        Some("BadDigest")
    );
    let error = write()
        .tagging("a=b")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(error.code(), Some("NotImplemented"));
    let copy = |key: &str| {
        client
            .copy_object()
            .bucket("imports")
            .key(key)
            .copy_source("imports/k")
    };
    copy("copy").send().await.unwrap();
    let head = client
        .head_object()
        .bucket("imports")
        .key("copy")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.content_type(), head.cache_control()),
        (Some("text/csv"), Some("no-store"))
    );
    assert_eq!(head.metadata().unwrap()["by"], "an");
    assert_eq!(head.e_tag(), Some(tag));
    let error = copy("k").send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("InvalidRequest"));
    let replace = copy("k").metadata_directive(MetadataDirective::Replace);
    replace.content_type("text/plain").send().await.unwrap();
    let get = client.get_object().bucket("imports").key("k");
    let got = get.clone().send().await.unwrap();
    assert_eq!(
        (got.content_type(), got.cache_control()),
        (Some("text/plain"), None)
    );
    let error = get.if_none_match(tag).send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 304);
}

#[tokio::test]
async fn parts_become_one_object() {
    let aws = super::in_memory();
    let client = client(&aws);
    let begun = client
        .create_multipart_upload()
        .bucket("imports")
        .key("big")
        .content_type("text/csv");
    let id = begun.send().await.unwrap().upload_id.unwrap();
    let mut parts = Vec::new();
    for (number, size) in [(1, 5 * 1024 * 1024), (2, 10)] {
        let part = client
            .upload_part()
            .bucket("imports")
            .key("big")
            .upload_id(&id);
        let body = ByteStream::from(vec![b'x'; size]);
        let sent = part.part_number(number).body(body).send().await.unwrap();
        let part = CompletedPart::builder().part_number(number);
        parts.push(part.set_e_tag(sent.e_tag).build());
    }
    let complete = |parts: Vec<CompletedPart>, id: &str| {
        let upload = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let complete = client
            .complete_multipart_upload()
            .bucket("imports")
            .key("big");
        complete.upload_id(id).multipart_upload(upload).send()
    };
    let turned = parts.iter().rev().cloned().collect();
    let error = complete(turned, &id)
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(error.code(), Some("InvalidPartOrder"));
    let done = complete(parts.clone(), &id).await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{done:?}");
    let head = client
        .head_object()
        .bucket("imports")
        .key("big")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_length(), Some(5 * 1024 * 1024 + 10));
    assert_eq!(head.content_type(), Some("text/csv"));
    let error = complete(parts, &id).await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("NoSuchUpload"));
    let error = client
        .get_bucket_versioning()
        .bucket("imports")
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 501);
}
