//! Contacts, lists, imports and exports over HTTP.
//!
//! Trigger: HTTP API routes `/v1/contacts…`, `/v1/lists…`, `/v1/fields…`, `/v1/tags…`, `/v1/views…`,
//! `/v1/imports…`, `/v1/scoring` and `/v1/exports…`, behind the authorizer. Effects: rows of the contacts, timeline and directory
//! tables; the file of an import; files of contacts; the message of the first step of an import, an export or a bulk job. Saving a contact
//! again changes the same contact; creating a list again makes a second list.

mod api;
mod bulk;
mod choice;
mod consent;
mod devices;
mod edit;
mod exports;
mod fields;
mod files;
mod handler;
mod import_shape;
mod imports;
mod life;
mod lists;
mod notes;
mod page;
mod same;
mod scores;
mod shape;
mod tags;
mod views;

use accounts::{Audit, Members, Senders, Workspaces};
use campaigns::Campaigns;
use commerce::GoodsDesk;
use contacts::bulk::Bulk;
use contacts::export::Exports;
use contacts::fields::{FieldUses, Target};
use contacts::files::FileDesk;
use contacts::import::Imports;
use contacts::scores::Scores;
use contacts::{Contacts, Counts, Fields, Lists, Notes, Views, Vocabulary};
use lambda::{ConfigError, Function, Setup, http};
use segments::{Dossiers, Pins};
use workflows::Workflows;

use crate::api::Api;

/// Builds the function.
pub fn function(setup: &Setup) -> Result<Function, ConfigError> {
    let resources = setup.resources();
    let contacts = Contacts::over(resources);
    let api = Api {
        exports: Exports::over(resources),
        fields: contacts.fields(),
        order_fields: Fields::about(Target::Order, resources),
        product_fields: Fields::about(Target::Product, resources),
        conversation_fields: Fields::about(Target::Conversation, resources),
        contacts,
        audit: Audit::over(resources),
        lists: Lists::over(resources),
        senders: Senders::over(resources),
        imports: Imports::over(resources),
        goods: GoodsDesk::over(resources),
        field_uses: FieldUses::over(resources),
        files: FileDesk::over(resources),
        notes: Notes::over(resources),
        views: Views::over(resources),
        vocabulary: Vocabulary::over(resources),
        counts: Counts::over(resources),
        bulk: Bulk::over(resources),
        scores: Scores::over(resources),
        members: Members::over(resources),
        workspaces: Workspaces::over(resources),
        pins: Pins::over(resources),
        dossiers: Dossiers::over(resources),
        workflows: Workflows::over(resources),
        campaigns: Campaigns::over(resources),
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
