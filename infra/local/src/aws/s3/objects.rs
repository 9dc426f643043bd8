//! Everything around the body of an object: conditions, checksums, headers, metadata.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use http::HeaderMap;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{ETag, ETagCondition, StreamingBlob, Timestamp};
use s3s::{S3Result, TrailingHeaders, s3_error};

use super::store::Object;

/// Headers of a writer that readers are sent again.
const HEADERS: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];
/// Headers that ask for a feature that the local stack lacks.
const REFUSED: &[&str] = &[
    "x-amz-tagging",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-legal-hold",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-write-offset-bytes",
];
/// Checksums by the name in their header.
const ALGORITHMS: &[&str] = &["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

/// A new object as its writer describes it.
pub(super) fn described(
    headers: &HeaderMap,
    metadata: Option<s3s::dto::Metadata>,
) -> S3Result<Object> {
    if let Some(name) = REFUSED.iter().find(|name| headers.contains_key(**name)) {
        return Err(s3_error!(
            NotImplemented,
            "{name} is not available in the local stack"
        ));
    }
    let header = |name: &&str| {
        let value = headers.get(*name)?.to_str().ok()?;
        // The signed stream is an encoding of the request, not of the object.
        let value = value.strip_prefix("aws-chunked").unwrap_or(value);
        let value = value.trim_start_matches([',', ' ']);
        (!value.is_empty()).then(|| ((*name).to_owned(), value.to_owned()))
    };
    Ok(Object {
        headers: HEADERS.iter().filter_map(header).collect(),
        metadata: metadata.unwrap_or_default().into_iter().collect(),
        ..Object::default()
    })
}

/// Reads a body, and checks the body against the digests in the request. Gives the requested checksums, base64 by
/// algorithm, and the MD5.
pub(super) async fn body(
    body: Option<StreamingBlob>,
    headers: &HeaderMap,
    trailers: Option<TrailingHeaders>,
) -> S3Result<(Bytes, BTreeMap<String, String>, [u8; 16])> {
    let mut bytes = BytesMut::new();
    if let Some(mut body) = body {
        while let Some(part) = body
            .try_next()
            .await
            .map_err(|_| s3_error!(IncompleteBody))?
        {
            bytes.extend_from_slice(&part);
        }
    }
    let bytes = bytes.freeze();
    // Trailers are there once the body is read.
    let trailers = trailers
        .and_then(|trailers| trailers.take())
        .unwrap_or_default();
    let header = |name: &str| {
        let value = headers.get(name).or_else(|| trailers.get(name));
        value.and_then(|value| value.to_str().ok())
    };
    let md5 = Md5::checksum(&bytes);
    if header("content-md5").is_some_and(|sent| sent != BASE64.encode(md5)) {
        return Err(s3_error!(
            BadDigest,
            "The Content-MD5 you specified did not match what we received."
        ));
    }
    let asked =
        header("x-amz-sdk-checksum-algorithm").or_else(|| header("x-amz-checksum-algorithm"));
    let mut sums = BTreeMap::new();
    for name in ALGORITHMS {
        let sent = header(&format!("x-amz-checksum-{name}"));
        if sent.is_none() && !asked.is_some_and(|asked| asked.eq_ignore_ascii_case(name)) {
            continue;
        }
        let sum = sum(name, &bytes);
        if sent.is_some_and(|sent| sent != sum) {
            return Err(s3_error!(
                BadDigest,
                "The {name} you specified did not match the calculated checksum."
            ));
        }
        sums.insert((*name).to_owned(), sum);
    }
    Ok((bytes, sums, md5))
}

fn sum(name: &str, bytes: &[u8]) -> String {
    use s3s::crypto::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
    match name {
        "crc32" => BASE64.encode(Crc32::checksum(bytes)),
        "crc32c" => BASE64.encode(Crc32c::checksum(bytes)),
        "crc64nvme" => BASE64.encode(Crc64Nvme::checksum(bytes)),
        "sha1" => BASE64.encode(Sha1::checksum(bytes)),
        _ => BASE64.encode(Sha256::checksum(bytes)),
    }
}

/// Headers of the answer to a reader: the writer's headers, and `x-amz-checksum-…` if `sums` are requested.
pub(super) fn headers(object: &Object, sums: bool) -> HeaderMap {
    let set = object.headers.iter();
    let set = set.filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
    let mut headers: HeaderMap = set.collect();
    if sums {
        headers.extend(sum_headers(&object.sums));
    }
    headers
}

/// Checksums as headers.
pub(super) fn sum_headers(sums: &BTreeMap<String, String>) -> HeaderMap {
    let header = |(name, value): (&String, &String)| {
        let name = format!("x-amz-checksum-{name}").parse().ok()?;
        Some((name, value.parse().ok()?))
    };
    sums.iter().filter_map(header).collect()
}

/// The entity tag as an answer shows it.
pub(super) fn e_tag(object: &Object) -> ETag {
    ETag::Strong(object.e_tag.clone())
}

/// The time of the last write as an answer shows it.
pub(super) fn modified(object: &Object) -> Timestamp {
    timestamp(object.modified)
}

/// Epoch milliseconds in whole seconds, as S3 counts.
pub(super) fn timestamp(ms: i64) -> Timestamp {
    let at = jiff::Timestamp::from_second(ms.div_euclid(1000)).unwrap_or_default();
    Timestamp::from(std::time::SystemTime::from(at))
}

/// Conditions of a reader, of RFC 9110.
#[derive(Default)]
pub(super) struct Conditions {
    pub matches: Option<ETagCondition>,
    pub none_matches: Option<ETagCondition>,
    pub modified_since: Option<Timestamp>,
    pub unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Refuses an object that does not meet the conditions; `stale` is the error for an object that the reader has
    /// already.
    pub fn check(&self, object: &Object, stale: impl FnOnce() -> s3s::S3Error) -> S3Result<()> {
        let at = modified(object);
        let failed = match (&self.matches, &self.unmodified_since) {
            (Some(wanted), _) => !is(object, wanted),
            (None, Some(since)) => at > *since,
            (None, None) => false,
        };
        if failed {
            return Err(s3_error!(PreconditionFailed));
        }
        let known = match (&self.none_matches, &self.modified_since) {
            (Some(known), _) => is(object, known),
            (None, Some(since)) => at <= *since,
            (None, None) => false,
        };
        if known { Err(stale()) } else { Ok(()) }
    }
}

fn is(object: &Object, condition: &ETagCondition) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => tag.value() == object.e_tag,
    }
}

/// Conditions of a writer on the stored object.
pub(super) fn may_replace(
    old: Option<&Object>,
    matches: Option<&ETagCondition>,
    none_matches: Option<&ETagCondition>,
) -> S3Result<()> {
    match (old, matches) {
        (None, Some(_)) => return Err(s3_error!(NoSuchKey)),
        (Some(old), Some(wanted)) if !is(old, wanted) => return Err(s3_error!(PreconditionFailed)),
        _ => {}
    }
    match (old, none_matches) {
        (Some(old), Some(known)) if is(old, known) => Err(s3_error!(PreconditionFailed)),
        _ => Ok(()),
    }
}
