//! S3 on a folder, through `s3s` and `s3s-fs`: a bucket is a folder, an object a file in it.
//!
//! Signatures are checked with the local credentials, so presigned links work and expire.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use s3s::S3Result;
use s3s::auth::SimpleAuth;
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;

use super::fault::ApiError;
use super::meter::Meter;
use super::wire;

/// The buckets of the account.
pub(super) struct S3 {
    service: S3Service,
    folder: PathBuf,
    meter: Arc<Meter>,
}

/// Finds the bucket in `bucket.s3.region.amazonaws.com`; any other host is path-style.
struct Hosts;

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let parsed = host
            .split_once(".s3.")
            .filter(|(bucket, _)| !bucket.is_empty());
        Ok(match parsed {
            Some((bucket, domain)) => VirtualHost::new(domain).with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}

impl S3 {
    /// Opens the buckets in `folder`.
    pub fn open(folder: PathBuf, meter: Arc<Meter>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        let files = FileSystem::new(&folder)
            .map_err(|error| anyhow::anyhow!("opening {}: {error:?}", folder.display()))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(
            super::ACCESS_KEY,
            super::SECRET_KEY,
        ));
        builder.set_host(Hosts);
        Ok(Self {
            service: builder.build(),
            folder,
            meter,
        })
    }

    /// Makes the bucket if it is absent.
    pub fn create(&self, bucket: &str) -> anyhow::Result<()> {
        let folder: &Path = &self.folder;
        std::fs::create_dir_all(folder.join(bucket)).with_context(|| format!("bucket {bucket}"))
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let list = request.method() == Method::GET && is_list(&request);
        match *request.method() {
            Method::DELETE => {}
            Method::PUT | Method::POST => self.meter.s3(true),
            _ => self.meter.s3(list),
        }
        let request = request.map(s3s::Body::from);
        match self.answer(request).await {
            Ok(response) => response,
            Err(text) => {
                tracing::error!(error = text, "S3 request failed");
                error_response(&ApiError::new(500, "InternalError", text))
            }
        }
    }

    async fn answer(&self, request: Request<s3s::Body>) -> Result<Response<Bytes>, String> {
        let answered = self.service.call(request).await;
        let (parts, body) = answered.map_err(|error| format!("{error:?}"))?.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }
}

fn is_list(request: &Request<Bytes>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.contains("list-type=") || query.contains("prefix=") || query.contains("uploads")
}

/// An error in S3's XML.
pub(super) fn error_response(error: &ApiError) -> Response<Bytes> {
    let (code, message) = (error.code, error.message.replace(['<', '&'], " "));
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let kind = http::HeaderValue::from_static("application/xml");
    wire::response(wire::status(error.status), kind, Bytes::from(body))
}
