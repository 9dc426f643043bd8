//! The mark that an order or a product keeps of its last file, and its meaning for the next file. Pure.

use contacts::import::{DuplicateRule, Job, Outcome};
use jiff::{SignedDuration, Timestamp};
use kernel::ImportId;
use serde::{Deserialize, Serialize};

/// The row of a file that an order or a product comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filed {
    pub import: ImportId,
    /// Its first line.
    pub line: u64,
    /// Names what the file said.
    pub hash: String,
    /// Whether the row made it.
    pub is_new: bool,
}

/// A row that is being imported.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    pub import: ImportId,
    pub line: u64,
    pub hash: String,
    /// When the import was requested. A step that runs late changes nothing that was changed since.
    pub at: Timestamp,
    pub rule: DuplicateRule,
}

impl Asking {
    pub fn of(job: &Job, line: u64, hash: String) -> Self {
        Self {
            import: job.id,
            line,
            hash,
            at: job.created_at,
            rule: job.request.duplicate_rule,
        }
    }

    pub fn filed(&self, is_new: bool) -> Filed {
        Filed {
            import: self.import,
            line: self.line,
            hash: self.hash.clone(),
            is_new,
        }
    }

    /// The outcome of the row about a thing that is known, if nothing is written. `changed_at`: when it last changed.
    pub fn settled(&self, filed: Option<&Filed>, changed_at: Timestamp) -> Option<Settled> {
        if let Some(filed) = filed {
            if filed.import == self.import && filed.line == self.line {
                // A repetition of the step.
                return Some(Settled::stored(filed.is_new));
            }
            if filed.import == self.import {
                let told = format!("line {} of the file has this code too", filed.line);
                return Some(Settled::failed(told));
            }
            if filed.hash == self.hash {
                return Some(Settled::skipped("a file has said the same before"));
            }
        }
        if self.rule == DuplicateRule::Skip {
            return Some(Settled::of(Outcome::Skipped));
        }
        // Two imports may be requested in one moment.
        let last = self.at.saturating_add(SignedDuration::from_secs(1));
        let is_late = last.is_ok_and(|last| changed_at > last);
        let is_of_file = filed.is_some_and(|filed| filed.import > self.import);
        (is_late || is_of_file)
            .then(|| Settled::skipped("it was changed after the import was requested"))
    }
}

/// The end of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    pub outcome: Outcome,
    pub told: Option<String>,
}

impl Settled {
    /// An end that needs no words.
    pub fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            told: None,
        }
    }

    /// The row made its order or product, or changed it.
    pub fn stored(is_new: bool) -> Self {
        Self::of(if is_new {
            Outcome::Created
        } else {
            Outcome::Updated
        })
    }

    pub fn failed(told: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Failed,
            told: Some(told.into()),
        }
    }

    pub fn skipped(told: &str) -> Self {
        Self {
            outcome: Outcome::Skipped,
            told: Some(told.to_owned()),
        }
    }
}
