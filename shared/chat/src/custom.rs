//! The custom fields of a conversation. Their values have a row of their own, since each message writes the header.

use cloud::Error;
use contacts::fields::{TooLong, Values, change_values};
use kernel::{ConversationId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::store::Chat;

/// How often a lost race is tried again before the caller gets an error.
const ATTEMPTS: u32 = 6;

/// The values, and the number of the write that made them.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Row {
    version: u64,
    values: Values,
}

impl Chat {
    /// The values of a conversation's custom fields. One read unit for each 4 KB.
    pub async fn custom(&self, tenant: TenantKey, id: ConversationId) -> Result<Values, Error> {
        let row: Option<Row> = self.table.get(&keys::custom(tenant, id)).await?;
        Ok(row.unwrap_or_default().values)
    }

    /// Changes the values of a conversation that exists: null clears, absent ones stay. The result has all values, or says
    /// that they would be too long. A write unit for each KB of values, and a strong read.
    pub async fn change_custom(
        &self,
        tenant: TenantKey,
        id: ConversationId,
        change: &Values,
    ) -> Result<Result<Values, TooLong>, Error> {
        let key = keys::custom(tenant, id);
        for _ in 0..ATTEMPTS {
            let stored: Option<Row> = self.table.get(&key).await?;
            let version = stored.as_ref().map(|row| row.version);
            let mut values = stored.unwrap_or_default().values;
            let before = values.clone();
            if let Err(too_long) = change_values(&mut values, change) {
                return Ok(Err(too_long));
            }
            if values == before {
                return Ok(Ok(values));
            }
            let row = Row {
                version: version.unwrap_or_default() + 1,
                values,
            };
            match self.table.replace_or_create(&key, &row, version).await {
                Ok(()) => return Ok(Ok(row.values)),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }
}
