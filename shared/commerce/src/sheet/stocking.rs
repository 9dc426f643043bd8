//! Writes of the products of a file. Each may run twice, late and concurrently, and may be killed at any point.
//!
//! A code that staff entered names their product; another one names a product of files. The product remembers the row that
//! told it, as orders do.

use cloud::{Created, Error};
use jiff::Timestamp;
use kernel::commerce::Source;
use kernel::{ProductId, TenantKey};

use super::filed::{Asking, Settled};
use super::products::FileProduct;
use crate::bounds;
use crate::keys;
use crate::product::ProductRow;
use crate::products::{Natural, Products, ROUNDS};

/// The end of a row, and its product.
pub(crate) type End = (Settled, Option<ProductId>);

impl Products {
    /// The end of a row if nothing is to be written for it, and whether the product is known. Writes nothing.
    pub(crate) async fn judge_file(
        &self,
        tenant: TenantKey,
        told: &FileProduct,
        asking: &Asking,
    ) -> Result<(Option<End>, bool), Error> {
        let known = self.own(tenant, &told.key()).await?;
        let end = known.as_ref().and_then(|row| end_of(row, asking));
        Ok((end, known.is_some()))
    }

    /// Stores what a file says about a product.
    pub(crate) async fn file(
        &self,
        tenant: TenantKey,
        told: &FileProduct,
        asking: &Asking,
    ) -> Result<End, Error> {
        let key = told.key();
        for _ in 0..ROUNDS {
            let written = match self.own(tenant, &key).await? {
                Some(row) => match end_of(&row, asking) {
                    Some(end) => return Ok(end),
                    None => self.change_filed(tenant, &row, told, asking).await,
                },
                None => self.create_filed(tenant, told, asking).await,
            };
            match written {
                Ok(Some(end)) => return Ok(end),
                Ok(None) | Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// The product of a code that is managed here: that of staff, or else that of files. One to three read units.
    async fn own(&self, tenant: TenantKey, code: &str) -> Result<Option<ProductRow>, Error> {
        for source in [Source::Manual, Source::Import] {
            let key = keys::product_natural(tenant, source, "", code);
            let Some(natural) = self.table.get::<Natural>(&key).await? else {
                continue;
            };
            let key = keys::product(tenant, natural.product);
            let row: Option<ProductRow> = self.table.get(&key).await?;
            if let Some(row) = row.filter(|row| row.is_own(source, code)) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    async fn change_filed(
        &self,
        tenant: TenantKey,
        before: &ProductRow,
        told: &FileProduct,
        asking: &Asking,
    ) -> Result<Option<End>, Error> {
        let id = before.product.id;
        let mut row = before.clone();
        if told.change().apply(&mut row).is_err() {
            let end = Settled::skipped("the product is changed at its source");
            return Ok(Some((end, Some(id))));
        }
        let mut row = row.listed();
        if row == *before {
            let end = Settled::skipped("the product is already so");
            return Ok(Some((end, Some(id))));
        }
        let now = self.table.clock().now();
        row.version += 1;
        row.product.updated_at = now;
        row.filed = Some(asking.filed(false));
        row.filed_at = Some(now);
        let key = keys::product(tenant, id);
        self.table.replace(&key, &row, before.version).await?;
        Ok(Some((Settled::stored(false), Some(id))))
    }

    /// `None`: another run made the product, or another product has the drawn id.
    async fn create_filed(
        &self,
        tenant: TenantKey,
        told: &FileProduct,
        asking: &Asking,
    ) -> Result<Option<End>, Error> {
        let incoming = match told.incoming(asking.at) {
            Ok(incoming) => incoming,
            Err(why) => return Ok(Some((Settled::failed(why), None))),
        };
        let natural = keys::product_natural(tenant, Source::Import, "", &told.key());
        let id = self.claimed(&natural).await?;
        let now = self.table.clock().now();
        let mut row = ProductRow::of(tenant, id, None, &incoming, now);
        row.product.staff_tags = bounds::tags(&told.tags);
        row.filed = Some(asking.filed(true));
        row.filed_at = Some(now);
        self.name_by_code(tenant, &row).await?;
        match self.table.create(&keys::product(tenant, id), &row).await? {
            Created::New => Ok(Some((Settled::stored(true), Some(id)))),
            Created::Existing(found) if found.is_own(Source::Import, &told.key()) => Ok(None),
            Created::Existing(_) => {
                self.draw_again(&natural, id).await?;
                Ok(None)
            }
        }
    }
}

fn end_of(row: &ProductRow, asking: &Asking) -> Option<End> {
    let updated_at = row.product.updated_at;
    // The version of a file is as old as the request of its import, which the row of the file tells.
    let is_of_file = row.filed_at == Some(updated_at);
    let changed_at = if is_of_file {
        Timestamp::UNIX_EPOCH
    } else {
        updated_at
    };
    let settled = asking.settled(row.filed.as_ref(), changed_at);
    settled.map(|settled| (settled, Some(row.product.id)))
}
