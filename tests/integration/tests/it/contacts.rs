//! Contacts from the webhook and the API to the tables: identities that race, forms that repeat,
//! functions that are killed at any call, files of contacts, and two tenants.

mod api;
mod bounds;
mod consent;
mod forms;
mod imports;
mod merging;
mod people;
mod repeats;
pub(crate) mod shop;
