//! Signup forms over HTTP: made, replaced, published, paused, archived, copied and removed, with their reports.
//!
//! Trigger: HTTP API routes `/v1/forms…`, behind the authorizer. Effects: rows of the directory table, each change
//! after its entry in the audit log; one call of Cloudflare Turnstile checks a secret key that is entered. The custom fields that a form asks for are declared before the form is saved.

mod guard;
mod handler;
mod shape;
mod shown;

use accounts::{Audit, RecentWorkspaces, Senders};
use contacts::fields::FieldUses;
use contacts::{Fields, Lists};
use forms::{Forms, Tallies, Turnstile};
use lambda::{ConfigError, Function, Setup, http};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let (url, secret) = (setup.text("TURNSTILE_URL"), setup.secret("FORMS_SECRET"));
    if !Turnstile::is_address(url) {
        resources.refuse("TURNSTILE_URL", "an https URL");
    }
    let api = handler::Api {
        audit: Audit::over(resources),
        lists: Lists::over(resources),
        fields: Fields::over(resources),
        uses: FieldUses::over(resources),
        senders: Senders::over(resources),
        forms: Forms::over(resources),
        tallies: Tallies::over(resources),
        workspaces: RecentWorkspaces::over(resources),
        turnstile: Turnstile::new(url, secret, setup.clock()),
        clock: setup.clock().clone(),
        entropy: setup.entropy().clone(),
    };
    let audit = api.audit.clone();
    let router = http::on_refusal(
        handler::routes().with_state(api).into(),
        move |grant, permission, ip| {
            let audit = audit.clone();
            async move { audit.note_forbidden(&grant, permission, &ip).await }
        },
    );
    Function::api(setup, router)
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::routes().into_openapi()
}
