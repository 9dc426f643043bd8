//! Sources over HTTP: the senders that may post a shop's data to us, and the processing of that data.
//!
//! Trigger: HTTP API routes `/v1/sources…`, behind the authorizer. Effects: rows of the directory table,
//! each change after its entry in the audit log. The token of a source is only in the answer that
//! makes the source: the table stores its hash. Secrets of providers are sealed, and no answer shows them. A replayed request goes to the queue ingest.

mod activity;
mod failed;
mod handler;
mod secret;
mod shape;

use accounts::Audit;
use contacts::Lists;
use lambda::{ConfigError, Function, Setup, http};
use sources::{Activity, FailedRequests, Keyring, Sources};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let api = handler::Api {
        audit: Audit::over(resources),
        lists: Lists::over(resources),
        failed: FailedRequests::over(resources),
        activity: Activity::over(resources),
        queue: resources.queue_of(),
        sources: Sources::over(resources),
        files: resources.bucket("Raw"),
        keyring: Keyring::new(setup.secret("SOURCES_SECRET")),
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
