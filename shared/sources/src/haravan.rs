//! Haravan: the webhooks of an app or of a shop.
//!
//! The signature is base64 of HMAC-SHA-256 over the body. The key is the app's client secret, or the shop's "webhook
//! authentication" text. The source of these rules is the page "connect webhook" of docs.haravan.com.

pub mod api;

use kernel::commerce::Source;

use crate::auth::Auth;
use crate::fact::Fact;
use crate::inbound::RawRequest;
use crate::provider::Call;
use crate::storefront::{self, Shape};
use crate::submission::ParseError;
use crate::{json, signature};

/// The event's name.
const TOPIC: &str = "x-haravan-topic";
/// The shop's id.
const SHOP: &str = "x-haravan-org-id";
/// Headers that the parser reads.
pub const HEADERS: &[&str] = &[TOPIC, SHOP];
/// Spellings of the header of the signature.
const SIGNATURES: [&str; 2] = ["x-haravan-hmacsha256", "x-haravan-hmac-sha256"];

/// The names of its fields.
pub const SHAPE: Shape = Shape {
    source: Source::Haravan,
    updated: "updated_at",
    created: "created_at",
    cancelled: "cancelled_at",
    published: "published_at",
};

/// Whether the body was signed with one of the keys.
pub fn admits(keys: &[Vec<u8>], call: &Call<'_>) -> bool {
    let mut texts = SIGNATURES
        .iter()
        .map(|name| signature::header(call.headers, name));
    texts.any(|text| {
        let given = signature::base64(text);
        let mut expected = keys.iter().map(|key| signature::sha256(key, &[call.body]));
        expected.any(|expected| signature::same(&given, &expected))
    })
}

/// The answer to the handshake `GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`: the challenge, if the token
/// is the source's.
pub fn challenge<'a>(auth: &Auth, query: &'a [(String, String)]) -> Option<&'a str> {
    let of = |name: &str| {
        let pair = query.iter().find(|(given, _)| given == name);
        pair.map_or("", |(_, value)| value.as_str())
    };
    let is_ours = of("hub.mode") == "subscribe" && auth.is_token(of("hub.verify_token"));
    is_ours.then(|| of("hub.challenge"))
}

/// Reads a webhook. The body is the object of the REST API.
pub fn parse(request: &RawRequest) -> Result<Vec<Fact>, ParseError> {
    let body = json::object(&request.body)?;
    let shop = request.header(SHOP);
    storefront::parse(request.header(TOPIC), &body, shop, &SHAPE, request)
}
