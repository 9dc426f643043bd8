//! One call of an endpoint: signed, checked against private addresses, bounded in time and in what is read.

use std::time::Duration;

use bytes::Bytes;
use cloud::guard::Refused;
use cloud::{Guard, Outside, Resources, WebError};
use http::Request;
use http::header::{CONTENT_TYPE, USER_AGENT};
use jiff::Timestamp;
use kernel::Clock;
use kernel::standard_webhooks::{self, ID, SIGNATURE, TIMESTAMP};

use crate::model::{Attempt, Delivery, Webhook};

/// The setting of the local stack: `true` allows `http` to this machine.
pub const REACH: &str = "WEBHOOK_LOOPBACK";
/// Time of one call, from the look-up of the host to the last byte that is read.
const TIME: Duration = Duration::from_secs(15);
/// Time of the look-up when a URL is saved.
const LOOK_UP: Duration = Duration::from_secs(5);
/// Bytes of an answer that are kept.
const KEPT: usize = 1_024;
/// How the product names itself.
const AGENT: &str = "Tanigo-Webhooks/1";

/// Calls endpoints; cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    guard: Guard,
    outside: Outside,
    clock: Clock,
}

impl Caller {
    /// `loopback` is the value of [`REACH`].
    pub fn new(resources: &Resources, loopback: &str) -> Self {
        let guard = Guard {
            loopback: loopback == "true",
        };
        Self {
            guard,
            outside: resources.web().outside(guard.allows()),
            clock: resources.clock().clone(),
        }
    }

    /// Whether the URL may be saved: its host must have public addresses only.
    pub async fn check(&self, url: &str) -> Result<(), Refused> {
        let url = self.guard.read(url)?;
        let looked_up = self.outside.check(url.host_str().unwrap_or_default());
        match tokio::time::timeout(LOOK_UP, looked_up).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(WebError::Forbidden)) => Err("names a host whose address is not public"),
            _ => Err("names a host that cannot be found"),
        }
    }

    /// Makes one attempt. The URL and the addresses of its host are checked again. True: the endpoint answered 2xx.
    pub(crate) async fn call(
        &self,
        webhook: &Webhook,
        secrets: &[Vec<u8>],
        delivery: &Delivery,
    ) -> Attempt {
        let at = self.clock.now();
        let sent = match self.request(webhook, secrets, delivery, at) {
            Ok(request) => self.outside.send(request, TIME, KEPT).await,
            Err(error) => Err(error),
        };
        let elapsed = self.clock.now().duration_since(at).as_millis();
        let mut attempt = Attempt {
            at,
            status: None,
            error: None,
            duration_ms: u64::try_from(elapsed).unwrap_or(0),
            response: None,
        };
        match sent {
            Ok(head) => {
                attempt.status = Some(head.status.as_u16());
                let text = String::from_utf8_lossy(&head.body).into_owned();
                attempt.response = (!text.is_empty()).then_some(text);
            }
            Err(error) => attempt.error = Some(name(&error).to_owned()),
        }
        attempt
    }

    fn request(
        &self,
        webhook: &Webhook,
        secrets: &[Vec<u8>],
        delivery: &Delivery,
        at: Timestamp,
    ) -> Result<Request<Bytes>, WebError> {
        let url = self.guard.read(&webhook.url);
        let url = url.map_err(|_| WebError::Forbidden)?;
        let id = delivery.id.to_string();
        let secrets = secrets.iter().map(Vec::as_slice);
        let body = delivery.body.as_bytes();
        let signature = standard_webhooks::sign(secrets, &id, at, body);
        Request::post(url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header(ID, id)
            .header(TIMESTAMP, at.as_second())
            .header(SIGNATURE, signature)
            .body(Bytes::copy_from_slice(body))
            .map_err(|_| WebError::NoHost)
    }
}

/// The name of an error in an attempt.
fn name(error: &WebError) -> &'static str {
    match error {
        WebError::Timeout => "timeout",
        WebError::Forbidden => "address_not_public",
        WebError::NoHost => "no_such_host",
        WebError::Unreachable(_) | WebError::TooLarge => "unreachable",
    }
}
