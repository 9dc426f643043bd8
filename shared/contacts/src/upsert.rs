//! Create or update. Safe to run twice, late and concurrently with other runs, and to be killed at any point.
//!
//! Writes, in this order:
//! 1. A new contact's id is reserved by a conditional put, since random ids may collide. The row is no contact yet:
//!    it is in no index, and reads skip it.
//! 2. [`crate::identity`] decides whose the identities are. They are claimed by conditional updates that name the
//!    contact. Those of a new contact are claimed all or
//!    none, in one transaction. A writer that loses continues with the winner's contact.
//! 3. Names for search and places on lists are written. The content of these rows follows from their key. An import
//!    that changes a contact also writes the values that it replaces, for its undo.
//! 4. One merging update of the profile is the commit. A value in the profile means that steps 2 and 3 are done for
//!    it. So a known contact without new data costs no write. An address and its consent change in this one write,
//!    and only if the profile still has the values that were read. Otherwise the upsert starts again.
//! 5. Identities that an overwrite replaced are released (see [`crate::claims`]), and rows of a former name deleted. The
//!    profile lists both until then.
//!
//! A repetition finds the finished steps and does the rest. This file holds steps 1 and 2; `commit` holds the others.

use std::collections::{BTreeMap, BTreeSet};

use cloud::Error;
use futures::future::try_join_all;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::bounds::Surplus;
use crate::change::{self, Change};
use crate::consent;
use crate::identity::{self, Decision, Fate, Known, Reason};
use crate::keys;
use crate::model::{Contact, Identity, Incoming, Kept, NotTaken, Upserted};
use crate::rows::{Claim, Profile};
use crate::store::Contacts;
use crate::unique::TakenValue;

mod commit;
mod told;

/// A row that only reserves a contact's id. It is also read from a profile if ids collide.
#[derive(Serialize, Deserialize)]
struct Reservation {
    #[serde(default)]
    reserved: bool,
    /// The row of a run that crashed expires.
    #[serde(default)]
    ttl: i64,
}

/// Life of a reservation in seconds, longer than any run that may still found its contact.
const RESERVED_SECONDS: i64 = 24 * 3600;

/// The owners of the identities of an input, each with its profile.
pub(crate) type Owners = BTreeMap<ContactId, (Known, Option<Profile>)>;

/// The identities of an input with their stored rows, strongest first, their owners, and the decision about them.
struct Who {
    given: Vec<(Identity, Claim)>,
    owners: Owners,
    decision: Decision,
}

/// An identity that does not become the contact's, with the contact that owns it.
type Other = (Identity, Reason, Option<ContactId>);

/// The identities of an input by what becomes of them.
#[derive(Default)]
pub(crate) struct Sorted {
    /// Those that the contact has or gets, with their stored rows.
    pub own: Vec<(Identity, Claim)>,
    /// The others.
    pub others: Vec<Other>,
}

/// A contact and those identities of the input that are its own, with their stored rows.
pub(crate) struct Held {
    pub id: ContactId,
    pub profile: Option<Profile>,
    pub own: Vec<(Identity, Claim)>,
}

/// The treatment of values that a full contact has no room for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Full {
    /// Write the others.
    LeaveOut,
    /// Write nothing.
    Refuse,
}

impl Contacts {
    /// Creates the contact or merges into the one that an identity names. Values without room are left out; the
    /// outcome names them.
    pub async fn upsert(&self, tenant: TenantKey, incoming: &Incoming) -> Result<Upserted, Error> {
        let done = self.upsert_as(tenant, incoming, Full::LeaveOut).await?;
        done.map_err(|_| Error::Conflict)
    }

    /// Like [`Contacts::upsert`], but all or nothing: if there is no room for some value, nothing is written.
    pub async fn upsert_whole(
        &self,
        tenant: TenantKey,
        incoming: &Incoming,
    ) -> Result<Result<Upserted, Surplus>, Error> {
        self.upsert_as(tenant, incoming, Full::Refuse).await
    }

    async fn upsert_as(
        &self,
        tenant: TenantKey,
        incoming: &Incoming,
        full: Full,
    ) -> Result<Result<Upserted, Surplus>, Error> {
        let nonce = || self.contacts.entropy().nonce();
        let operation = incoming.operation.clone().unwrap_or_else(nonce);
        let incoming = &*consent::change::dated(incoming, self.contacts.clock().now());
        // Each refusal is the success of another run, so this loop ends.
        loop {
            let run = self.try_upsert(tenant, incoming, &operation, full);
            // Its future is large.
            let done = Box::pin(run).await?;
            if let Some(outcome) = done {
                return Ok(outcome);
            }
        }
    }

    /// `None`: another run changed the profile in between.
    async fn try_upsert(
        &self,
        tenant: TenantKey,
        incoming: &Incoming,
        operation: &str,
        full: Full,
    ) -> Result<Option<Result<Upserted, Surplus>>, Error> {
        let Who {
            given,
            owners,
            decision,
        } = self.who(tenant, incoming).await?;
        if given.is_empty() {
            return Err(Error::Shape("a contact needs an identity".into()));
        }
        let known = decision.contact;
        let found = given.into_iter().zip(decision.fates).collect();
        let Some(Sorted { own, others }) = self.sort(tenant, found, &owners).await? else {
            return Ok(None);
        };
        let profile = known.and_then(|id| owners.get(&id)?.1.clone());
        let beside = beside(&others);
        if full == Full::Refuse {
            // Before anything is claimed. Identities take no room of their own.
            let change = Change::of(profile.as_ref(), incoming, &[], &beside);
            let values = change.custom();
            let compared = self.compare(tenant, known, profile.as_ref(), &values);
            let (_, taken) = compared.await?;
            let surplus = Surplus {
                taken,
                ..change.surplus
            };
            if !surplus.is_empty() {
                return Ok(Some(Err(surplus)));
            }
        }
        let held = match known {
            Some(id) => self.join(tenant, id, own, profile).await?,
            None => self.found(tenant, own).await?,
        };
        let Some(Held { id, profile, own }) = held else {
            return Ok(None);
        };
        let mut change = Change::of(profile.as_ref(), incoming, &own, &beside);
        let values = change.custom();
        let compared = self.compare(tenant, Some(id), profile.as_ref(), &values);
        let (claims, taken) = compared.await?;
        if full == Full::Refuse && !taken.is_empty() {
            // Another contact was faster.
            return Ok(None);
        }
        change.settle(claims, &taken);
        let before = profile.clone().and_then(Profile::given);
        let mut not_taken = not_taken(others, &change, before.as_ref());
        not_taken.extend(taken.into_iter().map(NotTaken::from));
        let showed = profile.as_ref().and_then(|row| row.identity_version);
        if showed.is_some() && !self.claim_again(tenant, id, &own, &change).await? {
            return Ok(None);
        }
        let created = self
            .write(tenant, id, profile, incoming, &change, operation)
            .await?;
        Ok(created.map(|created| {
            Ok(Upserted {
                contact: id,
                created,
                not_taken,
                surplus: change.surplus.clone(),
            })
        }))
    }

    /// The contact that an upsert of this input would change; `None` if it would make one.
    pub(crate) async fn find(
        &self,
        tenant: TenantKey,
        incoming: &Incoming,
    ) -> Result<Option<ContactId>, Error> {
        Ok(self.who(tenant, incoming).await?.decision.contact)
    }

    /// Reads the rows of the identities and their owners, and decides.
    async fn who(&self, tenant: TenantKey, incoming: &Incoming) -> Result<Who, Error> {
        let identities = in_order(&incoming.identities);
        let rows = identities.iter().map(|one| self.look_up(tenant, one));
        let rows = try_join_all(rows).await?;
        let owners = self.owners(tenant, &rows, incoming).await?;
        let given: Vec<(Identity, Claim)> = identities.into_iter().zip(rows).collect();
        let owner = |row: &Claim| Some(&owners.get(&row.contact?)?.0);
        let known: Vec<(Identity, Option<&Known>)> = given
            .iter()
            .map(|(one, row)| (one.clone(), owner(row)))
            .collect();
        let decision = identity::decide(&known, incoming.trust);
        Ok(Who {
            given,
            owners,
            decision,
        })
    }

    /// The owners of these rows, as the decision and the write need them.
    pub(crate) async fn owners(
        &self,
        tenant: TenantKey,
        rows: &[Claim],
        incoming: &Incoming,
    ) -> Result<Owners, Error> {
        let ids: BTreeSet<ContactId> = rows.iter().filter_map(|row| row.contact).collect();
        let owners = ids.into_iter().map(async |id| {
            let profile: Option<Profile> = self.contacts.get(&keys::profile(tenant, id)).await?;
            let contact = profile.clone().and_then(Profile::given);
            let known = Known {
                contact: id,
                exists: contact.is_some(),
                erased: profile.as_ref().is_some_and(|row| row.erased_at.is_some()),
                shows: contact.map(|one| one.owned()).unwrap_or_default(),
                overwrites: change::overwrites(profile.as_ref(), incoming),
            };
            Ok::<_, Error>((id, (known, profile)))
        });
        Ok(try_join_all(owners).await?.into_iter().collect())
    }

    /// Sorts identities by their fates. `None`: the claim of an owner that does not show the identity was released, so
    /// the rows that were read are too old.
    pub(crate) async fn sort(
        &self,
        tenant: TenantKey,
        found: Vec<((Identity, Claim), Fate)>,
        owners: &Owners,
    ) -> Result<Option<Sorted>, Error> {
        let mut sorted = Sorted::default();
        for ((identity, row), fate) in found {
            match fate {
                Fate::Own => sorted.own.push((identity, row)),
                Fate::Not(reason, owner) => sorted.others.push((identity, reason, owner)),
                Fate::Stale(owner) => {
                    let profile = owners.get(&owner).and_then(|owner| owner.1.as_ref());
                    self.clear(tenant, owner, profile, &identity, &row).await?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(sorted))
    }

    /// Releases a claim that its owner does not show. The owner may have listed the identity as replaced: it then
    /// also passes on the opt-out of the address.
    async fn clear(
        &self,
        tenant: TenantKey,
        owner: ContactId,
        profile: Option<&Profile>,
        identity: &Identity,
        row: &Claim,
    ) -> Result<(), Error> {
        let version = profile.and_then(|row| row.identity_version);
        match profile.map_or(&[][..], |row| &row.replaced) {
            [] => self.release(tenant, owner, version, identity, row).await,
            replaced => self.give_up(tenant, owner, version, replaced).await,
        }
    }

    /// Claims for a known contact the identities without an owner. `None`: the contact had identities to release, or
    /// another contact was faster. The profile was read before the claims. So an identity that it shows later is not
    /// mistaken for one that was claimed here.
    pub(crate) async fn join(
        &self,
        tenant: TenantKey,
        id: ContactId,
        own: Vec<(Identity, Claim)>,
        profile: Option<Profile>,
    ) -> Result<Option<Held>, Error> {
        let version = profile.as_ref().and_then(|row| row.identity_version);
        let replaced = profile.as_ref().map_or(&[][..], |row| &row.replaced);
        if !replaced.is_empty() {
            self.give_up(tenant, id, version, replaced).await?;
            return Ok(None);
        }
        let former = profile.as_ref().map(|row| row.former_names.clone());
        self.forget_names(tenant, id, former.unwrap_or_default())
            .await?;
        let (identities, rows): (Vec<_>, Vec<_>) = own.into_iter().unzip();
        let rows = self.claim_all(tenant, id, &identities, rows).await?;
        let is_ours = rows.iter().all(|row| row.contact == Some(id));
        let own = identities.into_iter().zip(rows).collect();
        Ok(is_ours.then_some(Held { id, profile, own }))
    }

    /// Reserves an id and claims the identities for it. `None`: another run was faster and made the contact, or not
    /// all identities are free any more. The reservation is then deleted.
    async fn found(
        &self,
        tenant: TenantKey,
        own: Vec<(Identity, Claim)>,
    ) -> Result<Option<Held>, Error> {
        let id = self.reserve(tenant).await?;
        let (identities, rows): (Vec<_>, Vec<_>) = own.iter().cloned().unzip();
        if !self.claim_together(tenant, id, &identities, &rows).await? {
            // A batch of one: every writer of names already has the right to `BatchWriteItem`.
            let lost = [keys::profile(tenant, id)];
            self.contacts.delete_many(&lost).await?;
            return Ok(None);
        }
        let own = own.into_iter().map(|(identity, row)| {
            let contact = Some(id);
            (identity, Claim { contact, ..row })
        });
        Ok(Some(Held {
            id,
            profile: None,
            own: own.collect(),
        }))
    }

    async fn reserve(&self, tenant: TenantKey) -> Result<ContactId, Error> {
        loop {
            let id = ContactId::new(self.contacts.clock(), self.contacts.entropy());
            let key = keys::profile(tenant, id);
            let row = Reservation {
                reserved: true,
                ttl: self.contacts.clock().now().as_second() + RESERVED_SECONDS,
            };
            if self.contacts.create(&key, &row).await?.is_new() {
                return Ok(id);
            }
        }
    }
}

/// The place of an identity in the input.
fn pointer(identity: &Identity) -> String {
    let name = match identity {
        Identity::External { .. } => "external_id",
        Identity::Email(_) => "email",
        Identity::Phone(_) => "phone",
        Identity::Visitor { .. } => "visitor",
        Identity::Anonymous { .. } => "anonymous_id",
    };
    format!("/{name}")
}

/// The identities of an input that are not its contact's.
pub(crate) fn not_taken(
    others: Vec<Other>,
    change: &Change,
    before: Option<&Contact>,
) -> Vec<NotTaken> {
    let all = others
        .into_iter()
        .map(|(identity, reason, owner_id)| NotTaken {
            pointer: pointer(&identity),
            reason,
            kept: kept(change.keeps(before, &identity), reason),
            owner_id,
        });
    all.collect()
}

impl From<TakenValue> for NotTaken {
    fn from(taken: TakenValue) -> Self {
        let name = taken.field.replace('~', "~0").replace('/', "~1");
        Self {
            pointer: format!("/custom/{name}"),
            reason: Reason::BelongsToAnother,
            kept: Kept::Nowhere,
            owner_id: Some(taken.owner_id),
        }
    }
}

fn kept(is_kept: bool, reason: Reason) -> Kept {
    match (is_kept, reason) {
        (false, _) => Kept::Nowhere,
        (true, Reason::Unconfirmed) => Kept::Unconfirmed,
        (true, _) => Kept::Shared,
    }
}

/// The identities that a contact keeps beside its own, if they are addresses.
pub(crate) fn beside(others: &[Other]) -> Vec<(Identity, Reason)> {
    let others = others.iter();
    let others = others.map(|(identity, reason, _)| (identity.clone(), *reason));
    others.collect()
}

/// Distinct identities in the order in which they decide: external id, email, phone, visitor.
pub(crate) fn in_order(identities: &[Identity]) -> Vec<Identity> {
    let mut ordered = identities.to_vec();
    ordered.sort_unstable();
    ordered.dedup();
    ordered
}
