//! Changes of many contacts as jobs: of named contacts, of a list, a tag, a segment, conditions, or of everybody.
//!
//! A job works in slices. The message of a slice names the version of the job that it moves. The job holds the
//! contacts of the slice; they are changed, and those of the next slice are found. Then one versioned write stores both
//! with the counts. So a repeated slice changes and counts the same contacts. Each change may be repeated.

mod changes;
mod job;
mod slices;
mod steps;

pub(crate) use steps::BEGIN;

pub use job::{Action, Job, Selection, Status};
pub use steps::{Bulk, Cancelled, MAX_RUNNING, Progress, Started, Step};
