//! The change of one contact by a bulk job. Each may be repeated, and counts the same.

use cloud::Error;
use kernel::text::alike;
use kernel::{ContactId, TenantKey};

use super::job::{Action, Job};
use super::steps::Bulk;
use crate::bounds::MAX_TAGS;
use crate::consent::{Decision, Evidence, Method, Stated, Statement};
use crate::patch::{Edit, Edited};
use crate::{Contact, Joined};

/// The outcome for one contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Changed,
    Missing,
    Full,
    /// The contact does not have the tag any more.
    Other,
}

fn done(exists: bool) -> Done {
    if exists { Done::Changed } else { Done::Missing }
}

impl Bulk {
    /// Changes one contact.
    pub(super) async fn change(
        &self,
        tenant: TenantKey,
        job: &Job,
        id: ContactId,
    ) -> Result<Done, Error> {
        match &job.action {
            // A repetition finds the tombstone of the first run.
            Action::Delete => return self.contacts.erase(tenant, id).await.map(done),
            Action::Archive => return self.contacts.archive(tenant, id).await.map(done),
            Action::Restore => {
                let restored = self.contacts.restore_listed(tenant, id, &self.lists);
                return restored.await.map(done);
            }
            _ => {}
        }
        let Some(contact) = self.contacts.get(tenant, id).await? else {
            return Ok(Done::Missing);
        };
        match &job.action {
            Action::AddTags { tags } => {
                let missing = tags.iter().filter(|tag| !has(&contact, tag));
                let missing: Vec<String> = missing.cloned().collect();
                if contact.tags.len() + missing.len() > MAX_TAGS {
                    return Ok(Done::Full);
                }
                self.contacts.add_tags(tenant, id, &missing).await?;
            }
            Action::RemoveTags { tags } => {
                if tags.iter().any(|tag| has(&contact, tag)) {
                    self.contacts.remove_tags(tenant, id, tags).await?;
                }
            }
            Action::AddToList { list_id } => {
                return Ok(match self.contacts.join_list(tenant, id, *list_id).await? {
                    Joined::Yes => Done::Changed,
                    Joined::Full => Done::Full,
                    Joined::NoContact => Done::Missing,
                });
            }
            Action::RemoveFromList { list_id } => {
                self.contacts.leave_list(tenant, id, *list_id).await?;
            }
            Action::SetOwner { owner_id } => {
                let edit = Edit::of_owner(*owner_id);
                return Ok(match self.contacts.edit(tenant, id, &edit).await? {
                    Edited::Yes(_) => Done::Changed,
                    Edited::Full(_) => Done::Full,
                    Edited::NoContact => Done::Missing,
                });
            }
            Action::Unsubscribe {
                channels,
                purposes,
                reason,
            } => {
                let statement = Statement {
                    purposes: purposes.clone(),
                    evidence: Evidence {
                        statement: reason.clone(),
                        ..Evidence::default()
                    },
                    actor: Some(job.actor.clone()),
                    at: Some(job.created_at),
                    ..Statement::new(Method::Staff, Decision::Withdrawn, channels.iter().copied())
                };
                let cause = job.id.to_string();
                let stated = self.contacts.declare(tenant, id, &statement, &cause, None);
                return Ok(done(stated.await? != Stated::NoContact));
            }
            Action::RenameTag { from, to } => return self.rename(tenant, &contact, from, to).await,
            Action::Archive | Action::Restore | Action::Delete => {}
        }
        Ok(Done::Changed)
    }

    /// Replaces a tag. The new tag first: a crash in between leaves both, and the repetition removes the old one.
    async fn rename(
        &self,
        tenant: TenantKey,
        contact: &Contact,
        from: &str,
        to: &str,
    ) -> Result<Done, Error> {
        if !has(contact, from) {
            let is_done = has(contact, to);
            return Ok(if is_done { Done::Changed } else { Done::Other });
        }
        if contact.tags.len() >= MAX_TAGS && !has(contact, to) {
            return Ok(Done::Full);
        }
        let (new, old) = ([to.to_owned()], [from.to_owned()]);
        self.silent.add_tags(tenant, contact.id, &new).await?;
        self.silent.remove_tags(tenant, contact.id, &old).await?;
        Ok(Done::Changed)
    }
}

/// Whether the contact has the tag, in any case of its letters.
pub(super) fn has(contact: &Contact, tag: &str) -> bool {
    let key = alike(tag);
    contact.tags.iter().any(|one| alike(one) == key)
}
