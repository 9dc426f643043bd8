//! Email addresses.

use std::fmt;
use std::str::FromStr;

use crate::text::is_unseen;

/// An address in the form that is stored, compared and sent to: trimmed, lower case, ASCII. The domain has its ASCII
/// form (`xn--…`), since a mail's headers accept only that.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

/// Why a text is not an address we can send to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one email address such as ten@example.vn")]
pub struct EmailError;

impl EmailAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the identity is this address, its domain, or a parent domain. An account that is verified for the
    /// identity may send from the address.
    pub fn is_of(&self, identity: &str) -> bool {
        let identity = identity.to_lowercase();
        let above = self.domain().strip_suffix(&identity);
        self.0 == identity || above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for EmailAddress {
    type Err = EmailError;

    /// RFC 5321 by the crate `email_address`, narrowed to what a shop's customer has: no display
    /// name, no quoted part, no address literal, no encoded word, a domain with a dot.
    fn from_str(text: &str) -> Result<Self, EmailError> {
        let seen: String = text.chars().filter(|c| !is_unseen(*c)).collect();
        let text = seen.trim().to_lowercase();
        // A mail reader would decode an encoded word (RFC 2047), and find another address in it.
        if text.contains("=?") {
            return Err(EmailError);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError)?;
        if !local.is_ascii() || local.starts_with('"') {
            return Err(EmailError);
        }
        let domain = match url::Host::parse(domain) {
            _ if domain.is_ascii() => domain.to_owned(),
            Ok(url::Host::Domain(ascii)) => ascii,
            _ => return Err(EmailError),
        };
        let is_of_a_domain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if !domain.chars().all(is_of_a_domain) {
            return Err(EmailError);
        }
        let text = format!("{local}@{domain}");
        let options = email_address::Options::default()
            .with_required_tld()
            .without_display_text()
            .without_domain_literal();
        email_address::EmailAddress::parse_with_options(&text, options).map_err(|_| EmailError)?;
        Ok(Self(text))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    /// Debug output ends in logs, and logs hold no personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress(***@{})", self.domain())
    }
}

impl serde::Serialize for EmailAddress {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for EmailAddress {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_stored_form_is_read_as_itself(text in "[ a-zA-Z0-9.'+=?@µİẞ\u{301}-]{0,12}@(\\PC|example|.|'){1,8}(.vn|.vn'|.VN|µ|。vn)") {
            if let Ok(address) = text.parse::<EmailAddress>() {
                proptest::prop_assert_eq!(address.as_str().parse::<EmailAddress>(), Ok(address));
            }
        }
    }

    #[test]
    fn accepts_and_lowers() {
        let address: EmailAddress = " An.Tran+tet@Example.VN ".parse().unwrap();
        assert_eq!(address.as_str(), "an.tran+tet@example.vn");
        assert_eq!(format!("{address:?}"), "EmailAddress(***@example.vn)");
        for unseen in [
            "\u{200b}an@example.vn",
            "\u{feff}an@example.vn ",
            "an\u{ad}@example.vn",
            "an@exam\u{200d}ple.vn",
        ] {
            let address: EmailAddress = unseen.parse().unwrap();
            assert_eq!(address.as_str(), "an@example.vn");
        }
    }

    #[test]
    fn a_domain_is_kept_in_its_ascii_form() {
        for text in [
            "cskh@cửahàng.vn",
            "CSKH@CỬAHÀNG.VN",
            "cskh@cu\u{31b}\u{309}aha\u{300}ng.vn",
            "cskh@xn--cahng-tqa2694c.vn",
        ] {
            let address: EmailAddress = text.parse().unwrap();
            assert_eq!(address.as_str(), "cskh@xn--cahng-tqa2694c.vn", "{text}");
        }
        let long = format!("an@{}.vn", "ử".repeat(60));
        assert!(long.parse::<EmailAddress>().is_err(), "too long in ASCII");
    }

    #[test]
    fn an_identity_is_an_address_or_a_domain_with_what_lies_below() {
        let address: EmailAddress = "tin@mail.example.vn".parse().unwrap();
        for yes in ["tin@mail.example.vn", "mail.example.vn", "Example.vn"] {
            assert!(address.is_of(yes), "{yes}");
        }
        for no in [
            "x@mail.example.vn",
            "ample.vn",
            "a.mail.example.vn",
            "example.com",
        ] {
            assert!(!address.is_of(no), "{no}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_mailed() {
        for bad in [
            "",
            "an",
            "an@",
            "@example.vn",
            "an@localhost",
            "an tran@example.vn",
            "án@example.vn",
            "An <an@example.vn>",
            "an@example.vn, b@example.vn",
            "\"a b\"@example.vn",
            "an@[127.0.0.1]",
            "an@ex%61mple.vn",
            "an@example.vn'µ",
            "an@example.vn\r\nBcc: b@example.vn",
            "=?x?q?a=40evil.vn=3e=00?=foo@b.vn",
            "=?utf-8?q?ceo=40evil.com?=@example.vn",
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?}");
        }
    }
}
