//! Opens and closes the browsers' WebSocket connections.
//!
//! Trigger: the WebSocket API's `$connect`, `$default` and `$disconnect`. A connection shows
//! `?token=`: a visitor's token, or an agent's API key, or with `?workspace=` a session token or one of
//! the `OpenID Connect` issuer. Effects: the connection's rows in the
//! realtime table, which expire by themselves. Repetitions write the same rows. Nothing that a browser
//! sends over the socket has an effect; tokens are never logged.

mod handler;

use accounts::{Oidc, Sessions};
use chat::realtime::Rooms;
use chat::token::Tokens;
use lambda::{ConfigError, Function, Setup};

/// Environment variables that the function reads.
pub const VARS: &[&str] = &[
    "CHAT_SECRET",
    "DIRECTORY_TABLE",
    "OIDC_AUDIENCE",
    "OIDC_ISSUER",
    "REALTIME_TABLE",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "every function is built the same way")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let gate = handler::Gate {
        sessions: Sessions::new(setup.table("DIRECTORY_TABLE")?).with_issuer(issuer(setup)?),
        tokens: Tokens::new(setup.text("CHAT_SECRET")?),
        rooms: Rooms::new(setup.table("REALTIME_TABLE")?),
        clock: setup.clock().clone(),
    };
    Ok(Function::socket(setup, move |event| {
        let gate = gate.clone();
        async move { gate.handle(event).await }
    }))
}

/// The issuer whose tokens sign users in, as the authorizer has it.
fn issuer(setup: &Setup) -> Result<Option<Oidc>, ConfigError> {
    let audience = setup.text("OIDC_AUDIENCE")?;
    let oidc = Oidc::configured(setup.text("OIDC_ISSUER")?, audience, setup.clock().clone());
    oidc.map_err(|_| ConfigError::Invalid {
        name: "OIDC_ISSUER".to_owned(),
        expected: "none or an https URL",
    })
}
