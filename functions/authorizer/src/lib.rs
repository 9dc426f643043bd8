//! The Lambda authorizer of both APIs: it looks up the rights of a bearer token.
//!
//! Trigger: each request behind the authorizer, and `$connect` of the WebSocket API. It reads the credential, its
//! user and the workspace consistently: a credential that has ended is refused at once. Effects: the time at which
//! an API key was last used. A socket's grant also names the credential's holder, which `chat-notifier` checks
//! while the socket is open.

use accounts::{Oidc, Sessions};
use lambda::authorizer::Verdict;
use lambda::{ConfigError, Failure, Function, Setup, metrics};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let sessions = Sessions::over(setup.resources()).with_issuer(issuer(setup));
    Function::authorizer(setup, move |presented| {
        let sessions = sessions.clone();
        async move {
            let Some(token) = presented.bearer else {
                return Ok(Verdict::refused());
            };
            // Read before the verdict: one of the two reads sees a change in between.
            let holder = if presented.socket {
                sessions.holder(&token).await?
            } else {
                None
            };
            let verdict = sessions.verdict(&token, presented.workspace.as_deref());
            let mut verdict = verdict.await.map_err(Failure::from)?;
            if let (Verdict::Granted(grant), Some(holder)) = (&mut verdict, &holder) {
                let holder = serde_json::to_string(holder);
                grant.holder = Some(holder.map_err(|error| Failure::reject("Holder", error))?);
            }
            // A visitor's token is no credential: chat-socket counts the sockets that it refuses.
            let refused = matches!(verdict, Verdict::Refused { .. }) && !presented.socket;
            metrics::incident("CredentialRefused", u64::from(refused));
            Ok(verdict)
        }
    })
}

/// The issuer whose tokens sign users in.
fn issuer(setup: &Setup) -> Option<Oidc> {
    let (issuer, audience) = (setup.text("OIDC_ISSUER"), setup.text("OIDC_AUDIENCE"));
    let oidc = Oidc::configured(issuer, audience, setup.clock().clone());
    oidc.unwrap_or_else(|_| {
        let resources = setup.resources();
        resources.refuse("OIDC_ISSUER", "none or an https URL");
        None
    })
}
