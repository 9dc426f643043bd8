//! The API of contacts, lists and imports, under `/v1`.

mod handler;
mod imports;
mod lists;
mod shape;

use std::sync::Arc;

use accounts::Audit;
use contacts::import::Imports;
use contacts::{Contacts, Lists};
use lambda::{ConfigError, Function, Setup};

/// Environment.
pub const VARS: &[&str] = &[
    "CONTACTS_TABLE",
    "CONTACT_IMPORT_QUEUE_URL",
    "DEDUPE_TABLE",
    "DIRECTORY_TABLE",
    "IMPORTS_BUCKET",
    "LIMITS_TABLE",
    "TIMELINE_TABLE",
];

/// Builds the function.
#[expect(clippy::unused_async, reason = "all functions are built alike")]
pub async fn function(setup: &Setup) -> Result<Function, ConfigError> {
    setup.require(VARS)?;
    let table = setup.table("CONTACTS_TABLE")?;
    let directory = setup.table("DIRECTORY_TABLE")?;
    let contacts = Contacts::new(
        table.clone(),
        setup.table("TIMELINE_TABLE")?,
        directory.clone(),
    );
    let files = setup.bucket("IMPORTS_BUCKET")?;
    let queue = setup.queue_of()?;
    let imports = Imports::new(contacts.clone(), table, files, queue);
    let api = handler::Api {
        contacts,
        audit: Audit::new(directory.clone()),
        lists: Lists::new(directory),
        imports,
    };
    let router: axum::Router = handler::routes().with_state(Arc::new(api)).into();
    Function::api(setup, router)
}

/// The operations, for the API's reference.
pub fn openapi() -> utoipa::openapi::OpenApi {
    handler::routes().into_openapi()
}
