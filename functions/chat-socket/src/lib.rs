//! Opens and closes the browsers' WebSocket connections.
//!
//! Trigger: the WebSocket API's `$connect`, `$default` and `$disconnect`. A connection has
//! `?token=`: a visitor's token, or an agent's API key, or with `?workspace=` a session token or one of
//! the `OpenID Connect` issuer; the authorizer has already looked up an agent's token. Effects: the
//! connection's rows in the realtime table, which expire by themselves. Repetitions write the same rows.
//! Texts that a browser sends over the socket have no effect, except that a connection that floods is closed.
//! Tokens are never logged.

mod handler;

use accounts::RecentWorkspaces;
use chat::realtime::Rooms;
use chat::token::Tokens;
use lambda::{ConfigError, Function, Setup};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let gate = handler::Gate {
        tokens: Tokens::new(setup.secret("CHAT_SECRET")),
        rooms: Rooms::over(setup.resources()),
        clock: setup.clock().clone(),
        buckets: handler::Gate::buckets(setup.clock()),
        workspaces: RecentWorkspaces::over(setup.resources()),
        sockets: setup.resources().sockets(),
    };
    Function::socket(setup, move |event| {
        let gate = gate.clone();
        async move { gate.handle(event).await }
    })
}
