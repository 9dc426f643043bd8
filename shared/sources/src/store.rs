//! The sources of all workspaces in the table Directory.
//!
//! Every request of a source reads its record, so an answer may be ten seconds old ([`cloud::recent`]). The removal or
//! change of a source takes effect within that time.

use cloud::{Created, Error, Query, Recent, Resources, Table, Update};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{Clock, Cursor, Entropy, Limit, Origin, SourceId, TenantKey, secret};
use serde::{Deserialize, Serialize};

use crate::auth::{Auth, PREFIX};
use crate::keys;
use crate::source::{Door, NewSource, Row, Source, SourceChange};

/// A source's place in its workspace's list.
#[derive(Serialize, Deserialize)]
struct Listed {
    source: SourceId,
}

/// Sources that a process keeps in memory: about 10 MB.
const MOST: usize = 20_000;

/// The sources of all workspaces; cheap to clone. Clones share the cache.
#[derive(Clone, Debug)]
pub struct Sources {
    directory: Table,
    recent: Recent<SourceId, Option<Door>>,
}

impl Sources {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            recent: Recent::new(resources.clock(), MOST),
            directory: resources.table("Directory"),
        }
    }

    /// The randomness of its process.
    pub fn entropy(&self) -> &Entropy {
        self.directory.entropy()
    }

    /// The clock of its process.
    pub fn clock(&self) -> &Clock {
        self.directory.clock()
    }

    /// The source of a public id; up to ten seconds old. Before the caller does anything for the tenant, it must check
    /// the proof of the request ([`crate::Provider::admits`]) and that the workspace is open.
    pub async fn find(&self, id: SourceId) -> Result<Option<Door>, Error> {
        let directory = self.directory.clone();
        let read = || async move {
            let row: Option<Row> = directory.look_up(&keys::source(id)).await?;
            Ok(row.map(Row::open))
        };
        self.recent.get(id, read).await
    }

    /// Makes a source whose `header` carries a token, with no person as its maker. Returns its id and its token, which
    /// is never returned again.
    pub async fn create(
        &self,
        tenant: TenantKey,
        new: NewSource,
        header: &str,
    ) -> Result<(SourceId, String), Error> {
        let origin = Origin::fresh(self.directory.clock(), self.directory.entropy());
        for id in origin.draws(SourceId::of) {
            let token = secret::generate(PREFIX, self.directory.entropy());
            let auth = Auth::token(header, &token);
            if self.add(tenant, id, origin.at, &new, auth).await?.is_some() {
                return Ok((id, token));
            }
        }
        Err(Error::Conflict)
    }

    /// Makes a source. `None` if another source has the id. Its place in the list is written first, so every source that
    /// accepts posts can be seen and removed. A repetition finds the source of its first run and gives it the new
    /// credentials; nobody has seen the earlier ones.
    pub async fn add(
        &self,
        tenant: TenantKey,
        id: SourceId,
        at: Timestamp,
        new: &NewSource,
        auth: Auth,
    ) -> Result<Option<Source>, Error> {
        let row = Row {
            workspace: tenant.workspace(),
            source: Source {
                id,
                name: new.name.clone(),
                provider: new.provider,
                auth,
                paused_at: None,
                disconnected_at: None,
                reconnected_at: None,
                settings: new.settings.clone(),
                created_at: at,
            },
        };
        let listed = Listed { source: id };
        self.directory
            .put(&keys::source_of(tenant, id), &listed)
            .await?;
        let key = keys::source(id);
        let held = match self.directory.create(&key, &row).await? {
            Created::New => return Ok(Some(row.source)),
            Created::Existing(held) => held,
        };
        let before = held.source.auth.clone();
        let same = Source {
            auth: row.source.auth.clone(),
            ..held.source
        };
        if held.workspace != row.workspace || same != row.source {
            return Ok(None);
        }
        let after = row.source.auth.clone();
        if self.set_auth(tenant, id, before, after).await? {
            Ok(Some(row.source))
        } else {
            Err(Error::Conflict)
        }
    }

    /// Replaces the credentials of a source of the workspace. False if the source has others than `before`.
    pub async fn set_auth(
        &self,
        tenant: TenantKey,
        id: SourceId,
        before: Auth,
        after: Auth,
    ) -> Result<bool, Error> {
        let update = Update::new()
            .set("auth", after)
            .when_equals("workspace", tenant.workspace())
            .when_equals("auth", before);
        let outcome = self.directory.update(&keys::source(id), update).await?;
        Ok(outcome.applied())
    }

    /// A page of the workspace's sources, oldest first.
    pub async fn list(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Source>, Error> {
        let query = Query::partition(tenant.to_string())
            .begins_with(keys::SOURCES)
            .limit(limit.get())
            .cursor(cursor);
        let page: Page<Listed> = self.directory.query(query).await?;
        let wanted = page.data.iter().map(|row| keys::source(row.source));
        let found = self.directory.get_many::<Row>(wanted.collect());
        let found = found.await?.into_iter().map(|(_, row)| row);
        let own = found.filter(|row| row.workspace == tenant.workspace());
        let mut data: Vec<Source> = own.map(|row| row.source).collect();
        data.sort_unstable_by_key(|source| source.id);
        Ok(Page {
            data,
            next: page.next,
        })
    }

    /// A source of the workspace.
    pub async fn get(&self, tenant: TenantKey, id: SourceId) -> Result<Option<Source>, Error> {
        let row: Option<Row> = self.directory.get(&keys::source(id)).await?;
        let own = row.filter(|row| row.workspace == tenant.workspace());
        Ok(own.map(|row| row.source))
    }

    /// Changes a source of the workspace; `None` if there is none.
    pub async fn update(
        &self,
        tenant: TenantKey,
        id: SourceId,
        change: SourceChange,
    ) -> Result<Option<Source>, Error> {
        let now = self.directory.clock().now();
        let paused_at = change.paused.map(|paused| paused.then_some(now));
        let update = match change.paused {
            Some(false) => connected(now),
            _ => Update::new(),
        };
        let update = update
            .set_some("paused_at", paused_at)
            .set_some("name", change.name)
            .set_some("tags", change.tags)
            .set_some("lists", change.lists)
            .set_some("mapping", change.mapping)
            .set_some("consent", change.consent)
            .set_some("cart_minutes", change.cart_minutes)
            .when_equals("workspace", tenant.workspace());
        let outcome = self.directory.update(&keys::source(id), update).await?;
        if !outcome.applied() {
            return Ok(None);
        }
        let row: Option<Row> = outcome.item()?;
        Ok(row.map(|row| row.source))
    }

    /// Notes that the provider's API is connected, and the shop's name there. False if there is no such source.
    pub async fn connect(
        &self,
        tenant: TenantKey,
        id: SourceId,
        shop: Option<&str>,
    ) -> Result<bool, Error> {
        let update = Update::new()
            .set("fetches", true)
            .set_some("shop", shop)
            .when_equals("workspace", tenant.workspace());
        let outcome = self.directory.update(&keys::source(id), update).await?;
        Ok(outcome.applied())
    }

    /// Disconnects a source of the workspace: its sealed secrets are erased and nothing is fetched for it. The hash of its
    /// token stays. `at` is that of [`Source::disconnects_at`]. A source that was connected again at that time or later
    /// stays connected. `None`: there is no such source.
    pub async fn disconnect(
        &self,
        tenant: TenantKey,
        id: SourceId,
        at: Timestamp,
    ) -> Result<Option<Source>, Error> {
        let Some(source) = self.get(tenant, id).await? else {
            return Ok(None);
        };
        let is_late = source.reconnected_at.is_some_and(|again| at <= again);
        if is_late || source.disconnected_at.is_some() {
            return Ok(Some(source));
        }
        let update = Update::new()
            .set("disconnected_at", at)
            .set("auth", source.auth.without_keys())
            .remove("fetches")
            .when_equals("workspace", tenant.workspace())
            .when_as_read("reconnected_at", source.reconnected_at)
            .when_equals("auth", &source.auth);
        let outcome = self.directory.update(&keys::source(id), update).await?;
        if !outcome.applied() {
            // A repetition of the request may have been first.
            let now = self.get(tenant, id).await?;
            let done = now.filter(|source| source.disconnected_at.is_some());
            return done.map(Some).ok_or(Error::Conflict);
        }
        let row: Option<Row> = outcome.item()?;
        Ok(row.map(|row| row.source))
    }

    /// Connects a disconnected source of the workspace again. It waits for its secret, if it needs one.
    pub async fn reconnect(&self, tenant: TenantKey, id: SourceId) -> Result<(), Error> {
        let now = self.directory.clock().now();
        let update = connected(now).when_equals("workspace", tenant.workspace());
        self.directory.update(&keys::source(id), update).await?;
        Ok(())
    }

    /// Removes a source of the workspace: first the credentials of its provider's API, then its door, then its place in the
    /// list. A source of another workspace stays.
    pub async fn remove(&self, tenant: TenantKey, id: SourceId) -> Result<(), Error> {
        if self.get(tenant, id).await?.is_some() {
            self.directory.delete(&keys::link(id)).await?;
            self.directory.delete(&keys::run(id)).await?;
            self.directory.delete(&keys::source(id)).await?;
        }
        self.directory.delete(&keys::source_of(tenant, id)).await
    }
}

/// The change that connects a source again.
fn connected(now: Timestamp) -> Update {
    Update::new()
        .remove("disconnected_at")
        .set("reconnected_at", now)
}
