//! Sources and webhooks over HTTP: the senders that may post a shop's data to us, and the processing of that data.
//!
//! Trigger: HTTP API routes `/v1/sources…` and `/v1/webhooks…`, behind the authorizer. Effects: rows of the directory table,
//! each change after its entry in the audit log. The token of a source is only in the answer that
//! makes the source: the table stores its hash. Secrets of providers are sealed, and no answer shows them. A replayed request goes to the
//! queue ingest. Work at a provider's API goes to the queue source-sync; only the code of a consent is exchanged here.

mod activity;
mod connect;
mod failed;
mod handler;
mod hooks;
mod secret;
mod shape;
mod sync;
mod tracked;
mod webhook_deliveries;
mod webhook_shape;

use accounts::Audit;
use contacts::Lists;
use lambda::{ConfigError, Function, Setup, http};
use sources::api::{Desk, Hosts};
use sources::{Activity, FailedRequests, Keyring, Links, Runs, Sources};
use tracking::Counted;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let hosts = setup.text("PROVIDERS_URL");
    if !Hosts::is_pattern(hosts) {
        resources.refuse(
            "PROVIDERS_URL",
            "https://* or an address of this machine with *",
        );
    }
    let keyring = Keyring::new(setup.secret("SOURCES_SECRET"));
    let secret = setup.secret("SOURCES_SECRET");
    let stored = webhooks::Webhooks::over(resources, secret);
    let caller = webhooks::Caller::new(resources, setup.text(webhooks::REACH));
    let api = handler::Api {
        hooks: hooks::Hooks {
            deliveries: webhooks::Deliveries::over(resources),
            dispatcher: webhooks::Dispatcher::over(resources, stored.clone(), caller.clone()),
            webhooks: stored,
            caller,
        },
        audit: Audit::over(resources),
        lists: Lists::over(resources),
        failed: FailedRequests::over(resources),
        activity: Activity::over(resources),
        tracked: Counted::over(resources),
        queue: resources.queue_of(),
        sources: Sources::over(resources),
        files: resources.bucket("Raw"),
        links: Links::over(resources, keyring.clone()),
        runs: Runs::over(resources),
        desk: Desk::new(resources.web(), Hosts::new(hosts)),
        tasks: resources.queue_of(),
        base_url: setup.text("PUBLIC_BASE_URL").trim_end_matches('/').into(),
        keyring,
    };
    let audit = api.audit.clone();
    let router = http::on_refusal(
        handler::routes().with_state(api.clone()).into(),
        move |grant, permission, ip| {
            let audit = audit.clone();
            async move { audit.note_forbidden(&grant, permission, &ip).await }
        },
    );
    Function::api_beside(setup, router, connect::public().with_state(api).into())
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::routes().merge(connect::public()).into_openapi()
}
