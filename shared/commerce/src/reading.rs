//! Lists of orders: by tab, by contact, by code; and the totals of a contact and of a list. Reads only.

use cloud::{Error, Query};
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{ContactId, Cursor, Limit, Money, OrderId, TenantKey, UserId, clock};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::order::{Order, Row, all, product_hash, tab};
use crate::store::{Coded, Orders, Placed};
use kernel::commerce::{OrderStatus, PaymentMethod, PaymentStatus, Source};

/// Orders of a contact that its totals count; the latest ones.
pub const MOST_COUNTED: usize = 5_000;
/// Products that a contact's totals name.
const MOST_PRODUCTS: usize = 50;
/// Pages that one request reads.
const MOST_PAGES: u32 = 20;
/// Orders that a code finds.
const MOST_FOUND: u32 = 50;
/// Rows of a page of the sums.
const PAGE: u32 = 100;

/// Which orders to list. The API reads it as a query.
#[derive(
    Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::IntoParams, utoipa::ToSchema,
)]
#[into_params(parameter_in = Query)]
#[schema(as = OrderFilter)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    /// The tab. Without one: all but cancelled and returned orders.
    pub status: Option<OrderStatus>,
    /// Where they come from.
    pub source: Option<Source>,
    /// How they are paid.
    pub payment_method: Option<PaymentMethod>,
    /// How much of them is paid.
    pub payment_status: Option<PaymentStatus>,
    /// Entered by this person.
    pub staff_id: Option<UserId>,
    /// With this product: the shop's code of the article, or the id at the source. The first 20 items count.
    #[param(min_length = 1, max_length = 100)]
    #[schema(min_length = 1, max_length = 100)]
    pub product: Option<String>,
    /// Ordered at this time or later.
    pub from: Option<Timestamp>,
    /// Ordered before this time.
    pub before: Option<Timestamp>,
    /// With at least this total.
    #[param(minimum = 0, maximum = 1_000_000_000_000_i64)]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub min_total: Option<i64>,
    /// With at most this total.
    #[param(minimum = 0, maximum = 1_000_000_000_000_i64)]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub max_total: Option<i64>,
}

/// An order in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ListedOrder)]
pub struct Listed {
    /// Our id.
    pub id: OrderId,
    /// The number that people call the order by.
    pub code: String,
    /// When the customer ordered.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub ordered_at: Timestamp,
    /// The customer; null if nobody is known, or the contact was erased.
    pub contact_id: Option<ContactId>,
    /// The customer's name at the time of the order.
    pub customer_name: Option<String>,
    /// The status.
    pub status: OrderStatus,
    /// Where the order comes from.
    pub source: Source,
    /// How much is paid.
    pub payment_status: PaymentStatus,
    /// How it is paid.
    pub payment_method: Option<PaymentMethod>,
    /// The amount that the customer pays.
    #[schema(value_type = i64)]
    pub total: Money,
    /// ISO 4217.
    pub currency: String,
    /// The person who entered the order.
    #[serde(default)]
    pub staff_id: Option<UserId>,
    #[serde(default, skip_serializing)]
    #[schema(ignore)]
    pub(crate) products: Vec<u32>,
}

/// The sums of a list, or of a page of it. Orders in other currencies than VND count and add no amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = OrderSums)]
pub struct Sums {
    /// Number of orders.
    pub orders: u64,
    /// Sum of the totals, in VND.
    #[schema(value_type = i64)]
    pub total: Money,
}

impl Sums {
    /// The sums of these orders.
    pub fn of<'a>(listed: impl IntoIterator<Item = &'a Listed>) -> Self {
        let mut sums = Self::default();
        for one in listed {
            sums.orders += 1;
            if one.currency == crate::VND {
                let sum = sums.total.checked_add(one.total);
                sums.total = sum.unwrap_or(Money::vnd(i64::MAX));
            }
        }
        sums
    }
}

/// The completed orders of a contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many.
    pub count: u32,
    /// Sum of their totals in VND.
    pub sum: Money,
    /// When the first was ordered.
    pub first: Option<Timestamp>,
    /// When the last was ordered.
    pub last: Option<Timestamp>,
    /// [`crate::product_hash`] of the last 50 products, oldest first.
    pub products: Vec<u32>,
}

impl Asked {
    fn query(&self, tenant: TenantKey) -> Query {
        let query = match self.status {
            Some(status) => Query::index("ByTab", &["ordered_at"]).with("tab", tab(status)),
            None => Query::index("ByTime", &["ordered_at"]).with("shown", all()),
        };
        let query = query.with("tenant", tenant.to_string()).descending();
        if self.from.is_none() && self.before.is_none() {
            return query;
        }
        let low = self.from.map_or_else(|| "0".to_owned(), clock::sortable);
        let last = |before: Timestamp| {
            let last = before.saturating_sub(SignedDuration::from_millis(1));
            clock::sortable(last.unwrap_or(before))
        };
        let high = self.before.map_or_else(|| "9".to_owned(), last);
        // DynamoDB refuses a range that ends before it begins. No order is at the place "0".
        if high < low {
            return query.between("0", "0");
        }
        query.between(low, high)
    }

    fn has(&self, one: &Listed) -> bool {
        let total = one.total.amount();
        let product = self.product.as_deref().map(|id| product_hash(id.trim()));
        self.source.is_none_or(|source| source == one.source)
            && self
                .staff_id
                .is_none_or(|staff| Some(staff) == one.staff_id)
            && product.is_none_or(|hash| one.products.contains(&hash))
            && self
                .payment_status
                .is_none_or(|status| status == one.payment_status)
            && self
                .payment_method
                .is_none_or(|method| Some(method) == one.payment_method)
            && self.min_total.is_none_or(|least| total >= least)
            && self.max_total.is_none_or(|most| total <= most)
    }
}

impl Orders {
    /// One order.
    pub async fn get(&self, tenant: TenantKey, id: OrderId) -> Result<Option<Order>, Error> {
        let row: Option<Row> = self.table.get(&keys::order(tenant, id)).await?;
        Ok(row.map(|row| row.order))
    }

    /// A page of orders, the latest first. A page may hold fewer than `limit`, also none, and have a next one. A read
    /// unit for about twenty orders.
    pub async fn page(
        &self,
        tenant: TenantKey,
        asked: &Asked,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Listed>, Error> {
        let mut cursor = cursor;
        for _ in 0..MOST_PAGES {
            let query = asked.query(tenant).limit(limit.get()).cursor(cursor);
            let mut page: Page<Listed> = self.table.query(query).await?;
            page.data.retain(|one| asked.has(one));
            if !page.data.is_empty() || page.next.is_none() {
                return Ok(page);
            }
            cursor = page.next;
        }
        Ok(Page {
            data: Vec::new(),
            next: cursor,
        })
    }

    /// The sums of a list, and whether they hold all of it: the latest 2,000 orders of the tab are read. Up to a hundred
    /// read units.
    pub async fn sums(&self, tenant: TenantKey, asked: &Asked) -> Result<(Sums, bool), Error> {
        let (mut found, mut cursor) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let query = asked.query(tenant).limit(PAGE).cursor(cursor);
            let page: Page<Listed> = self.table.query(query).await?;
            found.extend(page.data.into_iter().filter(|one| asked.has(one)));
            cursor = page.next;
            if cursor.is_none() {
                return Ok((Sums::of(&found), true));
            }
        }
        Ok((Sums::of(&found), false))
    }

    /// The orders whose code ends like this text, at least three characters; up to fifty of them. Every status.
    pub async fn by_code(&self, tenant: TenantKey, code: &str) -> Result<Vec<Listed>, Error> {
        let reversed = keys::reversed(code);
        let query = Query::partition(keys::codes(tenant, &reversed));
        let query = query.begins_with(reversed).limit(MOST_FOUND);
        let found: Page<Coded> = self.table.query(query).await?;
        let ids = found.data.into_iter().map(|row| row.order);
        self.listed(tenant, ids).await
    }

    /// A page of a contact's orders of every status, the latest first.
    pub async fn of_contact(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Listed>, Error> {
        let query = Query::partition(keys::orders_of(tenant, contact)).descending();
        let page: Page<Placed> = self
            .table
            .query(query.limit(limit.get()).cursor(cursor))
            .await?;
        let ids = page.data.into_iter().map(|row| row.order);
        Ok(Page {
            data: self.listed(tenant, ids).await?,
            next: page.next,
        })
    }

    async fn listed(
        &self,
        tenant: TenantKey,
        ids: impl Iterator<Item = OrderId>,
    ) -> Result<Vec<Listed>, Error> {
        let keys = ids.map(|id| keys::order(tenant, id)).collect();
        let found = self.table.get_many_consistent::<Listed>(keys).await?;
        let mut listed: Vec<Listed> = found.into_iter().map(|(_, one)| one).collect();
        listed.sort_unstable_by_key(|one| std::cmp::Reverse((one.ordered_at, one.id)));
        Ok(listed)
    }

    /// The totals of a contact from its orders, strongly consistent. A read unit for about twenty orders.
    pub async fn totals(&self, tenant: TenantKey, contact: ContactId) -> Result<Totals, Error> {
        let placed = self.placed(tenant, contact, MOST_COUNTED).await?;
        let mut totals = Totals::default();
        for one in placed.iter().filter(|one| one.counts) {
            totals.count += 1;
            let sum = totals.sum.checked_add(Money::vnd(one.dong));
            totals.sum = sum.unwrap_or(Money::vnd(i64::MAX));
            totals.last = totals.last.max(Some(one.ordered_at));
            let is_first = totals.first.is_none_or(|first| one.ordered_at < first);
            totals.first = if is_first {
                Some(one.ordered_at)
            } else {
                totals.first
            };
            for &hash in &one.products {
                if totals.products.len() < MOST_PRODUCTS && !totals.products.contains(&hash) {
                    totals.products.push(hash);
                }
            }
        }
        totals.products.reverse();
        Ok(totals)
    }

    /// The orders of a contact, the latest first.
    pub(crate) async fn placed(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        most: usize,
    ) -> Result<Vec<Placed>, Error> {
        let query = Query::partition(keys::orders_of(tenant, contact)).descending();
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page: Page<Placed> = self.table.query(query.clone().cursor(cursor)).await?;
            all.extend(page.data);
            cursor = page.next;
            if cursor.is_none() || all.len() >= most {
                all.truncate(most);
                return Ok(all);
            }
        }
    }
}
