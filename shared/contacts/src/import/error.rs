//! Why a file, or a row of it, is not taken. Pure.

use serde::{Deserialize, Serialize};

use super::columns::MAX_COLUMNS;
use super::cut::MOST_GOODS;

/// Why a file cannot be imported at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum FileError {
    #[error("the file is not text in UTF-8, UTF-16, Windows-1258, TCVN3 or VNI")]
    NotText,
    #[error("the file has no rows under its headings")]
    Empty,
    #[error("no column is an email address or a phone number")]
    NoAddress,
    #[error("no column is the code of an order or a product")]
    NoCode,
    #[error("a file of orders or products may have {most} rows")]
    TooManyRows { most: u64 },
    #[error("a file may have {most} columns")]
    TooManyColumns { most: usize },
    #[error("the record on line {line} is longer than 256 KB")]
    TooLong { line: u64 },
    #[error("the file was not uploaded")]
    Missing,
    #[error("the file changed while it was imported")]
    Changed,
}

impl FileError {
    /// One of each kind.
    pub fn each() -> [Self; 9] {
        [
            Self::NotText,
            Self::Empty,
            Self::NoAddress,
            Self::NoCode,
            Self::TooManyRows { most: MOST_GOODS },
            Self::TooManyColumns { most: MAX_COLUMNS },
            Self::TooLong { line: 2 },
            Self::Missing,
            Self::Changed,
        ]
    }
}

/// A flaw of a row, or a note about a row that was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportError)]
pub struct RowError {
    /// Line of the file on which the row begins; the first line is 1.
    pub line: u64,
    /// The column's field; null where the row as a whole is meant.
    #[serde(default)]
    pub column: Option<String>,
    /// The expected value; never the value of the file, which may be personal.
    pub message: String,
}
