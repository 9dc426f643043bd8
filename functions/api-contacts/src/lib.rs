//! Contacts, lists and imports over HTTP.
//!
//! Trigger: HTTP API routes `/v1/contacts…`, `/v1/lists` and `/v1/imports…`, behind the authorizer. Effects:
//! rows of the contacts, timeline and directory tables; the file of an import, and the message of its first
//! step. Saving a contact again changes the same contact; creating a list again makes a second list.

mod api;
mod consent;
mod handler;
mod imports;
mod lists;
mod shape;

use accounts::Audit;
use contacts::import::Imports;
use contacts::{Contacts, Lists};
use lambda::{ConfigError, Function, Setup, http};

use crate::api::Api;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let api = Api {
        contacts: Contacts::over(resources),
        audit: Audit::over(resources),
        lists: Lists::over(resources),
        imports: Imports::over(resources),
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
