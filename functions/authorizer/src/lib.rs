//! The HTTP API's Lambda authorizer: turns a bearer token into the workspace that it opens.
//!
//! Reads one row, consistently, so that a revoked key is refused at once. Writes nothing.

use accounts::ApiKeys;
use lambda::authorizer::Verdict;
use lambda::{ConfigError, Failure, Function, Setup, metrics};

/// Environment.
pub const VARS: &[&str] = &["DIRECTORY_TABLE"];

/// Builds the function.
#[expect(clippy::unused_async, reason = "all functions are built alike")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let keys = ApiKeys::new(setup.table("DIRECTORY_TABLE")?);
    Ok(Function::authorizer(setup, move |presented| {
        let keys = keys.clone();
        async move {
            let Some(token) = presented.bearer else {
                return Ok(Verdict::refused());
            };
            let grant = keys.authenticate(&token).await.map_err(Failure::from)?;
            metrics::count("CredentialRefused", u64::from(grant.is_none()));
            Ok(grant.map_or_else(Verdict::refused, Verdict::Granted))
        }
    }))
}
