//! S3 behind its REST protocol, which `s3s` speaks: buckets over one folder of bodies.
//!
//! Signatures are checked with the local credentials, so presigned links work and expire.

mod api;
mod list;
mod objects;
mod store;
mod uploads;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kernel::Clock;
use s3s::S3Result;
use s3s::auth::SimpleAuth;
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};

use super::fault::ApiError;
use super::meter::Meter;
use super::wire;
use api::Api;
use store::Store;
use uploads::Uploads;

/// The buckets of the account.
pub(super) struct S3 {
    service: S3Service,
    store: Arc<Store>,
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
    /// Opens the buckets whose bodies are in `folder` and whose index is in `log`.
    pub fn open(
        folder: PathBuf,
        log: Option<PathBuf>,
        clock: Clock,
        region: &str,
        meter: Arc<Meter>,
    ) -> anyhow::Result<Self> {
        let store = Arc::new(Store::open(folder, log, clock)?);
        let mut builder = S3ServiceBuilder::new(Api {
            store: store.clone(),
            uploads: Uploads::default(),
            region: region.to_owned(),
        });
        builder.set_auth(SimpleAuth::from_single(
            super::ACCESS_KEY,
            super::SECRET_KEY,
        ));
        builder.set_host(Hosts);
        Ok(Self {
            service: builder.build(),
            store,
            meter,
        })
    }

    /// Makes the bucket if it is absent.
    pub fn create(&self, bucket: &str) -> anyhow::Result<()> {
        let made = self.store.make(bucket);
        made.map(|_| ()).with_context(|| format!("bucket {bucket}"))
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
