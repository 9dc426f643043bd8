//! The client address of a request.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use lambda_http::request::RequestContext;

use super::problem::{Code, Problem};

/// The client's address as API Gateway saw it. Headers such as `X-Forwarded-For` are ignored, since the client can
/// set them.
#[derive(Debug, Clone)]
pub struct ClientIp(pub String);

impl ClientIp {
    /// The addresses of one customer of an internet provider: an IPv4 address, or the /64 of an IPv6 address, which holds
    /// 2^64 addresses.
    pub fn network(&self) -> String {
        match self.0.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
            Ok(IpAddr::V6(ip)) => {
                let [a, b, c, d, ..] = ip.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            Ok(ip) => ip.to_string(),
            Err(_) => self.0.clone(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let address = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        address
            .map(Self)
            .ok_or_else(|| Problem::new(Code::Internal, "the event names no source address"))
    }
}

#[cfg(test)]
mod tests {
    use super::ClientIp;

    #[test]
    fn an_ipv6_network_is_one() {
        let network = |text: &str| ClientIp(text.into()).network();
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(network("203.0.113.9"), "203.0.113.9");
    }
}
