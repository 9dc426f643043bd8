//! The servers of the local stack answer programs on this machine, and no page of another site.
//!
//! Requests of other sites are recognised. A site whose name resolves to 127.0.0.1 sends its own name as the host;
//! a form or script of another site sends its origin.

use http::Request;
use http::header::{HOST, HeaderName, ORIGIN};

/// The name that containers call the host by; `sam local invoke` reaches the AWS port through it.
const CONTAINER_HOST: &str = "host.docker.internal";

/// The authority names loopback.
pub fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else {
        return false;
    };
    matches!(authority.host(), "127.0.0.1" | "localhost" | "[::1]")
}

/// The request to the AWS port names loopback, or the host of a container, and comes from no page of
/// another site.
pub fn may_call_aws<T>(request: &Request<T>) -> bool {
    let host = |text: &str| is_loopback(text) || text.split(':').next() == Some(CONTAINER_HOST);
    let origin = |text: &str| text.strip_prefix("http://").is_some_and(is_loopback);
    let fine = |name: HeaderName, test: &dyn Fn(&str) -> bool| {
        let value = request.headers().get(name);
        value.is_none_or(|value| value.to_str().is_ok_and(test))
    };
    fine(HOST, &host) && fine(ORIGIN, &origin)
}
