//! The operations that the local stack has of S3; all others answer 501 by themselves.

use bytes::Bytes;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Bucket, BucketLocationConstraint,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput,
    CopyObjectResult, CopySource, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteBucketInput, DeleteBucketOutput,
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    ETag, GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
    ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ListPartsInput, ListPartsOutput, PutObjectInput, PutObjectOutput,
    StreamingBlob, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};

use super::list;
use super::objects::{self, Conditions, e_tag, modified, timestamp};
use super::store::Store;
use super::uploads::{Part, Uploads};

/// Most keys on one page of a list, and in one `DeleteObjects`.
pub(super) const PAGE: i32 = 1000;

/// The service's operations over its state.
pub(super) struct Api {
    pub store: std::sync::Arc<Store>,
    pub uploads: Uploads,
    pub region: String,
}

pub(super) type Answer<T> = S3Result<S3Response<T>>;

#[async_trait::async_trait]
impl S3 for Api {
    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        let bucket = |(name, created)| Bucket {
            name: Some(name),
            creation_date: Some(timestamp(created)),
            ..Bucket::default()
        };
        let buckets = self.store.buckets().into_iter().map(bucket).collect();
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets),
            ..ListBucketsOutput::default()
        }))
    }

    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        let bucket = req.input.bucket;
        let made = self
            .store
            .make(&bucket)
            .map_err(|error| s3_error!(error, InternalError))?;
        if !made {
            return Err(s3_error!(BucketAlreadyOwnedByYou));
        }
        Ok(S3Response::new(CreateBucketOutput {
            location: Some(format!("/{bucket}")),
        }))
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
        self.store.unmake(&req.input.bucket)?;
        Ok(S3Response::new(DeleteBucketOutput {}))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.store.check(&req.input.bucket)?;
        let bucket_region = Some(self.region.clone());
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region,
            ..HeadBucketOutput::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        self.store.check(&req.input.bucket)?;
        let region = BucketLocationConstraint::from(self.region.clone());
        Ok(S3Response::new(GetBucketLocationOutput {
            location_constraint: Some(region),
        }))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let input = req.input;
        self.store.check(&input.bucket)?;
        let mut object = objects::described(&req.headers, input.metadata)?;
        // Of a form, the headers describe the form; its field describes the object.
        let kind = input
            .content_type
            .map(|kind| ("content-type".to_owned(), kind));
        object.headers.remove("content-type");
        object.headers.extend(kind);
        let (body, sums, md5) =
            objects::body(input.body, &req.headers, req.trailing_headers).await?;
        (object.sums, object.e_tag) = (sums, hex::encode(md5));
        let (matches, none_matches) = (input.if_match.as_ref(), input.if_none_match.as_ref());
        let object = self
            .store
            .put(&input.bucket, &input.key, object, &body, |old| {
                objects::may_replace(old, matches, none_matches)
            })?;
        let e_tag = Some(e_tag(&object));
        let mut response = S3Response::new(PutObjectOutput {
            e_tag,
            ..PutObjectOutput::default()
        });
        response.headers = objects::sum_headers(&object.sums);
        Ok(response)
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        let input = req.input;
        plain(input.version_id.as_deref(), input.part_number)?;
        let (object, body) = self.store.get(&input.bucket, &input.key)?;
        let conditions = Conditions {
            matches: input.if_match,
            none_matches: input.if_none_match,
            modified_since: input.if_modified_since,
            unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&object, || s3_error!(NotModified))?;
        let range = input
            .range
            .map(|range| range.check(object.size))
            .transpose()?;
        let body = Bytes::from(body);
        let (body, content_range) = match range {
            None => (body, None),
            Some(range) => {
                let text = format!("bytes {}-{}/{}", range.start, range.end - 1, object.size);
                (
                    body.slice(range.start as usize..range.end as usize),
                    Some(text),
                )
            }
        };
        let with_sums = input.checksum_mode.is_some() && content_range.is_none();
        let mut headers = objects::headers(&object, with_sums);
        let response_headers = [
            ("cache-control", input.response_cache_control),
            ("content-disposition", input.response_content_disposition),
            ("content-encoding", input.response_content_encoding),
            ("content-language", input.response_content_language),
            ("content-type", input.response_content_type),
        ];
        for (name, value) in response_headers {
            if let Some(value) = value.and_then(|value| value.parse().ok()) {
                headers.insert(name, value);
            }
        }
        let mut response = S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(body.len()).ok(),
            content_range,
            e_tag: Some(e_tag(&object)),
            last_modified: Some(modified(&object)),
            metadata: metadata(&object),
            body: Some(StreamingBlob::from(s3s::Body::from(body))),
            ..GetObjectOutput::default()
        });
        response.headers = headers;
        Ok(response)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        let input = req.input;
        plain(input.version_id.as_deref(), input.part_number)?;
        let object = self.store.head(&input.bucket, &input.key)?;
        let conditions = Conditions {
            matches: input.if_match,
            none_matches: input.if_none_match,
            modified_since: input.if_modified_since,
            unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&object, || s3_error!(NotModified))?;
        let mut response = S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(object.size).ok(),
            e_tag: Some(e_tag(&object)),
            last_modified: Some(modified(&object)),
            metadata: metadata(&object),
            ..HeadObjectOutput::default()
        });
        response.headers = objects::headers(&object, input.checksum_mode.is_some());
        Ok(response)
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        plain(req.input.version_id.as_deref(), None)?;
        self.store.delete(&req.input.bucket, &req.input.key)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> Answer<DeleteObjectsOutput> {
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        if delete.objects.is_empty() || delete.objects.len() > PAGE as usize {
            return Err(s3_error!(MalformedXML));
        }
        let mut deleted = Vec::new();
        for object in delete.objects {
            self.store.delete(&bucket, &object.key)?;
            let key = Some(object.key);
            deleted.push(DeletedObject {
                key,
                ..DeletedObject::default()
            });
        }
        let loud = !delete.quiet.unwrap_or(false);
        let deleted = loud.then_some(deleted);
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted,
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        let input = req.input;
        let CopySource::Bucket {
            bucket,
            key,
            version_id,
        } = &input.copy_source
        else {
            return Err(s3_error!(NotImplemented));
        };
        plain(version_id.as_deref(), None)?;
        let (source, body) = self.store.get(bucket, key)?;
        let conditions = Conditions {
            matches: input.copy_source_if_match,
            none_matches: input.copy_source_if_none_match,
            modified_since: input.copy_source_if_modified_since,
            unmodified_since: input.copy_source_if_unmodified_since,
        };
        conditions.check(&source, || s3_error!(PreconditionFailed))?;
        let mut object = source.clone();
        if input
            .metadata_directive
            .as_ref()
            .is_some_and(|directive| directive.as_str() == "REPLACE")
        {
            let described = objects::described(&req.headers, input.metadata)?;
            (object.headers, object.metadata) = (described.headers, described.metadata);
        } else if (&**bucket, &**key) == (input.bucket.as_str(), input.key.as_str()) {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata."
            ));
        }
        let object = self
            .store
            .put(&input.bucket, &input.key, object, &body, |_| Ok(()))?;
        let copied = CopyObjectResult {
            e_tag: Some(e_tag(&object)),
            last_modified: Some(modified(&object)),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(copied),
            ..CopyObjectOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> Answer<ListObjectsV2Output> {
        list::second(&self.store, req.input)
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
        list::first(&self.store, req.input)
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        let input = req.input;
        self.store.check(&input.bucket)?;
        let object = objects::described(&req.headers, input.metadata)?;
        let upload_id = Some(self.uploads.begin(&input.bucket, &input.key, object));
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            checksum_algorithm: input.checksum_algorithm,
            checksum_type: input.checksum_type,
            upload_id,
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        let input = req.input;
        let (body, sums, md5) =
            objects::body(input.body, &req.headers, req.trailing_headers).await?;
        let part = Part {
            body,
            md5,
            sums,
            modified: self.store.now(),
        };
        let e_tag = Some(ETag::Strong(part.e_tag()));
        let headers = objects::sum_headers(&part.sums);
        let at = (&*input.bucket, &*input.key, &*input.upload_id);
        self.uploads.add(at, input.part_number, part)?;
        let mut response = S3Response::new(UploadPartOutput {
            e_tag,
            ..UploadPartOutput::default()
        });
        response.headers = headers;
        Ok(response)
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        let input = req.input;
        let parts = self
            .uploads
            .parts((&input.bucket, &input.key, &input.upload_id))?;
        let part = |(number, part): (i32, Part)| s3s::dto::Part {
            part_number: Some(number),
            e_tag: Some(ETag::Strong(part.e_tag())),
            size: i64::try_from(part.body.len()).ok(),
            last_modified: Some(timestamp(part.modified)),
            ..s3s::dto::Part::default()
        };
        Ok(S3Response::new(ListPartsOutput {
            is_truncated: Some(false),
            parts: Some(parts.into_iter().map(part).collect()),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            ..ListPartsOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let input = req.input;
        let at = (&*input.bucket, &*input.key, &*input.upload_id);
        let named = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        let (object, body) = self.uploads.joined(at, &named)?;
        let (matches, none_matches) = (input.if_match.as_ref(), input.if_none_match.as_ref());
        let object = self.store.put(at.0, at.1, object, &body, |old| {
            objects::may_replace(old, matches, none_matches)
        })?;
        self.uploads.end(at)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            e_tag: Some(e_tag(&object)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        let input = req.input;
        self.uploads
            .end((&input.bucket, &input.key, &input.upload_id))?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

fn metadata(object: &super::store::Object) -> Option<s3s::dto::Metadata> {
    (!object.metadata.is_empty()).then(|| object.metadata.clone().into_iter().collect())
}

/// Refuses a request for a version, because buckets here keep none, and for a single part.
fn plain(version: Option<&str>, part: Option<i32>) -> Result<(), S3Error> {
    if version.is_some_and(|version| version != "null") {
        return Err(s3_error!(NoSuchVersion));
    }
    if part.is_some() {
        return Err(s3_error!(
            NotImplemented,
            "parts are not read one by one in the local stack"
        ));
    }
    Ok(())
}
