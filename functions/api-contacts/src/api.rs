//! The state of the operations, and a check that several of them make.

use accounts::Audit;
use contacts::import::Imports;
use contacts::{Contacts, Lists};
use kernel::{ListId, TenantKey};
use lambda::http::Problem;

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub contacts: Contacts,
    pub lists: Lists,
    pub imports: Imports,
    pub audit: Audit,
}

/// Refuses a list that does not exist; `pointer` is its place in the body.
pub async fn known_list(
    api: &Api,
    tenant: TenantKey,
    list: ListId,
    pointer: &str,
) -> Result<(), Problem> {
    match api.lists.get(tenant, list).await? {
        Some(_) => Ok(()),
        None => Err(Problem::invalid(pointer, "no such list")),
    }
}
