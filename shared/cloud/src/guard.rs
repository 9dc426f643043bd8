//! Which URLs and addresses may be called. Pure.
//!
//! The URL is read by the parser that the HTTP client uses, so both see the same host: a decimal or octal host is an address
//! here. The list of addresses follows IANA's registries of special-purpose addresses.
//!
//! <https://www.iana.org/assignments/iana-ipv4-special-registry/>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry/>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{Ipv4Net, Ipv6Net};
use url::{Host, Url};

use crate::web::Allows;

/// Longest URL.
pub const MAX_URL: usize = 2_000;

/// Addresses of version 4 that are no public host.
const SPECIAL_V4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];
/// Public hosts of version 6 are in this block only.
const GLOBAL_V6: &str = "2000::/3";
/// Parts of that block that are no public host, or that carry an address of version 4: Teredo, 6to4, documentation.
const SPECIAL_V6: &[&str] = &[
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
];

static NETS_V4: LazyLock<Vec<Ipv4Net>> = LazyLock::new(|| parsed(SPECIAL_V4));
static NETS_V6: LazyLock<(Vec<Ipv6Net>, Vec<Ipv6Net>)> =
    LazyLock::new(|| (parsed(&[GLOBAL_V6]), parsed(SPECIAL_V6)));

fn parsed<T: std::str::FromStr>(nets: &[&str]) -> Vec<T> {
    nets.iter().filter_map(|net| net.parse().ok()).collect()
}

/// Whether the address is a public host.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let nets = &*NETS_V4;
    !nets.is_empty() && !nets.iter().any(|net| net.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let (global, special) = &*NETS_V6;
    global.iter().any(|net| net.contains(&address))
        && !special.iter().any(|net| net.contains(&address))
}

/// The address of version 4 in a mapped one.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    address.to_ipv4_mapped()
}

fn is_public_or_loopback(address: IpAddr) -> bool {
    is_public(address) || address.is_loopback()
}

/// Why a URL is refused.
pub type Refused = &'static str;

/// The rules for URLs that users give: of webhooks and of push subscriptions.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    /// Whether `http` to this machine is allowed: on the local stack only.
    pub loopback: bool,
}

impl Guard {
    /// Which addresses may be called.
    pub fn allows(self) -> Allows {
        if self.loopback {
            is_public_or_loopback
        } else {
            is_public
        }
    }

    /// Reads a URL that may be called, as far as the URL itself tells. Its host must still be looked up.
    pub fn read(self, text: &str) -> Result<Url, Refused> {
        if text.len() > MAX_URL {
            return Err("must have at most 2000 characters");
        }
        let url =
            Url::parse(text).map_err(|_| "expected a URL such as https://shop.example/hooks")?;
        let address = match url.host() {
            None | Some(Host::Domain("")) => return Err("expected a URL with a host"),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        };
        let is_here = url.host_str() == Some("localhost")
            || address.is_some_and(|address| address.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if self.loopback && is_here => {}
            _ => return Err("expected a URL that begins with https://"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must hold no name and no password");
        }
        if url.fragment().is_some() {
            return Err("must hold no fragment");
        }
        match address {
            Some(address) if !self.allows()(address) => Err("names an address that is not public"),
            _ => Ok(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GUARD: Guard = Guard { loopback: false };

    /// Every spelling of a private place is refused before any look-up.
    #[test]
    fn hostile_urls_are_refused() {
        for text in [
            "http://shop.example/",
            "file:///etc/passwd",
            "gopher://shop.example/",
            "ftp://shop.example/",
            "https://",
            "shop.example/hooks",
            "https://169.254.169.254/latest/meta-data/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[::ffff:169.254.169.254]/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://0251.0376.0251.0376/",
            "https://169.254.43518/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0/",
            "https://0x7f.1/",
            "https://017700000001/",
            "https://①②⑦.⓪.⓪.①/",
            "https://[::1]/",
            "https://[::]/",
            "https://[fe80::1]/",
            "https://[fd00:ec2::254]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[2002:a9fe:a9fe::]/",
            "https://[2001:0:a9fe:a9fe::1]/",
            "https://[::127.0.0.1]/",
            "https://10.0.0.8/",
            "https://172.31.255.255/",
            "https://192.168.1.1/",
            "https://100.64.0.1/",
            "https://198.18.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://shop:secret@shop.example/",
            "https://shop@shop.example/",
            "https://shop.example/#here",
            "http://localhost/",
        ] {
            assert!(GUARD.read(text).is_err(), "{text}");
        }
        let long = format!("https://shop.example/{}", "a".repeat(MAX_URL));
        assert!(GUARD.read(&long).is_err());
    }

    #[test]
    fn public_urls_are_read() {
        for text in [
            "https://shop.example/hooks?key=1",
            "https://shop.example:8443/",
            "https://93.184.215.14/",
            "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
            "https://cửa-hàng.example/",
        ] {
            assert!(GUARD.read(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_local_stack_may_call_itself_and_no_other_private_host() {
        let local = Guard { loopback: true };
        for text in ["http://127.0.0.1:8787/x", "http://localhost:8787/x"] {
            assert!(local.read(text).is_ok(), "{text}");
        }
        for text in [
            "http://shop.example/",
            "http://10.0.0.1/",
            "https://10.0.0.1/",
            "http://169.254.169.254/",
        ] {
            assert!(local.read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_lists_are_read_whole() {
        assert_eq!(NETS_V4.len(), SPECIAL_V4.len());
        assert_eq!((NETS_V6.0.len(), NETS_V6.1.len()), (1, SPECIAL_V6.len()));
    }

    proptest! {
        /// No address that the standard library knows as private is public here, mapped or not.
        #[test]
        fn private_addresses_are_not_public(number in any::<u32>(), wide in any::<u128>()) {
            let four = Ipv4Addr::from(number);
            let special = four.is_private() || four.is_loopback() || four.is_link_local()
                || four.is_multicast() || four.is_broadcast() || four.is_unspecified() || four.is_documentation();
            prop_assert!(!(special && is_public(IpAddr::V4(four))));
            let mapped = IpAddr::V6(four.to_ipv6_mapped());
            prop_assert_eq!(is_public(mapped), is_public(IpAddr::V4(four)));
            let six = Ipv6Addr::from(wide);
            let special = six.is_loopback() || six.is_multicast() || six.is_unspecified()
                || six.is_unique_local() || six.is_unicast_link_local();
            prop_assert!(!(special && is_public(IpAddr::V6(six))));
        }
    }
}
