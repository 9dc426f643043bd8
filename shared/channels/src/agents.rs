//! The kind of program that opens a mail or follows a link, by its request. Pure.

use serde::{Deserialize, Serialize};

/// Parts of the user agents of mail scanners, link checkers and libraries.
const SCANNERS: &[&str] = &[
    "apache-httpclient",
    "axios/",
    "barracuda",
    "bitdefender",
    "bot/",
    "bot;",
    "crawler",
    "curl/",
    "forcepoint",
    "go-http-client",
    "headlesschrome",
    "kaspersky",
    "libwww-perl",
    "linkcheck",
    "messagelabs",
    "mimecast",
    "node-fetch",
    "okhttp/",
    "phantomjs",
    "proofpoint",
    "python-requests",
    "python-urllib",
    "safelinks",
    "sophos",
    "spider",
    "symantec",
    "trendmicro",
    "urldefense",
    "urlscan",
    "virustotal",
    "wget/",
];
/// Proxies of mail providers that load an image when its reader opens the mail.
const PROXIES: &[&str] = &["googleimageproxy", "yahoomailproxy"];
/// Gmail loads images before the reader opens a mail, with this end of a user agent.
const GMAIL_PREFETCH: &str = "edge/12.246 mozilla/5.0";
/// Apple's Mail Privacy Protection loads all images, hours after the delivery, with exactly this user agent.
const APPLE_PREFETCH: &str = "mozilla/5.0";

/// The kind of program behind a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// A mail program or a browser.
    Person,
    /// A proxy that loads an image when a person opens the mail.
    ImageProxy,
    /// A program that loads images whether or not a person opens the mail.
    PrivacyPrefetch,
    /// A scanner, a link checker or a library.
    Scanner,
    /// The request does not say.
    Unknown,
}

impl Agent {
    /// The kind of a request. `HEAD` asks for the headers only, as no reader does.
    pub fn of(method: &str, user_agent: &str) -> Self {
        let agent = user_agent.trim().to_ascii_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| agent.contains(part));
        if method.eq_ignore_ascii_case("HEAD") || has(SCANNERS) {
            Self::Scanner
        } else if agent.is_empty() {
            Self::Unknown
        } else if has(PROXIES) {
            Self::ImageProxy
        } else if agent == APPLE_PREFETCH || agent.ends_with(GMAIL_PREFETCH) {
            Self::PrivacyPrefetch
        } else {
            Self::Person
        }
    }

    /// Whether its request shows that a person acted.
    pub fn is_person(self) -> bool {
        matches!(self, Self::Person | Self::ImageProxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known user agents with their kinds: `kind<TAB>user agent`.
    const KNOWN: &str = include_str!("agents.tsv");

    #[test]
    fn known_agents_have_their_kinds() {
        let mut kinds = Vec::new();
        for line in KNOWN.lines() {
            let (kind, agent) = line.split_once('\t').unwrap();
            let kind: Agent = serde_json::from_value(kind.into()).unwrap();
            assert_eq!(Agent::of("GET", agent), kind, "{agent}");
            assert_eq!(Agent::of("HEAD", agent), Agent::Scanner, "{agent}");
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        assert_eq!(kinds.len(), 5);
    }
}
