//! Lists of objects, of both versions of the operation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3s::dto::{
    CommonPrefix, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object,
};
use s3s::{S3Response, S3Result, s3_error};

use super::api::{Answer, PAGE};
use super::objects::{e_tag, modified};
use super::store::{self, Page, Store};

/// `ListObjectsV2`.
pub(super) fn second(store: &Store, input: ListObjectsV2Input) -> Answer<ListObjectsV2Output> {
    let token = input.continuation_token.as_ref().map(|token| {
        let text = BASE64
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        text.ok_or_else(|| {
            s3_error!(
                InvalidArgument,
                "The continuation token provided is incorrect"
            )
        })
    });
    let after = token.transpose()?.or_else(|| input.start_after.clone());
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after = after.unwrap_or_default();
    let page = page(
        store,
        &input.bucket,
        prefix,
        input.delimiter.as_deref(),
        &after,
        input.max_keys,
    )?;
    let shown = Shown(input.encoding_type.is_some());
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(shown.text(prefix)),
        delimiter: input.delimiter.map(|text| shown.text(&text)),
        start_after: input.start_after.map(|text| shown.text(&text)),
        encoding_type: input.encoding_type,
        max_keys: Some(input.max_keys.unwrap_or(PAGE)),
        key_count: i32::try_from(page.objects.len() + page.groups.len()).ok(),
        is_truncated: Some(page.next.is_some()),
        continuation_token: input.continuation_token,
        next_continuation_token: page.next.as_ref().map(|next| BASE64.encode(next)),
        contents: Some(shown.objects(&page)),
        common_prefixes: Some(shown.groups(&page)),
        ..ListObjectsV2Output::default()
    }))
}

/// `ListObjects`.
pub(super) fn first(store: &Store, input: ListObjectsInput) -> Answer<ListObjectsOutput> {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after = input.marker.as_deref().unwrap_or_default();
    let page = page(
        store,
        &input.bucket,
        prefix,
        input.delimiter.as_deref(),
        after,
        input.max_keys,
    )?;
    let shown = Shown(input.encoding_type.is_some());
    Ok(S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(shown.text(prefix)),
        marker: Some(shown.text(after)),
        delimiter: input.delimiter.map(|text| shown.text(&text)),
        encoding_type: input.encoding_type,
        max_keys: Some(input.max_keys.unwrap_or(PAGE)),
        is_truncated: Some(page.next.is_some()),
        next_marker: page.next.as_ref().map(|next| shown.text(next)),
        contents: Some(shown.objects(&page)),
        common_prefixes: Some(shown.groups(&page)),
        ..ListObjectsOutput::default()
    }))
}

fn page(
    store: &Store,
    bucket: &str,
    prefix: &str,
    delimiter: Option<&str>,
    after: &str,
    most: Option<i32>,
) -> S3Result<Page> {
    let most = usize::try_from(most.unwrap_or(PAGE).min(PAGE));
    let most = most.map_err(|_| s3_error!(InvalidArgument, "max-keys must not be negative"))?;
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
    store.list(bucket, prefix, delimiter, after, most)
}

/// How a list shows keys: true when URL-encoded.
struct Shown(bool);

impl Shown {
    fn text(&self, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        encoded.replace('+', "%20").replace("%2F", "/")
    }

    fn objects(&self, page: &Page) -> Vec<Object> {
        let object = |(key, object): &(String, store::Object)| Object {
            key: Some(self.text(key)),
            e_tag: Some(e_tag(object)),
            last_modified: Some(modified(object)),
            size: i64::try_from(object.size).ok(),
            storage_class: Some("STANDARD".to_owned().into()),
            ..Object::default()
        };
        page.objects.iter().map(object).collect()
    }

    fn groups(&self, page: &Page) -> Vec<CommonPrefix> {
        let group = |group: &String| CommonPrefix {
            prefix: Some(self.text(group)),
        };
        page.groups.iter().map(group).collect()
    }
}
