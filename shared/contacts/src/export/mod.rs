//! Exports: files of contacts for people, made in steps. `table` is pure and gives the columns; [`Exports`] runs the job.

mod job;
mod steps;
mod table;

pub use job::{Export, Others, Request, Status};
pub use steps::{Exports, KEPT, LINK_VALID, MAX_RUNNING, Progress, Started, Step};
pub use table::{MAX_FIELDS, columns};
