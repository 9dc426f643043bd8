//! The providers. A new provider is a variant, a file, and a line in each `match` of this file.

use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::Timestamp;
use kernel::{Entropy, standard_webhooks};
use serde::{Deserialize, Serialize};

use crate::auth::{Auth, PREFIX};
use crate::fact::Fact;
use crate::inbound::RawRequest;
use crate::submission::ParseError;
use crate::{custom, getfly, haravan, json, kiotviet, ladipage, sapo, shopee};

/// Header that carries the token of a source for forms.
const FORM_HEADER: &str = "x-tanigo-token";
/// Characters of a provider's secret.
const SECRET: std::ops::RangeInclusive<usize> = 8..=200;

/// The provider whose format a source sends.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[schema(as = SourceProvider)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// A system of the shop's own, by Standard Webhooks or a bearer token.
    Custom,
    /// Getfly CRM.
    Getfly,
    /// Haravan.
    Haravan,
    /// KiotViet (retail).
    Kiotviet,
    /// Lead forms of LadiPage.
    Ladipage,
    /// Sapo Web and Sapo Omni.
    Sapo,
    /// Shopee Open Platform.
    Shopee,
}

/// A request, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The bytes of its body: signatures are computed over them.
    pub body: &'a [u8],
    /// The address that the provider was given.
    pub url: &'a str,
    /// The time of its arrival.
    pub now: Timestamp,
}

impl Provider {
    /// Every provider, in the order of their names.
    pub const ALL: [Self; 7] = [
        Self::Custom,
        Self::Getfly,
        Self::Haravan,
        Self::Kiotviet,
        Self::Ladipage,
        Self::Sapo,
        Self::Shopee,
    ];

    /// The name in addresses and in stored rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::Getfly => "getfly",
            Self::Haravan => "haravan",
            Self::Kiotviet => "kiotviet",
            Self::Ladipage => "ladipage",
            Self::Sapo => "sapo",
            Self::Shopee => "shopee",
        }
    }

    /// The header that carries the token, if the token is the only proof.
    pub fn header(self) -> Option<&'static str> {
        (self == Self::Ladipage).then_some(FORM_HEADER)
    }

    /// Whether it sends a token: in a header, in a handshake, or as a bearer token.
    pub fn takes_token(self) -> bool {
        matches!(self, Self::Custom | Self::Haravan | Self::Ladipage)
    }

    /// Whether its owner may choose the secret, so that one can be made here.
    pub fn makes_secret(self) -> bool {
        matches!(self, Self::Custom | Self::Getfly | Self::Kiotviet)
    }

    /// A secret for a provider whose secret its owner chooses. `None`: the provider gives it, or needs none.
    pub(crate) fn make_secret(self, entropy: &Entropy) -> Option<String> {
        match self {
            Self::Custom => Some(standard_webhooks::new_secret(entropy)),
            Self::Kiotviet => Some(kiotviet::new_secret(entropy)),
            Self::Getfly => Some(kernel::secret::generate(PREFIX, entropy)),
            Self::Haravan | Self::Ladipage | Self::Sapo | Self::Shopee => None,
        }
    }

    /// Whether a text can be the provider's secret. The error says what is expected.
    pub fn check_secret(self, text: &str) -> Result<(), &'static str> {
        match self {
            Self::Ladipage => Err("this provider has no secret"),
            Self::Custom if !standard_webhooks::is_secret(text) => {
                Err("expected whsec_ and the base64 of 24 to 64 bytes")
            }
            _ if SECRET.contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                Ok(())
            }
            _ => Err("expected 8 to 200 visible ASCII characters"),
        }
    }

    /// Whether the request carries the source's proof. `keys` are those of [`crate::Keyring::open`].
    pub fn admits(self, auth: &Auth, keys: &[Vec<u8>], call: &Call<'_>) -> bool {
        match self {
            Self::Custom => custom::admits(auth, keys, call),
            Self::Getfly => getfly::admits(keys, call),
            Self::Haravan => haravan::admits(keys, call),
            Self::Kiotviet => kiotviet::admits(keys, call),
            Self::Ladipage => auth.admits(call.headers),
            Self::Sapo => sapo::admits(keys, call),
            Self::Shopee => shopee::admits(keys, call),
        }
    }

    /// The parts of a request that its parser reads: headers, by their names in lower case, and the body's text. An
    /// error means that the body can never be read.
    pub async fn take(
        self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(BTreeMap<String, String>, String), ParseError> {
        let names = match self {
            Self::Ladipage => return ladipage::take(headers, body).await,
            Self::Getfly => return Ok(getfly::take(body)),
            Self::Custom => custom::HEADERS,
            Self::Haravan => haravan::HEADERS,
            Self::Sapo => sapo::HEADERS,
            Self::Kiotviet | Self::Shopee => &[],
        };
        Ok(json::take(headers, names, body))
    }

    /// Reads a request. No facts: the request tells of nothing that the product keeps.
    pub fn parse(self, request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
        let mut facts = self.read(request)?;
        for fact in &mut facts {
            fact.settle(request.received_at);
        }
        Ok(facts)
    }

    fn read(self, request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
        match self {
            Self::Custom => custom::parse(request),
            Self::Getfly => getfly::parse(request),
            Self::Haravan => haravan::parse(request),
            Self::Kiotviet => kiotviet::parse(request),
            Self::Ladipage => {
                let submission = ladipage::parse(request)?;
                Ok(vec![Fact::Submission(Box::new(submission))])
            }
            Self::Sapo => sapo::parse(request),
            Self::Shopee => shopee::parse(request),
        }
    }
}
