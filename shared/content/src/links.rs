//! The tracked addresses of one recipient's mail.
//!
//! Makes URLs only; the function that serves them decides the effect of a visit.

use kernel::Channel;
use url::Url;

use crate::tokens::{Parts, TokenError, TokenKey, address_mark};

/// Makes the links of one mail to one recipient.
#[derive(Debug, Clone)]
pub struct LinkSet<'k> {
    base: String,
    parts: Parts,
    address: String,
    key: &'k TokenKey,
}

impl<'k> LinkSet<'k> {
    /// Links below `base_url` (scheme and host, no path needed) for the mail `step` of `scope` to
    /// `contact`.
    pub fn new(
        base_url: &str,
        key: &'k TokenKey,
        workspace: &str,
        scope: &str,
        contact: &str,
        step: &str,
    ) -> Result<LinkSet<'k>, TokenError> {
        Self::of(
            Channel::Email,
            base_url,
            key,
            [workspace, scope, contact, step],
        )
    }

    /// The links of a message of a channel. `parts` are the workspace, the scope, the contact and the step.
    pub fn of(
        channel: Channel,
        base_url: &str,
        key: &'k TokenKey,
        parts: [&str; 4],
    ) -> Result<LinkSet<'k>, TokenError> {
        Ok(LinkSet {
            base: base_url.trim_end_matches('/').to_owned(),
            parts: Parts::new(channel, parts)?,
            address: String::new(),
            key,
        })
    }

    /// The same links for a mail to this address: the unsubscribe link then proves the address, so its reader may
    /// subscribe again too.
    #[must_use]
    pub fn to(mut self, address: &str) -> Self {
        self.address = address_mark(address);
        self
    }

    /// Address of the open pixel.
    pub fn open_url(&self) -> String {
        format!("{}/o/{}", self.base, self.parts.open(self.key))
    }

    /// Address for `List-Unsubscribe` and for the footer.
    pub fn unsubscribe_url(&self) -> String {
        format!(
            "{}/u/{}",
            self.base,
            self.parts.unsubscribe(&self.address, self.key)
        )
    }

    /// Tracked address that leads to `target`. `None` if the target is no `http` address, or too long for a token:
    /// the link then stays as it is.
    pub fn click_url(&self, target: &str) -> Option<String> {
        let target = target.trim();
        let scheme = target.get(..8)?.to_ascii_lowercase();
        if !scheme.starts_with("http://") && !scheme.starts_with("https://") {
            return None;
        }
        // Percent-encodes, so that a header can hold the target.
        let url = Url::parse(target).ok()?;
        let token = self.parts.click(url.as_str(), self.key).ok()?;
        Some(format!("{}/c/{token}", self.base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{Token, TokenKind};

    #[test]
    fn links_carry_their_tokens() {
        let key = TokenKey::new("0123456789abcdef");
        let links =
            LinkSet::new("https://t.example.vn/", &key, "ws_1", "cmp_1", "con_1", "0").unwrap();
        let target = |url: &str| {
            let link = links.click_url(url)?;
            let token = link.strip_prefix("https://t.example.vn/c/").unwrap();
            match Token::decode(token, &key).unwrap().kind {
                TokenKind::Click { url } => Some(url),
                _ => None,
            }
        };
        for (given, carried) in [
            (
                "https://example.vn/a?b=c#d",
                Some("https://example.vn/a?b=c#d"),
            ),
            (
                " HTTPS://Example.vn/áo dài ",
                Some("https://example.vn/%C3%A1o%20d%C3%A0i"),
            ),
            ("http://example.vn", Some("http://example.vn/")),
            ("https://", None),
            ("mailto:a@example.vn", None),
            ("tel:+84912345678", None),
            ("javascript:alert(1)", None),
            ("#top", None),
            ("/relative/path", None),
            ("", None),
            ("đườngdẫnấy", None),
        ] {
            assert_eq!(target(given).as_deref(), carried, "{given}");
        }
        assert!(links.open_url().starts_with("https://t.example.vn/o/A"));
        assert!(
            links
                .unsubscribe_url()
                .starts_with("https://t.example.vn/u/A")
        );
        assert!(LinkSet::new("https://t.example.vn", &key, &"x".repeat(65), "", "", "").is_err());
    }
}
