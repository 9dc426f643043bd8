//! A bounded list of settings in one row of Directory. So one read gives all of them, and one condition holds the
//! bound. It knows nothing of the settings.

use cloud::{Error, Key, Table};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest list, in bytes of JSON: a processor that needs it reads it every ten seconds, at up to 16 read units.
const MAX_BYTES: usize = 128 * 1024;
/// How often an edit is tried after another writer was faster.
const ROUNDS: u32 = 8;

/// The list has no room for the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

#[derive(Serialize, Deserialize)]
struct Row<T> {
    /// Increases with each write.
    version: u64,
    items: Vec<T>,
}

/// The list; empty if there is no row. One strongly consistent read.
pub(crate) async fn read<T: DeserializeOwned>(table: &Table, key: &Key) -> Result<Vec<T>, Error> {
    let row: Option<Row<T>> = table.get(key).await?;
    Ok(row.map(|row| row.items).unwrap_or_default())
}

/// The list, eventually consistent, for `cloud::Recent`.
pub(crate) async fn glance<T: DeserializeOwned>(table: &Table, key: &Key) -> Result<Vec<T>, Error> {
    let row: Option<Row<T>> = table.look_up(key).await?;
    Ok(row.map(|row| row.items).unwrap_or_default())
}

/// Changes the list; nothing is written if `change` refuses or changes nothing. `change` runs again after another
/// writer was faster. Costs a read and a write of the whole list.
pub(crate) async fn edit<T, R, E>(
    table: &Table,
    key: &Key,
    mut change: impl FnMut(&mut Vec<T>) -> Result<R, E>,
) -> Result<Result<R, E>, Error>
where
    T: Serialize + DeserializeOwned + PartialEq + Clone,
    E: From<Full>,
{
    for _ in 0..ROUNDS {
        let stored: Option<Row<T>> = table.get(key).await?;
        let version = stored.as_ref().map(|row| row.version);
        let before = stored.map(|row| row.items).unwrap_or_default();
        let mut items = before.clone();
        let result = match change(&mut items) {
            Ok(result) => result,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if items == before {
            return Ok(Ok(result));
        }
        let grows = items.len() >= before.len();
        if grows && serde_json::to_string(&items)?.len() > MAX_BYTES {
            return Ok(Err(Full.into()));
        }
        let next = Row {
            version: version.unwrap_or_default() + 1,
            items,
        };
        match table.replace_or_create(key, &next, version).await {
            Ok(()) => return Ok(Ok(result)),
            Err(Error::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Conflict)
}
