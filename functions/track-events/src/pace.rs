//! The rate of a key and of a workspace.
//!
//! A key has a token bucket in the process, which costs nothing. The events of a workspace are counted in a window that
//! all processes share: a process takes a thousand at a time, so an event costs a thousandth of a write unit.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloud::{Buckets, Error, Window};
use kernel::TenantKey;
use lambda::Setup;
use lru::LruCache;

/// Requests of one key in a process, in a second.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(200).unwrap();
/// At once, after a pause.
const BURST: NonZeroU32 = NonZeroU32::new(400).unwrap();
/// Events that a process takes of a workspace's window at a time.
pub const LEASE: u32 = 1_000;
/// Events of a workspace in a window: twice the load that the product is built for.
pub const MOST: u32 = 200_000;
const WINDOW: Duration = Duration::from_secs(10);
/// Workspaces whose rest of a lease a process remembers.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Limits; cheap to clone.
#[derive(Clone, Debug)]
pub struct Pace {
    buckets: Buckets,
    window: Window,
    /// The rest of each lease.
    leases: Arc<Mutex<LruCache<TenantKey, u32>>>,
}

impl Pace {
    /// Over the table Limits.
    pub fn over(setup: &Setup) -> Self {
        Self {
            buckets: Buckets::new(setup.clock(), PER_SECOND, BURST),
            window: Window::over(setup.resources()),
            leases: Arc::new(Mutex::new(LruCache::sparse(REMEMBERED))),
        }
    }

    /// Takes a request of a key. The error is the time to wait.
    pub fn request(&self, key: &str) -> Result<(), Duration> {
        self.buckets.take(key)
    }

    /// Takes `n` events of a workspace; the time to wait if it has sent too many. No answer of AWS stops an event.
    pub async fn events(&self, tenant: TenantKey, n: u32) -> Option<Duration> {
        if self.held(tenant, n) {
            return None;
        }
        self.lease(tenant, n).await.unwrap_or_default()
    }

    fn held(&self, tenant: TenantKey, n: u32) -> bool {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        match leases.get_mut(&tenant) {
            Some(rest) if *rest >= n => {
                *rest -= n;
                true
            }
            _ => false,
        }
    }

    async fn lease(&self, tenant: TenantKey, n: u32) -> Result<Option<Duration>, Error> {
        let scope = format!("{tenant}#TRACK");
        let usage = self
            .window
            .count(&scope, WINDOW, LEASE.cast_signed())
            .await?;
        if usage.used > MOST {
            return Ok(Some(usage.resets_in));
        }
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = leases.get(&tenant).copied().unwrap_or_default();
        leases.put(tenant, (rest + LEASE).saturating_sub(n));
        Ok(None)
    }
}
