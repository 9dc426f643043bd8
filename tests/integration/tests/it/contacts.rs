//! Contacts from the webhook and the API to the tables: identities that race, forms that repeat,
//! functions that are killed at any call, files of contacts, and two tenants.

mod api;
mod attachments;
mod bounds;
mod bulk;
mod changes;
mod consent;
mod counting;
mod damage;
mod erasing;
mod exports;
mod failed_forms;
pub(crate) mod files;
mod finding;
mod form_doors;
mod forms;
mod imports;
mod jobs;
mod life;
mod merges;
mod merging;
mod owners;
mod page;
mod people;
pub(crate) mod proof;
mod repeats;
mod same;
mod scoring;
mod settings;
pub(crate) mod shop;
mod starting;
mod undoing;
mod unique;
mod uploads;
