//! The providers. A new provider is a variant, a file, and a line in each `match` of this file.

use serde::{Deserialize, Serialize};

use crate::inbound::RawRequest;
use crate::ladipage;
use crate::source::Settings;
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

    /// Headers of a request that its parser reads, lower case.
    pub fn headers(self) -> &'static [&'static str] {
        match self {
            Self::Ladipage => &["content-type"],
        }
    }

    /// Reads a request with these settings of its source.
    pub async fn parse(
        self,
        request: &RawRequest,
        settings: &Settings,
    ) -> Result<Submission, ParseError> {
        match self {
            Self::Ladipage => ladipage::parse(request, settings).await,
        }
    }
}
