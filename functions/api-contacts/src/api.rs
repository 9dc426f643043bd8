//! The state of the operations, and a check that several of them make.

use accounts::{Audit, Members, Senders, Workspaces};
use campaigns::Campaigns;
use commerce::GoodsDesk;
use contacts::bulk::Bulk;
use contacts::export::Exports;
use contacts::fields::FieldUses;
use contacts::files::FileDesk;
use contacts::import::Imports;
use contacts::scores::Scores;
use contacts::{Contacts, Counts, Fields, Lists, Notes, Views, Vocabulary};
use kernel::{ListId, Needs, TenantKey, UserId};
use lambda::http::{ClientIp, May, Problem};
use segments::{Dossiers, Pins};
use workflows::Workflows;

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub contacts: Contacts,
    pub lists: Lists,
    pub imports: Imports,
    pub goods: GoodsDesk,
    pub exports: Exports,
    pub fields: Fields,
    pub order_fields: Fields,
    pub product_fields: Fields,
    pub conversation_fields: Fields,
    pub field_uses: FieldUses,
    pub files: FileDesk,
    pub notes: Notes,
    pub views: Views,
    pub vocabulary: Vocabulary,
    pub counts: Counts,
    pub bulk: Bulk,
    pub scores: Scores,
    pub audit: Audit,
    pub senders: Senders,
    pub members: Members,
    pub workspaces: Workspaces,
    pub pins: Pins,
    pub dossiers: Dossiers,
    pub workflows: Workflows,
    pub campaigns: Campaigns,
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

/// Refuses an owner who does not work in the workspace; `pointer` is the owner's place in the body.
pub async fn known_member<P: Needs>(
    api: &Api,
    caller: &May<P>,
    owner: UserId,
    pointer: &str,
) -> Result<(), Problem> {
    let (account, workspace) = (caller.grant().account, caller.tenant.workspace());
    match api.members.get(account, workspace, owner).await? {
        Some(_) => Ok(()),
        None => Err(Problem::invalid(pointer, "no such member of the workspace")),
    }
}

/// Writes once an hour to the audit log that the caller changes contacts: an entry for each contact would be longer than
/// the contacts.
pub async fn note_hourly<P: Needs>(
    api: &Api,
    caller: &May<P>,
    ip: &ClientIp,
) -> Result<(), Problem> {
    let (grant, operation) = (caller.grant(), caller.permission());
    let noted = api.audit.note_hourly(grant, operation, "contacts", &ip.0);
    Ok(noted.await?)
}
