//! Posting to open WebSocket connections (API Gateway's `@connections`).

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::Builder;
use aws_sdk_apigatewaymanagement::operation::delete_connection::DeleteConnectionError;
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;

use crate::error::Place;
use crate::{Aws, Error};

/// Why a post did not reach a connection.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The connection has ended, or `$connect` has not been answered yet.
    #[error("the connection has ended or is not open yet")]
    Gone,
    /// Any other failure.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// The client of one WebSocket API stage.
#[derive(Clone, Debug)]
pub struct Sockets {
    client: Client,
    endpoint: String,
}

impl Sockets {
    /// `endpoint` is the stage's https address, without `/@connections`.
    pub(crate) fn new(aws: &Aws, endpoint: &str) -> Self {
        let config = Builder::from(aws.config()).endpoint_url(endpoint).build();
        Self {
            client: Client::from_conf(config),
            endpoint: endpoint.to_owned(),
        }
    }

    fn place(&self, operation: &'static str) -> Place {
        Place::new("execute-api", operation, &self.endpoint)
    }

    /// Posts one message, at most 128 KB.
    pub async fn post(&self, connection: &str, message: Vec<u8>) -> Result<(), SocketError> {
        let result = self
            .client
            .post_to_connection()
            .connection_id(connection)
            .data(Blob::new(message))
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(PostToConnectionError::GoneException(_)) => Err(SocketError::Gone),
                _ => Err(SocketError::Failed(Error::from_sdk(
                    self.place("PostToConnection"),
                    &error,
                ))),
            },
        }
    }

    /// Closes a connection.
    pub async fn close(&self, connection: &str) -> Result<(), SocketError> {
        let request = self.client.delete_connection().connection_id(connection);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteConnectionError::GoneException(_)) => Err(SocketError::Gone),
                _ => Err(SocketError::Failed(Error::from_sdk(
                    self.place("DeleteConnection"),
                    &error,
                ))),
            },
        }
    }
}
