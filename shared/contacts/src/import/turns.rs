//! The imports of a workspace take turns: at most [`MOST`] run, the others wait in the order of their starts.

use cloud::Error;
use jiff::Timestamp;
use kernel::{ImportId, TenantKey};
use serde::{Deserialize, Serialize};

use super::job::Status;
use super::steps::Imports;
use crate::keys;

/// Imports of a workspace that run.
pub const MOST: usize = 4;
/// Imports of a workspace that wait.
pub const MOST_WAITING: usize = 100;
/// After this time a running import gives up its place: its message was lost to the dead-letter queue.
const LONGEST_SECONDS: i64 = 24 * 3600;

/// One item of a workspace; its two lists bound it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Turns {
    version: u64,
    running: Vec<(ImportId, Timestamp)>,
    waiting: Vec<ImportId>,
}

/// The place of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Runs,
    Waits,
    /// As many imports wait as may.
    None,
}

impl Turns {
    /// Gives the import a place, if it has none.
    fn admit(&mut self, import: ImportId, now: Timestamp) -> Turn {
        self.running
            .retain(|(_, since)| now.as_second() - since.as_second() < LONGEST_SECONDS);
        if self.running.iter().any(|(one, _)| *one == import) {
            return Turn::Runs;
        }
        if !self.waiting.contains(&import) {
            if self.waiting.len() >= MOST_WAITING {
                return Turn::None;
            }
            self.waiting.push(import);
        }
        self.promote(now);
        if self.waiting.contains(&import) {
            Turn::Waits
        } else {
            Turn::Runs
        }
    }

    fn promote(&mut self, now: Timestamp) {
        while self.running.len() < MOST && !self.waiting.is_empty() {
            self.running.push((self.waiting.remove(0), now));
        }
    }

    fn release(&mut self, import: ImportId, now: Timestamp) {
        self.running.retain(|(one, _)| *one != import);
        self.waiting.retain(|one| *one != import);
        self.promote(now);
    }
}

impl Imports {
    /// Gives a started import its place.
    pub(super) async fn admit(&self, tenant: TenantKey, import: ImportId) -> Result<Turn, Error> {
        let now = self.table.clock().now();
        self.turn(tenant, |turns| turns.admit(import, now))
            .await
            .map(|(turn, _)| turn)
    }

    /// Frees the place of an import that is over, and sends the first message of those that now run. A repetition
    /// sends these messages again; an import that has begun ignores them.
    pub(super) async fn release(&self, tenant: TenantKey, import: ImportId) -> Result<(), Error> {
        let now = self.table.clock().now();
        let ((), turns) = self
            .turn(tenant, |turns| turns.release(import, now))
            .await?;
        for (one, _) in turns.running {
            let job = self.job(tenant, one).await?;
            if let Some(job) = job.filter(|job| job.status == Status::Pending) {
                self.send(tenant, one, job.version).await?;
            }
        }
        Ok(())
    }

    async fn turn<T>(
        &self,
        tenant: TenantKey,
        change: impl Fn(&mut Turns) -> T,
    ) -> Result<(T, Turns), Error> {
        let key = keys::import_turns(tenant);
        loop {
            let stored: Option<Turns> = self.table.get(&key).await?;
            let mut turns = stored.clone().unwrap_or_default();
            let outcome = change(&mut turns);
            if stored.as_ref() == Some(&turns) {
                return Ok((outcome, turns));
            }
            turns.version += 1;
            // Each refusal is the success of another run, so this loop ends.
            let version = stored.map(|stored| stored.version);
            match self.table.replace_or_create(&key, &turns, version).await {
                Ok(()) => return Ok((outcome, turns)),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn at_most_four_run_and_none_is_forgotten(steps in prop::collection::vec((0_u64..200, any::<bool>()), 0..400)) {
            let id = |n: u64| -> ImportId { format!("imp_{n:011}").parse().unwrap() };
            let now = Timestamp::from_second(1_800_000_000).unwrap();
            let (mut turns, mut open) = (Turns::default(), std::collections::BTreeSet::new());
            for (n, starts) in steps {
                if starts {
                    if turns.admit(id(n), now) != Turn::None {
                        open.insert(id(n));
                    }
                } else {
                    turns.release(id(n), now);
                    open.remove(&id(n));
                }
                let mut held: Vec<ImportId> = turns.running.iter().map(|one| one.0).chain(turns.waiting.clone()).collect();
                held.sort_unstable();
                prop_assert_eq!(held, open.iter().copied().collect::<Vec<_>>());
                prop_assert!(turns.running.len() <= MOST && turns.waiting.len() <= MOST_WAITING);
                prop_assert!(turns.waiting.is_empty() || turns.running.len() == MOST);
            }
        }
    }
}
