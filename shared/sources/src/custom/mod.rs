//! A system of the shop's own: requests signed by Standard Webhooks, or with a bearer token.
//!
//! [`kernel::standard_webhooks`] checks the signature. docs/sources.md tells the events.

mod event;
mod order;
mod product;

use kernel::standard_webhooks::{self, ID, SIGNATURE, Signed, TIMESTAMP};

use crate::auth::Auth;
use crate::fact::Fact;
use crate::inbound::RawRequest;
use crate::provider::Call;
use crate::signature;
use crate::submission::ParseError;

pub use event::TYPES;

/// Names the request of a sender that cannot sign.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Headers that the parser reads.
pub const HEADERS: &[&str] = &[ID, IDEMPOTENCY_KEY];

/// Whether the request is signed with one of the keys, or has the source's bearer token. A request with a signature is
/// judged by its signature only.
pub fn admits(auth: &Auth, keys: &[Vec<u8>], call: &Call<'_>) -> bool {
    let signatures = signature::header(call.headers, SIGNATURE);
    if signatures.is_empty() {
        let bearer = signature::header(call.headers, "authorization");
        let token = bearer.split_once(' ');
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        return token.is_some_and(|(_, token)| auth.is_token(token.trim()));
    }
    let signed = Signed {
        id: signature::header(call.headers, ID),
        time: signature::header(call.headers, TIMESTAMP),
        signatures,
        body: call.body,
    };
    let keys = keys.iter().map(Vec::as_slice);
    standard_webhooks::admits(keys, &signed, call.now)
}

/// Reads an event.
pub fn parse(request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    let ids = [ID, IDEMPOTENCY_KEY].map(|name| request.header(name));
    let id = ids.into_iter().find(|id| !id.is_empty());
    event::parse(request, id)
}
