//! Lets the AWS SDK reach the services without a socket.

use std::fmt;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::header::HOST;
use http_body_util::BodyExt;

use super::{Aws, Reply, Role};

/// An SDK connector that calls the handlers.
#[derive(Clone)]
pub(super) struct InProcess {
    /// The services.
    pub aws: Aws,
    /// Function whose role makes the calls; none is the owner, who may do everything.
    pub role: Option<Role>,
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
