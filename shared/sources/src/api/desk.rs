//! The calls themselves: requests go to the provider's host, or to the host that stands for it.

use bytes::Bytes;
use cloud::{Hosts, Web};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};

use super::{ApiError, is_name};

/// Hosts of providers.
const HOSTS: [&str; 6] = [
    "accounts.haravan.com",
    "apis.haravan.com",
    "id.kiotviet.vn",
    "partner.shopeemobile.com",
    "public.kiotapi.com",
    "webhook.haravan.com",
];
/// Ends of the hosts of shops, after the shop's name.
const ENDS: [&str; 2] = [".getflycrm.com", ".mysapo.net"];

/// Whether an address is one of a provider, with TLS, and without a port or a user.
fn is_provider(uri: &Uri) -> bool {
    let host = uri.authority().map_or("", Authority::as_str);
    let of_shop = |end: &&str| host.strip_suffix(*end).is_some_and(is_name);
    uri.scheme() == Some(&Scheme::HTTPS) && (HOSTS.contains(&host) || ENDS.iter().any(of_shop))
}

/// Makes calls; cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    web: Web,
    hosts: Hosts,
}

impl Desk {
    /// Over the client for systems outside of AWS.
    pub fn new(web: Web, hosts: Hosts) -> Self {
        Self { web, hosts }
    }

    /// The place of a provider's page for people, such as `https://accounts.haravan.com/connect/authorize`.
    pub fn place(&self, url: &str) -> String {
        match url
            .strip_prefix("https://")
            .and_then(|rest| rest.split_once('/'))
        {
            Some((host, path)) => format!("{}/{path}", self.hosts.at(host)),
            None => url.to_owned(),
        }
    }

    /// Makes a call. Its address is that of the real provider; no other host is called.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ApiError> {
        let (mut parts, body) = request.into_parts();
        if !is_provider(&parts.uri) {
            return Err(ApiError::Refused);
        }
        let place = self.place(&parts.uri.to_string());
        parts.uri = place.parse().map_err(|_| ApiError::Refused)?;
        Ok(self.web.send(Request::from_parts(parts, body)).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_providers_are_called() {
        for (url, fine) in [
            ("https://acme.mysapo.net/admin/store.json", true),
            ("https://public.kiotapi.com/orders", true),
            ("http://public.kiotapi.com/orders", false),
            ("https://public.kiotapi.com:444/orders", false),
            ("https://u@public.kiotapi.com/orders", false),
            ("https://a.b.mysapo.net/", false),
            ("https://mysapo.net/", false),
            ("https://acme.mysapo.net.evil.example/", false),
            ("https://169.254.169.254/latest", false),
        ] {
            assert_eq!(is_provider(&url.parse().unwrap()), fine, "{url}");
        }
    }

    #[test]
    fn a_host_is_put_into_its_pattern() {
        let url = "https://apis.haravan.com/com/orders.json?a=*";
        let real = Desk::new(Web::default(), Hosts::new("https://*"));
        assert_eq!(real.place(url), url);
        let here = Hosts::new("http://127.0.0.1:8787/_local/providers/*");
        let here = Desk::new(Web::default(), here).place(url);
        assert_eq!(
            here,
            "http://127.0.0.1:8787/_local/providers/apis.haravan.com/com/orders.json?a=*"
        );
        for (text, fine) in [
            ("https://*", true),
            ("http://127.0.0.1:1/p/*", true),
            ("http://*", false),
            ("https://example.vn", false),
        ] {
            assert_eq!(Hosts::is_pattern(text), fine, "{text}");
        }
    }
}
