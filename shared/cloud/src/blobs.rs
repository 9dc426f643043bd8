//! Files in S3.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;

use crate::error::Place;
use crate::{Aws, Error};

/// One bucket; cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    client: Client,
    bucket: String,
}

/// Part of a file.
#[derive(Debug, Clone)]
pub struct Range {
    /// The bytes, fewer than requested at the end of the file.
    pub bytes: Bytes,
    /// Length of the whole file.
    pub total: u64,
    /// The file's mark (`ETag`), which changes with its content.
    pub mark: String,
}

/// Smallest part of a file that is written in parts, but for its last.
pub const MIN_PART: usize = 5 * 1024 * 1024;

impl Blobs {
    /// The bucket of this name.
    pub(crate) fn new(aws: &Aws, bucket: &str) -> Self {
        let config = Builder::from(aws.config()).force_path_style(true).build();
        Self {
            client: Client::from_conf(config),
            bucket: bucket.to_owned(),
        }
    }

    fn place(&self, operation: &'static str) -> Place {
        Place::new("s3", operation, &self.bucket)
    }

    /// Writes a file; the same key overwrites.
    pub async fn put(&self, key: &str, content_type: &str, body: Bytes) -> Result<(), Error> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| Error::from_sdk(self.place("PutObject"), &error))?;
        Ok(())
    }

    /// Up to `length` bytes from `start`; `None` if there is no such file or nothing after `start`.
    pub async fn range(&self, key: &str, start: u64, length: u64) -> Result<Option<Range>, Error> {
        let range = format!("bytes={start}-{}", start + length.max(1) - 1);
        let result = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .range(range)
            .send()
            .await;
        let answer = match result {
            Ok(answer) => answer,
            Err(error) => {
                let gone = matches!(error.as_service_error(), Some(GetObjectError::NoSuchKey(_)));
                let past_end = error
                    .raw_response()
                    .is_some_and(|raw| raw.status().as_u16() == 416);
                if gone || past_end {
                    return Ok(None);
                }
                return Err(Error::from_sdk(self.place("GetObject"), &error));
            }
        };
        let total = answer
            .content_range()
            .and_then(|range| range.rsplit_once('/'));
        let total = total.and_then(|(_, total)| total.parse().ok());
        let mark = answer.e_tag().unwrap_or_default().to_owned();
        let body = answer.body.collect().await;
        let body = body.map_err(|error| Error::Unknown {
            place: self.place("GetObject"),
            detail: error.to_string(),
        })?;
        let bytes = body.into_bytes();
        Ok(Some(Range {
            total: total.unwrap_or(start + bytes.len() as u64),
            bytes,
            mark,
        }))
    }

    /// A link that lets its holder read the file for `valid`.
    pub async fn link(&self, key: &str, valid: Duration) -> Result<String, Error> {
        let config = PresigningConfig::expires_in(valid);
        let config = config.map_err(|error| Error::Shape(error.to_string()))?;
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .presigned(config)
            .await;
        request
            .map(|request| request.uri().to_owned())
            .map_err(|error| Error::from_sdk(self.place("GetObject"), &error))
    }

    /// A link by which its holder may write the file once or several times for `valid`.
    pub async fn upload_link(&self, key: &str, valid: Duration) -> Result<String, Error> {
        let config = PresigningConfig::expires_in(valid);
        let config = config.map_err(|error| Error::Shape(error.to_string()))?;
        let request = self.client.put_object().bucket(&self.bucket).key(key);
        let request = request.presigned(config).await;
        request
            .map(|request| request.uri().to_owned())
            .map_err(|error| Error::from_sdk(self.place("PutObject"), &error))
    }

    /// Deletes a file; may be repeated.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        let result = request.send().await;
        result.map_err(|error| Error::from_sdk(self.place("DeleteObject"), &error))?;
        Ok(())
    }

    /// Up to 1,000 keys that begin with the text, in their order.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let request = self.client.list_objects_v2().bucket(&self.bucket);
        let result = request.prefix(prefix).send().await;
        let answer =
            result.map_err(|error| Error::from_sdk(self.place("ListObjectsV2"), &error))?;
        let keys = answer.contents.unwrap_or_default().into_iter();
        Ok(keys.filter_map(|object| object.key).collect())
    }

    /// Begins a file that is written in parts; gives the upload's id. The bucket's lifecycle ends an upload that is
    /// never completed.
    pub async fn begin_parts(&self, key: &str, content_type: &str) -> Result<String, Error> {
        let place = || self.place("CreateMultipartUpload");
        let request = self.client.create_multipart_upload().bucket(&self.bucket);
        let answer = request.key(key).content_type(content_type).send().await;
        let answer = answer.map_err(|error| Error::from_sdk(place(), &error))?;
        let id = answer.upload_id().map(str::to_owned);
        id.ok_or_else(|| Error::Unknown {
            place: place(),
            detail: "no upload id".to_owned(),
        })
    }

    /// Writes part `number`, from 1 on, of at least [`MIN_PART`] bytes unless it is the last; gives its mark. The
    /// same number overwrites.
    pub async fn part(
        &self,
        key: &str,
        upload: &str,
        number: usize,
        body: Bytes,
    ) -> Result<String, Error> {
        let request = self.client.upload_part().bucket(&self.bucket).key(key);
        let request = request.upload_id(upload).part_number(number as i32);
        let answer = request.body(ByteStream::from(body)).send().await;
        let answer = answer.map_err(|error| Error::from_sdk(self.place("UploadPart"), &error))?;
        Ok(answer.e_tag().unwrap_or_default().to_owned())
    }

    /// Makes the file of its parts, in the order of their marks. A repetition finds the upload gone and the file
    /// there, which counts as success.
    pub async fn complete_parts(
        &self,
        key: &str,
        upload: &str,
        marks: &[String],
    ) -> Result<(), Error> {
        let parts = marks.iter().enumerate().map(|(n, mark)| {
            let part = CompletedPart::builder().part_number(n as i32 + 1);
            part.e_tag(mark).build()
        });
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts.collect()));
        let request = self.client.complete_multipart_upload().bucket(&self.bucket);
        let request = request.key(key).upload_id(upload);
        match request.multipart_upload(whole.build()).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let is_gone = error.code() == Some("NoSuchUpload");
                if is_gone && self.range(key, 0, 1).await?.is_some() {
                    return Ok(());
                }
                let place = self.place("CompleteMultipartUpload");
                Err(Error::from_sdk(place, &error))
            }
        }
    }
}
