//! The entries of an owner by which a provider's API can be called, and the tokens that the provider gives for them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Provider;

/// Longest text of a credential.
const MAX: usize = 500;
/// A token is renewed this long before its end, so that no call is made with one that has just ended.
const EARLY: SignedDuration = SignedDuration::from_mins(10);

/// The entries of an owner. Each provider needs some of the fields, see [`Credentials::flaws`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The shop's name at the provider.
    pub shop: Option<String>,
    /// The id of the app, of KiotViet's connection, or of Shopee's partner.
    pub client_id: Option<String>,
    /// The secret of the app, the key of Shopee's partner.
    pub client_secret: Option<String>,
    /// The key of Getfly, or of a private app of Sapo.
    pub api_key: Option<String>,
    /// The token of a private app.
    pub access_token: Option<String>,
}

/// The tokens of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The token of calls.
    pub token: String,
    /// The token that gives the next one.
    pub refresh: Option<String>,
    /// The end of [`Access::token`], if it has one.
    pub until: Option<Timestamp>,
    /// The shop that gave its consent, if the provider names it.
    pub shop: Option<String>,
}

impl Access {
    /// Whether the token can be used at this time.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until - EARLY)
    }
}

/// Whether a text can stand in front of a provider's host, or name a shop of KiotViet.
pub fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(is_plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_text(text: &str) -> bool {
    (1..=MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Credentials {
    /// Every fault, with the place of its field.
    pub fn flaws(&self, provider: Provider) -> Vec<(&'static str, &'static str)> {
        let mut flaws = Vec::new();
        let has = |field: &Option<String>| field.is_some();
        let is_app = has(&self.client_id) || has(&self.client_secret);
        // The fields that the provider needs, and those that it may have.
        let (needed, other): (&[&str], &[&str]) = match provider {
            Provider::Kiotviet => (&["/shop", "/client_id", "/client_secret"], &[]),
            Provider::Getfly => (&["/shop", "/api_key"], &[]),
            Provider::Shopee => (&["/client_id", "/client_secret"], &[]),
            Provider::Haravan if is_app => (&["/client_id", "/client_secret"], &[]),
            Provider::Haravan => (&["/access_token"], &[]),
            Provider::Sapo if has(&self.api_key) => (&["/shop", "/api_key", "/client_secret"], &[]),
            Provider::Sapo if is_app => (&["/shop", "/client_id", "/client_secret"], &[]),
            Provider::Sapo => (&["/shop", "/access_token"], &[]),
            Provider::Custom | Provider::Ladipage => {
                return vec![("", "the provider has no API that is read")];
            }
        };
        for (place, field) in self.fields() {
            let is_needed = needed.contains(&place);
            match field {
                None if is_needed => flaws.push((place, "is needed for this provider")),
                Some(_) if !is_needed && !other.contains(&place) => {
                    flaws.push((place, "is not used with these credentials"));
                }
                Some(text) if place == "/shop" && !is_name(text) => {
                    flaws.push((
                        place,
                        "expected the name in front of the provider's host: a-z, 0-9, -",
                    ));
                }
                Some(text) if !is_text(text) => {
                    flaws.push((place, "expected 1 to 500 visible ASCII characters"));
                }
                _ => {}
            }
        }
        let is_number = |text: &String| text.parse::<u64>().is_ok();
        if provider == Provider::Shopee && self.client_id.as_ref().is_some_and(|id| !is_number(id))
        {
            flaws.push(("/client_id", "expected the number of the partner"));
        }
        flaws
    }

    fn fields(&self) -> [(&'static str, &Option<String>); 5] {
        [
            ("/shop", &self.shop),
            ("/client_id", &self.client_id),
            ("/client_secret", &self.client_secret),
            ("/api_key", &self.api_key),
            ("/access_token", &self.access_token),
        ]
    }

    /// Whether a person at the provider has to give consent before the API can be called.
    pub fn needs_consent(&self, provider: Provider) -> bool {
        let is_app = self.client_id.is_some() && self.api_key.is_none();
        match provider {
            Provider::Shopee => true,
            Provider::Haravan | Provider::Sapo => is_app,
            Provider::Kiotviet | Provider::Getfly | Provider::Custom | Provider::Ladipage => false,
        }
    }

    /// A field's text; empty if there is none.
    #[expect(clippy::ref_option, reason = "callers pass a field of the record")]
    pub(crate) fn text(field: &Option<String>) -> &str {
        field.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_names_all_faults_of_its_fields() {
        let places = |provider, given: &Credentials| -> Vec<&str> {
            given
                .flaws(provider)
                .into_iter()
                .map(|(place, _)| place)
                .collect()
        };
        let none = Credentials::default();
        let kiotviet = ["/shop", "/client_id", "/client_secret"];
        assert_eq!(places(Provider::Kiotviet, &none), kiotviet);
        assert_eq!(places(Provider::Getfly, &none), ["/shop", "/api_key"]);
        assert_eq!(places(Provider::Haravan, &none), ["/access_token"]);
        assert_eq!(places(Provider::Custom, &none), [""]);
        let bad = Credentials {
            shop: Some("evil.example/".into()),
            api_key: Some("a b".into()),
            access_token: Some("t".into()),
            ..none
        };
        assert_eq!(
            places(Provider::Getfly, &bad),
            ["/shop", "/api_key", "/access_token"]
        );
        for name in ["", "-a", "a-", "a.b", "A", "a/b", "a@b"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_name("acme-2"));
    }
}
