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
//! A repetition finds the finished steps and does the rest.

use std::collections::{BTreeMap, BTreeSet};

use cloud::{Error, Key, Update};
use futures::future::try_join_all;
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::bounds::Surplus;
use crate::change::{self, Change};
use crate::consent;
use crate::identity::{self, Decision, Fate, Known, Reason};
use crate::keys;
use crate::model::{Contact, Identity, Incoming, Kept, NotTaken, Source, Upserted};
use crate::names;
use crate::rows::{Claim, FORMER, Membership, NameRow, Pair, Profile, Row};
use crate::store::Contacts;

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
        let found = given.into_iter().zip(decision.fates);
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for ((identity, row), fate) in found {
            match fate {
                Fate::Own => own.push((identity, row)),
                Fate::Not(reason, owner) => others.push((identity, reason, owner)),
                Fate::Stale(owner) => {
                    let profile = owners.get(&owner).and_then(|owner| owner.1.as_ref());
                    self.clear(tenant, owner, profile, &identity, &row).await?;
                    return Ok(None);
                }
            }
        }
        let profile = known.and_then(|id| owners.get(&id)?.1.clone());
        let beside: Vec<(Identity, Reason)> = others
            .iter()
            .map(|(identity, reason, _)| (identity.clone(), *reason))
            .collect();
        if full == Full::Refuse {
            // Before anything is claimed. Identities take no room of their own.
            let surplus = Change::of(profile.as_ref(), incoming, &[], &beside).surplus;
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
        let change = Change::of(profile.as_ref(), incoming, &own, &beside);
        let before = profile.clone().and_then(Profile::given);
        let not_taken = not_taken(others, &change, before.as_ref());
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
                shows: contact.map(|one| one.identities()).unwrap_or_default(),
                overwrites: change::overwrites(profile.as_ref(), incoming),
            };
            Ok::<_, Error>((id, (known, profile)))
        });
        Ok(try_join_all(owners).await?.into_iter().collect())
    }

    /// Releases a claim that its owner does not show. The owner may have listed the identity as replaced: it then
    /// also passes on the opt-out of the address.
    pub(crate) async fn clear(
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

    /// Steps 3 to 5. Returns whether this operation made the contact; `None`: another run changed the profile in
    /// between.
    pub(crate) async fn write(
        &self,
        tenant: TenantKey,
        id: ContactId,
        profile: Option<Profile>,
        incoming: &Incoming,
        change: &Change,
        operation: &str,
    ) -> Result<Option<bool>, Error> {
        self.vocabulary.meet(tenant, &change.tags).await?;
        let mut rows: Vec<(Key, Row)> = Vec::new();
        if let Some(name) = &change.indexed_name {
            rows.extend(Self::name_rows(tenant, id, name));
        }
        let is_archived = profile
            .as_ref()
            .is_some_and(|row| row.archived_at.is_some());
        let joined = change.lists.iter().filter(|_| !is_archived);
        rows.extend(joined.map(|&list| {
            let row = Row::Membership(Membership::new(tenant, id, list));
            (keys::membership(tenant, id, list), row)
        }));
        rows.extend(change.beside.iter().flat_map(|(_, identity)| {
            let row = Row::Name(NameRow { contact: id });
            let pair = Row::Pair(Pair {
                contact: id,
                address: identity.clone(),
            });
            [
                (keys::beside(tenant, identity, id), row),
                (keys::pair(tenant, identity, id), pair),
            ]
        }));
        rows.extend(change.agreed.records.iter().map(|record| {
            let key = record.key(tenant, id);
            (key, Row::Consent(Box::new(record.clone())))
        }));
        let now = self.contacts.clock().now();
        let import = (incoming.source == Source::Import).then_some(operation);
        let known = profile.clone().and_then(Profile::given);
        let made_here = known.is_none() || made_by_import(profile.as_ref(), import);
        if let (Some(row), Some(known)) = (import, &known)
            && !made_here
            && !change.is_empty()
        {
            let before = change.before(known, now.as_second());
            let row = keys::import_before(tenant, id, row);
            rows.push((row, Row::Before(Box::new(before))));
        }
        if !rows.is_empty() {
            self.contacts.put_many(&rows).await?;
        }
        // A confirmed address is an identity from the commit on. Before it, so that a repetition deletes them.
        let confirmed = change.confirmed.iter().flat_map(|(_, identity)| {
            [
                keys::beside(tenant, identity, id),
                keys::pair(tenant, identity, id),
            ]
        });
        let confirmed: BTreeSet<Key> = confirmed.collect();
        let confirmed: Vec<Key> = confirmed.into_iter().collect();
        self.contacts.delete_many(&confirmed).await?;
        let touch = self.touch_by(import.filter(|_| made_here));
        let mut update = change.onto(touch, profile.as_ref(), now);
        let version = profile.as_ref().and_then(|row| row.identity_version);
        let made_by = profile.as_ref().and_then(|row| row.operation.clone());
        let before = profile.and_then(Profile::given);
        if before.is_none() {
            update = self.founded(tenant, id, incoming, operation, update);
        }
        if before.is_none() || !change.is_empty() {
            let update = self.telling(tenant, update, change.names(before.is_none()));
            let update = update.await?;
            let key = keys::profile(tenant, id);
            if !self.contacts.update(&key, update).await?.applied() {
                return Ok(None);
            }
        }
        if before.is_none() {
            return Ok(Some(true));
        }
        if !change.replaced.is_empty() {
            let version = Some(change::next(version));
            self.give_up(tenant, id, version, &change.replaced).await?;
        }
        self.forget_names(tenant, id, change.former_name.clone())
            .await?;
        Ok(Some(made_by.as_deref() == Some(operation)))
    }

    /// The update that turns the reservation into a contact. Of two concurrent writers one is refused, and then
    /// merges into the other's contact.
    fn founded(
        &self,
        tenant: TenantKey,
        id: ContactId,
        incoming: &Incoming,
        operation: &str,
        update: Update,
    ) -> Update {
        update
            .set("tenant", tenant.workspace())
            .set("shard", crate::shard(id))
            .set("contact", id)
            .set("source", incoming.source)
            .set("created_at", self.contacts.clock().now())
            .set("operation", operation)
            .remove("reserved")
            .remove("ttl")
            .when_absent("created_at")
    }

    /// Removes former names from the search. Until then the search skips the rows, since the profile no longer has
    /// the names. Another writer may have given the contact such a name again meanwhile: its rows are then put back.
    pub(crate) async fn forget_names(
        &self,
        tenant: TenantKey,
        id: ContactId,
        former: impl IntoIterator<Item = String>,
    ) -> Result<(), Error> {
        let former: BTreeSet<String> = former.into_iter().collect();
        if former.is_empty() {
            return Ok(());
        }
        let shown = async || {
            let shown = self.get(tenant, id).await?;
            let name = shown.and_then(|contact| contact.person.full_name);
            Ok::<_, Error>(name.unwrap_or_default())
        };
        let kept = names::rotations(&shown().await?);
        let old: BTreeSet<String> = former
            .iter()
            .flat_map(|name| names::rotations(name))
            .collect();
        let stale = old.difference(&kept);
        let stale: Vec<Key> = stale
            .map(|rotation| keys::name(tenant, rotation, id))
            .collect();
        self.contacts.delete_many(&stale).await?;
        let now = shown().await?;
        let lost = Self::name_rows(tenant, id, &now);
        let lost: Vec<(Key, Row)> = lost.filter(|(key, _)| stale.contains(key)).collect();
        if !lost.is_empty() {
            self.contacts.put_many(&lost).await?;
        }
        let done = Update::new().remove_from_set(FORMER, former).when_exists();
        let key = keys::profile(tenant, id);
        self.contacts.update(&key, done).await.map(drop)
    }
}

/// Whether a row of the same import made the contact.
fn made_by_import(profile: Option<&Profile>, import: Option<&str>) -> bool {
    let job = |operation: &str| operation.split('#').next().map(str::to_owned);
    let made_by = profile.and_then(|profile| profile.operation.as_deref());
    import.is_some_and(|row| made_by.and_then(job) == job(row))
}

/// The place of an identity in the input.
fn pointer(identity: &Identity) -> String {
    let name = match identity {
        Identity::External { .. } => "external_id",
        Identity::Email(_) => "email",
        Identity::Phone(_) => "phone",
        Identity::Visitor { .. } => "visitor",
    };
    format!("/{name}")
}

/// The identities of an input that are not its contact's.
pub(crate) fn not_taken(
    others: Vec<(Identity, Reason, Option<ContactId>)>,
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

fn kept(is_kept: bool, reason: Reason) -> Kept {
    match (is_kept, reason) {
        (false, _) => Kept::Nowhere,
        (true, Reason::Unconfirmed) => Kept::Unconfirmed,
        (true, _) => Kept::Shared,
    }
}

/// Distinct identities in the order in which they decide: external id, email, phone, visitor.
pub(crate) fn in_order(identities: &[Identity]) -> Vec<Identity> {
    let mut ordered = identities.to_vec();
    ordered.sort_unstable();
    ordered.dedup();
    ordered
}
