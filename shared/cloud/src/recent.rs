//! Answers that are the same for many messages, read once in ten seconds in each process.
//!
//! A process reads the same source, workspace or workflow again and again. [`Recent`] caches the answer, also the
//! answer that there is none. It holds a bounded number of answers and drops the least recently used one. Errors are
//! not cached. Concurrent callers with the same key share one read, and its error.
//!
//! [`Recent::kept`] caches values that never change, such as a version, until it must make room.
//!
//! The limits of what may be read here:
//! - A revoked or changed item stays valid for [`BELIEVED`]. Credentials of the API are never read here
//!   (docs/adr/0011).
//! - An activation takes effect after [`LEAD`], when no process uses the previous answer any more.
//! - A write that depends on a cached answer needs a condition that the store checks.
//!
//! The `lru` crate orders the answers, and `futures` shares a read. Caches with their own expiry (`moka`,
//! `quick_cache`) use the machine's clock or repeat a failed read once for each caller.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use jiff::{SignedDuration, Timestamp};
use kernel::Clock;
use lru::LruCache;

use crate::Error;

/// How long an answer is valid, from the moment its read began.
pub const BELIEVED: SignedDuration = SignedDuration::from_secs(10);

/// How long after the change an activation takes effect. The margin over [`BELIEVED`] is for the write itself and
/// for replicas that an eventually consistent read may use.
pub const LEAD: SignedDuration = SignedDuration::from_secs(15);

type Read<V, E> = Shared<BoxFuture<'static, Result<V, E>>>;

/// Cached answers by key. Clones share them.
pub struct Recent<K, V, E = Error> {
    state: Arc<Mutex<State<K, V, E>>>,
    clock: Clock,
    believed: Option<SignedDuration>,
}

struct State<K, V, E> {
    known: LruCache<K, Known<V>>,
    flights: HashMap<K, Flight<V, E>>,
    /// Number of reads begun so far; the next read gets the next number.
    begun: u64,
}

struct Known<V> {
    /// When its read began.
    at: Timestamp,
    value: V,
}

/// A read in progress. Its callers own it: if all of them are dropped, the read ends.
struct Flight<V, E> {
    number: u64,
    at: Timestamp,
    read: WeakShared<BoxFuture<'static, Result<V, E>>>,
}

impl<K, V, E> Recent<K, V, E>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// At most `most` answers, each valid for [`BELIEVED`] by `clock`.
    pub fn new(clock: &Clock, most: usize) -> Self {
        Self::with(clock, most, Some(BELIEVED))
    }

    /// At most `most` answers that never change.
    pub fn kept(clock: &Clock, most: usize) -> Self {
        Self::with(clock, most, None)
    }

    fn with(clock: &Clock, most: usize, believed: Option<SignedDuration>) -> Self {
        let most = NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        let state = State {
            // Most processes are asked for a few keys; memory for all of them is a large part of a cold start.
            known: LruCache::sparse(most),
            flights: HashMap::new(),
            begun: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            clock: clock.clone(),
            believed,
        }
    }

    /// The answer for `key`: the cached answer, the answer of a read in progress, or that of `read`.
    pub async fn get<F>(&self, key: K, read: impl FnOnce() -> F) -> Result<V, E>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let flight = match self.look(key, read) {
            Found::Known(value) => return Ok(value),
            Found::Flight(flight) => flight,
        };
        flight.await
    }

    fn look<F>(&self, key: K, read: impl FnOnce() -> F) -> Found<V, E>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        if let Some(known) = state.known.get(&key)
            && self.is_believed(known.at, now)
        {
            return Found::Known(known.value.clone());
        }
        if let Some(flight) = state.flights.get(&key)
            && self.is_believed(flight.at, now)
            && let Some(read) = flight.read.upgrade()
        {
            return Found::Flight(read);
        }
        let answer = read();
        state.begun += 1;
        let landing = Landing {
            state: self.state.clone(),
            key: key.clone(),
            number: state.begun,
            at: now,
        };
        let read = landing.after(answer).boxed().shared();
        if let Some(weak) = read.downgrade() {
            let (number, at) = (state.begun, now);
            let flight = Flight {
                number,
                at,
                read: weak,
            };
            state.flights.insert(key, flight);
        }
        Found::Flight(read)
    }

    /// After the clock was set back, answers can be from the future. They are not used.
    fn is_believed(&self, at: Timestamp, now: Timestamp) -> bool {
        self.believed
            .is_none_or(|believed| at <= now && now.duration_since(at) < believed)
    }
}

enum Found<V, E> {
    Known(V),
    Flight(Read<V, E>),
}

/// Ends a read, also if it is dropped before its answer.
struct Landing<K: Hash + Eq, V, E> {
    state: Arc<Mutex<State<K, V, E>>>,
    key: K,
    number: u64,
    at: Timestamp,
}

impl<K: Hash + Eq + Clone, V: Clone, E> Landing<K, V, E> {
    async fn after(self, read: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let answer = read.await;
        if let Ok(value) = &answer {
            self.remember(value.clone());
        }
        answer
    }

    /// A later read may have ended earlier: its answer stays.
    fn remember(&self, value: V) {
        let mut state = lock(&self.state);
        let is_newest = state
            .known
            .peek(&self.key)
            .is_none_or(|known| known.at <= self.at);
        if is_newest {
            let at = self.at;
            state.known.put(self.key.clone(), Known { at, value });
        }
    }
}

impl<K: Hash + Eq, V, E> Drop for Landing<K, V, E> {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        let own = |flight: &Flight<V, E>| flight.number == self.number;
        if state.flights.get(&self.key).is_some_and(own) {
            state.flights.remove(&self.key);
        }
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K, V, E> Clone for Recent<K, V, E> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            clock: self.clock.clone(),
            believed: self.believed,
        }
    }
}

impl<K, V, E> fmt::Debug for Recent<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
