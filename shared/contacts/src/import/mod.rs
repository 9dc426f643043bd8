//! File imports: the accepted CSV and TXT files of contacts, and the job that imports them.
//!
//! [`file`] and the modules that it uses are pure. [`Imports`] runs the job. The first step reads the whole file,
//! finds the wrong and repeated rows, and stores the good ones as lines. Each further step imports some hundred
//! lines and moves the cursor. An import starts no workflow.

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
