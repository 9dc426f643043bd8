//! Files of orders and of products: [`GoodsDesk`] takes their lines. The job is that of `contacts::import`.
//!
//! Pure: `cells` and `words` (values), `orders` and `products` (what the lines say), `version` and `filed` (what
//! follows). `filing` and `stocking` write.

mod cells;
pub(crate) mod filed;
mod filing;
mod orders;
mod products;
mod reading;
mod stocking;
mod version;
mod words;

use std::collections::BTreeMap;

use cloud::{Error, Resources};
use contacts::import::{Fate, Goods, Job, Kind, Outcome, RowError};
use contacts::{Contacts, Incoming, Merge, person};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Span;
use kernel::commerce::Source;
use kernel::{ContactId, TenantKey};

use crate::{Orders, Products};
use filed::{Asking, Settled};
use orders::{FileOrder, OrderLines};
use products::ProductLine;

/// Orders or products of a slice that are written concurrently. An index of a workspace takes 500 a second: four imports
/// have four slices each at a time.
const CONCURRENCY: usize = 3;

/// The end of an order or a product of a file, and its id.
type End = (Settled, Option<String>);

/// Takes the lines of files.
#[derive(Clone, Debug)]
pub struct GoodsDesk {
    silent: Writers,
    heard: Writers,
    products: Products,
}

/// The writers of orders and of the contacts that ordered.
#[derive(Clone, Debug)]
struct Writers {
    orders: Orders,
    contacts: Contacts,
}

impl GoodsDesk {
    /// Over the tables Commerce, Contacts, Directory and Timeline. An import starts workflows only if its settings say so.
    pub fn over(resources: &Resources) -> Self {
        Self {
            silent: Writers {
                orders: Orders::silent(resources),
                contacts: Contacts::silent(resources),
            },
            heard: Writers {
                orders: Orders::over(resources),
                contacts: Contacts::over(resources),
            },
            products: Products::over(resources),
        }
    }

    /// Takes lines, or tries them; a fate for each, in their order. May be repeated.
    pub async fn take(&self, goods: Goods) -> Result<Vec<Fate>, Error> {
        match goods.job.request.kind {
            Kind::Orders => self.take_orders(&goods).await,
            Kind::Products => self.take_products(&goods).await,
            Kind::Contacts => Ok(Vec::new()),
        }
    }

    async fn take_orders(&self, goods: &Goods) -> Result<Vec<Fate>, Error> {
        let tried = tried(goods);
        let orders = orders::orders(&goods.lines, &goods.layout);
        let (mut groups, mut count) = (BTreeMap::<String, Vec<(OrderLines, bool)>>::new(), 0);
        for order in orders {
            // Orders of one customer, or of one code, are stored one after another: of a code the first one counts.
            let buyer = order.order.buyer.first().map(|one| format!("{one:?}"));
            let name = buyer.unwrap_or_else(|| order.order.key());
            let is_tried = count < tried;
            count += order.lines.len();
            groups.entry(name).or_default().push((order, is_tried));
        }
        let work = stream::iter(groups.into_values()).map(|group| self.order_group(goods, group));
        let fates: Vec<Vec<Fate>> = work.buffer_unordered(CONCURRENCY).try_collect().await?;
        Ok(sorted(fates))
    }

    async fn order_group(
        &self,
        goods: &Goods,
        group: Vec<(OrderLines, bool)>,
    ) -> Result<Vec<Fate>, Error> {
        let mut fates = Vec::new();
        for (order, is_tried) in group {
            let end = self.order(goods, &order, is_tried).await?;
            fates.extend(fates_of(order, end));
        }
        Ok(fates)
    }

    /// The end of an order.
    async fn order(&self, goods: &Goods, lines: &OrderLines, is_tried: bool) -> Result<End, Error> {
        let (tenant, job, order) = (goods.tenant, &goods.job, &lines.order);
        if lines.is_wrong {
            return Ok((Settled::of(Outcome::Failed), None));
        }
        if let Some(end) = elsewhere(order.source, &[Source::Import]) {
            return Ok((end, None));
        }
        let asking = Asking::of(job, lines.first(), order.hash());
        let writers = if job.request.start_workflows {
            &self.heard
        } else {
            &self.silent
        };
        if !is_tried {
            return Ok((Settled::of(Outcome::Updated), None));
        }
        let is_trial = goods.trial.is_some();
        let judged = writers.orders.judge_file(tenant, order, &asking, is_trial);
        let (end, is_known) = judged.await?;
        if let Some(end) = end {
            return Ok(named(end));
        }
        if !is_known && let Err(why) = order.incoming(None, asking.at) {
            return Ok((Settled::failed(why), None));
        }
        if is_trial {
            return Ok((Settled::stored(!is_known), None));
        }
        let stored = async {
            let contact = buyer(&writers.contacts, tenant, job, lines).await?;
            writers.orders.file(tenant, contact, order, &asking).await
        };
        stored_or_refused(stored.await.map(named))
    }

    async fn take_products(&self, goods: &Goods) -> Result<Vec<Fate>, Error> {
        let lines = goods.lines.iter().enumerate();
        let lines: Vec<(usize, ProductLine)> = lines
            .map(|(n, line)| (n, products::product(line, &goods.layout)))
            .collect();
        let mut groups = BTreeMap::<String, Vec<(usize, ProductLine)>>::new();
        for (n, line) in lines {
            // Rows of one code are stored one after another: the first one counts.
            groups
                .entry(line.product.key())
                .or_default()
                .push((n, line));
        }
        let work = stream::iter(groups.into_values()).map(|group| self.product_group(goods, group));
        let fates: Vec<Vec<Fate>> = work.buffer_unordered(CONCURRENCY).try_collect().await?;
        Ok(sorted(fates))
    }

    async fn product_group(
        &self,
        goods: &Goods,
        group: Vec<(usize, ProductLine)>,
    ) -> Result<Vec<Fate>, Error> {
        let mut fates = Vec::new();
        for (n, line) in group {
            let (end, id) = self.product(goods, &line, n < tried(goods)).await?;
            fates.push(fate(line.line, line.told, end, id));
        }
        Ok(fates)
    }

    async fn product(
        &self,
        goods: &Goods,
        line: &ProductLine,
        is_tried: bool,
    ) -> Result<End, Error> {
        let (tenant, product) = (goods.tenant, &line.product);
        if line.is_wrong {
            return Ok((Settled::of(Outcome::Failed), None));
        }
        if let Some(end) = elsewhere(product.source, &[Source::Manual, Source::Import]) {
            return Ok((end, None));
        }
        if !is_tried {
            return Ok((Settled::of(Outcome::Updated), None));
        }
        let asking = Asking::of(&goods.job, line.line, product.hash());
        if goods.trial.is_none() {
            let stored = self.products.file(tenant, product, &asking).await;
            return stored_or_refused(stored.map(named));
        }
        let (end, is_known) = self.products.judge_file(tenant, product, &asking).await?;
        if let Some(end) = end {
            return Ok(named(end));
        }
        if !is_known && let Err(why) = product.incoming(asking.at) {
            return Ok((Settled::failed(why), None));
        }
        Ok((Settled::stored(!is_known), None))
    }
}

/// An end with the id as text.
fn named((end, id): (Settled, Option<impl ToString>)) -> End {
    (end, id.map(|id| id.to_string()))
}

fn sorted(fates: Vec<Vec<Fate>>) -> Vec<Fate> {
    let mut fates: Vec<Fate> = fates.into_iter().flatten().collect();
    fates.sort_unstable_by_key(|fate| fate.line);
    fates
}

/// Lines that are looked up.
fn tried(goods: &Goods) -> usize {
    goods.trial.unwrap_or(usize::MAX)
}

/// The end of a row about a thing that is changed elsewhere, as our own files tell it.
fn elsewhere(source: Option<Source>, own: &[Source]) -> Option<Settled> {
    let source = source.filter(|source| !own.contains(source))?;
    let told = format!("it comes from {} and is changed there", source.name());
    Some(Settled {
        outcome: Outcome::Skipped,
        told: Some(told),
    })
}

/// A row that can never be stored costs the row; a failure of the moment repeats the slice.
fn stored_or_refused(stored: Result<End, Error>) -> Result<End, Error> {
    match stored {
        Err(error) if !error.is_retryable() => {
            Ok((Settled::failed("the row cannot be stored"), None))
        }
        other => other,
    }
}

/// The contact that ordered, found or made as the contact of a request of a source is.
async fn buyer(
    contacts: &Contacts,
    tenant: TenantKey,
    job: &Job,
    lines: &OrderLines,
) -> Result<Option<ContactId>, Error> {
    let FileOrder {
        buyer,
        customer_name,
        ..
    } = &lines.order;
    if buyer.is_empty() {
        return Ok(None);
    }
    let line = lines.first();
    let own = Span::new().try_nanoseconds(line as i64).unwrap_or_default();
    let name = customer_name.as_deref().zip(person::field("full_name"));
    let contact = Incoming {
        identities: buyer.clone(),
        person: contacts::Person {
            full_name: name.and_then(|(name, field)| field.fit(name)),
            ..contacts::Person::default()
        },
        tags: job.request.tags.clone(),
        lists: job.request.list.into_iter().collect(),
        source: contacts::Source::Import,
        merge: Merge::FillEmpty,
        at: Some(job.created_at.checked_add(own).unwrap_or(job.created_at)),
        operation: Some(format!("{}#{line}", job.id)),
        ..Incoming::default()
    };
    let upserted = contacts.upsert(tenant, &contact).await?;
    Ok(Some(upserted.contact))
}

fn fate(line: u64, mut notes: Vec<RowError>, end: Settled, id: Option<String>) -> Fate {
    if let Some(message) = end.told {
        notes.insert(0, reading::told(line, None, &message));
    }
    Fate {
        line,
        outcome: end.outcome,
        id,
        told: notes,
    }
}

/// The fates of the lines of an order. So that `created` counts orders, only the first line of a new one is created.
fn fates_of(order: OrderLines, (end, id): End) -> Vec<Fate> {
    let mut fates = Vec::with_capacity(order.lines.len());
    let has_reason = order.lines.iter().any(|(_, told)| !told.is_empty());
    for (n, (line, told)) in order.lines.into_iter().enumerate() {
        let outcome = match end.outcome {
            Outcome::Created if n > 0 => Outcome::Updated,
            other => other,
        };
        let message = match (n, &end.told) {
            (0, Some(message)) => Some(message.clone()),
            (_, None) if end.outcome == Outcome::Failed && told.is_empty() && has_reason => {
                Some("another line of the order is wrong".to_owned())
            }
            _ => None,
        };
        let one = Settled {
            outcome,
            told: message,
        };
        fates.push(fate(line, told, one, id.clone()));
    }
    fates
}
