//! Calls the APIs of providers: fetches objects of thin requests, reads back-fills page by page, checks connections.
//!
//! Trigger: queue source-sync, [`sources::SyncTask`]. Effects: requests on the queue ingest, the row of the connection, the
//! progress of the back-fill, a timer for the next check. The message of the next page comes last. Each message may run twice:
//! `ingest` drops versions that it has, and a page counts once.

mod check;
mod disconnect;
mod handler;
mod page;
mod session;

use std::sync::Arc;

use accounts::RecentWorkspaces;
use cloud::{Lease, Limiter, Timers};
use lambda::sqs::Order;
use lambda::{ConfigError, Function, Setup};
use sources::api::{Desk, Hosts};
use sources::{Keyring, Links, Runs, Sources};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let (hosts, secret) = (setup.text("PROVIDERS_URL"), setup.secret("SOURCES_SECRET"));
    if !Hosts::is_pattern(hosts) {
        resources.refuse(
            "PROVIDERS_URL",
            "https://* or an address of this machine with *",
        );
    }
    let keyring = Keyring::new(secret);
    let worker = Arc::new(session::Worker {
        workspaces: RecentWorkspaces::over(resources),
        sources: Sources::over(resources),
        links: Links::over(resources, keyring.clone()),
        runs: Runs::over(resources),
        desk: Desk::new(resources.web(), Hosts::new(hosts)),
        limiter: Limiter::over(resources),
        lease: Lease::over(resources),
        timers: Timers::over(resources),
        inbox: resources.queue_of(),
        own: resources.queue_of(),
        files: resources.bucket("Raw"),
        keyring,
        clock: setup.clock().clone(),
        base_url: setup.text("PUBLIC_BASE_URL").trim_end_matches('/').into(),
    });
    Function::sqs(setup, Order::Any { concurrency: 5 }, move |record| {
        let worker = worker.clone();
        async move { handler::handle(&worker, &record).await }
    })
}
