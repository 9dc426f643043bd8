//! The HTTP API's Lambda authorizer: finds out what a bearer token opens.
//!
//! Reads the credential, its user and the workspace consistently, so that what ended a moment ago opens
//! nothing. Writes only when a key was used last.

use accounts::{Oidc, Sessions};
use lambda::authorizer::Verdict;
use lambda::{ConfigError, Failure, Function, Setup, metrics};

/// Environment.
pub const VARS: &[&str] = &["DIRECTORY_TABLE", "OIDC_AUDIENCE", "OIDC_ISSUER"];

/// Builds the function.
#[expect(clippy::unused_async, reason = "all functions are built alike")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let sessions = Sessions::new(setup.table("DIRECTORY_TABLE")?).with_issuer(issuer(setup)?);
    Ok(Function::authorizer(setup, move |presented| {
        let sessions = sessions.clone();
        async move {
            let Some(token) = presented.bearer else {
                return Ok(Verdict::refused());
            };
            let verdict = sessions.verdict(&token, presented.workspace.as_deref());
            let verdict = verdict.await.map_err(Failure::from)?;
            let refused = matches!(verdict, Verdict::Refused { .. });
            metrics::count("CredentialRefused", u64::from(refused));
            Ok(verdict)
        }
    }))
}

/// The issuer whose tokens sign users in.
fn issuer(setup: &Setup) -> Result<Option<Oidc>, ConfigError> {
    let audience = setup.text("OIDC_AUDIENCE")?;
    let oidc = Oidc::configured(setup.text("OIDC_ISSUER")?, audience, setup.clock().clone());
    oidc.map_err(|_| ConfigError::Invalid {
        name: "OIDC_ISSUER".to_owned(),
        expected: "none or an https URL",
    })
}
