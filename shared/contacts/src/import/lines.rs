//! The stored rows of a file: good rows and wrong ones, as lines of text. Pure.
//!
//! Lines are made while the file is read, and their size is bounded. As values in memory the rows of a file can take
//! a hundred times its size.

use std::collections::BTreeMap;

use kernel::person;
use serde::{Deserialize, Serialize};

use super::file::FileError;
use crate::model::{Identity, Incoming};

/// Bytes of the lines that are made of a file. Each cell is stored with the name of its custom field. So short cells
/// under long headings take many times the file's own size.
const MAX_LINES: usize = 64 * 1024 * 1024;

/// The flaw of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportError)]
pub struct RowError {
    /// Line of the file on which the row begins; the headings are line 1.
    pub line: u64,
    /// The column; null where the row as a whole is wrong.
    #[serde(default)]
    pub column: Option<String>,
    /// The expected value; never the value of the file, which may be personal.
    pub message: String,
}

/// A good row: the data about its contact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// Line of the file.
    pub line: u64,
    /// Identities of the contact; the first decides whether two rows are about one contact.
    pub identities: Vec<Identity>,
    /// Values of [`Person`], by field: short cells make short lines.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) person: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) custom: BTreeMap<String, String>,
}

impl Row {
    /// The contact: the data of the row and the data common to all contacts of the file.
    pub fn with(self, common: &Incoming) -> Incoming {
        let mut contact = common.clone();
        contact.identities = self.identities;
        for (name, value) in self.person {
            if let Some(field) = person::field(&name) {
                *field.slot(&mut contact.person) = Some(value);
            }
        }
        contact.tags.extend(self.tags);
        let custom = self.custom.into_iter();
        contact.custom = custom.map(|(name, cell)| (name, cell.into())).collect();
        contact
    }
}

/// Values as lines of JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lines {
    /// The text.
    pub bytes: Vec<u8>,
    /// How many lines it has.
    pub count: u64,
}

impl Lines {
    /// Adds one line if there is room.
    pub fn push(&mut self, value: &impl Serialize) -> Result<(), FileError> {
        let written = serde_json::to_writer(&mut self.bytes, value);
        debug_assert!(written.is_ok(), "text in memory is always taken");
        self.bytes.push(b'\n');
        self.count += 1;
        if self.bytes.len() > MAX_LINES {
            return Err(FileError::TooManyCells);
        }
        Ok(())
    }
}
