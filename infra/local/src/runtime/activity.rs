//! Tracks running work, so that a test or the demo can wait until nothing runs.

use std::sync::Arc;

use tokio::sync::watch;

/// Counts the work under way; cheap to clone.
#[derive(Clone)]
pub struct Activity(Arc<watch::Sender<State>>);

/// Number of pieces of work that run now, and how often work began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// Pieces of work that have begun and not ended.
    pub running: usize,
    /// Pieces of work that ever began.
    pub begun: u64,
}

/// One piece of work; it ends when this is dropped, also when its task is.
pub struct Busy(Activity);

impl Activity {
    /// Nothing under way.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// Begins a piece of work.
    pub fn begin(&self) -> Busy {
        self.0.send_modify(|state| {
            state.running += 1;
            state.begun += 1;
        });
        Busy(self.clone())
    }

    /// The current state.
    pub fn state(&self) -> State {
        *self.0.borrow()
    }

    /// Returns when nothing is under way.
    pub async fn quiet(&self) {
        // `self` owns the sender, so the channel cannot close during this wait.
        let _ = self
            .0
            .subscribe()
            .wait_for(|state| state.running == 0)
            .await;
    }
}

impl Default for Activity {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.running -= 1);
    }
}
