//! The reasons why a request is not taken, and the usual answers.

use std::num::NonZeroU32;

use axum::response::{IntoResponse, Response};
use lambda::http::{Code, Problem};
use sources::ParseError;

/// Seconds until a provider may try again what only the owner can change.
const OWNER: u32 = 300;

/// Why a request is not taken. Nothing was written.
#[derive(Debug)]
pub enum Refusal {
    /// More requests than a process takes.
    Busy {
        /// In a second.
        most: NonZeroU32,
        /// Until the next.
        seconds: u32,
    },
    /// No source of this provider has the id.
    Unknown,
    /// Another token or signature.
    Forged,
    /// The owner has not entered the provider's secret.
    NotReady,
    /// The owner paused the source.
    Paused,
    /// The owner disconnected the source. A provider that ends the subscription does what the owner wants.
    Disconnected,
    /// The workspace is archived.
    Archived,
    /// The body can never be read.
    Unreadable(ParseError),
    /// AWS gave no answer; the sender may try again.
    Unavailable(String),
}

/// The mark of the answer of a disconnected source: its provider may end the subscription.
#[derive(Debug, Clone, Copy)]
pub struct Ended;

impl From<cloud::Error> for Refusal {
    fn from(error: cloud::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        Self::Unreadable(error)
    }
}

impl Refusal {
    /// An answer that makes the provider try again. It is no 5xx, which would raise an alarm: only the owner can change it.
    pub fn later() -> Response {
        let detail = "the source takes nothing now";
        Problem::new(Code::NotReady, detail)
            .retry_after(OWNER)
            .into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = match self {
            Self::NotReady | Self::Paused => return Self::later(),
            Self::Busy { most, seconds } => {
                let detail = format!("more than {most} requests in a second");
                Problem::new(Code::RateLimited, detail).retry_after(seconds)
            }
            Self::Unknown | Self::Forged => {
                let detail = "unknown source, or wrong token or signature";
                Problem::new(Code::Unauthenticated, detail)
            }
            Self::Disconnected => {
                let mut response = Problem::not_found("source").into_response();
                response.extensions_mut().insert(Ended);
                return response;
            }
            Self::Archived => Problem::not_found("source"),
            Self::Unreadable(error) => {
                let code = match error {
                    ParseError::ContentType(_) => Code::UnsupportedMediaType,
                    _ => Code::Malformed,
                };
                Problem::new(code, error.to_string())
            }
            Self::Unavailable(text) => Problem::new(Code::Unavailable, text).retry_after(2),
        };
        problem.into_response()
    }
}
