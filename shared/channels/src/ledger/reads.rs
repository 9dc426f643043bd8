//! Reads of the ledger for histories and reports. Nothing is written, and no index is needed: each row is read by its
//! key, or with the others of its contact in one scope.

use cloud::{Error, Query};
use contacts::Channel;
use kernel::{ContactId, TenantKey};
use serde::Deserialize;

use super::facts::Row;
use super::store::{Ledger, LedgerKey, kind};

/// A row with its sort key.
#[derive(Deserialize)]
struct Keyed {
    sk: String,
    #[serde(flatten)]
    row: Row,
}

impl Ledger {
    /// The rows of these sends, in their order, eventually consistent: half a read unit each, in batches of 100. A
    /// released row says nothing and is `None`.
    pub async fn rows(
        &self,
        tenant: TenantKey,
        keys: &[LedgerKey],
    ) -> Result<Vec<Option<Row>>, Error> {
        let places: Vec<cloud::Key> = keys.iter().map(|key| key.key(tenant)).collect();
        let found = self.table.get_many::<Row>(places.clone()).await?;
        let mut found: std::collections::BTreeMap<cloud::Key, Row> = found.into_iter().collect();
        let rows = places.iter().map(|place| found.remove(place));
        Ok(rows
            .map(|row| row.filter(|row| !row.released || row.is_accepted()))
            .collect())
    }

    /// The sends of one campaign or enrollment to one contact. One query.
    pub async fn of_contact(
        &self,
        tenant: TenantKey,
        scope: &str,
        contact: ContactId,
    ) -> Result<Vec<(LedgerKey, Row)>, Error> {
        let query = Query::partition(format!("{tenant}#{scope}#{contact}"));
        let rows: Vec<Keyed> = self.table.query_all(query.eventual()).await?;
        let known = rows.into_iter().filter_map(|Keyed { sk, row }| {
            let (channel, step) = sk.split_once('#')?;
            let channel = Channel::ALL.into_iter().find(|one| kind(*one) == channel)?;
            let key = LedgerKey {
                scope: scope.to_owned(),
                contact,
                channel,
                step: step.to_owned(),
            };
            Some((key, row))
        });
        Ok(known
            .filter(|(_, row)| !row.released || row.is_accepted())
            .collect())
    }
}
