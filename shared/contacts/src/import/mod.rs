//! File imports: what a CSV or TXT file of contacts may look like, and the job that takes it in.
//!
//! [`file`] and what it uses are pure. [`Imports`] runs the job: the first step reads the whole file,
//! settles which rows are wrong or repeated and stores the good ones as lines; each further step takes
//! some hundred lines and moves the cursor. Nothing here starts a workflow.

mod columns;
pub mod file;
mod job;
mod lines;
mod slice;
mod steps;
mod text;

pub use columns::{MAX_COLUMNS, headings};
pub use file::FileError;
pub use job::{Job, Request, Status};
pub use lines::RowError;
pub use steps::{Imports, MAX_FILE, Progress, Step};
