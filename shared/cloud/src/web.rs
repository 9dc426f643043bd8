//! HTTPS calls to systems outside of AWS, with a bound for the time and for the body.
//!
//! [`Web`] checks no address: its caller chooses the host from a list of its own. A user's URL may only be called through
//! [`Outside`], whose own resolver checks every address of the host just before the connection is made.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Most bytes of an answer.
pub const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// Time-out of one call, from its first byte to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(8);

/// Answers calls in this process.
pub type InProcess = Arc<
    dyn Fn(Request<Bytes>) -> BoxFuture<'static, Result<Response<Bytes>, WebError>> + Send + Sync,
>;

/// The addresses of a host, for calls that are answered in this process.
pub type Names = Arc<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

/// Whether an address may be called.
pub type Allows = fn(IpAddr) -> bool;

/// Why a call has no answer. The other system may have done what the call asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or one that broke; the text names no address.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The host has an address that may not be called.
    #[error("the host has an address that may not be called")]
    Forbidden,
    /// The host has no address.
    #[error("there is no such host")]
    NoHost,
    /// More than [`MAX_ANSWER`] bytes.
    #[error("the answer has more than {MAX_ANSWER} bytes")]
    TooLarge,
}

/// The client; cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

enum Inner {
    Network(OnceLock<Option<reqwest::Client>>),
    InProcess(InProcess, Names),
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
    /// Calls that are answered in this process: the local stack's. `names` has the hosts of [`Outside`].
    pub fn in_process(answer: InProcess, names: Names) -> Self {
        Self(Arc::new(Inner::InProcess(answer, names)))
    }

    /// Calls of addresses that users give, to hosts of which every address is allowed.
    pub fn outside(&self, allows: Allows) -> Outside {
        Outside {
            web: self.clone(),
            allows,
            client: Arc::default(),
        }
    }

    /// Makes a call. Redirects are not followed. A status of any kind is an answer.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, WebError> {
        match &*self.0 {
            Inner::InProcess(answer, _) => answer(request).await,
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
    let mut cause = std::error::Error::source(&error);
    while let Some(one) = cause {
        if let Some(refused) = one.downcast_ref::<WebError>() {
            return refused.clone();
        }
        cause = one.source();
    }
    WebError::Unreachable(error.without_url().to_string())
}

/// Calls of addresses that users give. Redirects are not followed, and no proxy is used.
#[derive(Clone)]
pub struct Outside {
    web: Web,
    allows: Allows,
    client: Arc<OnceLock<Option<reqwest::Client>>>,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outside")
    }
}

/// The beginning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The first bytes of the body.
    pub body: Bytes,
}

impl Outside {
    /// Whether the host has addresses, and all of them are allowed now. `host` is a name or an address as it stands in a
    /// URL.
    pub async fn check(&self, host: &str) -> Result<(), WebError> {
        if let Some(address) = literal(host) {
            return checked(vec![address], self.allows).map(drop);
        }
        let found = match &*self.web.0 {
            Inner::InProcess(_, names) => names(host),
            Inner::Network(_) => look_up(host).await,
        };
        checked(found, self.allows).map(drop)
    }

    /// Makes a call within `time`, and keeps the first `most` bytes of the answer's body. The rest is not read. The
    /// connection goes to an address that was checked in the same look-up.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        time: Duration,
        most: usize,
    ) -> Result<Head, WebError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        // An address in the URL is connected to without a look-up.
        if let Some(address) = literal(&host) {
            checked(vec![address], self.allows)?;
        }
        match &*self.web.0 {
            Inner::InProcess(answer, _) => {
                self.check(&host).await?;
                let answer = answer(request).await?;
                let body = answer.body();
                Ok(Head {
                    status: answer.status(),
                    headers: answer.headers().clone(),
                    body: body.slice(..body.len().min(most)),
                })
            }
            Inner::Network(_) => {
                let client = self.client.get_or_init(|| outside_client(self.allows));
                let client = client
                    .as_ref()
                    .ok_or_else(|| WebError::Unreachable("no certificates".into()))?;
                head_over_network(client, request, time, most).await
            }
        }
    }
}

fn outside_client(allows: Allows) -> Option<reqwest::Client> {
    let built = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .dns_resolver(Arc::new(Checked(allows)))
        .build();
    if let Err(error) = &built {
        tracing::error!(%error, "there is no client for calls of users' addresses");
    }
    built.ok()
}

async fn head_over_network(
    client: &reqwest::Client,
    request: Request<Bytes>,
    time: Duration,
    most: usize,
) -> Result<Head, WebError> {
    let mut request = reqwest::Request::try_from(request).map_err(broken)?;
    *request.timeout_mut() = Some(time);
    let mut answer = client.execute(request).await.map_err(broken)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut body = BytesMut::new();
    while body.len() < most {
        match answer.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(most - body.len())]),
            Ok(None) => break,
            Err(error) => return Err(broken(error)),
        }
    }
    Ok(Head {
        status,
        headers,
        body: body.freeze(),
    })
}

/// Resolves a name to addresses that are all allowed, or to none.
struct Checked(Allows);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let allows = self.0;
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = checked(look_up(&host).await, allows)?;
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

async fn look_up(host: &str) -> Vec<IpAddr> {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(_) => Vec::new(),
    }
}

fn checked(found: Vec<IpAddr>, allows: Allows) -> Result<Vec<IpAddr>, WebError> {
    if found.is_empty() {
        return Err(WebError::NoHost);
    }
    if found.iter().all(|address| allows(*address)) {
        Ok(found)
    } else {
        Err(WebError::Forbidden)
    }
}

/// The address that a URL names by its number.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

#[cfg(test)]
mod tests;
