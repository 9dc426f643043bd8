//! Changes of many contacts as jobs: of a selection, of a list, or of the whole workspace.
//!
//! A job works in slices. The message of a slice names the version of the job that it moves. The contacts of the
//! slice are changed, then one versioned write moves the cursor and adds the counts. A change of a contact may be
//! repeated: it adds to or removes from a set.

mod job;
mod steps;

pub use job::{Action, Job, Selection, Status};
pub use steps::{Bulk, MAX_RUNNING, Progress, Started, Step};
