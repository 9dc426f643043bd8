//! The state of the operations, and the steps that every change has in common.

use accounts::setup::FirstSetup;
use accounts::{
    AccountMails, Accounts, ApiKeys, Audit, Invitations, Members, Resets, SecondFactors, Senders,
    Sessions, Users, Workspaces,
};
use campaigns::Campaigns;
use chat::Inboxes;
use cloud::{Timers, Window};
use contacts::Profiles;
use kernel::{Clock, Entropy, Needs};
use lambda::http::{ClientIp, May, Member, Problem};
use workflows::WorkflowStore;

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub accounts: Accounts,
    pub users: Users,
    pub members: Members,
    pub sessions: Sessions,
    pub workspaces: Workspaces,
    pub keys: ApiKeys,
    pub audit: Audit,
    pub first: FirstSetup,
    pub factors: SecondFactors,
    pub invitations: Invitations,
    pub resets: Resets,
    pub senders: Senders,
    pub mails: AccountMails,
    pub attempts: Window,
    pub clock: Clock,
    pub entropy: Entropy,
    /// Only read, for the checklist.
    pub contacts: Profiles,
    pub campaigns: Campaigns,
    pub workflows: WorkflowStore,
    pub inboxes: Inboxes,
    pub timers: Timers,
    pub setup_token: String,
    /// Domain or address that mails are sent from.
    pub identity: String,
}

impl Api {
    /// Writes the operation to the audit log. A handler does so before it changes anything.
    pub async fn note<P: Needs, W: AsRef<Member>>(
        &self,
        who: &May<P, W>,
        object: &str,
        ip: &ClientIp,
    ) -> Result<(), Problem> {
        let noted = self
            .audit
            .note(who.grant(), who.permission(), object, &ip.0);
        Ok(noted.await?)
    }
}
