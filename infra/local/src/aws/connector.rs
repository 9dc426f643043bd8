//! The configuration of SDK clients, which reach the services without a socket.

use std::fmt;
use std::sync::PoisonError;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;
use bytes::Bytes;
use http::header::HOST;
use http_body_util::BodyExt;

use super::{ACCESS_KEY, Aws, Reply, Role, SECRET_KEY};

/// An SDK connector that calls the handlers.
#[derive(Clone)]
pub(super) struct InProcess {
    /// The services.
    pub aws: Aws,
    /// Function whose role makes the calls; none is the owner, who may do everything.
    pub role: Option<Role>,
}

impl Aws {
    /// The base URL of the loopback server, e.g. `http://127.0.0.1:4000`. Once set,
    /// [`sdk_config`](Self::sdk_config) names it as the endpoint, so that presigned links can be
    /// opened from outside; without it links carry AWS host names.
    pub fn set_endpoint(&self, url: &str) {
        let mut endpoint = self
            .0
            .endpoint
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *endpoint = Some(url.to_owned());
    }

    /// An HTTP client for the SDK that calls the services in this process.
    pub fn http_client(&self) -> SharedHttpClient {
        let (aws, role) = (self.clone(), None);
        SharedHttpClient::new(InProcess { aws, role })
    }

    /// Configuration for the SDK clients of a function with this role.
    pub fn sdk_config_of(&self, role: Role) -> SdkConfig {
        let (aws, role) = (self.clone(), Some(role));
        let client = SharedHttpClient::new(InProcess { aws, role });
        let config = self.sdk_config().into_builder();
        config.http_client(client).build()
    }

    /// Configuration for SDK clients that may do everything: this process, local credentials, and the deployed
    /// functions' time-outs and retries, which pass in tokio's time. The back-off has its jitter from the thread's
    /// `fastrand`, so a seed there makes a run repeatable.
    pub fn sdk_config(&self) -> SdkConfig {
        let keys = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "local");
        let endpoint = self
            .0
            .endpoint
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.0.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .retry_config(cloud::Aws::retries())
            .timeout_config(cloud::Aws::timeouts())
            .http_client(self.http_client());
        config.set_endpoint_url(endpoint.clone());
        config.build()
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { aws, role } = self.clone();
        HttpConnectorFuture::new(async move {
            let request = received(request).await?;
            match aws.dispatch(request, role.as_ref()).await {
                Reply::Answer(response) => {
                    let response = response.map(SdkBody::from);
                    HttpResponse::try_from(response)
                        .map_err(|error| ConnectorError::user(error.into()))
                }
                Reply::Lost => Err(ConnectorError::timeout("the answer was lost".into())),
            }
        })
    }
}

/// The request as a server would see it.
async fn received(request: HttpRequest) -> Result<http::Request<Bytes>, ConnectorError> {
    let request = request
        .try_into_http1x()
        .map_err(|error| ConnectorError::user(error.into()))?;
    let (mut parts, body) = request.into_parts();
    let body = match body.bytes() {
        Some(bytes) => Bytes::copy_from_slice(bytes),
        None => body
            .collect()
            .await
            .map_err(ConnectorError::user)?
            .to_bytes(),
    };
    if let Some(authority) = parts.uri.authority()
        && !parts.headers.contains_key(HOST)
        && let Ok(host) = http::HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(HOST, host);
    }
    Ok(http::Request::from_parts(parts, body))
}
