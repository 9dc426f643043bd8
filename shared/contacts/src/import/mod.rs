//! File imports: the accepted CSV and TXT files of contacts, and the job that imports them. The same job imports files of
//! orders and products: a function of its caller takes their lines ([`Goods`]), since this crate does not know them.
//!
//! Pure: what a file is (`encoding`, `legacy`, `records`, `layout`, `columns`), and what its rows are (`rows`,
//! `values`). [`Imports`] runs the job. Its first steps cut the file into slices of whole records (`cut`). Four lanes
//! import the slices concurrently (`steps`, `importing`). The last steps join the outcomes of the slices to one file
//! (`outcome`). `sample` is the file that a shop may begin with.

mod columns;
mod cut;
mod encoding;
mod error;
mod headless;
mod importing;
mod job;
mod layout;
mod legacy;
mod listing;
mod outcome;
mod preview;
mod records;
mod removing;
mod restoring;
mod rows;
mod sample;
mod slice;
mod steps;
mod turns;
mod undo;
mod values;

pub use columns::{Column, MAX_COLUMNS, headings, normal};
pub use cut::{MOST_GOODS, SLICE_ROWS};
pub use encoding::Encoding;
pub use error::{FileError, RowError};
pub use importing::{Fate, Goods, OUTCOME_COLUMNS, Outcome};
pub use job::{
    ConsentChannel, ConsentStatement, ConsentWay, DuplicateRule, Job, Kind, LANES, Request,
    SHOWN_ERRORS, Status,
};
pub use layout::{Layout, Mapping};
pub use preview::{DryRun, LeftOut, Preview, PreviewColumn, PreviewRow};
pub use records::MAX_RECORD;
pub use rows::{Line, MAX_EXTERNAL, MAX_TEXT, told};
pub use sample::{sample, sample_of_goods};
pub(crate) use steps::BEGIN;
pub use steps::{Begun, Imports, MAX_BODY, OUTCOME_VALID, Progress, Step, UPLOAD_VALID};
pub use turns::{MOST as MOST_RUNNING, MOST_WAITING};
pub use undo::{UNDO_COLUMNS, UNDO_SECONDS, Undo, Undone};
pub use values::{Reading, day, email, phone, plain, tags};
