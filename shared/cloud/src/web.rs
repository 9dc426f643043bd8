//! HTTPS calls to systems outside of AWS, with a bound for the time and for the body.
//!
//! The caller chooses the host from a list of its own. Nothing here checks an address, so no user's URL may reach this file.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{Request, Response};

/// Most bytes of an answer.
pub const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// Time-out of one call, from its first byte to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Answers calls in this process.
pub type InProcess = Arc<
    dyn Fn(Request<Bytes>) -> BoxFuture<'static, Result<Response<Bytes>, WebError>> + Send + Sync,
>;

/// Why a call has no answer. The other system may have done what the call asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or one that broke; the text names no address.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// More than [`MAX_ANSWER`] bytes.
    #[error("the answer has more than {MAX_ANSWER} bytes")]
    TooLarge,
}

/// The client; cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

enum Inner {
    Network(OnceLock<Option<reqwest::Client>>),
    InProcess(InProcess),
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}

impl Default for Web {
    fn default() -> Self {
        Self(Arc::new(Inner::Network(OnceLock::new())))
    }
}

impl Web {
    /// Calls that are answered in this process: the local stack's.
    pub fn in_process(answer: InProcess) -> Self {
        Self(Arc::new(Inner::InProcess(answer)))
    }

    /// Makes a call. Redirects are not followed. A status of any kind is an answer.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, WebError> {
        match &*self.0 {
            Inner::InProcess(answer) => answer(request).await,
            Inner::Network(client) => {
                let client = client.get_or_init(client_of).as_ref();
                let client =
                    client.ok_or_else(|| WebError::Unreachable("no certificates".into()))?;
                over_network(client, request).await
            }
        }
    }
}

fn client_of() -> Option<reqwest::Client> {
    let built = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    if let Err(error) = &built {
        tracing::error!(%error, "there is no client for calls outside of AWS");
    }
    built.ok()
}

async fn over_network(
    client: &reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, WebError> {
    let request = reqwest::Request::try_from(request).map_err(broken)?;
    let mut answer = client.execute(request).await.map_err(broken)?;
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(WebError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut whole = Response::new(body.freeze());
    *whole.status_mut() = answer.status();
    *whole.headers_mut() = answer.headers().clone();
    Ok(whole)
}

/// The address may hold a token, so it is left out.
fn broken(error: reqwest::Error) -> WebError {
    if error.is_timeout() {
        return WebError::Timeout;
    }
    WebError::Unreachable(error.without_url().to_string())
}
