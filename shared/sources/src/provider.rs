//! The providers. A new provider is a variant, a file, and a line in each `match` of this file.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::inbound::RawRequest;
use crate::ladipage;
use crate::submission::{ParseError, Submission};

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
    /// Lead forms of LadiPage.
    Ladipage,
}

impl Provider {
    /// The name in addresses and in stored rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ladipage => "ladipage",
        }
    }

    /// The parts of a request that its parser reads: headers, by their names in lower case, and the body's text. An
    /// error means that the body can never be read.
    pub async fn take(
        self,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(BTreeMap<String, String>, String), ParseError> {
        match self {
            Self::Ladipage => ladipage::take(headers, body).await,
        }
    }

    /// Reads a request.
    pub fn parse(self, request: &RawRequest) -> Result<Submission, ParseError> {
        match self {
            Self::Ladipage => ladipage::parse(request),
        }
    }
}
