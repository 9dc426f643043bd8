//! [`Products`]: writes and reads of products. Each write may run twice, late, in any order and concurrently.
//!
//! The row of the natural key gives a product its id, then one conditional write stores a version. Products that staff
//! entered have their code as natural key, so it is unique among them. The stock of a place that is told alone has a row
//! of its own: DynamoDB bills the whole item, so such a change costs one write unit in place of four.
//!
//! Write units of a product of about two kilobytes: a new one 5 (row, natural key, code, index). A later version takes 3, and
//! one less if the list does not show the change. A level of the stock takes 1. A repeated or older version takes 0, at 1.5
//! read units.

use std::collections::BTreeSet;

use cloud::{Created, Error, Query, Resources, Table, Update};
use jiff::Timestamp;
use kernel::commerce::{IncomingProduct, ProductGone, ProductStatus, Source, StockLevel};
use kernel::page::Page;
use kernel::{Cursor, Limit, Money, ProductId, TenantKey, clock};
use serde::{Deserialize, Serialize};

use crate::product::{
    LevelRow, MAX_PLACES, Product, ProductRow, compared, gone_mark, mark_of, place_name,
};
use crate::product_change::{ProductChange, ProductChanged};
use crate::store::Outcome;
use crate::{bounds, keys};

/// Products that a code finds.
const MOST_FOUND: u32 = 50;
/// Tries of a write against other writers of the same product.
pub(crate) const ROUNDS: u32 = 8;

/// A product in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ListedProduct)]
pub struct ListedProduct {
    /// Our id.
    pub id: ProductId,
    /// The shop's code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Price of one.
    #[schema(value_type = i64)]
    pub price: Money,
    /// ISO 4217.
    pub currency: String,
    /// Address of the first picture.
    pub image: Option<String>,
    /// The status.
    pub status: ProductStatus,
    /// Where the product comes from.
    pub source: Source,
}

/// The outcome of [`Products::create`].
#[derive(Debug, Clone, PartialEq)]
pub enum Entered {
    /// The product, by this request or an earlier run of it.
    Yes(Box<Product>),
    /// Another product that staff entered has the code.
    Taken,
}

/// The row of a code.
#[derive(Debug, Serialize, Deserialize)]
struct Coded {
    product: ProductId,
}

/// The row of a natural key.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Natural {
    pub product: ProductId,
}

/// The products of all workspaces; every call names the tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Products {
    pub(crate) table: Table,
}

impl Products {
    /// Over the table Commerce.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Commerce"),
        }
    }

    /// Records a version of a product of a source. Every order of arrival, and any repetition, ends with the latest.
    pub async fn record(
        &self,
        tenant: TenantKey,
        incoming: &IncomingProduct,
    ) -> Result<Outcome, Error> {
        let mark = mark_of(incoming);
        let name = (
            incoming.source,
            incoming.shop.as_str(),
            incoming.external_id.as_str(),
        );
        let next = |id, before: Option<&ProductRow>, now| {
            ProductRow::of(tenant, id, before, incoming, now)
        };
        self.advance(tenant, name, &mark, next).await
    }

    /// Records that its source has deleted a product: it is archived. Older versions that arrive later change nothing.
    pub async fn gone(&self, tenant: TenantKey, gone: &ProductGone) -> Result<Outcome, Error> {
        let mark = gone_mark(gone);
        let name = (gone.source, gone.shop.as_str(), gone.external_id.as_str());
        let next =
            |id, before: Option<&ProductRow>, now| ProductRow::gone(tenant, id, before, gone, now);
        self.advance(tenant, name, &mark, next).await
    }

    async fn advance(
        &self,
        tenant: TenantKey,
        name: (Source, &str, &str),
        mark: &str,
        next: impl Fn(ProductId, Option<&ProductRow>, Timestamp) -> ProductRow,
    ) -> Result<Outcome, Error> {
        for _ in 0..ROUNDS {
            let (id, before) = self.found(tenant, name).await?;
            if let Some(row) = before.as_ref().filter(|row| row.mark.as_str() >= mark) {
                return Ok(if row.mark == mark {
                    Outcome::Same
                } else {
                    Outcome::Older
                });
            }
            let row = next(id, before.as_ref(), self.table.clock().now());
            if row.has_new_code(before.as_ref()) {
                self.name_by_code(tenant, &row).await?;
            }
            let key = keys::product(tenant, id);
            let expected = before.as_ref().map(|row| row.version);
            match self.table.replace_or_create(&key, &row, expected).await {
                Ok(()) if expected.is_none() => return Ok(Outcome::Created),
                Ok(()) => return Ok(Outcome::Changed),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }

    /// The row by which a product is found by its code. Written before the product, so that no killed run leaves it out. A
    /// row of a former code names a product with another code: the search leaves it out.
    pub(crate) async fn name_by_code(
        &self,
        tenant: TenantKey,
        row: &ProductRow,
    ) -> Result<(), Error> {
        let product = row.product.id;
        let key = keys::product_code(tenant, &row.product.code, product);
        self.table.put(&key, &Coded { product }).await
    }

    /// Records the stock at a place. A product that is not known yet gets its id, so that the order of arrival does not
    /// matter. One write unit; none for an older level.
    pub async fn stock(&self, tenant: TenantKey, level: &StockLevel) -> Result<Outcome, Error> {
        let name = (
            level.source,
            level.shop.as_str(),
            level.external_id.as_str(),
        );
        let (id, _) = self.found(tenant, name).await?;
        let place = place_name(&level.place);
        let at = clock::sortable(level.at);
        let key = keys::level(tenant, id, &place);
        let known: Option<LevelRow> = self.table.look_up(&key).await?;
        if known.is_some_and(|known| known.at >= level.at) {
            return Ok(Outcome::Older);
        }
        let update = Update::new()
            .set("place", place)
            .set("count", level.count)
            .set("at", &at)
            .when_absent_or_less("at", &at);
        let outcome = self.table.update(&key, update).await?;
        Ok(if outcome.applied() {
            Outcome::Changed
        } else {
            Outcome::Older
        })
    }

    /// The id of a product of a source, and its row. One and a half read units for a known product; one write unit for
    /// a new one.
    async fn found(
        &self,
        tenant: TenantKey,
        (source, shop, external_id): (Source, &str, &str),
    ) -> Result<(ProductId, Option<ProductRow>), Error> {
        let key = keys::product_natural(tenant, source, shop, external_id);
        for _ in 0..ROUNDS {
            let id = self.claimed(&key).await?;
            let row: Option<ProductRow> = self.table.get(&keys::product(tenant, id)).await?;
            if row
                .as_ref()
                .is_none_or(|row| row.is_of(source, shop, external_id))
            {
                return Ok((id, row));
            }
            // Two products drew one id.
            self.draw_again(&key, id).await?;
        }
        Err(Error::Conflict)
    }

    pub(crate) async fn claimed(&self, key: &cloud::Key) -> Result<ProductId, Error> {
        if let Some(known) = self.table.look_up::<Natural>(key).await? {
            return Ok(known.product);
        }
        let product = ProductId::new(self.table.clock(), self.table.entropy());
        match self.table.create(key, &Natural { product }).await? {
            Created::New => Ok(product),
            Created::Existing(known) => Ok(known.product),
        }
    }

    pub(crate) async fn draw_again(&self, key: &cloud::Key, taken: ProductId) -> Result<(), Error> {
        let product = ProductId::new(self.table.clock(), self.table.entropy());
        let update = Update::new()
            .set("product", product)
            .when_equals("product", taken);
        self.table.update(key, update).await.map(drop)
    }

    /// Makes a product that staff enter. Its code is its natural key: no other product that staff entered has it, in any
    /// spelling. Safe to repeat: the time of the request and its content name it.
    pub async fn create(
        &self,
        tenant: TenantKey,
        incoming: &IncomingProduct,
        staff_tags: &[String],
    ) -> Result<Entered, Error> {
        let code = compared(incoming.code.as_deref().unwrap_or_default());
        let natural = keys::product_natural(tenant, incoming.source, "", &code);
        for _ in 0..ROUNDS {
            let id = self.claimed(&natural).await?;
            let mut row = ProductRow::of(tenant, id, None, incoming, incoming.source_at);
            row.product.staff_tags = bounds::tags(staff_tags);
            self.name_by_code(tenant, &row).await?;
            let row = match self.table.create(&keys::product(tenant, id), &row).await? {
                Created::New => row,
                Created::Existing(found) if found.first == row.first => found,
                Created::Existing(found) if found.is_own(incoming.source, &code) => {
                    return Ok(Entered::Taken);
                }
                Created::Existing(_) => {
                    self.draw_again(&natural, id).await?;
                    continue;
                }
            };
            return Ok(Entered::Yes(Box::new(row.with_stock(&[]))));
        }
        Err(Error::Conflict)
    }

    /// Changes a product as staff ask.
    pub async fn change(
        &self,
        tenant: TenantKey,
        id: ProductId,
        change: &ProductChange,
    ) -> Result<ProductChanged, Error> {
        let key = keys::product(tenant, id);
        for _ in 0..ROUNDS {
            let Some(before) = self.table.get::<ProductRow>(&key).await? else {
                return Ok(ProductChanged::Missing);
            };
            let now = self.table.clock().now();
            let mut row = before.clone();
            if let Err(refused) = change.apply(&mut row) {
                return Ok(refused);
            }
            let mut row = row.listed();
            if row != before {
                row.version += 1;
                row.product.updated_at = now;
                match self.table.replace(&key, &row, before.version).await {
                    Ok(()) => {}
                    Err(Error::Conflict) => continue,
                    Err(error) => return Err(error),
                }
            }
            let levels = self.levels(tenant, id).await?;
            return Ok(ProductChanged::Yes(Box::new(row.with_stock(&levels))));
        }
        Err(Error::Conflict)
    }

    /// One product with its stock. Two read units for two kilobytes.
    pub async fn get(&self, tenant: TenantKey, id: ProductId) -> Result<Option<Product>, Error> {
        let row: Option<ProductRow> = self.table.get(&keys::product(tenant, id)).await?;
        match row {
            Some(row) => Ok(Some(row.with_stock(&self.levels(tenant, id).await?))),
            None => Ok(None),
        }
    }

    async fn levels(&self, tenant: TenantKey, id: ProductId) -> Result<Vec<LevelRow>, Error> {
        let query = Query::partition(keys::product(tenant, id).pk).begins_with(keys::LEVEL);
        let page: Page<LevelRow> = self.table.query(query.limit(MAX_PLACES as u32)).await?;
        Ok(page.data)
    }

    /// The products whose code ends like this text, at least three characters; up to fifty of them. Every status.
    pub async fn by_code(
        &self,
        tenant: TenantKey,
        code: &str,
    ) -> Result<Vec<ListedProduct>, Error> {
        let reversed = keys::reversed(code);
        let query = Query::partition(keys::product_codes(tenant, &reversed));
        let query = query.begins_with(reversed.clone()).limit(MOST_FOUND);
        let found: Page<Coded> = self.table.query(query).await?;
        let ids: BTreeSet<ProductId> = found.data.into_iter().map(|row| row.product).collect();
        let keys = ids.into_iter().map(|id| keys::product(tenant, id));
        let found = self
            .table
            .get_many_consistent::<ListedProduct>(keys.collect())
            .await?;
        let mut listed: Vec<ListedProduct> = found.into_iter().map(|(_, one)| one).collect();
        listed.retain(|one| keys::reversed(&one.code).starts_with(&reversed));
        listed.sort_unstable_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(listed)
    }

    /// A page of the products of a status by name, whose name begins with a text: diacritics and case do not matter. A
    /// read unit for about twenty products.
    pub async fn page(
        &self,
        tenant: TenantKey,
        status: ProductStatus,
        prefix: &str,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<ListedProduct>, Error> {
        let query = Query::index("Products", &["name_folded"])
            .with("tenant", tenant.to_string())
            .with("pstatus", status.name());
        let prefix = kernel::text::fold(prefix);
        let query = if prefix.is_empty() {
            query
        } else {
            query.begins_with(prefix)
        };
        self.table
            .query(query.limit(limit.get()).cursor(cursor))
            .await
    }
}
