//! Segments over HTTP: groups of contacts by conditions, kept current, or by hand.
//!
//! Trigger: HTTP API routes `/v1/segments…`, behind the authorizer. Effects: rows of the directory table, each change
//! after its entry in the audit log; messages to segment-builder; member rows of static segments.

mod handler;
mod shape;

use accounts::{Audit, Workspaces};
use contacts::Profiles;
use lambda::{ConfigError, Function, Setup, http};
use segments::{Members, Previews, Segments};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let api = handler::Api {
        audit: Audit::over(resources),
        workspaces: Workspaces::over(resources),
        segments: Segments::over(resources),
        members: Members::over(resources),
        previews: Previews::over(resources),
        profiles: Profiles::over(resources),
        changes: resources.queue_of(),
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
