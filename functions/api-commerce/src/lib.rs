//! Orders and products over HTTP: lists and their sums, and those that staff enter, change and cancel.
//!
//! Trigger: HTTP API routes `/v1/orders…` and `/v1/products…`, behind the authorizer. Effects: an entry of the audit log each hour; an
//! order with its rows, and an event on its contact's timeline. A repeated request finds its own order and completes it.

mod handler;
mod product_shape;
mod products;
mod query;
mod shape;

use accounts::Audit;
use commerce::{Orders, Products};
use contacts::fields::Target;
use contacts::{Contacts, Fields};
use lambda::{ConfigError, Function, Setup, http};

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let api = handler::Api {
        audit: Audit::over(resources),
        contacts: Contacts::over(resources),
        fields: Fields::about(Target::Order, resources),
        product_fields: Fields::about(Target::Product, resources),
        orders: Orders::over(resources).counting(resources),
        products: Products::over(resources),
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
