//! Pages of a list: their size, and the place to continue.

use serde::{Deserialize, Serialize};

/// How many rows a page holds: 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limit(u8);

/// Why a number cannot be a page's size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limit must be between 1 and 100")]
pub struct LimitError;

impl Limit {
    /// A page size, refused outside 1 to 100.
    pub fn new(rows: u32) -> Result<Self, LimitError> {
        u8::try_from(rows)
            .ok()
            .filter(|rows| (1..=100).contains(rows))
            .map(Self)
            .ok_or(LimitError)
    }

    /// Rows.
    pub fn get(self) -> u32 {
        u32::from(self.0)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(25)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(u32::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

/// An opaque place in a list. Only the code that issued it can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// One page and where the next begins.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Give it as `cursor` to read on; absent on the last page.
    #[schema(required = true)]
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The same page with other rows.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(f).collect(),
            next: self.next,
        }
    }
}
